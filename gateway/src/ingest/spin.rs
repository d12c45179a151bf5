//! Keeps the ingest thread awake for a while after each message, so that the next costs no wake-up.
//!
//! A task that yields: each turn the runtime asks the kernel which sockets are ready, without
//! waiting, and every other task goes first. Owned by the ingest thread. Deliberately absent:
//! spinning on its own, which would be deaf to sockets.

use std::cell::Cell;
use std::time::Duration;

use market::Nanos;
use tokio::sync::Notify;
use tokio::task::yield_now;

use crate::clock;

/// Shared by the feeds, which tell it of messages.
#[derive(Debug)]
pub(super) struct Spin {
    time_ns: u64,
    until: Cell<u64>,
    is_awake: Cell<bool>,
    begin: Notify,
}

impl Spin {
    pub(super) fn new(time: Duration) -> Self {
        Self {
            time_ns: u64::try_from(time.as_nanos()).unwrap_or(u64::MAX),
            until: Cell::new(0),
            is_awake: Cell::new(false),
            begin: Notify::new(),
        }
    }

    /// A message was read at that time.
    pub(super) fn heard(&self, at: Nanos) {
        if self.time_ns == 0 {
            return;
        }
        self.until.set(at.0.saturating_add(self.time_ns));
        if !self.is_awake.replace(true) {
            self.begin.notify_one();
        }
    }

    /// Never returns. Cancel-safe: nothing is held between turns.
    pub(super) async fn run(&self) {
        loop {
            self.begin.notified().await;
            while clock::now().0 < self.until.get() {
                yield_now().await;
            }
            self.is_awake.set(false);
        }
    }
}
