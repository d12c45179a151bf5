//! The changes one update makes to a book, borrowed from wherever they lie.

use crate::{BookSide, Level, Price, Size};

/// Bytes of a packed level: price, then size, little-endian.
pub(crate) const LEVEL_BYTES: usize = 16;

/// A run of levels: a slice at the writer, packed bytes of a record at the reader.
#[derive(Clone, Copy, Debug)]
pub struct Levels<'a>(Source<'a>);

#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    Slice(&'a [Level]),
    Packed(&'a [u8]),
}

impl<'a> Levels<'a> {
    /// Levels that lie in memory.
    pub const fn new(levels: &'a [Level]) -> Self {
        Self(Source::Slice(levels))
    }

    pub(crate) const fn packed(bytes: &'a [u8]) -> Self {
        Self(Source::Packed(bytes))
    }

    /// How many.
    pub const fn count(&self) -> usize {
        match self.0 {
            Source::Slice(levels) => levels.len(),
            Source::Packed(bytes) => bytes.len() / LEVEL_BYTES,
        }
    }

    /// In the order the venue named them.
    pub fn iter(&self) -> impl Iterator<Item = Level> + 'a {
        let (slice, bytes): (&'a [Level], &'a [u8]) = match self.0 {
            Source::Slice(levels) => (levels, &[]),
            Source::Packed(bytes) => (&[], bytes),
        };
        let packed = bytes.as_chunks::<8>().0.as_chunks::<2>().0;
        slice.iter().copied().chain(packed.iter().map(|[price, size]| Level {
            price: Price(i64::from_le_bytes(*price)),
            size: Size(i64::from_le_bytes(*size)),
        }))
    }
}

impl PartialEq for Levels<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Levels<'_> {}

/// Changed levels of both sides; size zero removes a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookChange<'a> {
    /// Of the buyers.
    pub bids: Levels<'a>,
    /// Of the sellers.
    pub asks: Levels<'a>,
}

impl<'a> BookChange<'a> {
    /// Of one side.
    pub const fn side(&self, side: BookSide) -> Levels<'a> {
        match side {
            BookSide::Bid => self.bids,
            BookSide::Ask => self.asks,
        }
    }
}
