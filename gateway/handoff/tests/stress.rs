//! Real threads: every record a reader gets is whole, and every index is either seen or counted
//! lost.
//!
//! Ends by count, not by time. One reader is slow on purpose, so that it is lapped again and again.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "in a test a failure is to stop it")]

use std::{
    sync::mpsc::{Receiver, sync_channel},
    thread,
};

use handoff::{Batch, Read, Reader, channel};

// An interpreter takes its time; it looks at orders of memory, not at laps by the thousand.
const RECORDS: u64 = if cfg!(miri) { 500 } else { 2_000_000 };
const CAPACITY_BYTES: usize = 1 << 14;
const WORDS_MAX: u64 = 16;

/// A record tells its index, and everything in it follows from that.
fn fill(record: &mut Vec<u8>, index: u64) {
    record.clear();
    record.extend_from_slice(&index.to_ne_bytes());
    for word in 0..mix(index) % WORDS_MAX {
        record.extend_from_slice(&mix(index + word).to_ne_bytes());
    }
    record.extend_from_slice(&index.to_le_bytes()[..(index % 8) as usize]);
}

/// Murmur3's finaliser: neighbours become unlike.
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    value ^ (value >> 33)
}

struct Tally {
    seen: u64,
    lost: u64,
    laps: u64,
}

/// How a reader spends the time in which there is nothing to read, or should be something.
enum Pace {
    Polls,
    Sleeps(Receiver<()>),
    /// Polls, but idles now and then until it is lapped.
    Dawdles,
}

/// Reads until all records are accounted for.
fn follow(mut reader: Reader, pace: &Pace) -> Tally {
    let mut batch = Batch::with_size_max(1 << 12);
    let mut tally = Tally { seen: 0, lost: 0, laps: 0 };
    let mut expected = Vec::new();
    while tally.seen + tally.lost < RECORDS {
        match reader.read(&mut batch) {
            Read::Records(count) => {
                assert_eq!(count, batch.len());
                for record in &batch {
                    fill(&mut expected, tally.seen + tally.lost);
                    assert_eq!(record, expected);
                    tally.seen += 1;
                }
                if matches!(pace, Pace::Dawdles) {
                    dawdle(&reader);
                }
            }
            Read::Lagged { lost } => {
                assert!(lost > 0);
                tally.lost += lost;
                tally.laps += 1;
            }
            Read::Empty => match pace {
                Pace::Sleeps(woken) if reader.prepare_park() => {
                    woken.recv().unwrap();
                    reader.unpark_done();
                }
                _ => thread::yield_now(),
            },
        }
        assert_eq!(reader.position().records(), tally.seen + tally.lost);
    }
    tally
}

/// Waits until the writer has lapped this reader or is through.
fn dawdle(reader: &Reader) {
    let through = |lag: u64| reader.position().records() + lag == RECORDS;
    while reader.lag().bytes <= CAPACITY_BYTES as u64 && !through(reader.lag().records) {
        thread::yield_now();
    }
}

#[test]
fn every_record_is_seen_whole_or_counted_lost_by_every_reader() {
    let (mut writer, subscribers) = channel(CAPACITY_BYTES).unwrap();
    let mut followers = Vec::new();
    for pace in [Pace::Polls, Pace::Polls, Pace::Dawdles] {
        let reader = subscribers.subscribe(|| {}).unwrap();
        followers.push(thread::spawn(move || follow(reader, &pace)));
    }
    let (wake, woken) = sync_channel(1);
    let sleeper = subscribers
        .subscribe(move || {
            // Full means that a wake-up waits there already.
            let _ = wake.try_send(());
        })
        .unwrap();
    followers.push(thread::spawn(move || follow(sleeper, &Pace::Sleeps(woken))));

    let mut record = Vec::new();
    for index in 0..RECORDS {
        fill(&mut record, index);
        writer.append(&record).unwrap();
        if mix(index).is_multiple_of(8) {
            writer.flush();
        }
        // Without a pause now and then, two cores would let few of the readers keep up at all.
        if index.is_multiple_of(64) {
            thread::yield_now();
        }
    }
    writer.flush();

    let tallies: Vec<Tally> = followers.into_iter().map(|one| one.join().unwrap()).collect();
    for (reader, tally) in tallies.iter().enumerate() {
        eprintln!(
            "reader {reader}: {} seen, {} lost in {} laps",
            tally.seen, tally.lost, tally.laps
        );
        assert!(tally.seen > 0, "reader {reader} saw nothing");
    }
    assert!(tallies[2].laps > 0, "the slow reader was never lapped");
}
