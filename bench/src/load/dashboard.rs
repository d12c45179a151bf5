//! What plays a dashboard: the load thread calls it, it never calls the load thread.
//!
//! One value serves all sessions of one load thread, so it needs no lock and can share buffers.

use std::time::Duration;

use super::frame::Requests;

/// A session's number, counted over all load threads from zero.
pub type SessionId = u32;

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ending {
    /// It never got as far as a WebSocket.
    #[error("could not connect: {0}")]
    NotConnected(String),
    /// The door would not have it just now: closed before TLS was agreed on, or answered 429 or
    /// 503. A load thread tries again while there is time, and only then says so.
    #[error("could not connect: {0}")]
    TurnedAway(String),
    /// The gateway said goodbye.
    #[error("closed by the gateway with {code} {reason:?}")]
    Closed {
        /// The close code.
        code: u16,
        /// The reason as sent.
        reason: String,
    },
    /// The connection went away, or one of its protocols was broken.
    #[error("connection lost: {0}")]
    Lost(String),
}

impl Ending {
    /// Whether the session never got as far as a WebSocket.
    pub const fn is_before_it_began(&self) -> bool {
        matches!(self, Self::NotConnected(_) | Self::TurnedAway(_))
    }
}

/// One turn of a load thread's loop.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// From the sockets being ready to all of them read: how late a message may have been seen.
    pub busy: Duration,
    /// Since the last turn's end, waiting included.
    pub since_last: Duration,
}

/// What a dashboard wants its load thread to do with a session, unasked by the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Read nothing from it any more; the kernel's buffers fill up.
    StopReading(SessionId),
    /// Read it again, beginning with what has piled up.
    Read(SessionId),
    /// Drop its connection without a word, and connect anew.
    Reconnect(SessionId),
    /// Send what `asked` says.
    Ask(SessionId),
}

/// The dashboards of one load thread.
pub trait Dashboard: Send {
    /// `session` is upgraded; what it asks first goes into `requests`. Says whether it is ready,
    /// with nothing to wait for.
    fn opened(&mut self, session: SessionId, requests: &mut Requests) -> bool;

    /// A whole text message, read at `received_ns` (since 1970). Says whether `session` became
    /// ready by it: all it asked for is granted or refused.
    fn message(&mut self, session: SessionId, text: &[u8], received_ns: u64) -> bool;

    /// `session` was turned away at the door, and will come again in a moment.
    fn turned_away(&mut self, _: SessionId) {}

    /// `session` is over, not at our wish.
    fn ended(&mut self, session: SessionId, ending: &Ending);

    /// A whole binary message; protocol v2 has none, other dialects do. As `message`, but it may
    /// also answer.
    fn binary(&mut self, _: SessionId, _: &[u8], _: u64, _: &mut Requests) -> bool {
        false
    }

    /// What is to be done next, while the run is measured; asked until it says nothing.
    fn wish(&mut self) -> Option<Wish> {
        None
    }

    /// Puts what `session` wished to ask into `requests`.
    fn asked(&mut self, _: SessionId, _: &mut Requests) {}

    /// A turn of the loop is done; every message of it has been handed on.
    fn turned(&mut self, turn: Turn);

    /// All sessions are ready: what is measured from here on counts.
    fn measuring(&mut self) {}
}
