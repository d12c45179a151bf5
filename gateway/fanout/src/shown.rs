//! How far a session has followed one subscription: the mark that stands for all it was not sent.

/// What a session has been shown of a topic of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// No value yet: a snapshot is owed as soon as there is one.
    Nothing,
    /// Every update up to this sequence, one by one or merged.
    UpTo(u64),
}

impl Shown {
    /// Less was shown than at `other`.
    pub(crate) const fn is_before(self, other: Self) -> bool {
        match (self, other) {
            (_, Self::Nothing) => false,
            (Self::Nothing, Self::UpTo(_)) => true,
            (Self::UpTo(this), Self::UpTo(other)) => this < other,
        }
    }
}

/// How what was missed is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// One frame that stands for all; trades one by one as far as they are held.
    Merge,
    /// The newest alone; what lies before it is announced as missed.
    Skip,
    /// Every update as it was, from history.
    Replay,
}
