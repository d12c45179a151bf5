//! One stream's numbers: which came, which are missing, which were announced as missing.
//!
//! A number that is skipped opens a gap. A gap is closed by its announcement, or by the number
//! itself coming late (which is reordering); those left at the end nobody spoke of.

/// What a frame's numbers mean for its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// As it should be.
    Next,
    /// Numbers before it are missing; a gap is open.
    Skipped(Gap),
    /// Its number came after a later one.
    Late,
    /// It has been here before.
    Again,
    /// It is the first, but does not begin where it should.
    Astray {
        /// The sequence it should have begun with.
        wanted: u64,
    },
}

/// Numbers that have not come, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// First.
    pub from: u64,
    /// Last.
    pub to: u64,
}

impl Gap {
    /// How many.
    pub fn count(self) -> u64 {
        self.to - self.from + 1
    }
}

/// A stream: one session, symbol, channel (and interval).
#[derive(Debug, Default)]
pub struct Sequence {
    last: Option<u64>,
    /// Almost always empty, and then without memory of its own.
    gaps: Vec<Gap>,
    /// The sequence the ack named: where a stream without a snapshot begins.
    granted: Option<u64>,
    snapshots: u32,
}

impl Sequence {
    /// The newest number delivered or announced.
    pub fn last(&self) -> Option<u64> {
        self.last
    }

    /// Whether a snapshot has come.
    pub fn has_snapshot(&self) -> bool {
        self.snapshots > 0
    }

    /// What is missing now.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// The ack says the subscription begins behind `seq`.
    pub fn granted(&mut self, seq: u64) {
        if self.last.is_none() {
            self.granted = Some(seq);
        }
    }

    /// A snapshot: the state after `seq`.
    pub fn snapshot(&mut self, seq: u64) -> Step {
        self.snapshots += 1;
        match self.last {
            Some(last) if seq < last => Step::Late,
            // A second snapshot stands for its own number, not for those before it.
            Some(last) if seq > last + 1 => self.skip(last, seq),
            _ => {
                self.last = Some(seq);
                Step::Next
            }
        }
    }

    /// An update that stands for `first..=seq`.
    pub fn update(&mut self, first: u64, seq: u64) -> Step {
        let Some(last) = self.last else {
            self.last = Some(seq);
            // Without a snapshot, the stream begins behind what the ack said, or at its birth.
            let wanted = self.granted.map_or(1, |granted| granted + 1);
            return if first == wanted { Step::Next } else { Step::Astray { wanted } };
        };
        if first == last + 1 && seq >= first {
            self.last = Some(seq);
            return Step::Next;
        }
        if first > last {
            let step = self.skip(last, first);
            self.last = Some(seq.max(first));
            return step;
        }
        let filled = self.close(first, seq.min(last));
        self.last = Some(last.max(seq));
        if filled > 0 { Step::Late } else { Step::Again }
    }

    /// `from..=to` is announced as missing. Returns how many of them were in fact missing.
    pub fn announced(&mut self, from: u64, to: u64) -> u64 {
        let Some(last) = self.last else {
            self.last = Some(to);
            return to.saturating_sub(from) + 1;
        };
        let mut missing = if from <= last { self.close(from, to.min(last)) } else { 0 };
        if to > last {
            if from > last + 1 {
                self.gaps.push(Gap { from: last + 1, to: from - 1 });
            }
            missing += to - from.max(last + 1) + 1;
            self.last = Some(to);
        }
        missing
    }

    fn skip(&mut self, last: u64, next: u64) -> Step {
        let gap = Gap { from: last + 1, to: next - 1 };
        self.gaps.push(gap);
        self.last = Some(next);
        Step::Skipped(gap)
    }

    /// Takes `from..=to` out of the gaps; returns how many numbers that closed.
    fn close(&mut self, from: u64, to: u64) -> u64 {
        let mut closed = 0;
        let mut at = 0;
        while at < self.gaps.len() {
            let gap = self.gaps[at];
            let (low, high) = (gap.from.max(from), gap.to.min(to));
            if low > high {
                at += 1;
                continue;
            }
            closed += high - low + 1;
            self.gaps.swap_remove(at);
            if gap.from < low {
                self.gaps.push(Gap { from: gap.from, to: low - 1 });
            }
            if gap.to > high {
                self.gaps.push(Gap { from: high + 1, to: gap.to });
            }
        }
        closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(seq: u64) -> Sequence {
        let mut sequence = Sequence::default();
        assert_eq!(sequence.snapshot(seq), Step::Next);
        sequence
    }

    #[test]
    fn numbers_in_a_row_alone_or_in_ranges_are_as_they_should_be() {
        let mut sequence = joined(5);
        assert_eq!(sequence.update(6, 6), Step::Next);
        assert_eq!(sequence.update(7, 9), Step::Next);
        assert_eq!(sequence.snapshot(9), Step::Next);
        assert_eq!(sequence.snapshot(10), Step::Next);
        assert!(sequence.gaps().is_empty());
    }

    #[test]
    fn a_lost_number_leaves_a_hole_and_a_late_one_closes_it() {
        let mut sequence = joined(5);
        assert_eq!(sequence.update(7, 7), Step::Skipped(Gap { from: 6, to: 6 }));
        assert_eq!(sequence.update(6, 6), Step::Late);
        assert_eq!(sequence.update(8, 8), Step::Next);
        assert!(sequence.gaps().is_empty());
        assert_eq!(sequence.update(8, 8), Step::Again);
        assert_eq!(sequence.update(10, 10), Step::Skipped(Gap { from: 9, to: 9 }));
        assert_eq!(sequence.gaps(), [Gap { from: 9, to: 9 }]);
    }

    #[test]
    fn an_announcement_covers_what_is_missing_before_or_after_the_next_frame() {
        let mut sequence = joined(5);
        assert_eq!(sequence.announced(6, 8), 3);
        assert_eq!(sequence.update(9, 9), Step::Next);
        assert_eq!(sequence.update(14, 14), Step::Skipped(Gap { from: 10, to: 13 }));
        assert_eq!(sequence.announced(11, 12), 2);
        assert_eq!(sequence.gaps().iter().map(|gap| gap.count()).sum::<u64>(), 2);
        assert_eq!(sequence.announced(10, 13), 2, "two of the four were known to be missing");
        assert_eq!(sequence.announced(14, 14), 0, "it was delivered");
    }

    #[test]
    fn a_stream_without_a_snapshot_begins_where_the_ack_says_or_at_one() {
        assert_eq!(Sequence::default().update(1, 1), Step::Next);
        assert_eq!(Sequence::default().update(4, 4), Step::Astray { wanted: 1 });
        let mut sequence = Sequence::default();
        sequence.granted(41);
        assert_eq!(sequence.update(42, 42), Step::Next);
    }
}
