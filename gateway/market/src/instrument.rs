//! An instrument: what a symbol means, how fine its prices and sizes are, and whether it trades.
//!
//! Prices and sizes elsewhere are whole numbers in units of this precision, so a definition is
//! needed before any tick of its symbol, and its precision does not change while the process lives.

use std::sync::Arc;

/// A symbol's dense number inside one gateway, given by ingest in order of appearance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SymbolId(pub u32);

impl SymbolId {
    /// As an index into a table of symbols.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A price in units of `10^-price_precision` of its instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(pub i64);

/// A size (quantity) in units of `10^-size_precision` of its instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub i64);

/// Whether a venue lets an instrument trade; the words are those of the instrument channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trading {
    /// Open for all orders.
    #[default]
    Online,
    /// Only cancels are accepted.
    CancelOnly,
    /// No new positions in margin or limited order kinds.
    LimitOnly,
    /// Only resting orders are accepted.
    PostOnly,
    /// Only smaller positions are accepted.
    ReduceOnly,
    /// Halted for upkeep.
    Maintenance,
    /// No longer listed.
    Delisted,
}

impl Trading {
    /// All states, in the order of their codes.
    pub const ALL: [Self; 7] = [
        Self::Online,
        Self::CancelOnly,
        Self::LimitOnly,
        Self::PostOnly,
        Self::ReduceOnly,
        Self::Maintenance,
        Self::Delisted,
    ];

    /// The word a dashboard reads.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::CancelOnly => "cancel_only",
            Self::LimitOnly => "limit_only",
            Self::PostOnly => "post_only",
            Self::ReduceOnly => "reduce_only",
            Self::Maintenance => "maintenance",
            Self::Delisted => "delisted",
        }
    }

    /// The state a venue's word means; words we do not know mean `Maintenance`, the careful
    /// reading.
    pub fn from_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.as_str() == word).unwrap_or(Self::Maintenance)
    }
}

/// The definition of a symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// What dashboards call it, unique in this gateway: `BTC/USD`.
    pub symbol: Arc<str>,
    /// The feed it comes from, as named in the config.
    pub venue: Arc<str>,
    /// What that venue calls it: `BTCUSDT`.
    pub venue_symbol: Arc<str>,
    /// The asset that is traded.
    pub base: Arc<str>,
    /// The asset it is priced in.
    pub quote: Arc<str>,
    /// Digits behind the point of a price.
    pub price_precision: u8,
    /// Digits behind the point of a size.
    pub size_precision: u8,
    /// Smallest step of a price.
    pub price_increment: Price,
    /// Smallest step of a size.
    pub size_increment: Size,
    /// Smallest size of an order; zero where the venue does not say.
    pub size_min: Size,
    /// Levels kept on each side of its book: what lies deeper is forgotten, as the venue itself
    /// does.
    pub book_levels_max: u32,
    /// Whether it trades.
    pub trading: Trading,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trading_word_is_read_back_and_unknown_ones_are_not_online() {
        for state in Trading::ALL {
            assert_eq!(Trading::from_word(state.as_str()), state);
        }
        assert_eq!(Trading::from_word("frobnicated"), Trading::Maintenance);
    }
}
