//! Random operations on a ring and, beside it, on a list that forgets nothing.
//!
//! The list knows each record and where it begins, so it says what every read must bring. The one
//! thing it leaves open: a reader within a claim's stride of being lapped may already be told so.
//! `HANDOFF_SEED` repeats a run.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "in a test a failure is to stop it")]

use std::{collections::VecDeque, env, ops::Range};

use fastrand::Rng;
use handoff::{Batch, Position, Read, Reader, Subscribers, Writer, channel};

struct Model {
    /// Every record appended and the position in front of it.
    records: VecDeque<(Position, Vec<u8>)>,
    appended: Position,
    flushed: Position,
    capacity: u64,
}

impl Model {
    fn begins(&self, index: u64) -> Position {
        self.records.get(index as usize).map_or(self.appended, |(begins, _)| *begins)
    }

    fn contents(&self, range: Range<u64>) -> impl Iterator<Item = &[u8]> {
        self.records
            .range(range.start as usize..range.end as usize)
            .map(|(_, record)| record.as_slice())
    }

    /// A claim ends at most a stride, 1/64 of the capacity, behind what was appended.
    fn may_be_lapped(&self, at: Position) -> bool {
        self.appended.bytes() + self.capacity / 64 > at.bytes() + self.capacity
    }

    fn must_be_lapped(&self, at: Position) -> bool {
        self.appended.bytes() > at.bytes() + self.capacity
    }
}

struct Pair {
    rng: Rng,
    writer: Writer,
    subscribers: Subscribers,
    readers: Vec<Reader>,
    batch: Batch,
    model: Model,
}

impl Pair {
    fn new(mut rng: Rng) -> Self {
        let capacity = 1_usize << rng.u32(6..13);
        let (writer, subscribers) = channel(capacity).unwrap();
        let batch = Batch::with_size_max(rng.usize(0..capacity * 2));
        let model = Model {
            records: VecDeque::new(),
            appended: Position::default(),
            flushed: Position::default(),
            capacity: capacity as u64,
        };
        Self { rng, writer, subscribers, readers: Vec::new(), batch, model }
    }

    fn append(&mut self) {
        let size = self.rng.usize(0..=self.writer.record_size_max());
        let record: Vec<u8> = (0..size).map(|_| self.rng.u8(..)).collect();
        let end = self.writer.append(&record).unwrap();
        let model = &mut self.model;
        assert_eq!(end.records(), model.appended.records() + 1);
        assert_eq!(end.bytes(), model.appended.bytes() + 8 + size.div_ceil(8) as u64 * 8);
        model.records.push_back((model.appended, record));
        model.appended = end;
        if end.bytes() - model.flushed.bytes() > model.capacity / 8 {
            model.flushed = end;
        }
    }

    fn flush(&mut self) {
        self.writer.flush();
        self.model.flushed = self.model.appended;
    }

    fn subscribe(&mut self) {
        if let Ok(reader) = self.subscribers.subscribe(|| {}) {
            // The newest record may be overwritten by records not yet flushed: one that stays.
            assert_eq!(reader.position(), self.model.flushed);
            self.readers.push(reader);
        }
    }

    fn seek(&mut self, which: usize) {
        let index = self.rng.u64(0..=self.model.appended.records());
        self.readers[which].seek(self.model.begins(index));
    }

    fn read(&mut self, which: usize) {
        let (model, reader) = (&self.model, &mut self.readers[which]);
        let before = reader.position();
        match reader.read(&mut self.batch) {
            Read::Empty => {
                assert!(before >= model.flushed);
                assert_eq!(reader.position(), before);
            }
            Read::Lagged { lost } => {
                assert!(model.may_be_lapped(before));
                assert!(self.batch.is_empty());
                assert_eq!(lost, model.flushed.records() - before.records());
                assert_eq!(reader.position(), model.flushed);
            }
            Read::Records(count) => {
                assert!(count > 0 && !model.must_be_lapped(before));
                let after = before.records() + count as u64;
                assert!(after <= model.flushed.records());
                assert_eq!(reader.position(), model.begins(after));
                assert!(self.batch.iter().eq(model.contents(before.records()..after)));
            }
        }
        let lag = reader.lag();
        let behind = model.flushed.records().saturating_sub(reader.position().records());
        assert_eq!(lag.records, behind);
    }

    fn step(&mut self) {
        let reader = (!self.readers.is_empty()).then(|| self.rng.usize(0..self.readers.len()));
        match (self.rng.u32(0..100), reader) {
            (0..50, _) => self.append(),
            (50..65, _) => self.flush(),
            (65..95, Some(which)) => self.read(which),
            (95..97, Some(which)) => self.seek(which),
            (97, Some(which)) => drop(self.readers.swap_remove(which)),
            _ => self.subscribe(),
        }
    }
}

#[test]
fn random_operations_do_what_a_list_that_forgets_nothing_says() {
    let seed = env::var("HANDOFF_SEED").map_or_else(|_| fastrand::u64(..), |s| s.parse().unwrap());
    eprintln!("HANDOFF_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    for _ in 0..1000 {
        let mut pair = Pair::new(rng.fork());
        for _ in 0..1000 {
            pair.step();
        }
    }
}
