//! A Kraken message: any bytes are decoded or refused, twice alike, and leave the decoder as good
//! as new.
#![no_main]

use fuzz::{BYTES_MAX, check_events};
use libfuzzer_sys::fuzz_target;
use venue::Kraken;

const KNOWN: &str = r#"{"channel":"trade","type":"update","data":[{"symbol":"A/B","side":"buy","price":1.10,"qty":0.5,"ord_type":"limit","trade_id":7,"timestamp":"2023-10-06T17:35:55.440295Z"}]}"#;

fuzz_target!(|data: &[u8]| {
    let mut decoder = Kraken::new(BYTES_MAX);
    let known = check_events(|sink| decoder.decode(KNOWN.as_bytes(), sink));
    let first = check_events(|sink| decoder.decode(data, sink));
    assert_eq!(check_events(|sink| decoder.decode(data, sink)), first);
    assert_eq!(check_events(|sink| decoder.decode(KNOWN.as_bytes(), sink)), known);
});
