//! A session whose socket is full: it leaves every list and keeps marks; what it missed it hears in
//! one piece once it reads again.
//!
//! **Invariant:** while a session is behind, an update costs it nothing: no frame is made, linked
//! or copied for it. What it holds of the market is one mark per subscription, and for books one
//! base shared by all who fell behind at the same update.

use wire::close::CloseCode;
use wire::notice;
use wire::request::OnSlow;

use crate::cycle::Origin;
use crate::fanout::Fanout;
use crate::session::{Held, SessionKey, Standing};
use crate::shown::Shown;

/// The size of an update of which none was seen yet.
const FRAME_BYTES_GUESS: u64 = 250;

impl Fanout {
    /// The session's socket takes no more now. Updates of this cycle that it was not sent become
    /// marks.
    pub fn keep(&mut self, key: SessionKey) {
        let mut marks = std::mem::take(&mut self.marks);
        self.outboxes.keep(key, &mut marks);
        for mark in marks.drain(..) {
            self.fall_back(key, mark);
        }
        self.marks = marks;
        let now = self.now;
        let Some(session) = self.outboxes.session_mut(key) else { return };
        if session.closing.is_some() {
            return;
        }
        session.blocked_since.get_or_insert(now);
        if (session.behind_count as usize) < session.held.len() {
            self.counters.fallen_behind += 1;
            self.leave_lists(key);
        }
    }

    /// The session's socket took some of what it was given before: slow it may be, it reads.
    pub fn handle_progress(&mut self, key: SessionKey, now: u64) {
        if let Some(session) = self.outboxes.session_mut(key)
            && session.blocked_since.is_some()
        {
            session.blocked_since = Some(now);
        }
    }

    /// A frame was not sent: its reader stands where it stood before.
    fn fall_back(&mut self, key: SessionKey, mark: Origin) {
        let Some(session) = self.outboxes.session(key) else { return };
        let Some(held) = session.find(mark.symbol, mark.topic) else { return };
        let class = self.class_of(held);
        match held.standing {
            Standing::Listed(_) => {
                let shown = self.shown_listed(held);
                self.unlist(held);
                self.ledger.stand_at_base(class, mark.shown);
                if held.kind.pace.is_paced() {
                    self.ledger.give_back_base(class, shown);
                }
            }
            // It was given another pace behind a frame that was not sent.
            Standing::Behind(at) if mark.shown.is_before(at) => {
                self.ledger.stand_at_base(class, mark.shown);
                self.ledger.give_back_base(class, at);
            }
            Standing::Behind(_) | Standing::Resuming(_) => return,
        }
        self.stand(key, held, Standing::Behind(mark.shown));
    }

    fn leave_lists(&mut self, key: SessionKey) {
        let mut at = 0;
        while let Some(held) =
            self.outboxes.session(key).and_then(|session| session.held.get(at).copied())
        {
            at += 1;
            if held.standing.is_listed() {
                let shown = self.detach(held);
                self.stand(key, held, Standing::Behind(shown));
            }
        }
    }

    /// Takes a session off a list; it goes on from what is returned, whose base is taken up.
    pub(crate) fn detach(&mut self, held: Held) -> Shown {
        let shown = self.shown_listed(held);
        self.unlist(held);
        if !held.kind.pace.is_paced() {
            let class = self.class_of(held);
            self.ledger.stand_at_base(class, shown);
        }
        shown
    }

    /// What a listed subscriber was shown. Of a paced one the base is taken up already.
    fn shown_listed(&mut self, held: Held) -> Shown {
        let class = self.class_of(held);
        match held.standing {
            Standing::Listed(position) if held.kind.pace.is_paced() => {
                self.ledger.class(class).shown[position as usize]
            }
            _ => self.ledger.shown_now(held.symbol, held.topic),
        }
    }

    pub(crate) fn stand(&mut self, key: SessionKey, held: Held, standing: Standing) {
        if let Some(session) = self.outboxes.session_mut(key) {
            session.stand(held.symbol, held.topic, standing);
        }
    }

    /// Looks at a session that is behind: warns, clears, or closes it. True while it is behind.
    pub(crate) fn look_at_slow(&mut self, key: SessionKey, now: u64) -> bool {
        let Some(session) = self.outboxes.session(key) else { return false };
        let blocked_ns = session.blocked_since.map_or(0, |since| now.saturating_sub(since));
        if session.behind_count == 0 && session.blocked_since.is_none() && !session.is_warned {
            return false;
        }
        let bytes = self.bytes_behind(key);
        let Some(session) = self.outboxes.session_mut(key) else { return false };
        let limits = &self.limits;
        let was_warned = session.is_warned;
        session.is_warned = if was_warned {
            bytes > limits.slow_cleared_bytes
        } else {
            bytes >= limits.slow_warning_bytes
        };
        let (is_warned, is_extended) = (session.is_warned, session.is_extended);
        let asked = session.held.iter().any(|held| held.on_slow == OnSlow::Disconnect);
        if blocked_ns >= limits.write_timeout_ns {
            let reason = "nothing was read for too long";
            self.outboxes.close(key, CloseCode::TooSlow, reason);
        } else if asked && bytes > limits.outbox_bytes_max as u64 {
            let reason = "too far behind, and asked to be closed then";
            self.outboxes.close(key, CloseCode::TooSlow, reason);
        } else if was_warned != is_warned {
            self.counters.slow_warnings += u64::from(is_warned);
            if is_extended {
                let limit = limits.outbox_bytes_max as u64;
                self.outboxes.control(key, |out| notice::write_slow(is_warned, bytes, limit, out));
            }
        }
        true
    }

    /// About how much a session would have been sent that it was not.
    pub fn bytes_behind(&self, key: SessionKey) -> u64 {
        let Some(session) = self.outboxes.session(key) else { return 0 };
        let mut bytes = session.outbox.backlog_bytes() as u64;
        if session.behind_count == 0 {
            return bytes;
        }
        for held in &session.held {
            let Standing::Behind(Shown::UpTo(shown)) = held.standing else { continue };
            let missed = self.ledger.sequence(held.symbol, held.topic.channel()) - shown;
            let class = self.ledger.interests[held.symbol.index()].class(held.topic, held.kind);
            let frame_bytes = class.map_or(0, |class| u64::from(class.frame_bytes));
            let frame_bytes = if frame_bytes == 0 { FRAME_BYTES_GUESS } else { frame_bytes };
            bytes = bytes.saturating_add(missed.saturating_mul(frame_bytes));
        }
        bytes
    }
}
