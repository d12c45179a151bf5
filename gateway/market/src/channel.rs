//! The numbered streams of one symbol.
//!
//! Each has its own sequence, +1 per update. They are numbered where ticks are folded, so ingest
//! and every shard count alike without the numbers travelling.

use crate::Interval;

/// A stream of updates of one symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The definition.
    Instrument,
    /// The trust state.
    State,
    /// The ticker, on every change.
    Ticker,
    /// The ticker, on trades only.
    TickerOnTrade,
    /// Executions.
    Trade,
    /// The book by price.
    Book,
    /// Bars of one interval.
    Bars(Interval),
}

impl Channel {
    /// How many there are.
    pub const COUNT: usize = 6 + Interval::ALL.len();

    /// Its place in a table of [`Self::COUNT`].
    pub const fn index(self) -> usize {
        match self {
            Self::Instrument => 0,
            Self::State => 1,
            Self::Ticker => 2,
            Self::TickerOnTrade => 3,
            Self::Trade => 4,
            Self::Book => 5,
            Self::Bars(interval) => 6 + interval as usize,
        }
    }
}
