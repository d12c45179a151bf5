//! What the writer and its readers share, and the one place where their memory order is argued.
//!
//! Written by the writer alone, read by all. Three steps make a record: *claim* (say which bytes
//! will be overwritten), *store* (overwrite them), *reveal* (say they are there). A reader does the
//! same backwards: sees what was revealed, copies it, then asks whether any of it had been claimed.
//! It keeps no reader's cursor: the writer neither knows nor cares where they are.

use crossbeam_utils::CachePadded;

use crate::{
    parking::Parking,
    position::Position,
    sync::{AtomicU64, Ordering, fence},
    words::{WORD_SIZE, Words},
};

/// The header word before each record: its size in bytes, and the low half of its index.
///
/// Half an index is enough: whoever needs the whole one knows a count that is at most a ring's
/// worth of records away, and a ring holds fewer than 2^32.
#[derive(Clone, Copy)]
pub(crate) struct Header(u64);

impl Header {
    pub(crate) fn new(size: usize, index: u64) -> Self {
        Self((size as u64) << 32 | (index & 0xffff_ffff))
    }

    pub(crate) fn from_bytes(bytes: [u8; WORD_SIZE]) -> Self {
        Self(u64::from_ne_bytes(bytes))
    }

    pub(crate) fn size(self) -> usize {
        (self.0 >> 32) as usize
    }

    /// Bytes of the ring a record takes: header, payload, and padding to whole words.
    pub(crate) fn footprint(self) -> usize {
        WORD_SIZE + self.size().next_multiple_of(WORD_SIZE)
    }

    /// The record's whole index, given a count of records that lies less than 2^32 above it.
    fn index(self, count_above: u64) -> u64 {
        let distance = (count_above as u32).wrapping_sub(self.0 as u32);
        count_above - u64::from(distance)
    }
}

/// Stands for the newest record's place while there is none; no record begins at an odd byte.
const NONE: u64 = u64::MAX;

/// The counters that say what may be read; one cache line, written once per flush.
struct Revealed {
    /// Bytes before the end of the newest revealed record.
    end: AtomicU64,
    /// Where the newest revealed record begins, or [`NONE`].
    newest: AtomicU64,
    /// Records revealed so far. Stored before `newest`, so whoever acquires `newest` finds here a
    /// count above that record's index.
    records: AtomicU64,
}

pub(crate) struct Ring {
    /// Bytes the writer has announced it may write: whatever lies a capacity below is lost. On a
    /// line of its own, since it changes rarely and is read after every copy.
    claimed: CachePadded<AtomicU64>,
    revealed: CachePadded<Revealed>,
    pub(crate) parking: Parking,
    words: Words,
}

impl Ring {
    pub(crate) fn new(capacity_bytes: usize) -> Self {
        Self {
            claimed: CachePadded::new(AtomicU64::new(0)),
            revealed: CachePadded::new(Revealed {
                end: AtomicU64::new(0),
                newest: AtomicU64::new(NONE),
                records: AtomicU64::new(0),
            }),
            parking: Parking::new(),
            words: Words::new(capacity_bytes),
        }
    }

    pub(crate) fn capacity_bytes(&self) -> u64 {
        self.words.capacity_bytes()
    }

    /// Writer: announces that everything below `until` may be written from now on.
    ///
    /// The release fence pairs with the acquire fence of [`Ring::is_intact`]: a reader whose copy
    /// caught a single word stored after this fence also sees this claim.
    pub(crate) fn claim(&self, until: u64) {
        self.claimed.store(until, Ordering::Relaxed);
        fence(Ordering::Release);
    }

    /// Writer: stores a record into bytes claimed before.
    #[inline]
    pub(crate) fn store(&self, at: u64, header: Header, record: &[u8]) {
        self.words.store(at, header.0, record);
    }

    /// Writer: makes all records below `end` readable, the newest of which begins at `newest`.
    ///
    /// Both releases publish the words stored before: `newest` to [`Ring::newest_place`], `end` to
    /// [`Ring::end`]. `end` comes last, so that a reader which saw it and then jumps to the newest
    /// place never jumps backwards.
    #[inline]
    pub(crate) fn reveal(&self, newest: u64, end: Position) {
        self.revealed.records.store(end.records, Ordering::Relaxed);
        self.revealed.newest.store(newest, Ordering::Release);
        self.revealed.end.store(end.bytes, Ordering::Release);
    }

    /// Reader: bytes below which every record was revealed; acquires their words.
    #[inline]
    pub(crate) fn end(&self) -> u64 {
        self.revealed.end.load(Ordering::Acquire)
    }

    /// How many records were revealed; a figure for metrics, it acquires nothing.
    pub(crate) fn records(&self) -> u64 {
        self.revealed.records.load(Ordering::Relaxed)
    }

    /// Reader: copies a run of words that may be changing; believe it only if it [`is_intact`].
    ///
    /// [`is_intact`]: Ring::is_intact
    #[inline]
    pub(crate) fn copy_out(&self, at: u64, out: &mut [u8]) {
        self.words.copy_out(at, out);
    }

    /// Reader: whether whatever was read before this call, at or above `from`, was whole.
    ///
    /// See [`Ring::claim`] for the fence. Claims run ahead of stores, so the answer may be no a
    /// little early; it is never yes too late.
    #[inline]
    pub(crate) fn is_intact(&self, from: u64) -> bool {
        fence(Ordering::Acquire);
        self.claimed.load(Ordering::Relaxed) <= from + self.capacity_bytes()
    }

    /// Reader: the place just behind the newest revealed record.
    ///
    /// It may lie beyond an [`Ring::end`] seen before. Tries again only when the writer went once
    /// round the whole ring between two loads here.
    pub(crate) fn newest_place(&self) -> Position {
        loop {
            // Acquires that record's header and a count above its index.
            let newest = self.revealed.newest.load(Ordering::Acquire);
            if newest == NONE {
                return Position::default();
            }
            let header = Header(self.words.load(newest));
            let count = self.revealed.records.load(Ordering::Relaxed);
            // Also bounds the count: one from beyond a lap would come with its claim.
            if self.is_intact(newest) {
                return Position {
                    bytes: newest + header.footprint() as u64,
                    records: header.index(count) + 1,
                };
            }
        }
    }
}
