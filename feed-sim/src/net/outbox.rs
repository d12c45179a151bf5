//! What waits for one connection: frames one after another in a single bounded buffer.
//!
//! Owned by the sim thread; the pacing loop appends, the connection's writer takes all at once,
//! so that several due messages leave in one write. Invariant: a frame is queued whole or the
//! connection is condemned; nothing is dropped from the middle of a living connection.

use std::cell::{Cell, RefCell};

use tokio::sync::Notify;

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Takes frames.
    Open,
    /// Takes no more frames; what waits is still sent, then the socket is shut.
    Draining,
    /// The socket is dropped at once.
    Condemned,
}

/// The bounded buffer between the pacing loop and one socket.
#[derive(Debug)]
pub(crate) struct Outbox {
    waiting: RefCell<Vec<u8>>,
    standing: Cell<Standing>,
    size_max: usize,
    changed: Notify,
    emptied: Notify,
}

impl Outbox {
    pub(crate) fn new(size_max: usize) -> Self {
        Self {
            waiting: RefCell::new(Vec::new()),
            standing: Cell::new(Standing::Open),
            size_max,
            changed: Notify::new(),
            emptied: Notify::new(),
        }
    }

    /// Queues a whole frame. False when it did not fit: the connection is condemned then.
    pub(crate) fn push(&self, frame: &[u8]) -> bool {
        if self.standing.get() != Standing::Open {
            return true;
        }
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() + frame.len() > self.size_max {
            drop(waiting);
            self.condemn();
            return false;
        }
        let was_empty = waiting.is_empty();
        waiting.extend_from_slice(frame);
        if was_empty {
            self.changed.notify_one();
        }
        true
    }

    /// Queues a last frame; the socket is shut once all has been sent.
    pub(crate) fn close_after(&self, frame: &[u8]) {
        if self.standing.get() == Standing::Open {
            self.waiting.borrow_mut().extend_from_slice(frame);
            self.standing.set(Standing::Draining);
            self.changed.notify_one();
        }
    }

    /// Drops the socket without a word, as a broken network would.
    pub(crate) fn condemn(&self) {
        self.standing.set(Standing::Condemned);
        self.changed.notify_one();
        self.emptied.notify_one();
    }

    /// Swaps what waits into `batch`, which must be empty; waits until there is something.
    /// False when the connection is to end now. Safe to cancel: nothing is taken before the end.
    pub(crate) async fn take(&self, batch: &mut Vec<u8>) -> bool {
        loop {
            if self.standing.get() == Standing::Condemned {
                return false;
            }
            if !self.waiting.borrow().is_empty() {
                std::mem::swap(&mut *self.waiting.borrow_mut(), batch);
                self.emptied.notify_one();
                return true;
            }
            if self.standing.get() == Standing::Draining {
                return false;
            }
            self.changed.notified().await;
        }
    }

    /// Waits until the connection is condemned.
    pub(crate) async fn condemned(&self) {
        while self.standing.get() != Standing::Condemned {
            self.changed.notified().await;
        }
    }

    /// Waits until less than half the room is used, or the connection ends.
    pub(crate) async fn has_room(&self) {
        while self.standing.get() == Standing::Open && self.size() > self.size_max / 2 {
            self.emptied.notified().await;
        }
    }

    pub(crate) fn standing(&self) -> Standing {
        self.standing.get()
    }

    pub(crate) fn size(&self) -> usize {
        self.waiting.borrow().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_does_not_fit_condemns_the_connection_and_is_not_cut() {
        let outbox = Outbox::new(10);
        assert!(outbox.push(b"1234567"));
        assert!(!outbox.push(b"89012"));
        assert_eq!(outbox.standing(), Standing::Condemned);
        assert_eq!(outbox.size(), 7);
    }

    #[test]
    fn nothing_follows_a_close_frame() {
        let outbox = Outbox::new(100);
        outbox.close_after(b"close");
        assert!(outbox.push(b"late"), "not the fault of the connection");
        assert_eq!(outbox.size(), 5);
    }
}
