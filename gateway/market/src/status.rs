//! How far a symbol's data can be trusted right now.

/// A symbol's state, as dashboards are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// Live.
    #[default]
    Ok,
    /// Its venue is lost or silent; the last values stand.
    Stale,
    /// The venue is back, the book is being rebuilt; the last values stand.
    Recovering,
    /// The venue stopped trading.
    Halted,
    /// No longer listed.
    Closed,
}

impl State {
    /// All states, in the order of their codes.
    pub const ALL: [Self; 5] =
        [Self::Ok, Self::Stale, Self::Recovering, Self::Halted, Self::Closed];

    /// The word a dashboard reads.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Stale => "stale",
            Self::Recovering => "recovering",
            Self::Halted => "halted",
            Self::Closed => "closed",
        }
    }
}
