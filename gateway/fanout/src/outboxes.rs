//! All sessions of a shard and the frames of the current cycle.
//!
//! **Invariant:** a session with something to send is listed as dirty, once. One that is being
//! closed is given nothing more.

use std::collections::VecDeque;

use market::Stamps;
use slab::Slab;
use wire::close::CloseCode;

use crate::cycle::{Cycle, FrameId, Frames, Origin};
use crate::session::{Session, SessionKey};

/// Sessions and frames.
#[derive(Debug)]
pub(crate) struct Outboxes {
    /// What may wait for one session; see [`crate::Limits::outbox_bytes_max`].
    bytes_max: usize,
    sessions: Slab<Session>,
    cycle: Cycle,
    /// Sessions with something to send, each once.
    dirty: VecDeque<SessionKey>,
    /// Sessions that had their share of this cycle and go on in the next.
    later: Vec<SessionKey>,
}

impl Outboxes {
    pub(crate) fn new(bytes_max: usize) -> Self {
        let (dirty, later) = (VecDeque::new(), Vec::new());
        Self { bytes_max, sessions: Slab::new(), cycle: Cycle::default(), dirty, later }
    }

    pub(crate) const fn set_bytes_max(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
    }

    pub(crate) fn insert(&mut self, session: Session) -> SessionKey {
        SessionKey(self.sessions.insert(session) as u32)
    }

    pub(crate) fn remove(&mut self, key: SessionKey) -> Option<Session> {
        self.sessions.try_remove(key.index())
    }

    pub(crate) fn session(&self, key: SessionKey) -> Option<&Session> {
        self.sessions.get(key.index())
    }

    pub(crate) fn session_mut(&mut self, key: SessionKey) -> Option<&mut Session> {
        self.sessions.get_mut(key.index())
    }

    pub(crate) fn sessions_mut(&mut self) -> impl Iterator<Item = (SessionKey, &mut Session)> {
        self.sessions.iter_mut().map(|(at, session)| (SessionKey(at as u32), session))
    }

    pub(crate) fn session_count(&self) -> usize {
        self.sessions.len()
    }

    pub(crate) const fn cycle_number(&self) -> u64 {
        self.cycle.number()
    }

    /// Encodes a frame that belongs to no subscription.
    pub(crate) fn encode(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> FrameId {
        self.cycle.encode(None, None, write)
    }

    /// Encodes a frame of a subscription.
    pub(crate) fn encode_data(
        &mut self,
        stamps: Option<Stamps>,
        origin: Origin,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> FrameId {
        self.cycle.encode(stamps, Some(origin), write)
    }

    /// How many frames there are: where the next ones begin.
    pub(crate) const fn frame_count(&self) -> usize {
        self.cycle.frame_count()
    }

    /// The frames encoded since there were `count`.
    pub(crate) const fn frames_since(&self, count: usize) -> Frames {
        self.cycle.since(count)
    }

    pub(crate) fn frame_size(&self, frame: FrameId) -> usize {
        self.cycle.size(frame)
    }

    /// Gives a frame to a session; one that is being closed gets no more.
    pub(crate) fn push(&mut self, key: SessionKey, frame: FrameId) {
        let Some(session) = self.sessions.get_mut(key.index()) else { return };
        if session.closing.is_some() {
            return;
        }
        session.outbox.push(frame, &mut self.cycle);
        self.mark_dirty(key);
    }

    /// Writes a control frame for a session; it goes before all data.
    pub(crate) fn control(&mut self, key: SessionKey, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(session) = self.sessions.get_mut(key.index()) else { return };
        if session.closing.is_some() {
            return;
        }
        write(session.outbox.control());
        self.mark_dirty(key);
    }

    /// Writes an answer that marks a place in the session's stream, such as the ack of an
    /// unsubscribe: it must not overtake what was queued before it.
    pub(crate) fn answer(&mut self, key: SessionKey, write: impl FnOnce(&mut Vec<u8>)) {
        match self.session(key) {
            Some(session) if session.outbox.has_data() => {
                let frame = self.encode(write);
                self.push(key, frame);
            }
            _ => self.control(key, write),
        }
    }

    /// Says goodbye: the close frame is the last the session gets.
    pub(crate) fn close(&mut self, key: SessionKey, code: CloseCode, reason: &str) {
        self.close_with(key, code, |out| code.write_frame(reason, out));
    }

    /// As `close`, with a frame of the caller's making.
    pub(crate) fn close_with(
        &mut self,
        key: SessionKey,
        code: CloseCode,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        self.control(key, write);
        if let Some(session) = self.session_mut(key) {
            session.closing.get_or_insert(code);
            session.outbox.drop_data();
        }
    }

    /// Lists a session as having something to send.
    pub(crate) fn mark_dirty(&mut self, key: SessionKey) {
        if let Some(session) = self.sessions.get_mut(key.index())
            && !session.is_dirty
        {
            session.is_dirty = true;
            self.dirty.push_back(key);
        }
    }

    pub(crate) fn pop_dirty(&mut self) -> Option<SessionKey> {
        loop {
            let key = self.dirty.pop_front()?;
            // A session that ended, or one that took its number since, may still be listed.
            if let Some(session) = self.sessions.get_mut(key.index())
                && session.is_dirty
            {
                session.is_dirty = false;
                return Some(key);
            }
        }
    }

    /// Lists a session for the next cycle.
    pub(crate) fn mark_later(&mut self, key: SessionKey) {
        self.later.push(key);
    }

    /// Some session is listed as having something to send.
    pub(crate) fn has_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Moves what is queued for a session into `out`; true when more is queued.
    pub(crate) fn take(
        &mut self,
        key: SessionKey,
        bytes_max: usize,
        out: &mut Vec<u8>,
        sent: &mut impl FnMut(Option<Stamps>),
    ) -> bool {
        let Some(session) = self.sessions.get_mut(key.index()) else { return false };
        session.outbox.take(&self.cycle, bytes_max, out, sent);
        !session.outbox.is_empty()
    }

    /// Keeps what is queued for a session beyond the cycle; `marks` gets what stands for updates.
    pub(crate) fn keep(&mut self, key: SessionKey, marks: &mut Vec<Origin>) {
        let Some(session) = self.sessions.get_mut(key.index()) else { return };
        if session.outbox.keep(&self.cycle, self.bytes_max, marks).is_err() {
            self.close(key, CloseCode::TooSlow, "more waited than the outbox may hold");
        }
    }

    /// Ends the cycle; every dirty session must have been taken from or kept.
    pub(crate) fn end_cycle(&mut self) {
        debug_assert!(self.dirty.is_empty(), "a session's frames would be forgotten");
        self.cycle.end();
        let mut later = std::mem::take(&mut self.later);
        for key in later.drain(..) {
            self.mark_dirty(key);
        }
        self.later = later;
    }
}
