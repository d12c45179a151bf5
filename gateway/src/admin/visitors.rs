//! Who is being answered at the admin port, and who has to make room.
//!
//! Owned by the admin thread. **Invariant:** at most `VISITORS_MAX` connections exist at once. One
//! more ends the oldest of those that only look or say nothing, so that neither scrapers that do
//! not read nor silent callers keep an operator out; who steers the gateway is never ended for
//! another.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::AbortHandle;

/// Connections at once.
pub(super) const VISITORS_MAX: usize = 64;

/// Set once a visitor has shown that it may steer.
#[derive(Clone, Debug, Default)]
pub(super) struct Steers(Arc<AtomicBool>);

impl Steers {
    /// It may, and does.
    pub(super) fn set(&self) {
        // Relaxed: one thread runs all visits.
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Visitor {
    task: AbortHandle,
    steers: Steers,
}

/// What became of the wish for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Free,
    /// Somebody was ended for it.
    Made,
    /// Everybody steers.
    None,
}

/// Everybody who is being answered, oldest first.
#[derive(Debug, Default)]
pub(super) struct Visitors(VecDeque<Visitor>);

impl Visitors {
    /// Makes room for one more.
    pub(super) fn make_room(&mut self) -> Room {
        self.0.retain(|visitor| !visitor.task.is_finished());
        if self.0.len() < VISITORS_MAX {
            return Room::Free;
        }
        let Some(at) = self.0.iter().position(|visitor| !visitor.steers.is_set()) else {
            return Room::None;
        };
        if let Some(visitor) = self.0.remove(at) {
            visitor.task.abort();
        }
        Room::Made
    }

    /// Another one is answered, for whom room was made.
    pub(super) fn add(&mut self, task: AbortHandle, steers: Steers) {
        self.0.push_back(Visitor { task, steers });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_who_only_looks_makes_room_and_who_steers_stays() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(crowded());
    }

    async fn crowded() {
        let mut visitors = Visitors::default();
        let mut tasks = Vec::new();
        for at in 0..VISITORS_MAX {
            assert_eq!(visitors.make_room(), Room::Free);
            let task = tokio::spawn(std::future::pending::<()>());
            let steers = Steers::default();
            if at != 1 {
                steers.set();
            }
            visitors.add(task.abort_handle(), steers);
            tasks.push(task);
        }
        assert_eq!(visitors.make_room(), Room::Made);
        let cut = tasks.remove(1).await;
        assert!(cut.is_err_and(|error| error.is_cancelled()), "the only one that does not steer");
        visitors.add(tokio::spawn(async {}).abort_handle(), Steers::default());
        while !visitors.0.back().is_some_and(|visitor| visitor.task.is_finished()) {
            tokio::task::yield_now().await;
        }
        assert_eq!(visitors.make_room(), Room::Free, "who is done makes room by itself");
        let last = Steers::default();
        last.set();
        visitors.add(tokio::spawn(std::future::pending::<()>()).abort_handle(), last);
        assert_eq!(visitors.make_room(), Room::None);
    }
}
