//! The way of a lapped reader to a fresh replica: it asks ingest, ingest answers with a clone.
//!
//! Asking and answering never wait. A shard asks once and goes on serving its sockets until the
//! answer wakes it; ingest pays for the clone on its own thread, which is why a shard has at most
//! one request under way.

use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender, bounded};
use handoff::Position;
use market::Truth;

/// The record that says: what stands behind me does not follow from what stands before me, because
/// the truth was replaced; ask for a replica. No tick is empty.
pub const REPLACED: &[u8] = &[];

/// A life of the numbering. Within one, numbers only grow and name the same updates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// What dashboards are told; zero while there is none yet.
    pub epoch: u64,
    /// Tells lives apart within this process, should one name come twice.
    pub number: u64,
}

/// The truth as of a place in the ring: what a lapped shard goes on from.
#[derive(Clone, Debug)]
pub struct Replica {
    /// In which life.
    pub life: Life,
    /// Everything before `position`, folded.
    pub truth: Truth,
    /// Where to read on.
    pub position: Position,
}

/// The question of a shard, or of the relay.
pub struct ReplicaRequest {
    /// Where the answer goes; it must have room for one.
    pub reply: Sender<Replica>,
    /// Called after the answer was sent, to wake who asked.
    pub wake: Box<dyn FnOnce() + Send>,
}

/// One shard's end.
pub struct Asker {
    desk: Sender<ReplicaRequest>,
    answers: (Sender<Replica>, Receiver<Replica>),
    waker: Arc<mio::Waker>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is wanted.
    Content,
    /// A replica is wanted, but the desk was full.
    Unheard,
    /// An answer is on its way.
    Waiting,
}

impl Asker {
    /// Asks at `desk`; the answers wake `waker`.
    pub fn new(desk: Sender<ReplicaRequest>, waker: Arc<mio::Waker>) -> Self {
        Self { desk, answers: bounded(1), waker, state: State::Content }
    }

    /// Wants a replica. Ingest that has stopped never answers; the whole gateway is stopping then.
    pub fn ask(&mut self) {
        if self.state == State::Waiting {
            return;
        }
        let waker = Arc::clone(&self.waker);
        let wake = Box::new(move || {
            // A failed wake-up delays the answer until the shard's next cycle, no longer.
            let _ = waker.wake();
        });
        let request = ReplicaRequest { reply: self.answers.0.clone(), wake };
        let is_heard = self.desk.try_send(request).is_ok();
        self.state = if is_heard { State::Waiting } else { State::Unheard };
    }

    /// True while a replica is wanted: until it is there, the ring must not be read.
    pub fn is_waiting(&self) -> bool {
        self.state != State::Content
    }

    /// The answer, once; asks again where the desk was full.
    pub fn take(&mut self) -> Option<Replica> {
        if self.state == State::Unheard {
            self.ask();
        }
        let replica = self.answers.1.try_recv().ok()?;
        self.state = State::Content;
        Some(replica)
    }
}
