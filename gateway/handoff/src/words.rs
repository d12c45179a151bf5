//! The ring's memory: atomic words that bytes are copied into and out of.
//!
//! Every access is a relaxed atomic of eight bytes, so the writer may overwrite what a reader is
//! copying without a data race: the copy may be a mixture, which the caller detects and throws
//! away. A run that passes the end goes on at the beginning; nothing is padded. It orders nothing
//! by itself: the fences stand in [`crate::ring`].

use crate::sync::{AtomicU64, Ordering};

/// Bytes in a word, the unit in which the ring is addressed.
pub(crate) const WORD_SIZE: usize = 8;

/// A power of two of atomic words, addressed by byte positions that only ever grow.
pub(crate) struct Words {
    words: Box<[AtomicU64]>,
}

impl Words {
    /// Every word is written once here, so that no page fault is left for the writer.
    pub(crate) fn new(capacity_bytes: usize) -> Self {
        let count = capacity_bytes / WORD_SIZE;
        assert!(count.is_power_of_two(), "positions are mapped to words by a mask");
        Self { words: (0..count).map(|_| AtomicU64::new(0)).collect() }
    }

    pub(crate) fn capacity_bytes(&self) -> u64 {
        (self.words.len() * WORD_SIZE) as u64
    }

    #[inline]
    pub(crate) fn load(&self, at: u64) -> u64 {
        self.words[self.slot(at)].load(Ordering::Relaxed)
    }

    /// Stores a word and, behind it, bytes; the last word's unused bytes become zero.
    #[inline]
    pub(crate) fn store(&self, at: u64, header: u64, bytes: &[u8]) {
        self.words[self.slot(at)].store(header, Ordering::Relaxed);
        let (low, high) = self.words.split_at(self.slot(at + WORD_SIZE as u64));
        if bytes.len() <= high.len() * WORD_SIZE {
            store_run(high, bytes);
        } else {
            let (before_end, after_end) = bytes.split_at(high.len() * WORD_SIZE);
            store_run(high, before_end);
            store_run(low, after_end);
        }
    }

    /// Fills `out`, whose size is a multiple of a word and at most the capacity.
    #[inline]
    pub(crate) fn copy_out(&self, at: u64, out: &mut [u8]) {
        let (low, high) = self.words.split_at(self.slot(at));
        let (before_end, after_end) = out.split_at_mut(out.len().min(high.len() * WORD_SIZE));
        load_run(high, before_end);
        load_run(low, after_end);
    }

    #[inline]
    fn slot(&self, at: u64) -> usize {
        (at / WORD_SIZE as u64) as usize & (self.words.len() - 1)
    }
}

#[inline]
fn store_run(words: &[AtomicU64], bytes: &[u8]) {
    let (whole, rest) = bytes.as_chunks::<WORD_SIZE>();
    for (word, chunk) in words.iter().zip(whole) {
        word.store(u64::from_ne_bytes(*chunk), Ordering::Relaxed);
    }
    if !rest.is_empty() {
        let mut chunk = [0; WORD_SIZE];
        chunk[..rest.len()].copy_from_slice(rest);
        words[whole.len()].store(u64::from_ne_bytes(chunk), Ordering::Relaxed);
    }
}

#[inline]
fn load_run(words: &[AtomicU64], out: &mut [u8]) {
    let (chunks, rest) = out.as_chunks_mut::<WORD_SIZE>();
    debug_assert!(rest.is_empty(), "runs are whole words");
    for (chunk, word) in chunks.iter_mut().zip(words) {
        *chunk = word.load(Ordering::Relaxed).to_ne_bytes();
    }
}
