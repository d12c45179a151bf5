//! The ticks that count: those *due* within the window, however late they arrive. Set once by the
//! main thread when every session is ready, read by the load threads.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// When ticks must be due to count. Before it is opened nothing does.
#[derive(Debug)]
pub struct Window {
    /// Nanoseconds, as all here; since 1970. Relaxed: a message more or less at the edge changes no
    /// figure, and each is judged by its own time.
    from: AtomicU64,
    length: u64,
    slice: u64,
}

impl Window {
    /// A window of `length_ns`, cut into slices.
    pub fn new(length_ns: u64, slice_ns: u64) -> Self {
        Self { from: AtomicU64::new(u64::MAX), length: length_ns, slice: slice_ns }
    }

    /// Begins at `from_ns`.
    pub fn open(&self, from_ns: u64) {
        self.from.store(from_ns, Relaxed);
    }

    /// The first moment.
    pub fn from_ns(&self) -> u64 {
        self.from.load(Relaxed)
    }

    /// The slice in which `at_ns` lies.
    pub fn slice_of(&self, at_ns: u64) -> Option<usize> {
        let since = at_ns.checked_sub(self.from_ns())?;
        (since < self.length).then(|| (since / self.slice) as usize)
    }

    /// Whether its end is past at `at_ns`.
    pub fn is_over(&self, at_ns: u64) -> bool {
        at_ns.checked_sub(self.from_ns()).is_some_and(|since| since >= self.length)
    }

    /// How many slices there are.
    pub fn slices(&self) -> usize {
        self.length.div_ceil(self.slice) as usize
    }

    /// Their length.
    pub fn slice_ns(&self) -> u64 {
        self.slice
    }
}
