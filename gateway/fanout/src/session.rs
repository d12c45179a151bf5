//! One session: what it holds, what waits for it, how it behaves.

use std::collections::VecDeque;

use market::{State, SymbolId};
use wire::close::CloseCode;
use wire::request::OnSlow;
use wire::topic::Topic;

use crate::interest::Kind;
use crate::limits::Limits;
use crate::outbox::Outbox;
use crate::pace::Pace;
use crate::shown::Shown;
use crate::who::Who;
use crate::work::Job;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A session's number on its shard; numbers are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey(pub(crate) u32);

impl SessionKey {
    /// As an index into a table that the shard keeps beside ours.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where a session stands with a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Listed among the class's subscribers, at this position: gets every frame.
    Listed(u32),
    /// In no list: goes on from what it was shown once its socket takes more.
    Behind(Shown),
    /// As `Behind`, but every update after this one is to be replayed.
    Resuming(u64),
}

impl Standing {
    pub(crate) const fn is_listed(self) -> bool {
        matches!(self, Self::Listed(_))
    }
}

/// What a session is subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) symbol: SymbolId,
    pub(crate) topic: Topic,
    pub(crate) kind: Kind,
    pub(crate) on_slow: OnSlow,
    /// What was asked for, of which topic and kind may grant less.
    pub(crate) asked_topic: Topic,
    pub(crate) asked_pace: Pace,
    /// The state of the symbol it was told of last.
    pub(crate) told: State,
    pub(crate) standing: Standing,
}

impl Held {
    fn key(&self) -> (SymbolId, Topic) {
        (self.symbol, self.topic)
    }
}

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    /// Its connection's number, which no other session ever has.
    pub(crate) id: u64,
    pub(crate) who: Who,
    /// Since when a token of it is being looked at.
    pub(crate) asking_since: Option<u64>,
    pub(crate) outbox: Outbox,
    /// Sorted by symbol and topic, so that of a symbol the ticker comes before the trades.
    pub(crate) held: Vec<Held>,
    /// How many of them are not listed.
    pub(crate) behind_count: u32,
    /// The one of them to be served next.
    pub(crate) cursor: u32,
    /// Bytes served to it from what it is behind, in the cycle of that number.
    pub(crate) served_bytes: usize,
    pub(crate) served_in: u64,
    /// Requests not wholly worked off yet.
    #[expect(clippy::box_collection, reason = "nearly every session has none: 8 bytes, not 32")]
    pub(crate) jobs: Option<Box<VecDeque<Job>>>,
    /// When its socket last took something, while it is full.
    pub(crate) blocked_since: Option<u64>,
    /// It hears its own messages and nothing else; see `echo`.
    pub(crate) is_echo: bool,
    /// It was told that it is slow.
    pub(crate) is_warned: bool,
    /// It asked for any extension: notices make sense to it.
    pub(crate) is_extended: bool,
    /// It asked for detailed heartbeats.
    pub(crate) is_detailed: bool,
    /// Updates it was sent as part of a later one.
    pub(crate) merged: u64,
    /// Updates announced to it as missed.
    pub(crate) missed: u64,
    /// Times that was announced.
    pub(crate) gaps: u64,
    /// Set once: no data is queued from then on.
    pub(crate) closing: Option<CloseCode>,
    /// Listed as having something to send.
    pub(crate) is_dirty: bool,
    pub(crate) sent_at: u64,
    pub(crate) heard_at: u64,
    pub(crate) pinged_at: Option<u64>,
    /// The latest ping of too many, which is still to be answered.
    pub(crate) unanswered: Option<Box<[u8]>>,
    bad_requests: u32,
    /// The moment up to which requests are paid for; it runs ahead of now while more come than may.
    paid_until: u64,
}

impl Session {
    pub(crate) fn new(id: u64, who: Who, now: u64) -> Self {
        Self {
            id,
            who,
            asking_since: None,
            outbox: Outbox::default(),
            held: Vec::new(),
            behind_count: 0,
            cursor: 0,
            served_bytes: 0,
            served_in: 0,
            jobs: None,
            blocked_since: None,
            is_echo: false,
            is_warned: false,
            is_extended: false,
            is_detailed: false,
            merged: 0,
            missed: 0,
            gaps: 0,
            closing: None,
            is_dirty: false,
            sent_at: now,
            heard_at: now,
            pinged_at: None,
            unanswered: None,
            bad_requests: 0,
            paid_until: now,
        }
    }

    fn place_of(&self, symbol: SymbolId, topic: Topic) -> Result<usize, usize> {
        self.held.binary_search_by_key(&(symbol, topic), Held::key)
    }

    pub(crate) fn find(&self, symbol: SymbolId, topic: Topic) -> Option<Held> {
        self.place_of(symbol, topic).ok().map(|at| self.held[at])
    }

    /// What it holds of one symbol.
    pub(crate) fn held_of(&self, symbol: SymbolId) -> &[Held] {
        let first = self.held.partition_point(|held| held.symbol < symbol);
        let count = self.held[first..].iter().take_while(|held| held.symbol == symbol).count();
        &self.held[first..first + count]
    }

