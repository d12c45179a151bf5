//! Replaces times inside recorded text, and nothing else.
//!
//! Pure. Invariant: every byte that is not a digit of a stamped time is copied as it was.

use crate::decimal::write_integer;
use crate::time::write_rfc3339;

/// Copies a Binance message with its `"E"` and `"T"` set to `ns`, in milliseconds.
pub(crate) fn binance(text: &[u8], ns: u64, out: &mut Vec<u8>) {
    let mut rest = text;
    // A key is `"E":` or `"T":`; inside a value the quote would be escaped.
    while let Some(at) = rest.windows(4).position(|four| {
        four[0] == b'"' && four[2..] == *b"\":" && (four[1] == b'E' || four[1] == b'T')
    }) {
        let (before, after) = rest.split_at(at + 4);
        out.extend_from_slice(before);
        let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits > 0 {
            write_integer(out, ns / 1_000_000);
        }
        rest = &after[digits..];
    }
    out.extend_from_slice(rest);
}

/// Copies a Kraken message with each `"timestamp"` set to `ns`.
pub(crate) fn kraken(text: &[u8], ns: u64, out: &mut Vec<u8>) {
    const KEY: &[u8] = br#""timestamp":""#;
    let mut rest = text;
    while let Some(at) = find(rest, KEY) {
        let (before, after) = rest.split_at(at + KEY.len());
        out.extend_from_slice(before);
        write_rfc3339(out, ns);
        let end = after.iter().position(|&byte| byte == b'"').unwrap_or(after.len());
        rest = &after[end..];
    }
    out.extend_from_slice(rest);
}

/// Copies a Kraken book message with a checksum that is wrong by one bit.
pub(crate) fn corrupt_checksum(text: &[u8]) -> Vec<u8> {
    const KEY: &[u8] = br#""checksum":"#;
    let Some(at) = find(text, KEY) else { return text.to_vec() };
    let (before, after) = text.split_at(at + KEY.len());
    let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let right =
        std::str::from_utf8(&after[..digits]).ok().and_then(|text| text.parse::<u64>().ok());
    let mut out = before.to_vec();
    write_integer(&mut out, right.unwrap_or(0) ^ 1);
    out.extend_from_slice(&after[digits..]);
    out
}

fn find(text: &[u8], key: &[u8]) -> Option<usize> {
    text.windows(key.len()).position(|window| window == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_change() {
        let mut out = Vec::new();
        binance(
            br#"{"e":"trade","E":1723161255343,"T":17,"p":"T","Ex":1}"#,
            1_800_000_000_123_456_789,
            &mut out,
        );
        assert_eq!(
            std::str::from_utf8(&out).expect("ascii"),
            r#"{"e":"trade","E":1800000000123,"T":1800000000123,"p":"T","Ex":1}"#
        );
        out.clear();
        kraken(br#"{"checksum":1,"timestamp":"2023-07-30T15:29:58.343415Z"}]}"#, 1_000, &mut out);
        assert_eq!(
            std::str::from_utf8(&out).expect("ascii"),
            r#"{"checksum":1,"timestamp":"1970-01-01T00:00:00.000001Z"}]}"#
        );
    }

    #[test]
    fn a_corrupted_checksum_is_wrong_by_one_bit() {
        assert_eq!(corrupt_checksum(br#"{"checksum":17,"a":1}"#), br#"{"checksum":16,"a":1}"#);
    }
}
