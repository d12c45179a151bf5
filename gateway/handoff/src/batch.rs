//! A run of records copied out of the ring, in a buffer its reader reuses.
//!
//! Owned by the reader's thread. It holds the ring's own layout, headers included, because a whole
//! run is copied at once and looked at only when it is known to be intact. It allocates when made
//! and once more for a record larger than itself, never per read.

use crate::{ring::Header, words::WORD_SIZE};

/// Records read in one go.
pub struct Batch {
    buffer: Vec<u8>,
    /// Bytes of the buffer that hold whole records.
    filled: usize,
    count: usize,
}

impl Batch {
    /// A batch that holds up to `size_max` bytes, rounded up to a word.
    ///
    /// It bounds what one read brings. A larger record makes it grow once, to that record's size.
    /// Some tens of KiB keep a run in the first-level cache.
    pub fn with_size_max(size_max: usize) -> Self {
        let size = size_max.next_multiple_of(WORD_SIZE).max(WORD_SIZE);
        Self { buffer: vec![0; size], filled: 0, count: 0 }
    }

    /// How many records it holds.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it holds none, as after a read that found nothing or was lapped.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The records, oldest first.
    pub fn iter(&self) -> Records<'_> {
        Records { rest: &self.buffer[..self.filled], count: self.count }
    }

    pub(crate) fn clear(&mut self) {
        self.filled = 0;
        self.count = 0;
    }

    /// The buffer for a copy of at most `available` bytes.
    pub(crate) fn room(&mut self, available: usize) -> &mut [u8] {
        let size = self.buffer.len().min(available);
        &mut self.buffer[..size]
    }

    /// Takes the whole records among the first `copied` bytes; returns the bytes they span.
    ///
    /// None fits only if the first is larger than the buffer, which then grows to hold it.
    pub(crate) fn accept(&mut self, copied: usize) -> usize {
        let run = &self.buffer[..copied];
        let (mut at, mut count) = (0, 0);
        while let Some(chunk) = run[at..].first_chunk::<WORD_SIZE>() {
            let footprint = Header::from_bytes(*chunk).footprint();
            if footprint > copied - at {
                if count == 0 {
                    self.buffer.resize(footprint, 0);
                }
                break;
            }
            at += footprint;
            count += 1;
        }
        self.filled = at;
        self.count = count;
        at
    }
}

impl<'a> IntoIterator for &'a Batch {
    type Item = &'a [u8];
    type IntoIter = Records<'a>;

    fn into_iter(self) -> Records<'a> {
        self.iter()
    }
}

/// Walks the records of a batch.
#[derive(Clone)]
pub struct Records<'a> {
    /// Whole records, each behind its header.
    rest: &'a [u8],
    count: usize,
}

impl<'a> Iterator for Records<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (chunk, payload) = self.rest.split_first_chunk::<WORD_SIZE>()?;
        let header = Header::from_bytes(*chunk);
        self.rest = &self.rest[header.footprint()..];
        self.count -= 1;
        Some(&payload[..header.size()])
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl ExactSizeIterator for Records<'_> {}
