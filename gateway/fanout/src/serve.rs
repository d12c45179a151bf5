//! Serving what a session is behind: one subscription after the other, each brought to now and put
//! back on its list, as far as the session's share of the cycle goes.
//!
//! A new subscription is served the same way: it is behind by everything and is owed a snapshot. So
//! a subscription to ten thousand symbols is worked off in slices, and its frames are made when
//! they can be sent.

use market::Stamps;
use wire::close::CloseCode;
use wire::notice;
use wire::request::OnSlow;

use crate::catch_up::Told;
use crate::fanout::Fanout;
use crate::session::{Held, SessionKey, Standing};
use crate::shown::{Manner, Shown};

impl Fanout {
    /// Appends whole frames of a session to `out` until it holds `bytes_max`; `sent` hears of each
    /// data frame, with stamps where its age says something. True when more is left: take again, or
    /// `keep`.
    pub fn take(
        &mut self,
        key: SessionKey,
        bytes_max: usize,
        out: &mut Vec<u8>,
        mut sent: impl FnMut(Option<Stamps>),
        now: u64,
    ) -> bool {
        self.now = now;
        if let Some(session) = self.outboxes.session_mut(key) {
            session.sent_at = now;
            session.blocked_since = None;
        }
        loop {
            if self.outboxes.take(key, bytes_max, out, &mut sent) {
                return true;
            }
            if out.len() >= bytes_max {
                return self.outboxes.session(key).is_some_and(|session| session.behind_count > 0);
            }
            if !self.serve_next(key) {
                return false;
            }
        }
    }

    /// Queues the frames of the next subscription that is behind and has something to hear. False
    /// when there is none, or the session had its share of this cycle.
    fn serve_next(&mut self, key: SessionKey) -> bool {
        loop {
            let slice_bytes_max = self.limits.slice_bytes_max;
            let cycle = self.outboxes.cycle_number();
            let Some(session) = self.outboxes.session_mut(key) else { return false };
            if session.behind_count == 0 || session.closing.is_some() {
                return false;
            }
            if session.served_in != cycle {
                session.served_in = cycle;
                session.served_bytes = 0;
            }
            if session.served_bytes >= slice_bytes_max {
                self.outboxes.mark_later(key);
                return false;
            }
            let at = session.cursor as usize % session.held.len();
            session.cursor = at as u32 + 1;
            let held = session.held[at];
            if !held.standing.is_listed() && self.serve(key, held) {
                return true;
            }
        }
    }

    /// Brings one subscription to now; true when that took frames.
    fn serve(&mut self, key: SessionKey, held: Held) -> bool {
        let (shown, manner) = match held.standing {
            Standing::Listed(_) => return false,
            // Who is paced hears at the end of its bucket, with the others.
            Standing::Behind(shown @ Shown::UpTo(_)) if held.kind.pace.is_paced() => {
                self.relist(key, held, shown);
                return self.tell_news(key, held);
            }
            Standing::Behind(shown) if held.on_slow == OnSlow::Skip => (shown, Manner::Skip),
            Standing::Behind(shown) => (shown, Manner::Merge),
            Standing::Resuming(shown) => (Shown::UpTo(shown), Manner::Replay),
        };
        let class = self.class_of(held);
        let Self { ledger, limits, outboxes, counters, .. } = self;
        let Ok(told) = ledger.catch_up(class, shown, manner, limits, outboxes, counters) else {
            let reason = "updates were missed that cannot be told";
            self.outboxes.close(key, CloseCode::ResyncNeeded, reason);
            return false;
        };
        self.tell(key, told);
        let size: usize = told.frames.iter().map(|frame| self.outboxes.frame_size(frame)).sum();
        if let Some(session) = self.outboxes.session_mut(key) {
            session.served_bytes += size;
        }
        self.ledger.give_back_base(class, shown);
        let now = self.ledger.shown_now(held.symbol, held.topic);
        if held.kind.pace.is_paced() {
            self.ledger.stand_at_base(class, now);
        }
        self.relist(key, held, now);
        self.tell_news(key, held) || !told.frames.is_empty()
    }

    /// Queues frames for a session and counts what they left out.
    pub(crate) fn tell(&mut self, key: SessionKey, told: Told) {
        for frame in told.frames.iter() {
            self.outboxes.push(key, frame);
        }
        self.counters.updates_merged += told.merged;
        for (total, missed) in self.counters.updates_missed.iter_mut().zip(told.missed) {
            *total += missed;
        }
        if let Some(session) = self.outboxes.session_mut(key) {
            session.merged += told.merged;
            let missed = told.missed.iter().sum::<u64>();
            session.missed += missed;
            session.gaps += u64::from(missed > 0);
        }
    }

    /// Puts a subscription on its class's list. Of a paced one the base at `shown` is taken up.
    pub(crate) fn relist(&mut self, key: SessionKey, held: Held, shown: Shown) {
        let class = self.class_of(held);
        let position = self.ledger.class_mut(class).list(key, shown);
        self.stand(key, held, Standing::Listed(position));
        if held.kind.pace.is_paced() && shown != self.ledger.shown_now(held.symbol, held.topic) {
            self.ledger.list_pending(class, self.now);
        }
    }

    /// Tells a session the symbol's state if it has not heard of it; true when it had not.
    fn tell_news(&mut self, key: SessionKey, held: Held) -> bool {
        let Self { ledger, outboxes, .. } = self;
        let Some(symbol) = ledger.symbol(held.symbol) else { return false };
        let (state, since) = (symbol.state, symbol.state_since);
        let is_news =
            outboxes.session_mut(key).is_some_and(|session| session.is_news(held.symbol, state));
        if is_news {
            let name = &symbol.instrument.symbol;
            let frame = outboxes.encode(|out| notice::write_state(name, state, since, out));
            outboxes.push(key, frame);
        }
        is_news
    }
}
