//! A gate for log lines that a stranger can cause: one a second, and how many were left out.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock;

const INTERVAL_NS: u64 = 1_000_000_000;

/// One kind of line.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    due_ns: AtomicU64,
    left_out: AtomicU64,
}

impl Throttle {
    /// Nothing was said yet.
    pub(super) const fn new() -> Self {
        Self { due_ns: AtomicU64::new(0), left_out: AtomicU64::new(0) }
    }

    /// How many lines were left out since the last one, when it is time for another.
    pub(super) fn pass(&self) -> Option<u64> {
        self.pass_at(clock::now().0)
    }

    fn pass_at(&self, now_ns: u64) -> Option<u64> {
        // Relaxed: at worst two threads say a line twice.
        if now_ns < self.due_ns.load(Ordering::Relaxed) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.due_ns.store(now_ns + INTERVAL_NS, Ordering::Relaxed);
        Some(self.left_out.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_passes_and_the_rest_is_counted() {
        let gate = Throttle::new();
        assert_eq!(gate.pass_at(5), Some(0));
        assert_eq!(gate.pass_at(6), None);
        assert_eq!(gate.pass_at(7), None);
        assert_eq!(gate.pass_at(5 + INTERVAL_NS), Some(2));
    }
}
