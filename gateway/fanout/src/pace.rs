//! Paces: how often a subscription may be given a frame, and what is due when.
//!
//! Buckets of a pace begin at multiples of its length on the wall clock, so that all sessions of a
//! pace are due together and share one frame. Where a shard was kept from its work so long that a
//! bucket ended more than half of one late, what comes next waits for one bucket more: two frames
//! of a symbol are never closer than half their pace. Only paces of a short ladder exist: who asks
//! for another is granted the next slower one, and told.

use market::SymbolId;
use wire::topic::Topic;

use crate::interest::Kind;

const NANOS_PER_MILLI: u64 = 1_000_000;

/// Lengths of buckets; zero is every update at once.
const LADDER_MS: [u32; 15] =
    [0, 5, 10, 20, 25, 40, 50, 100, 200, 250, 500, 1000, 5000, 10_000, 60_000];

/// A place on the ladder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pace(u8);

impl Pace {
    /// The fastest pace that is not faster than `ms`.
    pub(crate) fn not_faster_than(ms: u32) -> Self {
        let at = LADDER_MS.iter().position(|step| *step >= ms).unwrap_or(LADDER_MS.len() - 1);
        Self(at as u8)
    }

    pub(crate) const fn ms(self) -> u32 {
        LADDER_MS[self.0 as usize]
    }

    /// Updates wait for the end of a bucket.
    pub(crate) const fn is_paced(self) -> bool {
        self.0 > 0
    }
}

/// A class that waits for the end of its bucket. Not by its place: that is only good for a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) symbol: SymbolId,
    pub(crate) topic: Topic,
    pub(crate) kind: Kind,
}

/// What waits for the end of its bucket.
#[derive(Debug, Default)]
pub(crate) struct Calendar {
    /// By place on the ladder.
    buckets: [Bucket; LADDER_MS.len()],
}

#[derive(Debug, Default)]
struct Bucket {
    /// Each class once; the class knows that it is listed.
    pending: Vec<Pending>,
    /// When they are due; the first one listed sets it.
    due_at: u64,
    /// When those before them were taken.
    taken_at: u64,
}

impl Calendar {
    /// Lists a class for the end of the bucket that holds `now`.
    pub(crate) fn list(&mut self, class: Pending, now: u64) {
        let pace = class.kind.pace;
        let bucket = &mut self.buckets[usize::from(pace.0)];
        if bucket.pending.is_empty() {
            let length = u64::from(pace.ms()) * NANOS_PER_MILLI;
            let end = (now / length + 1) * length;
            let is_close = end.saturating_sub(bucket.taken_at) < length / 2;
            bucket.due_at = end + if is_close { length } else { 0 };
        }
        bucket.pending.push(class);
    }

    /// When the next bucket ends that holds something.
    pub(crate) fn due_at(&self) -> Option<u64> {
        self.buckets.iter().filter(|b| !b.pending.is_empty()).map(|b| b.due_at).min()
    }

    /// Moves what is due into `due`.
    pub(crate) fn take_due(&mut self, now: u64, due: &mut Vec<Pending>) {
        for bucket in &mut self.buckets {
            if bucket.due_at <= now && !bucket.pending.is_empty() {
                bucket.taken_at = now;
                due.append(&mut bucket.pending);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(ms: u32) -> Pending {
        let kind = Kind { sequenced: false, pace: Pace::not_faster_than(ms) };
        Pending { symbol: SymbolId(1), topic: Topic::TickerOnQuote, kind }
    }

    #[test]
    fn a_pace_is_never_faster_than_asked() {
        for ms in 1..=60_000 {
            let granted = Pace::not_faster_than(ms);
            assert!(granted.is_paced() && granted.ms() >= ms);
        }
        assert!(!Pace::not_faster_than(0).is_paced());
    }

    #[test]
    fn buckets_end_at_multiples_of_their_length() {
        let mut calendar = Calendar::default();
        let class = pending(100);
        calendar.list(class, 1_730_000_001);
        assert_eq!(calendar.due_at(), Some(1_800_000_000));
        let mut due = Vec::new();
        calendar.take_due(1_799_999_999, &mut due);
        assert!(due.is_empty());
        calendar.take_due(1_800_000_000, &mut due);
        assert_eq!(due, [class]);
        assert_eq!(calendar.due_at(), None);
    }

    #[test]
    fn behind_a_bucket_that_ended_late_comes_none_too_soon() {
        const MS: u64 = 1_000_000;
        let mut calendar = Calendar::default();
        let class = pending(100);
        let mut taken = |listed_ms: u64, taken_ms: u64| {
            calendar.list(class, listed_ms * MS);
            let due_at = calendar.due_at();
            calendar.take_due(taken_ms * MS, &mut Vec::new());
            due_at.map(|at| at / MS)
        };
        assert_eq!(taken(1010, 1140), Some(1100), "somewhat late");
        assert_eq!(taken(1141, 1260), Some(1200), "the next keeps its time, and ends very late");
        assert_eq!(taken(1261, 1400), Some(1400), "one more bucket");
        assert_eq!(taken(1400, 1500), Some(1500), "and in time again");
    }
}
