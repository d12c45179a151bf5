//! Every interleaving, and every value a relaxed load may return, of small cases. See the crate's
//! doc for the command.
//!
//! Each ordering of the crate was weakened once to see a case here fail.
//! The rings are the smallest there are, four records of eight bytes, so that two or three records
//! more go round them. Preemptions are bounded where a case would take minutes otherwise.
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "in a test a failure is to stop it")]

use handoff::{Batch, Position, Read, Reader, Writer, channel};
use loom::{
    model::Builder,
    sync::{Arc, Notify},
    thread,
};

const CAPACITY_BYTES: usize = 64;

fn explore(preemption_bound: Option<usize>, case: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = preemption_bound;
    builder.check(case);
}

/// Indexes are in the payload, so that any other mixture of words shows.
fn payload(index: u64) -> [u8; 8] {
    (index | index << 32).to_ne_bytes()
}

fn publish(writer: &mut Writer, count: u64) {
    for _ in 0..count {
        let index = writer.position().records();
        writer.publish(&payload(index)).unwrap();
    }
}

/// Reads once; checks each record, and that seen and lost add up to the reader's place.
fn read_checked(reader: &mut Reader, batch: &mut Batch) -> Read {
    let before = reader.position().records();
    let read = reader.read(batch);
    let after = match read {
        Read::Records(count) => before + count as u64,
        Read::Lagged { lost } => before + lost,
        Read::Empty => before,
    };
    for (index, record) in (before..).zip(batch.iter()) {
        assert_eq!(record, payload(index), "torn or foreign record {index}");
    }
    assert_eq!(reader.position().records(), after);
    assert!(read == Read::Empty || after > before, "{read:?} led nowhere");
    read
}

fn read_to_the_end(reader: &mut Reader, batch: &mut Batch, end: Position) {
    while read_checked(reader, batch) != Read::Empty {}
    assert_eq!(reader.position(), end);
}

/// What a writer and a reader do at the same time, and what the ring holds before.
#[derive(Clone, Copy)]
struct Case {
    read_before: u64,
    unread_before: u64,
    written: u64,
    reads: usize,
    preemption_bound: Option<usize>,
}

fn write_against_read(case: Case) {
    explore(case.preemption_bound, move || {
        let (mut writer, subscribers) = channel(CAPACITY_BYTES).unwrap();
        let mut reader = subscribers.subscribe(|| {}).unwrap();
        let mut batch = Batch::with_size_max(CAPACITY_BYTES);
        publish(&mut writer, case.read_before);
        read_to_the_end(&mut reader, &mut batch, writer.position());
        publish(&mut writer, case.unread_before);
        let writing = thread::spawn(move || {
            publish(&mut writer, case.written);
            writer.position()
        });
        for _ in 0..case.reads {
            let _ = read_checked(&mut reader, &mut batch);
        }
        let end = writing.join().unwrap();
        read_to_the_end(&mut reader, &mut batch, end);
    });
}

#[test]
fn a_record_appearing_is_seen_whole_or_not_yet() {
    let (read_before, unread_before) = (0, 0);
    let case = Case { read_before, unread_before, written: 2, reads: 2, preemption_bound: None };
    write_against_read(case);
}

#[test]
fn a_full_ring_being_overwritten_never_shows_a_torn_record() {
    let (read_before, unread_before) = (1, 4);
    let case = Case { read_before, unread_before, written: 1, reads: 1, preemption_bound: None };
    write_against_read(case);
}

#[test]
fn a_reader_being_lapped_counts_its_loss_exactly() {
    let (read_before, unread_before) = (0, 3);
    let case = Case { read_before, unread_before, written: 3, reads: 2, preemption_bound: Some(3) };
    write_against_read(case);
}

#[test]
fn a_lapped_reader_meets_the_writer_at_the_newest_place() {
    let (read_before, unread_before) = (0, 5);
    let case = Case { read_before, unread_before, written: 2, reads: 2, preemption_bound: None };
    write_against_read(case);
}

#[test]
fn a_reader_that_knows_only_old_counters_never_goes_backwards() {
    let (read_before, unread_before) = (1, 0);
    let case = Case { read_before, unread_before, written: 5, reads: 1, preemption_bound: Some(4) };
    write_against_read(case);
}

#[test]
fn records_appended_together_appear_together() {
    explore(None, || {
        let (mut writer, subscribers) = channel(256).unwrap();
        let mut reader = subscribers.subscribe(|| {}).unwrap();
        let writing = thread::spawn(move || {
            writer.append(&payload(0)).unwrap();
            writer.append(&payload(1)).unwrap();
            writer.flush();
        });
        let mut batch = Batch::with_size_max(CAPACITY_BYTES);
        let read = read_checked(&mut reader, &mut batch);
        assert!(matches!(read, Read::Empty | Read::Records(2)));
        writing.join().unwrap();
    });
}

/// Joins a ring that holds `before` records while `written` more are appended, then flushed.
fn subscribe_against_write(capacity_bytes: usize, before: u64, written: u64, bound: Option<usize>) {
    explore(bound, move || {
        let (mut writer, subscribers) = channel(capacity_bytes).unwrap();
        publish(&mut writer, before);
        let writing = thread::spawn(move || {
            for index in before..before + written {
                writer.append(&payload(index)).unwrap();
            }
            writer.flush();
            writer.position()
        });
        let mut reader = subscribers.subscribe(|| {}).unwrap();
        let mut batch = Batch::with_size_max(CAPACITY_BYTES);
        let _ = read_checked(&mut reader, &mut batch);
        let end = writing.join().unwrap();
        read_to_the_end(&mut reader, &mut batch, end);
    });
}

#[test]
fn a_reader_that_joins_begins_between_two_records() {
    // Large enough for two records to be held back.
    subscribe_against_write(256, 2, 2, None);
}

#[test]
fn a_reader_that_joins_while_the_newest_record_is_overwritten_begins_between_two_records() {
    subscribe_against_write(CAPACITY_BYTES, 1, 5, Some(2));
}

/// A lost wake-up leaves this waiting for ever, which loom reports as a deadlock.
fn sleep_until_read(reader: &mut Reader, woken: &Notify, count: u64) {
    let mut batch = Batch::with_size_max(CAPACITY_BYTES);
    while reader.position().records() < count {
        if read_checked(reader, &mut batch) == Read::Empty && reader.prepare_park() {
            woken.wait();
            reader.unpark_done();
        }
    }
}

#[test]
fn no_wake_up_is_lost() {
    explore(Some(3), || {
        let (mut writer, subscribers) = channel(CAPACITY_BYTES).unwrap();
        let woken = Arc::new(Notify::new());
        let wake = Arc::clone(&woken);
        let mut reader = subscribers.subscribe(move || wake.notify()).unwrap();
        let writing = thread::spawn(move || publish(&mut writer, 2));
        sleep_until_read(&mut reader, &woken, 2);
        writing.join().unwrap();
    });
}

#[test]
fn no_wake_up_is_lost_while_another_reader_sleeps_or_leaves() {
    explore(Some(2), || {
        let (mut writer, subscribers) = channel(CAPACITY_BYTES).unwrap();
        let [leaver, mut stayer] = [1, 2].map(|count| {
            let woken = Arc::new(Notify::new());
            let wake = Arc::clone(&woken);
            let mut reader = subscribers.subscribe(move || wake.notify()).unwrap();
            move || sleep_until_read(&mut reader, &woken, count)
        });
        let writing = thread::spawn(move || publish(&mut writer, 2));
        let leaving = thread::spawn(leaver);
        stayer();
        leaving.join().unwrap();
        writing.join().unwrap();
    });
}
