//! The one message that a load is made of, read without walking through it: a plain ticker update
//! whose first key is the channel and whose last is the timestamp, as Kraken, feed-sim, the gateway
//! and the peers write it. Anything else is left to `scan`, which reads all.

use crate::load::clock::rfc3339_ns;

/// What is needed of an update: whose it is, and when it was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quick<'a> {
    /// The symbol's name.
    pub symbol: &'a [u8],
    /// Nanoseconds since 1970.
    pub due_ns: u64,
}

const HEAD: &[u8] = br#"{"channel":"ticker","type":"update","data":[{"symbol":""#;
const TAIL: &[u8] = br#""}]}"#;
const KEY: &[u8] = br#""timestamp":""#;
/// `2024-01-31T12:34:56` is followed by at most ten characters and `Z`.
const STAMP_BYTES_MAX: usize = 30;

/// Reads timestamps of one moment after the other: the date's arithmetic is done once a second.
#[derive(Clone, Debug, Default)]
pub struct Stamps {
    second: [u8; 19],
    second_ns: u64,
}

impl Stamps {
    /// The update in `text`, if it is one of this shape.
    pub fn quick<'a>(&mut self, text: &'a [u8]) -> Option<Quick<'a>> {
        let rest = text.strip_prefix(HEAD)?;
        let symbol = &rest[..rest.iter().position(|byte| *byte == b'"')?];
        let rest = rest.strip_suffix(TAIL)?;
        let near = &rest[rest.len().saturating_sub(STAMP_BYTES_MAX + KEY.len())..];
        let quote = near.iter().rposition(|byte| *byte == b'"')?;
        if !near[..=quote].ends_with(KEY) {
            return None;
        }
        Some(Quick { symbol, due_ns: self.ns(&near[quote + 1..])? })
    }

    fn ns(&mut self, text: &[u8]) -> Option<u64> {
        let (second, fraction) = text.split_at_checked(19)?;
        if second != self.second {
            let whole = [second, b"Z"].concat();
            self.second_ns = rfc3339_ns(&whole)?;
            self.second.copy_from_slice(second);
        }
        let digits = fraction.strip_suffix(b"Z")?.strip_prefix(b".")?;
        let value = digits.iter().try_fold(0u64, |value, byte| {
            byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0'))
        })?;
        Some(self.second_ns + value * 10u64.checked_pow(9u32.checked_sub(digits.len() as u32)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_ticker_update_is_read_as_the_scanner_would() {
        let text = concat!(
            r#"{"channel":"ticker","type":"update","data":[{"symbol":"A/B","bid":1.5,"#,
            r#""timestamp":"2023-10-06T17:35:55.440295Z"}]}"#
        );
        let mut stamps = Stamps::default();
        for _ in 0..2 {
            let quick = stamps.quick(text.as_bytes()).unwrap();
            assert_eq!((quick.symbol, quick.due_ns), (&b"A/B"[..], 1_696_613_755_440_295_000));
        }
    }

    #[test]
    fn anything_else_is_left_alone() {
        let mut stamps = Stamps::default();
        let plain = concat!(
            r#"{"channel":"ticker","type":"update","#,
            r#""data":[{"symbol":"A","timestamp":"2023-10-06T17:35:55.1Z"}]}"#
        );
        assert!(stamps.quick(plain.as_bytes()).is_some());
        for (is, would_be) in [
            ("update", "snapshot"),
            (r#""timestamp":"2023-10-06T17:35:55.1Z""#, r#""bid":1"#),
            ("2023-10-06T17:35:55.1Z", "yesterday"),
            ("}]}", r#"}],"x":{}}"#),
        ] {
            let other = plain.replace(is, would_be);
            assert_eq!(stamps.quick(other.as_bytes()), None, "{other}");
        }
    }
}
