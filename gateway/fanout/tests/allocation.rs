//! A tick costs a shard no allocation once it has warmed up, from the record to the bytes of
//! sessions that keep up.

mod scene;

use std::alloc::System;

use allocations::Counting;
use market::Tick;
use scene::{Scene, book, quote, trade};

#[global_allocator]
static ALLOCATOR: Counting<System> = Counting::new(System);

const CHANNELS: [&str; 4] = [
    r#""channel":"ticker","event_trigger":"bbo""#,
    r#""channel":"trade""#,
    r#""channel":"book","depth":10"#,
    r#""channel":"ohlc","interval":1"#,
];

/// Quotes, trades and books of both symbols, as records; levels come and go.
fn records(scene: &mut Scene, round: u64) -> Vec<Vec<u8>> {
    let at = round as i64;
    let mut records = Vec::new();
    for symbol in 0..2 {
        records.push(scene.fold(symbol, quote(10 + at % 7)));
        records.push(scene.fold(symbol, trade(round)));
        let bids = [(5 + at % 20, 1 + at % 3), (5 + (at + 10) % 20, 0)];
        records.push(scene.fold(symbol, book(&bids, &[(50 + at % 30, at % 2)])));
    }
    records
}

#[test]
fn a_shard_that_has_warmed_up_folds_and_tells_ticks_without_allocating() {
    let mut scene = Scene::new(&["A", "B"]);
    let keys: Vec<_> = (0..6).map(|_| scene.open()).collect();
    for (at, key) in keys.iter().enumerate() {
        for channel in CHANNELS {
            let sequenced = at % 2 == 0;
            scene.ask(
                *key,
                &format!(
                    r#"{{"method":"subscribe","params":{{{channel},"symbol":["A","B"],
                        "x":{{"seq":{sequenced}}}}}}}"#
                ),
            );
        }
        scene.written(*key);
    }
    let mut out = Vec::new();
    let mut taken_bytes = 0;
    // The history, of a mebibyte, is full and forgets well before the half.
    let rounds_max = 40_000;
    for round in 1..=rounds_max {
        let records = records(&mut scene, round);
        let before = ALLOCATOR.count();
        for record in &records {
            let tick = Tick::decode(record).expect("whole");
            scene.fanout.handle_tick(&tick).expect("in step");
        }
        while let Some(key) = scene.fanout.poll_dirty() {
            out.clear();
            while scene.fanout.take(key, 1 << 14, &mut out, |_| {}, 0) {}
            taken_bytes += out.len();
        }
        scene.fanout.end_cycle();
        let count = ALLOCATOR.count() - before;
        assert!(round < rounds_max / 2 || count == 0, "{count} allocations in round {round}");
    }
    assert!(taken_bytes > 1_000_000);
}
