//! The reading end: a cursor of its own, which nobody else sees.
//!
//! Owned by one thread, usually a shard's. Reading copies a run of words and only then asks whether
//! the writer had begun to overwrite it; if so the copy is thrown away unread and the reader moves
//! to the newest place. Falling behind is a value, not an error. It neither spins nor sleeps: the
//! caller decides how long to poll, and its own event loop sleeps.

use crate::{batch::Batch, parking::Seat, position::Position, ring::Ring, sync::Arc};

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Read {
    /// This many records are in the batch, at least one.
    Records(usize),
    /// Nothing new.
    Empty,
    /// The writer lapped this reader: `lost` records were overwritten or skipped, and the next read
    /// begins behind what was the newest one. Read and lost together are every record there was.
    Lagged {
        /// Records between where the reader stood and where it stands now.
        lost: u64,
    },
}

/// How far a reader is behind what was flushed; a figure for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Records flushed and not yet read.
    pub records: u64,
    /// The bytes of the ring they take; beyond the capacity the next read is lagged.
    pub bytes: u64,
}

/// One reader of a ring.
pub struct Reader {
    ring: Arc<Ring>,
    seat: Seat,
    position: Position,
}

impl Reader {
    pub(crate) fn new(ring: Arc<Ring>, seat: Seat) -> Self {
        let position = ring.newest_place();
        Self { ring, seat, position }
    }

    /// Replaces what the batch holds by the next records, as many as it has room for.
    #[inline]
    pub fn read(&mut self, batch: &mut Batch) -> Read {
        batch.clear();
        let from = self.position.bytes;
        // The end may seem to lie below: after a seek to a place not yet flushed, or just after a
        // jump.
        let available = self.ring.end().saturating_sub(from);
        if available == 0 {
            return Read::Empty;
        }
        if available > self.ring.capacity_bytes() {
            return self.skip_to_newest();
        }
        loop {
            let room = batch.room(available as usize);
            let copied = room.len();
            self.ring.copy_out(from, room);
            if !self.ring.is_intact(from) {
                return self.skip_to_newest();
            }
            let accepted = batch.accept(copied);
            // None accepted: the batch has grown to the record's size, the second copy holds it.
            if accepted > 0 {
                self.position.bytes += accepted as u64;
                self.position.records += batch.len() as u64;
                return Read::Records(batch.len());
            }
        }
    }

    /// Announces that this reader is about to sleep. True: it may, and will be woken. False:
    /// there is something to read already, and the announcement is withdrawn.
    #[must_use = "sleeping on false is a lost wake-up"]
    pub fn prepare_park(&mut self) -> bool {
        self.ring.parking.announce(self.seat);
        let may_sleep = self.ring.end() <= self.position.bytes;
        if !may_sleep {
            self.ring.parking.retract(self.seat);
        }
        may_sleep
    }

    /// Says that this reader is awake, for whatever reason, and need not be woken.
    pub fn unpark_done(&mut self) {
        self.ring.parking.retract(self.seat);
    }

    /// Moves to a place the writer named, such as the one a snapshot was taken at.
    ///
    /// What lies between is neither read nor counted as lost. If the place was overwritten
    /// meanwhile, the next read is [`Read::Lagged`], counted from there.
    pub fn seek(&mut self, position: Position) {
        self.position = position;
    }

    /// The place in front of the next record to read.
    pub fn position(&self) -> Position {
        self.position
    }

    /// How much was flushed that this reader has not read.
    pub fn lag(&self) -> Lag {
        Lag {
            records: self.ring.records().saturating_sub(self.position.records),
            bytes: self.ring.end().saturating_sub(self.position.bytes),
        }
    }

    #[cold]
    fn skip_to_newest(&mut self) -> Read {
        let newest = self.ring.newest_place();
        let lost = newest.records - self.position.records;
        self.position = newest;
        Read::Lagged { lost }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.ring.parking.leave(self.seat);
    }
}
