//! A Binance stream message and a REST snapshot: any bytes are decoded or refused, twice alike,
//! leave the decoder as good as new, and are JSON where they are taken, numbers aside.
#![no_main]

use fuzz::{BYTES_MAX, check_events};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use venue::Binance;

const KNOWN: &str = r#"{"stream":"abusd@trade","data":{"e":"trade","E":1723161256322,"T":1723161256322,"s":"ABUSD","t":5,"p":"61.30","q":"0.006","X":"MARKET","m":false}}"#;

fuzz_target!(|data: &[u8]| {
    let mut decoder = Binance::new(BYTES_MAX);
    let known = check_events(|sink| decoder.decode(KNOWN.as_bytes(), sink));
    let first = check_events(|sink| decoder.decode(data, sink));
    assert_eq!(check_events(|sink| decoder.decode(data, sink)), first);
    let snapshot = check_events(|sink| decoder.decode_snapshot(data, "AB", sink));
    assert_eq!(check_events(|sink| decoder.decode_snapshot(data, "AB", sink)), snapshot);
    assert_eq!(check_events(|sink| decoder.decode(KNOWN.as_bytes(), sink)), known);
    if first.1.is_ok() || snapshot.1.is_ok() {
        let parsed = serde_json::from_slice::<IgnoredAny>(&numbers_aside(data));
        parsed.expect("what is taken is JSON");
    }
});

/// The message with a plain number for each: what is wrong with one is its reader's to find, and
/// nobody reads most of them.
fn numbers_aside(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len());
    let (mut is_text, mut is_escaped, mut is_number) = (false, false, false);
    for byte in message.iter().copied() {
        is_number &= matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        if is_number {
            continue;
        }
        is_number = !is_text && matches!(byte, b'0'..=b'9' | b'-');
        out.push(if is_number { b'0' } else { byte });
        is_text ^= byte == b'"' && !is_escaped;
        is_escaped = is_text && byte == b'\\' && !is_escaped;
    }
    out
}
