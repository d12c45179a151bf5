//! What a ring does, seen from one thread: the cases one can name.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "in a test a failure is to stop it")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use handoff::{
    BadCapacity, Batch, Lag, READERS_MAX, Read, Reader, RecordTooLarge, Subscribers,
    TooManyReaders, Writer, channel,
};

fn ring(capacity_bytes: usize) -> (Writer, Subscribers, Reader, Batch) {
    let (writer, subscribers) = channel(capacity_bytes).unwrap();
    let reader = subscribers.subscribe(|| {}).unwrap();
    (writer, subscribers, reader, Batch::with_size_max(1 << 10))
}

fn records(batch: &Batch) -> Vec<Vec<u8>> {
    batch.iter().map(<[u8]>::to_vec).collect()
}

#[test]
fn records_arrive_whole_and_in_order_whatever_their_size() {
    let (mut writer, _subscribers, mut reader, mut batch) = ring(1 << 10);
    let sent: Vec<Vec<u8>> = (0..20).map(|size| vec![size + 1; usize::from(size)]).collect();
    for record in &sent {
        writer.append(record).unwrap();
    }
    writer.flush();
    assert_eq!(reader.read(&mut batch), Read::Records(20));
    assert_eq!(batch.len(), 20);
    assert_eq!(records(&batch), sent);
    assert_eq!(reader.read(&mut batch), Read::Empty);
    assert!(batch.is_empty());
}

#[test]
fn what_is_appended_is_seen_only_when_flushed() {
    let (mut writer, _subscribers, mut reader, mut batch) = ring(1 << 10);
    writer.append(b"held back").unwrap();
    assert_eq!(reader.read(&mut batch), Read::Empty);
    writer.flush();
    assert_eq!(reader.read(&mut batch), Read::Records(1));
}

#[test]
fn too_much_held_back_is_flushed_by_itself() {
    let (mut writer, _subscribers, mut reader, mut batch) = ring(1 << 10);
    for _ in 0..8 {
        writer.append(&[1; 8]).unwrap();
    }
    assert_eq!(reader.read(&mut batch), Read::Empty);
    writer.append(&[1; 8]).unwrap();
    assert_eq!(reader.read(&mut batch), Read::Records(9));
}

#[test]
fn a_record_that_passes_the_end_of_the_memory_is_whole() {
    let (mut writer, _subscribers, mut reader, mut batch) = ring(256);
    for turn in 0..100_u8 {
        let record: Vec<u8> = (0..29).map(|byte| byte ^ turn).collect();
        writer.publish(&record).unwrap();
        assert_eq!(reader.read(&mut batch), Read::Records(1), "turn {turn}");
        assert_eq!(records(&batch), [record]);
    }
}

#[test]
fn the_largest_record_passes_and_a_larger_one_is_refused_and_leaves_nothing() {
    let (mut writer, _subscribers, mut reader, mut batch) = ring(1 << 10);
    assert_eq!(writer.record_size_max(), 128);
    let refused = RecordTooLarge { size: 129, size_max: 128 };
    assert_eq!(writer.publish(&[1; 129]), Err(refused));
    assert_eq!(reader.read(&mut batch), Read::Empty);
    writer.publish(&[7; 128]).unwrap();
    assert_eq!(reader.read(&mut batch), Read::Records(1));
    assert_eq!(records(&batch), [[7; 128]]);
    assert_eq!(refused.to_string(), "a record of 129 bytes; the ring takes at most 128");
}

#[test]
fn an_appended_record_is_seen_once_flushed() {
    let (mut writer, _subscribers, mut reader, mut batch) = ring(1 << 10);
    writer.append(b"abc").unwrap();
    writer.flush();
    assert_eq!(reader.read(&mut batch), Read::Records(1));
    assert_eq!(records(&batch), [b"abc"]);
}

#[test]
fn capacities_that_cannot_be_are_refused() {
    for capacity_bytes in [0, 32, 65, 1000, 1 << 31] {
        let refused = channel(capacity_bytes).err();
        assert_eq!(refused, Some(BadCapacity { capacity_bytes }));
    }
}

#[test]
fn a_lapped_reader_learns_its_loss_and_goes_on_behind_the_newest() {
    let (mut writer, _subscribers, mut reader, mut batch) = ring(256);
    for turn in 0..1000_u64 {
        writer.publish(&turn.to_ne_bytes()).unwrap();
    }
    assert_eq!(reader.read(&mut batch), Read::Lagged { lost: 1000 });
    assert!(batch.is_empty());
    assert_eq!(reader.read(&mut batch), Read::Empty);
    assert_eq!(reader.position(), writer.position());
    writer.publish(b"next").unwrap();
    assert_eq!(reader.read(&mut batch), Read::Records(1));
    assert_eq!(records(&batch), [b"next"]);
}

