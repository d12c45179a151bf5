//! Places in the ring that followers passed, so that one that returns goes on where it stood.
//!
//! A follower names a count of records; where that record lies in the ring is ours to know, and
//! nothing from outside is taken for a position. Owned by the relay's thread; it holds one place
//! for each [`STRIDE_BYTES`] of the ring.

use std::collections::VecDeque;

use handoff::Position;

/// Bytes between two places: what is read and thrown away at most to find a record.
const STRIDE_BYTES: u64 = 64 * 1024;

/// The places, oldest first.
pub(super) struct Trail {
    /// In which life of the numbering; zero before the first truth was lent.
    epoch: u64,
    places: VecDeque<Position>,
    ring_bytes: u64,
}

impl Trail {
    pub(super) const fn new(ring_bytes: u64) -> Self {
        Self { epoch: 0, places: VecDeque::new(), ring_bytes }
    }

    /// The truth was lent as of a place: numbers of that life are good from there.
    pub(super) fn begin(&mut self, epoch: u64, position: Position) {
        if epoch != self.epoch {
            self.places.clear();
            self.epoch = epoch;
        }
        self.note(position);
    }

    /// A follower has come to a place.
    pub(super) fn note(&mut self, position: Position) {
        let newest = self.places.back().map(|place| place.bytes());
        if newest.is_some_and(|newest| position.bytes() < newest + STRIDE_BYTES) {
            return;
        }
        self.places.push_back(position);
        while let Some(oldest) = self.places.front()
            && oldest.bytes() + self.ring_bytes < position.bytes()
        {
            self.places.pop_front();
        }
    }

    /// The last place at or before a record, if it may still be in the ring.
    pub(super) fn place_before(&self, epoch: u64, records: u64) -> Option<Position> {
        if epoch == 0 || epoch != self.epoch {
            return None;
        }
        self.places.iter().rev().find(|place| place.records() <= records).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_found_from_the_place_before_it_while_the_ring_holds_it() {
        let (mut writer, _) = handoff::channel(1 << 18).expect("a power of two");
        let mut trail = Trail::new(1 << 18);
        assert_eq!(trail.place_before(1, 0), None);
        trail.begin(1, writer.position());
        for _ in 0..10_000 {
            let position = writer.append(&[0; 120]).expect("it fits");
            trail.note(position);
        }
        assert_eq!(trail.place_before(1, 10), None, "overwritten");
        assert_eq!(trail.place_before(2, 9_900), None, "another life");
        let found = trail.place_before(1, 9_900).expect("held");
        assert!(found.records() <= 9_900 && found.records() + 600 > 9_900, "{found:?}");
        assert!(trail.places.len() <= 5, "{}", trail.places.len());
        trail.begin(2, writer.position());
        assert_eq!(trail.place_before(1, 9_900), None);
        assert_eq!(trail.place_before(2, 9_999), None, "before that life");
        assert_eq!(trail.place_before(2, 10_000), Some(writer.position()));
    }
}
