//! What a gateway can do wrong, counted by kind; the first of them described.

use std::collections::BTreeMap;

use serde::Serialize;

/// A broken promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Sequences that never came and were never announced as missing.
    Gap,
    /// A sequence that had come before.
    Duplicate,
    /// A sequence that came after a later one.
    Reordered,
    /// A first update that does not follow the snapshot, or has none to follow.
    Join,
    /// A sequence announced as missing that was delivered.
    FalseGap,
    /// A frame that says it stands for another number of updates than its sequences do.
    MergedCount,
    /// A frame that stands for more trades than it holds.
    TradeMerged,
    /// Numbers that do not add up: delivered, merged, announced and lost are not what was
    /// published.
    Balance,
    /// A return that is not what its ack says: a gap or a snapshot though recovered, or neither
    /// recovered nor begun anew.
    Resume,
    /// A frame earlier than the pace granted, without a trade that flushed it.
    Pace,
    /// A stream that at the end lacks what other sessions were shown long before.
    Behind,
    /// Another quote than another session was shown under the same number.
    TickerContent,
    /// A book that does not have the checksum the frame says, or a frame that says none.
    Checksum,
    /// A trade whose id is not above the one before.
    TradeOrder,
    /// The same trade with different contents for two sessions, or other than published.
    TradeContent,
    /// Published trades that were not delivered, or delivered ones never published.
    TradeCount,
    /// A book at the end that is no state of the published one, or an old one.
    BookContent,
    /// A message that is not the JSON it should be.
    Unreadable,
    /// A frame without a sequence, though it was asked for.
    Unnumbered,
    /// A frame about something the session did not subscribe to, or about several symbols at once.
    Unasked,
    /// A subscription refused.
    Refused,
    /// A subscription neither granted nor refused.
    Unanswered,
    /// Nothing heard, not even a heartbeat, for too long.
    Silent,
    /// A session that was ended by the gateway.
    Ended,
}

/// One broken promise, described.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which promise.
    pub kind: Kind,
    /// To which session.
    pub session: Option<u32>,
    /// What about: symbol and channel.
    pub about: String,
    /// What was seen, and what should have been.
    pub detail: String,
}

/// All of them: each counted, the first described.
#[derive(Debug)]
pub struct Violations {
    counts: BTreeMap<Kind, u64>,
    described: Vec<Violation>,
    described_max: usize,
}

impl Violations {
    /// None yet; of those to come at most `described_max` are kept with their description.
    pub fn new(described_max: usize) -> Self {
        Self { counts: BTreeMap::new(), described: Vec::new(), described_max }
    }

    /// Counts one, and describes it while there is room.
    pub fn add(
        &mut self,
        kind: Kind,
        session: Option<u32>,
        describe: impl FnOnce() -> (String, String),
    ) {
        *self.counts.entry(kind).or_default() += 1;
        if self.described.len() < self.described_max {
            let (about, detail) = describe();
            self.described.push(Violation { kind, session, about, detail });
        }
    }

    /// Adds what another thread found.
    pub fn absorb(&mut self, other: Self) {
        for (kind, count) in other.counts {
            *self.counts.entry(kind).or_default() += count;
        }
        let room = self.described_max.saturating_sub(self.described.len());
        self.described.extend(other.described.into_iter().take(room));
    }

    /// How many of each kind.
    pub fn counts(&self) -> &BTreeMap<Kind, u64> {
        &self.counts
    }

    /// How many of `kind`.
    pub fn count(&self, kind: Kind) -> u64 {
        self.counts.get(&kind).copied().unwrap_or_default()
    }

    /// The first ones.
    pub fn described(&self) -> &[Violation] {
        &self.described
    }
}