#[test]
fn a_small_batch_brings_the_records_in_portions_and_grows_for_a_large_one() {
    let (mut writer, _subscribers, mut reader, _batch) = ring(1 << 10);
    let mut batch = Batch::with_size_max(40);
    for byte in 0..3 {
        writer.append(&[byte; 8]).unwrap();
    }
    writer.append(&[9; 100]).unwrap();
    writer.flush();
    assert_eq!(reader.read(&mut batch), Read::Records(2));
    assert_eq!(records(&batch), [[0; 8], [1; 8]]);
    assert_eq!(reader.read(&mut batch), Read::Records(1));
    assert_eq!(reader.read(&mut batch), Read::Records(1));
    assert_eq!(records(&batch), [[9; 100]]);
}

#[test]
fn a_reader_added_later_begins_behind_the_newest() {
    let (mut writer, subscribers, _reader, mut batch) = ring(1 << 10);
    writer.append(b"before").unwrap();
    writer.append(b"also before").unwrap();
    writer.flush();
    let mut late = subscribers.subscribe(|| {}).unwrap();
    assert_eq!(late.position(), writer.position());
    assert_eq!(late.read(&mut batch), Read::Empty);
    writer.publish(b"after").unwrap();
    assert_eq!(late.read(&mut batch), Read::Records(1));
    assert_eq!(records(&batch), [b"after"]);
}

#[test]
fn seeking_leads_back_to_what_is_held_and_on_to_what_is_not_flushed() {
    let (mut writer, _subscribers, mut reader, mut batch) = ring(1 << 10);
    writer.append(b"one").unwrap();
    let between = writer.position();
    writer.append(b"two").unwrap();
    writer.flush();
    assert_eq!(reader.read(&mut batch), Read::Records(2));
    reader.seek(between);
    assert_eq!(reader.read(&mut batch), Read::Records(1));
    assert_eq!(records(&batch), [b"two"]);

    writer.append(b"three").unwrap();
    let unflushed = writer.position();
    reader.seek(unflushed);
    assert_eq!(reader.read(&mut batch), Read::Empty);
    assert!(reader.prepare_park());
    writer.append(b"four").unwrap();
    writer.flush();
    assert_eq!(reader.read(&mut batch), Read::Records(1));
    assert_eq!(records(&batch), [b"four"]);
}

#[test]
fn seeking_to_what_was_overwritten_is_lagged_counted_from_there() {
    let (mut writer, _subscribers, mut reader, mut batch) = ring(256);
    for _ in 0..5 {
        writer.publish(b"old").unwrap();
    }
    let old = writer.position();
    for _ in 0..100 {
        writer.publish(b"new").unwrap();
    }
    reader.seek(old);
    assert_eq!(reader.read(&mut batch), Read::Lagged { lost: 100 });
}

#[test]
fn lag_counts_what_is_flushed_and_unread() {
    let (mut writer, _subscribers, mut reader, mut batch) = ring(1 << 10);
    assert_eq!(reader.lag(), Lag { records: 0, bytes: 0 });
    writer.append(&[0; 9]).unwrap();
    writer.append(&[0; 8]).unwrap();
    writer.flush();
    assert_eq!(reader.lag(), Lag { records: 2, bytes: 24 + 16 });
    assert_eq!(reader.read(&mut batch), Read::Records(2));
    assert_eq!(reader.lag(), Lag { records: 0, bytes: 0 });
}

#[test]
fn a_parked_reader_is_woken_once_and_an_awake_one_never() {
    let (mut writer, subscribers) = channel(1 << 10).unwrap();
    let wakes = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&wakes);
    let mut reader = subscribers
        .subscribe(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();
    let mut batch = Batch::with_size_max(1 << 10);
    let count = || wakes.load(Ordering::Relaxed);

    writer.publish(b"awake").unwrap();
    assert!(!reader.prepare_park(), "there is something to read");
    writer.publish(b"still awake").unwrap();
    assert_eq!(count(), 0);

    assert_eq!(reader.read(&mut batch), Read::Records(2));
    assert!(reader.prepare_park());
    writer.append(b"not yet").unwrap();
    assert_eq!(count(), 0);
    assert_eq!(writer.flush(), 1);
    assert_eq!(count(), 1);
    writer.publish(b"woken already").unwrap();
    assert_eq!(count(), 1);

    assert_eq!(reader.read(&mut batch), Read::Records(2));
    assert!(reader.prepare_park());
    reader.unpark_done();
    writer.publish(b"woke by itself").unwrap();
    assert_eq!(count(), 1);
}

#[test]
fn seats_are_limited_and_given_back() {
    let (_writer, subscribers) = channel(64).unwrap();
    let mut readers: Vec<Reader> =
        (0..READERS_MAX).map(|_| subscribers.subscribe(|| {}).unwrap()).collect();
    assert_eq!(subscribers.subscribe(|| {}).err(), Some(TooManyReaders));
    readers.pop();
    assert!(subscribers.subscribe(|| {}).is_ok());
}
