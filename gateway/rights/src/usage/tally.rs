//! What one session is being served, so that the log can say from when to when.
//!
//! Owned by the session, on its shard; bounded like its subscriptions. It hands out records and
//! sends nothing.

use std::sync::Arc;

use market::{Channel, Nanos};
use rustc_hash::FxHashMap;

use super::{End, Record, RecordKind};
use crate::decision::{Grant, Refusal};
use crate::identity::Identity;

/// The bounds of a tally.
#[derive(Clone, Copy, Debug)]
pub struct TallyLimits {
    /// Spans open at once; one more is recorded at its beginning, as untracked. As many as
    /// subscriptions.
    pub open_max: usize,
    /// Refusals recorded one by one; more are counted, and recorded as a number at the end.
    pub refusals_max: u32,
}

#[derive(Debug)]
struct Span {
    grant: Grant,
    from: Nanos,
}

/// The open spans of one session.
#[derive(Debug)]
pub struct Tally {
    session: u64,
    identity: Arc<Identity>,
    limits: TallyLimits,
    open: FxHashMap<(Arc<str>, Channel), Span>,
    refusals: u32,
    refusals_more: u64,
}

impl Tally {
    /// Of a session that begins.
    pub fn new(session: u64, identity: Arc<Identity>, limits: TallyLimits) -> Self {
        let open = FxHashMap::default();
        Self { session, identity, limits, open, refusals: 0, refusals_more: 0 }
    }

    /// A symbol is served from now on, or served otherwise. A record comes where a span ends by it.
    pub fn begin(
        &mut self,
        symbol: &Arc<str>,
        channel: Channel,
        grant: Grant,
        now: Nanos,
    ) -> Option<Record> {
        let key = (Arc::clone(symbol), channel);
        let span = Span { grant, from: now };
        if let Some(open) = self.open.get_mut(&key) {
            if open.grant == grant {
                return None;
            }
            let was = std::mem::replace(open, span);
            return Some(self.used(key, &was, now, End::Altered));
        }
        if self.open.len() >= self.limits.open_max {
            return Some(self.used(key, &span, now, End::Untracked));
        }
        self.open.insert(key, span);
        None
    }

    /// A symbol is served no longer. No record comes where it was not.
    pub fn end(
        &mut self,
        symbol: &Arc<str>,
        channel: Channel,
        end: End,
        now: Nanos,
    ) -> Option<Record> {
        let (key, span) = self.open.remove_entry(&(Arc::clone(symbol), channel))?;
        Some(self.used(key, &span, now, end))
    }

    /// A symbol was refused. A record comes for the first so many.
    pub fn refused(
        &mut self,
        symbol: &Arc<str>,
        channel: Channel,
        refusal: Refusal,
        now: Nanos,
    ) -> Option<Record> {
        if self.refusals >= self.limits.refusals_max {
            self.refusals_more += 1;
            return None;
        }
        self.refusals += 1;
        let symbol = Arc::clone(symbol);
        Some(self.record(RecordKind::Refused { symbol, channel, refusal, at: now }))
    }

    /// The session carries on with other credentials of the same user: records name them from now
    /// on, and so does the whole of a span that is open.
    pub fn refresh(&mut self, identity: Arc<Identity>) {
        self.identity = identity;
    }

    /// The session ends: all that is open, and what was only counted.
    pub fn close(mut self, now: Nanos) -> impl Iterator<Item = Record> {
        let open = std::mem::take(&mut self.open);
        let count = self.refusals_more;
        let more = (count > 0).then(|| self.record(RecordKind::RefusedMore { count, at: now }));
        let spans = open.into_iter();
        spans.map(move |(key, span)| self.used(key, &span, now, End::Closed)).chain(more)
    }

    /// Spans open now.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    fn used(&self, key: (Arc<str>, Channel), span: &Span, to: Nanos, end: End) -> Record {
        let (symbol, channel) = key;
        let (grant, from) = (span.grant, span.from);
        self.record(RecordKind::Used { symbol, channel, grant, from, to, end })
    }

    fn record(&self, kind: RecordKind) -> Record {
        Record { session: self.session, identity: Arc::clone(&self.identity), kind }
    }
}
