//! What a subscription names: a channel and its parameters.

use market::{Channel, Interval};

/// How deep a book subscription looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Depth(u16);

impl Depth {
    /// The depths there are.
    pub const ALL: [Self; 5] = [Self(10), Self(25), Self(100), Self(500), Self(1000)];
    /// Where none is named.
    pub const DEFAULT: Self = Self(10);

    /// The depth of so many levels a side.
    pub fn from_levels(levels: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|depth| u64::from(depth.0) == levels)
    }

    /// Its place in [`Self::ALL`].
    pub fn index(self) -> usize {
        Self::ALL.iter().position(|depth| *depth == self).expect("ALL holds every depth")
    }

    /// Levels a side.
    pub const fn levels(self) -> usize {
        self.0 as usize
    }
}

/// A channel with its parameters, as a dashboard asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Ticker on every change of the quote (`event_trigger: bbo`).
    TickerOnQuote,
    /// Ticker on trades (`event_trigger: trades`, the default).
    TickerOnTrade,
    /// Executions.
    Trade,
    /// The book to a depth.
    Book(Depth),
    /// Bars of an interval.
    Bars(Interval),
    /// Definitions of all instruments; takes no symbols.
    Instrument,
}

impl Topic {
    /// The channel's name on the wire.
    pub const fn channel_name(self) -> &'static str {
        match self {
            Self::TickerOnQuote | Self::TickerOnTrade => "ticker",
            Self::Trade => "trade",
            Self::Book(_) => "book",
            Self::Bars(_) => "ohlc",
            Self::Instrument => "instrument",
        }
    }

    /// How many topics a symbol has.
    pub const COUNT: usize = 4 + Depth::ALL.len() + Interval::ALL.len();

    /// Its place in a table of [`Self::COUNT`].
    pub fn index(self) -> usize {
        const BOOK: usize = 4;
        const BARS: usize = BOOK + Depth::ALL.len();
        match self {
            Self::Instrument => 0,
            Self::TickerOnQuote => 1,
            Self::TickerOnTrade => 2,
            Self::Trade => 3,
            Self::Book(depth) => BOOK + depth.index(),
            Self::Bars(interval) => BARS + interval as usize,
        }
    }

    /// The topic at a place.
    pub fn from_index(index: usize) -> Option<Self> {
        let fixed = [Self::Instrument, Self::TickerOnQuote, Self::TickerOnTrade, Self::Trade];
        let books = Depth::ALL.into_iter().map(Self::Book);
        let bars = Interval::ALL.into_iter().map(Self::Bars);
        fixed.into_iter().chain(books).chain(bars).nth(index)
    }

    /// Which numbered stream of a symbol it follows.
    pub const fn channel(self) -> Channel {
        match self {
            Self::TickerOnQuote => Channel::Ticker,
            Self::TickerOnTrade => Channel::TickerOnTrade,
            Self::Trade => Channel::Trade,
            Self::Book(_) => Channel::Book,
            Self::Bars(interval) => Channel::Bars(interval),
            Self::Instrument => Channel::Instrument,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_a_place_of_its_own() {
        for index in 0..Topic::COUNT {
            assert_eq!(Topic::from_index(index).map(Topic::index), Some(index));
        }
        assert_eq!(Topic::from_index(Topic::COUNT), None);
    }
}
