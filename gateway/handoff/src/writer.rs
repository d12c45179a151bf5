//! The writing end: one owner, no waiting, whatever the readers do.
//!
//! Appending and revealing are apart, because revealing touches the cache line that every reader
//! polls: a burst is appended record by record and flushed once. The writer holds all it needs to
//! know in plain fields; it reads nothing that a reader writes but the word of parked readers.

use crate::{
    position::Position,
    ring::{Header, Ring},
    sync::Arc,
    words::WORD_SIZE,
};

/// The record cannot be held by this ring; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record of {size} bytes; the ring takes at most {size_max}")]
pub struct RecordTooLarge {
    /// The record's size in bytes.
    pub size: usize,
    /// The ring's largest, an eighth of its capacity.
    pub size_max: usize,
}

/// The one writer of a ring.
pub struct Writer {
    ring: Arc<Ring>,
    /// Behind the last appended record.
    end: Position,
    /// Where the last appended record begins.
    newest: u64,
    /// `end` as it was when last flushed: what the readers may see.
    flushed: Position,
    /// Never below `end.bytes`; how far the readers were told that bytes may change.
    claimed: u64,
    /// Claims are made in strides, so that most records need none. A reader loses this much room.
    claim_stride: u64,
    record_size_max: usize,
    /// More than this is not held back: see [`Writer::append`].
    unflushed_bytes_max: u64,
}

impl Writer {
    pub(crate) fn new(ring: Arc<Ring>) -> Self {
        let capacity = ring.capacity_bytes();
        let record_size_max = (capacity / 8) as usize;
        Self {
            ring,
            end: Position::default(),
            newest: 0,
            flushed: Position::default(),
            claimed: 0,
            claim_stride: capacity / 64 / WORD_SIZE as u64 * WORD_SIZE as u64,
            record_size_max,
            unflushed_bytes_max: capacity / 8,
        }
    }

    /// Writes a record, not yet visible, and returns the place behind it.
    ///
    /// Flushes by itself once an eighth of the capacity is held back, lest it be overwritten
    /// unseen.
    #[inline]
    pub fn append(&mut self, record: &[u8]) -> Result<Position, RecordTooLarge> {
        if record.len() > self.record_size_max {
            return Err(self.too_large(record.len()));
        }
        let start = self.end;
        let header = Header::new(record.len(), start.records);
        let end =
            Position { bytes: start.bytes + header.footprint() as u64, records: start.records + 1 };
        if end.bytes > self.claimed {
            self.claimed = end.bytes + self.claim_stride;
            self.ring.claim(self.claimed);
        }
        self.ring.store(start.bytes, header, record);
        self.newest = start.bytes;
        self.end = end;
        if end.bytes - self.flushed.bytes > self.unflushed_bytes_max {
            self.flush();
        }
        Ok(end)
    }

    /// Makes all that was appended visible and wakes the readers that sleep; returns how many.
    ///
    /// With nobody asleep it is three stores and one exchange. Each wake costs what the reader's
    /// call costs, microseconds when it enters the kernel.
    #[inline]
    pub fn flush(&mut self) -> usize {
        if self.flushed == self.end {
            return 0;
        }
        self.ring.reveal(self.newest, self.end);
        self.flushed = self.end;
        self.ring.parking.wake_all()
    }

    /// Appends one record and flushes: for those who write one at a time.
    #[inline]
    pub fn publish(&mut self, record: &[u8]) -> Result<Position, RecordTooLarge> {
        let end = self.append(record)?;
        self.flush();
        Ok(end)
    }

    /// The place behind the last appended record, flushed or not: where a snapshot that holds
    /// everything so far is joined, with [`crate::Reader::seek`].
    pub fn position(&self) -> Position {
        self.end
    }

    /// The largest record, in bytes.
    pub fn record_size_max(&self) -> usize {
        self.record_size_max
    }

    #[cold]
    fn too_large(&self, size: usize) -> RecordTooLarge {
        RecordTooLarge { size, size_max: self.record_size_max }
    }
}
