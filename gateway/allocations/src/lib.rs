//! An allocator that counts what it is asked for, for tests and benchmarks that say "nothing".
//!
//! Counts calls of the whole process, whichever thread makes them, not bytes. A program makes one
//! its `#[global_allocator]`, which is why it is a wrapper and needs `unsafe`: the only one of
//! ours. No library and no program depends on it.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts on the way to an allocator.
pub struct Counting<A> {
    inner: A,
    count: AtomicU64,
}

impl<A> Counting<A> {
    /// Passes everything on to `inner`.
    pub const fn new(inner: A) -> Self {
        Self { inner, count: AtomicU64::new(0) }
    }

    /// Allocations and reallocations so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn note(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call goes to the inner allocator unchanged; counting touches no memory of it.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counting<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.note();
        // SAFETY: the caller's promise is passed on.
        unsafe { self.inner.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { self.inner.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.note();
        // SAFETY: as above.
        unsafe { self.inner.realloc(memory, layout, size) }
    }
}
