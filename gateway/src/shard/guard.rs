//! Where a panic may be survived: in what belongs to one connection, and nowhere else.
//!
//! The keys, the reading of frames and of text touch one session's own state, which is dropped with
//! it. The fan-out's state is shared by all sessions of the shard: what a panic left half done
//! there would be told to others as truth, so such a panic ends the process, visibly.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::connection::Broken;

/// Tells work of one connection from work on what is shared.
#[derive(Debug, Default)]
pub(super) struct Fence(Cell<bool>);

impl Fence {
    /// From here on shared state changes.
    pub(super) fn close(&self) {
        self.0.set(true);
    }

    /// It is whole again.
    pub(super) fn open(&self) {
        self.0.set(false);
    }

    /// Runs work; a panic outside the fence becomes `Broken::Bug`.
    pub(super) fn guard<T>(&self, work: impl FnOnce() -> Result<T, Broken>) -> Result<T, Broken> {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(outcome) => outcome,
            Err(panic) if self.0.get() => resume_unwind(panic),
            Err(_) => Err(Broken::Bug),
        }
    }
}

/// Runs work of one connection alone.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, Broken>) -> Result<T, Broken> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Broken::Bug))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_survived_outside_the_fence_only() {
        let fence = Fence::default();
        assert_eq!(fence.guard(|| -> Result<(), _> { panic!("outside") }), Err(Broken::Bug));
        assert_eq!(fence.guard(|| Ok(1)), Ok(1));
        let inside = catch_unwind(AssertUnwindSafe(|| {
            fence.guard(|| -> Result<(), Broken> {
                fence.close();
                panic!("inside")
            })
        }));
        assert!(inside.is_err());
        assert_eq!(guarded(|| -> Result<(), _> { panic!("alone") }), Err(Broken::Bug));
    }
}
