//! A Binance stream message and a REST snapshot: any bytes are decoded or refused, twice alike,
//! leave the decoder as good as new, and are JSON where they are taken.
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
        serde_json::from_slice::<IgnoredAny>(data).expect("what is taken is JSON");
    }
});
