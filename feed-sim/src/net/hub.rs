//! Everything the parts of one running simulator share: connections, counts, pause and stop.
//!
//! Owned by the sim thread (`Rc`, cells), except `Progress`, which other threads may read.
//! Invariant: a connection leaves the registry exactly once, and its way of leaving is counted.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use super::frame::FrameBuilder;
use super::outbox::{Outbox, Standing};
use super::rest::RestAnswer;
use crate::time::Clock;

/// Close code of a server that goes away or starts anew.
pub(crate) const CLOSE_GOING_AWAY: u16 = 1001;
/// Close code of a server that has nothing more to say.
pub(crate) const CLOSE_NORMAL: u16 = 1000;

/// Live counters, readable from any thread.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) ticks: AtomicU64,
    pub(crate) messages: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) late_ns_max: AtomicU64,
    pub(crate) done: AtomicU64,
}

/// One WebSocket connection of a client.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: u64,
    pub(crate) path: String,
    pub(crate) outbox: Outbox,
}

/// What a venue dialect does with connections; implemented by the generated and replayed venues.
pub(crate) trait Venue {
    /// Whether WebSocket connections are taken at this path.
    fn accepts(&self, path: &str) -> bool;
    /// A connection has been upgraded.
    fn opened(&self, connection: &Rc<Connection>, query: &str);
    /// A text message arrived.
    fn heard(&self, connection: &Rc<Connection>, text: &[u8]);
    /// A connection is gone.
    fn closed(&self, connection: &Connection);
    /// Answers a plain HTTP request.
    fn rest(&self, path: &str, query: &str) -> RestAnswer;
    /// Sends what the venue sends when a second has passed.
    fn second_passed(&self);
    /// The next book update of `symbol` carries a wrong checksum.
    fn corrupt_next_checksum(&self, symbol: &str);
    /// The next book update of `symbol` is not sent.
    fn skip_next_update(&self, symbol: &str);
}

/// What the parts of a running simulator share.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) clock: Clock,
    pub(crate) progress: Arc<Progress>,
    pub(crate) ticks: Cell<u64>,
    pub(crate) messages: Cell<u64>,
    pub(crate) bytes: Cell<u64>,
    pub(crate) accepted: Cell<u64>,
    pub(crate) closed_slow: Cell<u64>,
    pub(crate) upgrades_failed: Cell<u64>,
    connections: RefCell<BTreeMap<u64, Rc<Connection>>>,
    next_id: Cell<u64>,
    outbox_size_max: usize,
    paused: Cell<bool>,
    stopping: Cell<bool>,
    gate: Notify,
    stop: Notify,
    changed: Notify,
}

impl Hub {
    pub(crate) fn new(outbox_size_max: usize, progress: Arc<Progress>) -> Rc<Self> {
        Rc::new(Self {
            clock: Clock::start(),
            progress,
            ticks: Cell::new(0),
            messages: Cell::new(0),
            bytes: Cell::new(0),
            accepted: Cell::new(0),
            closed_slow: Cell::new(0),
            upgrades_failed: Cell::new(0),
            connections: RefCell::new(BTreeMap::new()),
            next_id: Cell::new(1),
            outbox_size_max,
            paused: Cell::new(false),
            stopping: Cell::new(false),
            gate: Notify::new(),
            stop: Notify::new(),
            changed: Notify::new(),
        })
    }

    /// Registers an upgraded connection.
    pub(crate) fn open(&self, path: &str) -> Rc<Connection> {
        let id = self.next_id.replace(self.next_id.get() + 1);
        let outbox = Outbox::new(self.outbox_size_max);
        let connection = Rc::new(Connection { id, path: path.to_owned(), outbox });
        self.connections.borrow_mut().insert(id, Rc::clone(&connection));
        bump(&self.accepted);
        self.note_connections();
        connection
    }

    /// Forgets a connection.
    pub(crate) fn close(&self, connection: &Connection) {
        self.connections.borrow_mut().remove(&connection.id);
        self.note_connections();
        self.changed.notify_waiters();
    }

    /// Queues a frame for one connection; one that can't keep up is closed and counted.
    pub(crate) fn send(&self, connection: &Connection, frame: &[u8]) {
        if connection.outbox.push(frame) {
            bump(&self.messages);
            self.bytes.set(self.bytes.get() + frame.len() as u64);
        } else {
            bump(&self.closed_slow);
        }
    }

    /// The connections of this moment, oldest first.
    pub(crate) fn connections(&self) -> Vec<Rc<Connection>> {
        self.connections.borrow().values().map(Rc::clone).collect()
    }

    pub(crate) fn connection_count(&self) -> usize {
        self.connections.borrow().len()
    }

    /// Closes every connection as a venue does: a close frame after all that waits.
    pub(crate) fn close_all(&self, code: u16, reason: &str) {
        let mut frames = FrameBuilder::default();
        let frame = frames.close(code, reason);
        for connection in self.connections.borrow().values() {
            connection.outbox.close_after(frame);
        }
    }

    /// Drops every connection without a close frame.
    pub(crate) fn disconnect_all(&self) {
        for connection in self.connections.borrow().values() {
            connection.outbox.condemn();
        }
    }

    /// Waits until every connection that is being closed is gone, at most `limit`; what is left of
    /// them then is dropped. Those that came meanwhile stay.
    pub(crate) async fn wait_for_close(&self, limit: std::time::Duration) {
        let gone = async {
            while !self.closing().is_empty() {
                self.changed.notified().await;
            }
        };
        if tokio::time::timeout(limit, gone).await.is_err() {
            self.closing().iter().for_each(|connection| connection.outbox.condemn());
        }
    }

    fn closing(&self) -> Vec<Rc<Connection>> {
        let mut connections = self.connections();
        connections.retain(|connection| connection.outbox.standing() != Standing::Open);
        connections
    }

    /// Waits, at most `limit`, until every connection can take a good deal more.
    pub(crate) async fn wait_for_room(&self, limit: std::time::Duration) {
        for connection in self.connections() {
            if connection.outbox.standing() == Standing::Open {
                // Whoever stays full is condemned by the next frame that does not fit.
                let _ = tokio::time::timeout(limit, connection.outbox.has_room()).await;
            }
        }
    }

    pub(crate) fn set_paused(&self, paused: bool) {
        self.paused.set(paused);
        self.gate.notify_waiters();
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.get()
    }

    /// Waits while the simulator is paused, and says for how many nanoseconds.
    pub(crate) async fn while_paused(&self) -> u64 {
        if !self.paused.get() {
            return 0;
        }
        let since_ns = self.clock.now_ns();
        while self.paused.get() && !self.stopping.get() {
            self.gate.notified().await;
        }
        self.clock.now_ns() - since_ns
    }

    pub(crate) fn begin_stop(&self) {
        self.stopping.set(true);
        self.stop.notify_waiters();
        self.gate.notify_waiters();
    }

    /// Waits until the simulator is told to stop.
    pub(crate) async fn stopped(&self) {
        while !self.stopping.get() {
            self.stop.notified().await;
        }
    }

    /// Publishes the counters to other threads.
    pub(crate) fn publish_progress(&self, late_ns_max: u64) {
        self.progress.ticks.store(self.ticks.get(), Ordering::Relaxed);
        self.progress.messages.store(self.messages.get(), Ordering::Relaxed);
        self.progress.late_ns_max.store(late_ns_max, Ordering::Relaxed);
    }

    fn note_connections(&self) {
        self.progress.connections.store(self.connection_count() as u64, Ordering::Relaxed);
    }
}

/// Adds one.
pub(crate) fn bump(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}
