//! A tick: one normalised market event, as ingest publishes it and shards fold it.

use crate::{
    BookChange, Channel, Instrument, Nanos, Quote, State, Statistics, Symbol, SymbolId, Trade, Twin,
};

/// When a tick passed the stations that are behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// The venue's own time; unknown where the venue does not say.
    pub event: Nanos,
    /// Read from the venue's socket.
    pub recv: Nanos,
    /// Written into the ring.
    pub publish: Nanos,
}

/// One normalised event of one symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick<'a> {
    /// Whose.
    pub symbol: SymbolId,
    /// +1 per update of the symbol in the body's own channel; starts at 1.
    pub sequence: u64,
    /// When.
    pub stamps: Stamps,
    /// What.
    pub body: Body<'a>,
}

/// What a tick says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// The symbol is defined, or its definition changed. Always a symbol's first tick.
    Instrument(Instrument),
    /// Its data can be trusted more, or less, than before.
    State(State),
    /// The best bid or ask changed.
    Quote(Quote),
    /// A venue that keeps statistics itself sent them, with the quote as of then.
    Ticker(Quote, Statistics),
    /// An execution.
    Trade(Trade),
    /// Levels of the book changed.
    Book(BookChange<'a>),
    /// The symbol is another one as it was some time ago. Always a twin's first tick.
    Twin(Twin),
    /// Everything known of it, where ticks before this one were lost.
    Renewal(Box<Symbol>),
}

impl Body<'_> {
    /// The channel whose sequence the tick carries.
    pub const fn channel(&self) -> Channel {
        match self {
            Self::Instrument(_) | Self::Twin(_) => Channel::Instrument,
            Self::State(_) | Self::Renewal(_) => Channel::State,
            Self::Quote(_) | Self::Ticker(..) => Channel::Ticker,
            Self::Trade(_) => Channel::Trade,
            Self::Book(_) => Channel::Book,
        }
    }
}

impl Tick<'_> {
    /// False for the one kind of tick that is not counted: a state numbered 0. It is a gateway's
    /// own word on what it can vouch for, said by one that follows another and has lost it; the
    /// numbers are the other's, and none is used up.
    pub const fn is_numbered(&self) -> bool {
        !(matches!(self.body, Body::State(_)) && self.sequence == 0)
    }
}
