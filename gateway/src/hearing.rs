//! The way of a token from a shard to the door and of the verdict back.
//!
//! A signature costs up to ten sends (see ARCHITECTURE.md), so a shard never checks one: the door
//! does, whose work it is anyway. Neither waits: a full desk is answered at once, and a session has
//! one token under way at most.

use std::net::IpAddr;
use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use fanout::{Petition, Ticket, Verdict};
use tokio::sync::mpsc;

use crate::seat::Seat;

/// Tokens that wait for the door, of all shards together; one more is refused (`RATE_LIMIT`).
const HEARINGS_MAX: usize = 1024;

/// A token that a session has sent.
#[derive(Debug)]
pub struct Hearing {
    /// The token, and what is known of the session.
    pub petition: Petition,
    /// Where it comes from.
    pub peer: IpAddr,
    /// Where the verdict goes.
    pub reply: Reply,
}

/// What the door says.
#[derive(Debug)]
pub struct Answer {
    /// Which session asked.
    pub ticket: Ticket,
    /// What became of its token.
    pub verdict: Verdict,
    /// Of a user who comes by this token.
    pub seat: Option<Seat>,
}

/// The way back to one shard.
#[derive(Clone, Debug)]
pub struct Reply {
    sender: Sender<Answer>,
    waker: Arc<mio::Waker>,
}

impl Reply {
    /// The way back, and the shard's end of it.
    pub fn new(waker: Arc<mio::Waker>) -> (Self, Receiver<Answer>) {
        let (sender, receiver) = bounded(HEARINGS_MAX);
        (Self { sender, waker }, receiver)
    }

    /// Answers. A shard that takes no answers any more loses this one; its session is closed when
    /// the time of the hearing is over.
    pub fn send(&self, answer: Answer) {
        match self.sender.try_send(answer) {
            // A failed wake-up delays the answer until the shard's next cycle, no longer.
            Ok(()) => drop(self.waker.wake()),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                tracing::warn!("a verdict found no room at its shard");
            }
        }
    }
}

/// Both ends of the door's desk.
pub fn desk() -> (mpsc::Sender<Hearing>, mpsc::Receiver<Hearing>) {
    mpsc::channel(HEARINGS_MAX)
}
