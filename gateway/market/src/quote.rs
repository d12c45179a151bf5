//! A price level and the best bid and ask.

use crate::{Price, Size};

/// A price and the size offered there; size zero means "gone" in a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// At this price,
    pub price: Price,
    /// this much.
    pub size: Size,
}

/// Best bid and best ask. A side without orders has size zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quote {
    /// Highest buyer.
    pub bid: Level,
    /// Lowest seller.
    pub ask: Level,
}
