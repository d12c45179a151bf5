//! How a server is asked and how it answers, where it is not Kraken's way: the seam for servers
//! that speak a protocol of their own. What comes out is always Kraken's text, as feed-sim wrote
//! it.

use std::fmt::Write as _;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::load::dashboard::SessionId;
use crate::load::frame::{Op, Requests};
use crate::load::watch::{Extras, Watch};

/// What the load side speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Kraken v2 with an ack for each symbol, which is waited for.
    #[default]
    Kraken,
    /// The same requests; acks may be missing, so nothing is waited for but the upgrade.
    #[serde(alias = "kraken-v2")]
    Unacknowledged,
    /// NATS over WebSocket: one subject a symbol, below `ticker`, as bench/peers/nats/client.py has
    /// it.
    Nats,
}

const NATS_CONNECT: &str =
    "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"bench\",\"version\":\"1\"}\r\n";

/// What has come of messages whose end has not; by session, empty while all are whole.
#[derive(Debug, Default)]
pub struct Parted(FxHashMap<SessionId, Vec<u8>>);

impl Dialect {
    /// Asks for all that `session` watches; says how many answers to wait for.
    /// `extras` is for those that know them.
    pub fn subscribe(
        self,
        watch: &Watch,
        session: SessionId,
        requests: &mut Requests,
        extras: &impl Extras,
    ) -> u64 {
        match self {
            Self::Kraken => watch.subscribe_with(session, requests, extras),
            Self::Unacknowledged => {
                watch.subscribe(session, requests);
                0
            }
            Self::Nats => {
                let mut text = NATS_CONNECT.to_owned();
                for (at, symbol) in watch.symbols_of(session).enumerate() {
                    let _ = write!(text, "SUB ticker.{symbol} {}\r\n", at + 1);
                }
                // Its answer says that all of them are in force.
                text.push_str("PING\r\n");
                requests.push(Op::Binary, text.as_bytes());
                1
            }
        }
    }

    /// Cuts a binary message into texts; says whether the subscriptions came into force by it. Only
    /// NATS has any.
    pub fn parts(
        self,
        parted: &mut Parted,
        session: SessionId,
        bytes: &[u8],
        requests: &mut Requests,
        mut each: impl FnMut(&[u8]),
    ) -> bool {
        if self != Self::Nats {
            return false;
        }
        let mut ready = false;
        let mut joined = parted.0.remove(&session).unwrap_or_default();
        let all = if joined.is_empty() {
            bytes
        } else {
            joined.extend_from_slice(bytes);
            &joined
        };
        let mut rest = all;
        while let Some(used) = nats_message(rest, requests, &mut ready, &mut each) {
            rest = &rest[used..];
        }
        if !rest.is_empty() {
            let rest = rest.to_vec();
            parted.0.insert(session, rest);
        }
        ready
    }
}

/// Takes one whole protocol message off `bytes`: `MSG subject sid [reply] size CRLF payload CRLF`,
/// or a line of another kind.
fn nats_message(
    bytes: &[u8],
    requests: &mut Requests,
    ready: &mut bool,
    each: &mut impl FnMut(&[u8]),
) -> Option<usize> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    let line = &bytes[..end];
    if line.starts_with(b"PING") {
        requests.push(Op::Binary, b"PONG\r\n");
    }
    *ready |= line.starts_with(b"PONG");
    if !line.starts_with(b"MSG ") {
        return Some(end + 2);
    }
    let size = line.rsplit(|byte| *byte == b' ').next()?;
    let size: usize = std::str::from_utf8(size).ok()?.parse().ok()?;
    let payload = bytes.get(end + 2..end + 2 + size)?;
    bytes.get(end + 2 + size + 1)?;
    each(payload);
    Some(end + 2 + size + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nats_messages_come_whole_however_they_are_cut() {
        let bytes = b"INFO {}\r\nMSG ticker.A.B 1 5\r\nhello\r\nPING\r\nMSG x 2 y 2\r\nhi\r\n";
        for cut in 0..bytes.len() {
            let (mut parted, mut requests) = (Parted::default(), Requests::default());
            let mut heard = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                Dialect::Nats.parts(&mut parted, 7, part, &mut requests, |text| {
                    heard.push(text.to_vec());
                });
            }
            assert_eq!(heard, [&b"hello"[..], b"hi"], "cut at {cut}");
            assert_eq!(requests.count, 1);
        }
    }
}
