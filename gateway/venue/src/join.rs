//! Joins a Binance depth snapshot with the deltas around it: a state machine without I/O.
//!
//! Deltas come by stream, the snapshot by REST, in no fixed order. Deltas wait (bounded) until a
//! snapshot is there that is not older than the first of them, and go in behind it. The rules are
//! the documented ones, "How to manage a local order book correctly":
//!
//! - spot: drop `u <= lastUpdateId`; then `U` may not lie beyond the number we stand at plus one
//!   (an overlap is harmless, sizes are absolute);
//! - USD-M: drop `u < lastUpdateId`; the first applied holds `lastUpdateId` within `U..=u`; from
//!   there `pu` is the `u` before. So a delta with `u == lastUpdateId` is dropped on spot and
//!   applied here. A first delta whose `pu` is `lastUpdateId` follows without a gap too, and is
//!   taken.

use std::collections::VecDeque;

use market::Nanos;

use crate::{BookDelta, Level, UpdateIds};

/// Which rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Spot.
    Spot,
    /// USD-M futures.
    UsdM,
}

/// How much may wait for a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinLimits {
    /// Deltas.
    pub deltas_max: usize,
    /// Bytes of their levels.
    pub bytes_max: usize,
}

/// What is to be done with a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is the next: apply it.
    Apply,
    /// It waits for a snapshot.
    Buffered,
    /// The snapshot held it already.
    Old,
    /// Changes before it are missing: it and what follows wait for a new snapshot.
    Gap,
    /// Too much waited; all that waited is gone, and the snapshot to come must be newer.
    Overflow,
}

/// What came of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// The book is the snapshot and the deltas handed out.
    Joined {
        /// How many deltas were handed out.
        applied: usize,
    },
    /// It ends before the first waiting delta begins: a newer one is needed.
    TooOld,
}

struct Pending {
    ids: UpdateIds,
    ts_event: Nanos,
    bids: usize,
    asks: usize,
}

#[derive(Clone, Copy)]
enum Phase {
    /// For a snapshot.
    Waiting,
    /// The snapshot's number is `last`, and no delta came behind it yet.
    Fresh { last: u64 },
    /// The last delta ended at `last`.
    Live { last: u64 },
}

/// The join of one symbol.
pub struct Join {
    dialect: Dialect,
    limits: JoinLimits,
    phase: Phase,
    /// Without a gap among themselves.
    pending: VecDeque<Pending>,
    /// The levels of `pending`, bids then asks, one delta behind the other.
    levels: Vec<Level>,
}

impl Join {
    /// Waits for a snapshot.
    pub fn new(dialect: Dialect, limits: JoinLimits) -> Self {
        let (pending, levels) = (VecDeque::new(), Vec::new());
        Self { dialect, limits, phase: Phase::Waiting, pending, levels }
    }

    /// Forgets everything, as after a lost connection.
    pub fn reset(&mut self) {
        self.phase = Phase::Waiting;
        self.forget_pending();
    }

    /// True while a snapshot is needed.
    pub fn is_waiting(&self) -> bool {
        matches!(self.phase, Phase::Waiting)
    }

    /// Says what is to be done with `delta`, and keeps a copy where it has to wait. A delta without
    /// numbers cannot be joined and is taken for a gap.
    pub fn delta(&mut self, delta: &BookDelta<'_>) -> Outcome {
        let Some(ids) = delta.update_ids else {
            self.reset();
            return Outcome::Gap;
        };
        let outcome = match self.phase {
            Phase::Waiting => match self.pending.back() {
                Some(newest) => self.following(newest.ids.last, ids),
                None => Outcome::Apply,
            },
            Phase::Fresh { last } => self.behind_snapshot(last, ids),
            Phase::Live { last } => self.following(last, ids),
        };
        match (self.phase, outcome) {
            (Phase::Waiting, Outcome::Apply) => self.keep(ids, delta),
            (_, Outcome::Apply) => {
                self.phase = Phase::Live { last: ids.last };
                Outcome::Apply
            }
            (_, Outcome::Gap) => {
                self.reset();
                match self.keep(ids, delta) {
                    Outcome::Buffered => Outcome::Gap,
                    overflow => overflow,
                }
            }
            (_, other) => other,
        }
    }