    /// Adds a subscription that is not held yet. Those behind it move: of ten thousand in random
    /// order that is some microseconds each.
    pub(crate) fn hold(&mut self, held: Held) {
        self.behind_count += u32::from(!held.standing.is_listed());
        let at = self.place_of(held.symbol, held.topic).unwrap_or_else(|at| at);
        self.held.insert(at, held);
    }

    /// Serves a subscription that is held on other terms.
    pub(crate) fn alter(&mut self, new: Held) {
        let Ok(at) = self.place_of(new.symbol, new.topic) else { return };
        let held = &mut self.held[at];
        self.behind_count += u32::from(held.standing.is_listed());
        self.behind_count -= u32::from(new.standing.is_listed());
        *held = new;
    }

    /// Takes subscriptions out, given in the order they are held.
    pub(crate) fn release_all(&mut self, gone: &[Held]) {
        if let [one] = gone {
            let Ok(at) = self.place_of(one.symbol, one.topic) else { return };
            self.behind_count -= u32::from(!self.held.remove(at).standing.is_listed());
            return;
        }
        let mut gone = gone.iter().peekable();
        let mut behind_count = 0;
        self.held.retain(|held| {
            let is_gone = gone.next_if(|gone| gone.key() == held.key()).is_some();
            behind_count += u32::from(!is_gone && !held.standing.is_listed());
            !is_gone
        });
        self.behind_count = behind_count;
    }

    /// Sets where it stands with a subscription.
    pub(crate) fn stand(&mut self, symbol: SymbolId, topic: Topic, standing: Standing) {
        let Ok(at) = self.place_of(symbol, topic) else { return };
        let held = &mut self.held[at];
        self.behind_count += u32::from(held.standing.is_listed());
        self.behind_count -= u32::from(standing.is_listed());
        held.standing = standing;
    }

    /// Notes the state of a symbol it has been told; true when that is news to it.
    pub(crate) fn is_news(&mut self, symbol: SymbolId, state: State) -> bool {
        let first = self.held.partition_point(|held| held.symbol < symbol);
        let mut is_news = false;
        for held in self.held[first..].iter_mut().take_while(|held| held.symbol == symbol) {
            is_news |= held.kind.sequenced && held.told != state;
            held.told = state;
        }
        is_news
    }

    /// Pays for `work` requests' worth: bursts of ten seconds' worth pass, what would make twice
    /// that is excessive and leaves the debt as it was.
    pub(crate) fn pay_for(&mut self, limits: &Limits, work: u64, now: u64) -> Payment {
        const BURST_NS: u64 = 10 * NANOS_PER_SECOND;
        let price = NANOS_PER_SECOND / u64::from(limits.requests_per_second_max.max(1));
        let paid_until = self.paid_until.max(now).saturating_add(price.saturating_mul(work));
        let payment = match paid_until - now {
            0..=BURST_NS => Payment::Paid,
            debt if debt <= 2 * BURST_NS => Payment::Refused,
            _ => return Payment::Excessive,
        };
        self.paid_until = paid_until;
        payment
    }

    /// Counts a request that made no sense; true when it was one too many.
    pub(crate) const fn is_bad_request_the_last(&mut self, limits: &Limits) -> bool {
        self.bad_requests += 1;
        self.bad_requests > limits.bad_requests_max
    }

    pub(crate) const fn forgive(&mut self) {
        self.bad_requests = self.bad_requests.saturating_sub(1);
    }
}

/// Whether a request may be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payment {
    Paid,
    Refused,
    Excessive,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::HistoryLimits;

    fn limits(requests_per_second_max: u32) -> Limits {
        Limits {
            outbox_bytes_max: 1,
            slow_warning_bytes: 1,
            slow_cleared_bytes: 1,
            write_timeout_ns: 1,
            trades_behind_max: 1,
            bases_bytes_max: 1,
            slice_bytes_max: 1,
            slice_symbols_max: 1,
            history: HistoryLimits { bytes_max: 1, age_ns_max: 1 },
            subscriptions_max: 1,
            requests_per_second_max,
            bad_requests_max: 2,
            credentials_timeout_ns: 1,
            heartbeat_ns: 1,
            ping_ns: 1,
            pong_timeout_ns: 1,
        }
    }

    #[test]
    fn a_burst_passes_a_flood_does_not() {
        let mut session = Session::new(1, Who::Anyone, 0);
        let limits = limits(10);
        let answers: Vec<_> = (0..300).map(|_| session.pay_for(&limits, 1, 0)).collect();
        assert!(answers[..100].iter().all(|p| *p == Payment::Paid));
        assert!(answers[100..200].iter().all(|p| *p == Payment::Refused));
        assert!(answers[200..].iter().all(|p| *p == Payment::Excessive));
        let later = 40 * NANOS_PER_SECOND;
        assert_eq!(session.pay_for(&limits, 1, later), Payment::Paid, "time heals");
    }

    #[test]
    fn a_good_request_forgives_a_bad_one() {
        let mut session = Session::new(1, Who::Anyone, 0);
        let limits = limits(10);
        assert!(!session.is_bad_request_the_last(&limits));
        assert!(!session.is_bad_request_the_last(&limits));
        session.forgive();
        assert!(!session.is_bad_request_the_last(&limits));
        assert!(session.is_bad_request_the_last(&limits));
    }
}
