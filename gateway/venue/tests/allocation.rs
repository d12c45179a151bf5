//! After the first messages a decoder allocates nothing, whatever kind comes next.
#![allow(missing_docs, reason = "a test has no public face")]

mod messages;

use std::alloc::System;
use std::hint::black_box;

use allocations::Counting;
use messages::{BINANCE, KRAKEN};
use venue::{Binance, Kraken};

#[global_allocator]
static ALLOCATOR: Counting<System> = Counting::new(System);

/// What else Kraken says; the last is not understood.
const OTHERS: [&str; 3] = [
    r#"{"channel":"heartbeat"}"#,
    r#"{"method":"subscribe","result":{"channel":"ticker","symbol":"BTC\/USD"},"success":true}"#,
    r#"{"channel":"trade","data":[{"symbol":"A","side":"up"}]}"#,
];

#[test]
fn a_decoder_that_has_warmed_up_allocates_nothing() {
    let (mut kraken, mut binance) = (Kraken::new(1 << 16), Binance::new(1 << 16));
    let mut pass = || {
        let mut decoded = 0;
        for message in KRAKEN.into_iter().chain(OTHERS) {
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
    assert_eq!((decoded, allocated), (1000, 0));
}