    /// Takes a snapshot and hands out, in order, every waiting delta that goes behind it.
    pub fn snapshot(
        &mut self,
        last_update_id: u64,
        mut apply: impl FnMut(&[Level], &[Level], Nanos),
    ) -> Replay {
        let standing = match self.phase {
            Phase::Fresh { last } | Phase::Live { last } => last,
            Phase::Waiting => 0,
        };
        if last_update_id < standing {
            return Replay::TooOld;
        }
        let mut first = 0;
        for waiting in &self.pending {
            match self.behind_snapshot(last_update_id, waiting.ids) {
                Outcome::Old => first += 1,
                Outcome::Apply => break,
                _ => return Replay::TooOld,
            }
        }
        let mut rest = self.levels.as_slice();
        let mut last = None;
        for (index, waiting) in self.pending.iter().enumerate() {
            let (bids, behind) = rest.split_at(waiting.bids);
            let (asks, behind) = behind.split_at(waiting.asks);
            rest = behind;
            if index >= first {
                apply(bids, asks, waiting.ts_event);
                last = Some(waiting.ids.last);
            }
        }
        let applied = self.pending.len() - first;
        self.forget_pending();
        self.phase = match last {
            Some(last) => Phase::Live { last },
            None => Phase::Fresh { last: last_update_id },
        };
        Replay::Joined { applied }
    }

    fn behind_snapshot(&self, snapshot: u64, ids: UpdateIds) -> Outcome {
        match self.dialect {
            Dialect::Spot => self.following(snapshot, ids),
            Dialect::UsdM if ids.last < snapshot => Outcome::Old,
            Dialect::UsdM if ids.first <= snapshot || ids.previous == Some(snapshot) => {
                Outcome::Apply
            }
            Dialect::UsdM => Outcome::Gap,
        }
    }

    fn following(&self, last: u64, ids: UpdateIds) -> Outcome {
        match self.dialect {
            Dialect::Spot if ids.last <= last => Outcome::Old,
            Dialect::Spot if ids.first <= last.saturating_add(1) => Outcome::Apply,
            Dialect::UsdM if ids.previous == Some(last) => Outcome::Apply,
            _ => Outcome::Gap,
        }
    }

    fn keep(&mut self, ids: UpdateIds, delta: &BookDelta<'_>) -> Outcome {
        let level_count = self.levels.len() + delta.bids.len() + delta.asks.len();
        let too_many = self.pending.len() >= self.limits.deltas_max
            || level_count * size_of::<Level>() > self.limits.bytes_max;
        if too_many {
            self.forget_pending();
            return Outcome::Overflow;
        }
        self.levels.extend_from_slice(delta.bids);
        self.levels.extend_from_slice(delta.asks);
        let (bids, asks) = (delta.bids.len(), delta.asks.len());
        self.pending.push_back(Pending { ids, ts_event: delta.ts_event, bids, asks });
        Outcome::Buffered
    }

    fn forget_pending(&mut self) {
        self.pending.clear();
        self.levels.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: JoinLimits = JoinLimits { deltas_max: 4, bytes_max: 1 << 12 };

    fn delta(first: u64, last: u64, previous: Option<u64>) -> BookDelta<'static> {
        BookDelta {
            symbol: "S",
            bids: &[],
            asks: &[],
            checksum: None,
            update_ids: Some(UpdateIds { first, last, previous }),
            ts_event: Nanos(last),
        }
    }

    fn replayed(join: &mut Join, last_update_id: u64) -> (Replay, Vec<u64>) {
        let mut times = Vec::new();
        let replay = join.snapshot(last_update_id, |_, _, time| times.push(time.0));
        (replay, times)
    }

