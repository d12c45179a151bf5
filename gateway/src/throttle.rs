//! A gate for log lines that somebody else can cause (a stranger at the door, a venue that sends
//! nonsense): one a second of each kind, with how many were left out before it.
//!
//! It may be asked by any thread, and belongs to whoever says the line. What is counted is counted
//! in full elsewhere.

use std::sync::atomic::{AtomicU64, Ordering};

use market::Nanos;

const EVERY_NS: u64 = 1_000_000_000;

/// One kind of line.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    due_ns: AtomicU64,
    left_out: AtomicU64,
}

impl Throttle {
    /// Nothing was said yet.
    pub(crate) const fn new() -> Self {
        Self { due_ns: AtomicU64::new(0), left_out: AtomicU64::new(0) }
    }

    /// How many lines were left out since the last one, when it is time for another.
    pub(crate) fn pass(&self, now: Nanos) -> Option<u64> {
        // Relaxed: at worst two threads say a line twice.
        if now.0 < self.due_ns.load(Ordering::Relaxed) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.due_ns.store(now.0 + EVERY_NS, Ordering::Relaxed);
        Some(self.left_out.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_passes_and_says_how_many_were_left_out() {
        let throttle = Throttle::new();
        let passed: Vec<_> =
            (0..25).filter_map(|i| throttle.pass(Nanos(i * EVERY_NS / 10))).collect();
        assert_eq!(passed, [0, 9, 9]);
    }
}
