//! After the first messages a decoder allocates nothing, whatever kind comes next.
#![allow(missing_docs, reason = "a test has no public face")]

use std::alloc::System;
use std::hint::black_box;

use allocations::Counting;
use venue::{Binance, Kraken};

#[global_allocator]
static ALLOCATOR: Counting<System> = Counting::new(System);

const KRAKEN: [&str; 6] = [
    concat!(
        r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":105944.20,"#,
        r#""bid_qty":2.5,"ask":105944.30,"ask_qty":3.2,"last":105899.40,"volume":163.28908096,"#,
        r#""vwap":105904.39279,"low":104711.00,"high":106613.10,"change":250.00,"#,
        r#""change_pct":0.24,"timestamp":"2022-12-25T09:30:59.123456Z"}]}"#
    ),
    concat!(
        r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","#,
        r#""price":105944.20,"qty":0.00027625,"ord_type":"limit","trade_id":10218208,"#,
        r#""timestamp":"2023-10-06T17:35:55.440295Z"}]}"#
    ),
    concat!(
        r#"{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","#,
        r#""bids":[{"price":29423.0,"qty":2.54902601}],"asks":[{"price":1,"qty":0}],"#,
        r#""checksum":434883881,"timestamp":"2023-07-30T15:30:01.581227Z"}]}"#
    ),
    r#"{"channel":"heartbeat"}"#,
    r#"{"method":"subscribe","result":{"channel":"ticker","symbol":"BTC\/USD"},"success":true}"#,
    r#"{"channel":"trade","data":[{"symbol":"A","side":"up"}]}"#,
];

const BINANCE: [&str; 3] = [
    concat!(
        r#"{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1,"T":1,"s":"BTCUSDT","#,
        r#""U":2,"u":3,"pu":1,"b":[["58710.20","0.014"]],"a":[["61496.50","0.010"]]}}"#
    ),
    concat!(
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"T":1,"s":"BTCUSDT","t":5,"#,
        r#""p":"61800.30","q":"0.006","X":"MARKET","m":false}}"#
    ),
    concat!(
        r#"{"stream":"btcusdt@bookTicker","data":{"u":5,"s":"BTCUSDT","b":"61837.63","B":"3.7","#,
        r#""a":"61837.64","A":"1.5"}}"#
    ),
];

#[test]
fn a_decoder_that_has_warmed_up_allocates_nothing() {
    let (mut kraken, mut binance) = (Kraken::new(1 << 16), Binance::new(1 << 16));
    let mut pass = || {
        let mut decoded = 0;
        for message in KRAKEN {
            decoded += u64::from(kraken.decode(message.as_bytes(), |e| _ = black_box(e)).is_ok());
        }
        for message in BINANCE {
            decoded += u64::from(binance.decode(message.as_bytes(), |e| _ = black_box(e)).is_ok());
        }
        decoded
    };
    pass();
    let before = ALLOCATOR.count();
    let decoded: u64 = (0..100).map(|_| pass()).sum();
    let allocated = ALLOCATOR.count() - before;
    assert_eq!((decoded, allocated), (800, 0));
}