    #[test]
    fn spot_drops_the_delta_that_ends_at_the_snapshot_and_applies_the_next() {
        let mut join = Join::new(Dialect::Spot, LIMITS);
        assert_eq!(join.delta(&delta(1, 5, None)), Outcome::Buffered);
        assert_eq!(join.delta(&delta(6, 9, None)), Outcome::Buffered);
        assert_eq!(replayed(&mut join, 5), (Replay::Joined { applied: 1 }, vec![9]));
        assert_eq!(join.delta(&delta(10, 11, None)), Outcome::Apply);
        assert_eq!(join.delta(&delta(11, 12, None)), Outcome::Apply);
        assert_eq!(join.delta(&delta(11, 12, None)), Outcome::Old);
        assert_eq!(join.delta(&delta(14, 15, None)), Outcome::Gap);
        assert!(join.is_waiting());
    }

    #[test]
    fn usdm_applies_the_delta_that_ends_at_the_snapshot() {
        let mut join = Join::new(Dialect::UsdM, LIMITS);
        assert_eq!(join.delta(&delta(1, 5, Some(0))), Outcome::Buffered);
        assert_eq!(join.delta(&delta(8, 9, Some(5))), Outcome::Buffered);
        assert_eq!(replayed(&mut join, 5), (Replay::Joined { applied: 2 }, vec![5, 9]));
        assert_eq!(join.delta(&delta(12, 13, Some(9))), Outcome::Apply);
        assert_eq!(join.delta(&delta(14, 15, Some(12))), Outcome::Gap);
    }

    #[test]
    fn usdm_takes_a_first_delta_that_names_the_snapshot_as_the_one_before() {
        let mut join = Join::new(Dialect::UsdM, LIMITS);
        assert_eq!(replayed(&mut join, 5), (Replay::Joined { applied: 0 }, vec![]));
        assert_eq!(join.delta(&delta(2, 4, Some(1))), Outcome::Old);
        assert_eq!(join.delta(&delta(8, 9, Some(5))), Outcome::Apply);
    }

    #[test]
    fn a_snapshot_may_come_before_any_delta() {
        let mut join = Join::new(Dialect::Spot, LIMITS);
        assert_eq!(replayed(&mut join, 5), (Replay::Joined { applied: 0 }, vec![]));
        assert_eq!(join.delta(&delta(3, 5, None)), Outcome::Old);
        assert_eq!(join.delta(&delta(4, 7, None)), Outcome::Apply);
    }

    #[test]
    fn a_snapshot_older_than_the_first_delta_is_refused_and_the_deltas_stay() {
        for dialect in [Dialect::Spot, Dialect::UsdM] {
            let mut join = Join::new(dialect, LIMITS);
            assert_eq!(join.delta(&delta(10, 12, Some(9))), Outcome::Buffered);
            assert_eq!(replayed(&mut join, 5), (Replay::TooOld, vec![]));
            assert_eq!(replayed(&mut join, 11), (Replay::Joined { applied: 1 }, vec![12]));
        }
    }

    #[test]
    fn a_hole_among_waiting_deltas_forgets_those_before_it() {
        let mut join = Join::new(Dialect::Spot, LIMITS);
        assert_eq!(join.delta(&delta(1, 2, None)), Outcome::Buffered);
        assert_eq!(join.delta(&delta(5, 6, None)), Outcome::Gap);
        assert_eq!(replayed(&mut join, 1), (Replay::TooOld, vec![]));
        assert_eq!(replayed(&mut join, 4), (Replay::Joined { applied: 1 }, vec![6]));
    }

    #[test]
    fn too_many_waiting_deltas_are_forgotten_by_name() {
        let mut join = Join::new(Dialect::Spot, LIMITS);
        for id in 1..=4 {
            assert_eq!(join.delta(&delta(id, id, None)), Outcome::Buffered);
        }
        assert_eq!(join.delta(&delta(5, 5, None)), Outcome::Overflow);
        assert_eq!(join.delta(&delta(6, 6, None)), Outcome::Buffered);
        assert_eq!(replayed(&mut join, 5), (Replay::Joined { applied: 1 }, vec![6]));
    }
}
