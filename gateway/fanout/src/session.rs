//! One session: what it holds, what waits for it, how it behaves.

use market::SymbolId;
use wire::close::CloseCode;
use wire::topic::Topic;

use crate::limits::Limits;
use crate::outbox::Outbox;

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

/// What a session is subscribed to, by symbol, then topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Held {
    pub(crate) symbol: SymbolId,
    pub(crate) topic: Topic,
    /// Frames carry `x`.
    pub(crate) sequenced: bool,
    /// Where the session stands in the list of subscribers.
    pub(crate) position: u32,
}

impl Held {
    fn key(&self) -> (SymbolId, Topic) {
        (self.symbol, self.topic)
    }
}

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) outbox: Outbox,
    /// Sorted by symbol and topic.
    pub(crate) held: Vec<Held>,
    /// Set once: no data is queued from then on.
    pub(crate) closing: Option<CloseCode>,
    /// Listed as having something to send.
    pub(crate) is_dirty: bool,
    /// The state notice it had last ([`crate::Fanout`] counts them), so that it is told each once.
    pub(crate) noticed: u64,
    pub(crate) sent_at: u64,
    pub(crate) heard_at: u64,
    pub(crate) pinged_at: Option<u64>,
    bad_requests: u32,
    /// The moment up to which requests are paid for; it runs ahead of now while more come than may.
    paid_until: u64,
}

impl Session {
    pub(crate) fn new(now: u64) -> Self {
        Self {
            outbox: Outbox::default(),
            held: Vec::new(),
            closing: None,
            is_dirty: false,
            noticed: 0,
            sent_at: now,
            heard_at: now,
            pinged_at: None,
            bad_requests: 0,
            paid_until: now,
        }
    }

    pub(crate) fn find(&self, symbol: SymbolId, topic: Topic) -> Option<Held> {
        self.held.binary_search_by_key(&(symbol, topic), Held::key).ok().map(|at| self.held[at])
    }

    pub(crate) fn find_mut(&mut self, symbol: SymbolId, topic: Topic) -> Option<&mut Held> {
        let at = self.held.binary_search_by_key(&(symbol, topic), Held::key).ok()?;
        self.held.get_mut(at)
    }

    pub(crate) fn hold(&mut self, held: Held) {
        match self.held.binary_search_by_key(&held.key(), Held::key) {
            Ok(at) => self.held[at] = held,
            Err(at) => self.held.insert(at, held),
        }
    }

    pub(crate) fn release(&mut self, symbol: SymbolId, topic: Topic) {
        if let Ok(at) = self.held.binary_search_by_key(&(symbol, topic), Held::key) {
            self.held.remove(at);
        }
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

    fn limits(requests_per_second_max: u32) -> Limits {
        Limits {
            outbox_bytes_max: 1,
            subscriptions_max: 1,
            requests_per_second_max,
            bad_requests_max: 2,
            heartbeat_ns: 1,
            ping_ns: 1,
            pong_timeout_ns: 1,
        }
    }

    #[test]
    fn a_burst_passes_a_flood_does_not() {
        let mut session = Session::new(0);
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
        let mut session = Session::new(0);
        let limits = limits(10);
        assert!(!session.is_bad_request_the_last(&limits));
        assert!(!session.is_bad_request_the_last(&limits));
        session.forgive();
        assert!(!session.is_bad_request_the_last(&limits));
        assert!(session.is_bad_request_the_last(&limits));
    }
}
