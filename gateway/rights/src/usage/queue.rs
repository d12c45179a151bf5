//! The way of records from the shards to the one thread that writes them.
//!
//! Bounded: a sender never waits. What finds no room is counted, and the receiver writes the count
//! into the log at the first chance, so a gap in the log always has its size beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use market::Nanos;

use super::{Journal, Record};

/// Most records written at once.
const BATCH_MAX: usize = 1024;

/// A queue for so many records.
pub fn queue(records_max: usize) -> (UsageSender, UsageReceiver) {
    let (sender, receiver) = bounded(records_max);
    let lost = Arc::new(AtomicU64::new(0));
    let lost_ever = Arc::new(AtomicU64::new(0));
    let sender = UsageSender { sender, lost: Arc::clone(&lost), lost_ever: Arc::clone(&lost_ever) };
    (sender, UsageReceiver { receiver, lost, lost_ever, batch: Vec::new() })
}

/// The end of a shard; it can be cloned.
#[derive(Clone, Debug)]
pub struct UsageSender {
    sender: Sender<Record>,
    /// Not yet told in the log. Relaxed everywhere: a count, which guards nothing else.
    lost: Arc<AtomicU64>,
    lost_ever: Arc<AtomicU64>,
}

impl UsageSender {
    /// Hands a record over, or counts it as lost.
    pub fn send(&self, record: Record) {
        if self.sender.try_send(record).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            self.lost_ever.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Records lost since the start, for a counter.
    pub fn lost(&self) -> u64 {
        self.lost_ever.load(Ordering::Relaxed)
    }
}

/// The end of the writing thread.
#[derive(Debug)]
pub struct UsageReceiver {
    receiver: Receiver<Record>,
    lost: Arc<AtomicU64>,
    lost_ever: Arc<AtomicU64>,
    batch: Vec<Record>,
}

impl UsageReceiver {
    /// Waits so long for a record, then writes what is there, one batch. `false` once all senders
    /// are gone and all is written. What could not be written counts as lost, and the journal tries
    /// again next time.
    pub fn write(
        &mut self,
        journal: &mut Journal,
        wait: Duration,
        clock: impl Fn() -> Nanos,
    ) -> std::io::Result<bool> {
        let first = self.receiver.recv_timeout(wait);
        let is_over = matches!(first, Err(RecvTimeoutError::Disconnected));
        self.batch.extend(first);
        self.batch.extend(self.receiver.try_iter().take(BATCH_MAX));
        let lost = self.lost.swap(0, Ordering::Relaxed);
        let outcome = journal.write(&self.batch, lost, clock());
        if outcome.is_err() {
            let count = self.batch.len() as u64;
            self.lost.fetch_add(lost + count, Ordering::Relaxed);
            self.lost_ever.fetch_add(count, Ordering::Relaxed);
        }
        self.batch.clear();
        outcome.map(|()| !is_over)
    }
}
