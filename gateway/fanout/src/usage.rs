//! What is recorded of who saw what, until the shard hands it on.
//!
//! The tallies lie in the sessions. Records are made when subscriptions begin and end, never for an
//! update; a cycle makes no more than it begins and ends subscriptions.

use std::sync::Arc;

use market::Nanos;
use rights::Identity;
use rights::usage::{Record, Tally, TallyLimits};

use crate::fanout::Fanout;
use crate::limits::Limits;
use crate::who::Who;

/// Refusals of one session that are recorded one by one.
const REFUSALS_MAX: u32 = 100;

/// Records that wait.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    is_kept: bool,
    records: Vec<Record>,
}

impl Usage {
    pub(crate) fn begin(
        &self,
        id: u64,
        identity: &Arc<Identity>,
        limits: &Limits,
    ) -> Option<Tally> {
        let limits = TallyLimits { open_max: limits.subscriptions_max, refusals_max: REFUSALS_MAX };
        self.is_kept.then(|| Tally::new(id, Arc::clone(identity), limits))
    }

    /// Notes something in a session's tally, where it has one.
    pub(crate) fn note(
        &mut self,
        who: &mut Who,
        now: u64,
        note: impl FnOnce(&mut Tally, Nanos) -> Option<Record>,
    ) {
        if let Who::Known(known) = who
            && let Some(tally) = &mut known.tally
        {
            self.records.extend(note(tally, Nanos(now)));
        }
    }

    /// The session has ended.
    pub(crate) fn close(&mut self, who: Who, now: u64) {
        if let Who::Known(known) = who
            && let Some(tally) = known.tally
        {
            self.records.extend(tally.close(Nanos(now)));
        }
    }
}

impl Who {
    pub(crate) fn has_tally(&self) -> bool {
        matches!(self, Self::Known(known) if known.tally.is_some())
    }
}

impl Fanout {
    /// From now on the usage of sessions that arrive is recorded.
    pub const fn keep_usage(&mut self) {
        self.usage.is_kept = true;
    }

    /// Takes what was recorded: once a cycle, where usage is recorded.
    pub fn drain_usage(&mut self) -> impl Iterator<Item = Record> {
        self.usage.records.drain(..)
    }
}
