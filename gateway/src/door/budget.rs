//! Whether the process has memory for one more session.
//!
//! Used by the door's thread alone. The measure is the kernel's: resident memory, read anew for
//! each upgrade, which costs some tens of microseconds beside a handshake's half a millisecond.
//! **Invariant:** it never shuts for ever: an allocator keeps what a session leaves behind for the
//! next, so at the budget there is room for as many sessions as there were when it was reached.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::metrics::resident_bytes;

/// The budget, and how many sessions it holds.
#[derive(Debug)]
pub(super) struct Budget {
    /// 0 is none.
    bytes_max: u64,
    /// Sessions when the budget was reached; `usize::MAX` while it is not.
    full_at: AtomicUsize,
}

impl Budget {
    pub(super) const fn new(bytes_max: usize) -> Self {
        Self { bytes_max: bytes_max as u64, full_at: AtomicUsize::new(usize::MAX) }
    }

    /// Whether one more may come to so many sessions.
    pub(super) fn has_room(&self, sessions: usize) -> bool {
        self.bytes_max == 0 || resident_bytes().is_none_or(|bytes| self.admits(bytes, sessions))
    }

    fn admits(&self, bytes: u64, sessions: usize) -> bool {
        // Relaxed: one thread alone reads and writes it.
        if bytes < self.bytes_max {
            self.full_at.store(usize::MAX, Ordering::Relaxed);
            return true;
        }
        let mut full_at = self.full_at.load(Ordering::Relaxed);
        if full_at == usize::MAX {
            full_at = sessions;
            self.full_at.store(full_at, Ordering::Relaxed);
        }
        sessions < full_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_budget_there_is_room_for_as_many_as_there_were() {
        let budget = Budget::new(1000);
        assert!(budget.admits(999, 10));
        assert!(!budget.admits(1000, 11) && !budget.admits(2000, 12));
        assert!(budget.admits(1500, 10), "one has left");
        assert!(!budget.admits(1500, 11), "and his place was taken");
        assert!(budget.admits(900, 50), "the allocator gave memory back");
        assert!(!budget.admits(1000, 51));
    }
}
