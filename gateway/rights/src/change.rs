//! What a running subscription must hear when rules or credentials were replaced.

use crate::decision::{Decision, Grant, Refusal};

/// What became of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing to do, nothing to say.
    Unchanged,
    /// It goes on otherwise: serve it by the new grant, and say so.
    Altered(Altered),
    /// It ends now: not one more update, and say why.
    Ended(Refusal),
    /// It was refused and would be granted now. Nothing is running, so nothing must be said;
    /// whoever subscribes again gets it.
    Available(Grant),
}

/// A subscription that goes on otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Altered {
    /// The new grant.
    pub grant: Grant,
    /// The old one.
    pub was: Grant,
}

impl Altered {
    /// True where values have another age from now on. The book that the session holds is of the
    /// other age: it needs the difference to a book of the new one, before anything else.
    pub fn is_quality(&self) -> bool {
        self.grant.quality != self.was.quality
    }

    /// True where the time between two frames has changed.
    pub const fn is_pace(&self) -> bool {
        self.grant.pace_ms != self.was.pace_ms
    }

    /// True where the book's depth has changed.
    pub const fn is_depth(&self) -> bool {
        self.grant.depth != self.was.depth
    }

    /// The words for a notice; several where several things changed.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        let freshness = match self.grant.quality {
            crate::Quality::Realtime => "now_realtime",
            crate::Quality::Delayed(_) => "now_delayed",
        };
        let pace = if self.grant.pace_ms > 0 { "now_conflated" } else { "now_every_update" };
        let words = [
            (self.is_quality(), freshness),
            (self.is_pace(), pace),
            (self.is_depth(), "now_other_depth"),
        ];
        words.into_iter().filter(|(is_so, _)| *is_so).map(|(_, word)| word)
    }
}

/// Compares two answers to one and the same [`crate::Ask`].
pub fn changes(old: Decision, new: Decision) -> Change {
    match (old, new) {
        (Decision::Granted(was), Decision::Granted(grant)) if was != grant => {
            Change::Altered(Altered { grant, was })
        }
        (Decision::Granted(_), Decision::Refused(refusal)) => Change::Ended(refusal),
        (Decision::Refused(_), Decision::Granted(grant)) => Change::Available(grant),
        _ => Change::Unchanged,
    }
}
