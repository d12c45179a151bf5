//! The HTTP upgrade, by hand: one request, one answer that must be exactly a WebSocket's (RFC 6455
//! section 4). No compression is offered, as no dashboard needs it here and it would hide the
//! bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha1::{Digest, Sha1};

/// The longest answer head that is read.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// One upgrade under way: the key that was sent, and as much of the answer as has come.
#[derive(Debug)]
pub struct Upgrade {
    key: String,
    head: Vec<u8>,
}

/// Why the answer is not an upgrade.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    /// A status other than 101.
    #[error("upgrade refused: {0}")]
    Status(String),
    /// A header that RFC 6455 demands is missing or different.
    #[error("upgrade answer: header {0} is missing or wrong")]
    Header(&'static str),
    /// The answer's head never ended.
    #[error("upgrade answer: head is longer than {HEAD_BYTES_MAX} bytes")]
    TooLong,
}

impl UpgradeError {
    /// Whether the gateway may well let in who comes again in a moment.
    pub fn is_for_now(&self) -> bool {
        let Self::Status(status) = self else { return false };
        matches!(status.split(' ').nth(1), Some("429" | "503"))
    }
}

impl Upgrade {
    /// A new upgrade with a random key.
    pub fn new(random: &mut fastrand::Rng) -> Self {
        let nonce: [u8; 16] = random.u128(..).to_le_bytes();
        Self { key: BASE64.encode(nonce), head: Vec::new() }
    }

    /// Appends the request for `path` at `authority`.
    pub fn request(&self, authority: &str, path: &str, out: &mut Vec<u8>) {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n\
             User-Agent: bench/{}\r\n\r\n",
            self.key,
            env!("CARGO_PKG_VERSION")
        );
        out.extend_from_slice(request.as_bytes());
    }

    /// Takes bytes of the answer. Once the head is complete and right, says how many of `bytes`
    /// belonged to it; the rest are the first frames.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<usize>, UpgradeError> {
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        let Some(end) = self.head.windows(4).position(|four| four == b"\r\n\r\n") else {
            return if self.head.len() > HEAD_BYTES_MAX {
                Err(UpgradeError::TooLong)
            } else {
                Ok(None)
            };
        };
        check_head(&String::from_utf8_lossy(&self.head[..end]), &accept_of(&self.key))?;
        Ok(Some(end + 4 - before))
    }
}

/// The `Sec-WebSocket-Accept` that answers `key`.
pub fn accept_of(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(GUID);
    BASE64.encode(hash.finalize())
}

fn check_head(head: &str, accept: &str) -> Result<(), UpgradeError> {
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if !(status.starts_with("HTTP/1.1 101 ") || status == "HTTP/1.1 101") {
        return Err(UpgradeError::Status(status.chars().take(80).collect()));
    }
    let mut found = (false, false, false);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "upgrade" => found.0 = value.eq_ignore_ascii_case("websocket"),
            "connection" => {
                found.1 = value.split(',').any(|one| one.trim().eq_ignore_ascii_case("upgrade"));
            }
            "sec-websocket-accept" => found.2 = value == accept,
            // Neither was asked for, so neither may be granted.
            "sec-websocket-extensions" => {
                return Err(UpgradeError::Header("Sec-WebSocket-Extensions"));
            }
            "sec-websocket-protocol" => return Err(UpgradeError::Header("Sec-WebSocket-Protocol")),
            _ => {}
        }
    }
    match found {
        (false, ..) => Err(UpgradeError::Header("Upgrade")),
        (_, false, _) => Err(UpgradeError::Header("Connection")),
        (.., false) => Err(UpgradeError::Header("Sec-WebSocket-Accept")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(key: &str) -> String {
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n\
             connection: keep-alive, Upgrade\r\nsec-websocket-accept: {}\r\n\r\n",
            accept_of(key)
        )
    }

    #[test]
    fn the_accept_key_is_the_one_of_the_rfc() {
        assert_eq!(accept_of("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn an_answer_in_pieces_ends_where_the_first_frame_begins() {
        let mut upgrade = Upgrade::new(&mut fastrand::Rng::with_seed(1));
        let answer = answer(&upgrade.key.clone()) + "\u{1}frame";
        let (first, second) = answer.as_bytes().split_at(30);
        assert_eq!(upgrade.take(first), Ok(None));
        assert_eq!(upgrade.take(second), Ok(Some(second.len() - 6)));
    }

    #[test]
    fn a_wrong_key_or_status_or_an_endless_head_is_refused() {
        let fresh = || Upgrade::new(&mut fastrand::Rng::with_seed(1));
        assert_eq!(
            fresh().take(answer("other").as_bytes()),
            Err(UpgradeError::Header("Sec-WebSocket-Accept"))
        );
        let status = fresh().take(b"HTTP/1.1 503 Busy\r\n\r\n");
        assert_eq!(status, Err(UpgradeError::Status("HTTP/1.1 503 Busy".to_owned())));
        assert!(status.is_err_and(|error| error.is_for_now()));
        assert_eq!(fresh().take(&vec![b'a'; HEAD_BYTES_MAX + 1]), Err(UpgradeError::TooLong));
    }
}
