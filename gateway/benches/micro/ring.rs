//! Into the ring and out of it on one thread: the work without the way between cores.
//!
//! The way itself is measured by the ring's own benchmark (`cargo bench -p handoff --bench ring`).

use std::hint::black_box;

use handoff::{Batch, Read};
use market::{Body, BookChange, Levels, SymbolId, Tick};

use crate::case::{Case, Workload, endless};
use crate::fixtures::{self, VARIANTS};

const CAPACITY_BYTES: usize = 1 << 20;
const BATCH_BYTES: usize = 1 << 14;

fn record(body: Body<'_>) -> Vec<u8> {
    let tick = Tick { symbol: SymbolId(7), sequence: 1, stamps: fixtures::stamps(0), body };
    let mut record = Vec::new();
    tick.encode(&mut record);
    record
}

/// One record written, shown and read; `per_flush` of them at once.
fn passing(per_flush: usize) -> Box<dyn Case> {
    let (mut writer, subscribers) = handoff::channel(CAPACITY_BYTES).expect("a power of two");
    let mut reader = subscribers.subscribe(|| {}).expect("the only reader");
    let mut batch = Batch::with_size_max(BATCH_BYTES);
    let record = record(Body::Quote(fixtures::quote(0)));
    let mut held = 0;
    endless(move || {
        writer.append(&record).expect("a small record");
        held += 1;
        if held == per_flush {
            held = 0;
            writer.flush();
            let mut seen = 0;
            while let Read::Records(count) = reader.read(&mut batch) {
                seen += count;
                batch.iter().for_each(|record| {
                    black_box(record);
                });
            }
            assert_eq!(seen, per_flush, "nothing is lost on one thread");
        }
        record.len()
    })
}

/// A tick into its record and back.
fn packing(is_book: bool) -> Box<dyn Case> {
    let (mut record, mut sequence) = (Vec::new(), 0);
    let [bids, asks] = fixtures::change(1);
    let quote = fixtures::quote(1);
    endless(move || {
        sequence += 1;
        let body = if is_book {
            Body::Book(BookChange { bids: Levels::new(&bids), asks: Levels::new(&asks) })
        } else {
            Body::Quote(quote)
        };
        record.clear();
        Tick { symbol: SymbolId(7), sequence, stamps: fixtures::stamps(0), body }
            .encode(&mut record);
        let tick = Tick::decode(black_box(&record)).expect("a record of ours");
        black_box(&tick);
        record.len()
    })
}

pub(crate) fn workloads(all: &mut Vec<Workload>) {
    let mut add = |name, make: fn() -> Box<dyn Case>| {
        all.push(Workload::new(name, 256 * VARIANTS, make));
    };
    add("ring.write-read.1", || passing(1));
    add("ring.write-read.16", || passing(16));
    add("record.pack-unpack.quote", || packing(false));
    add("record.pack-unpack.book", || packing(true));
}
