//! A book kept as the texts a venue sent, ordered by their values.
//!
//! Owned by the sim thread. Invariant: no level is empty; texts come out exactly as they came in.
//! It keeps no sequence numbers: the venue's market does.

use std::collections::BTreeMap;

use crate::decimal::Key;
use crate::kraken::checksum::{Checksum, LEVELS};

/// The texts of a level's price and size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TextLevel {
    pub(crate) price: Box<str>,
    pub(crate) qty: Box<str>,
}

/// Both sides by price.
#[derive(Clone, Debug, Default)]
pub(crate) struct TextBook {
    bids: BTreeMap<Key, TextLevel>,
    asks: BTreeMap<Key, TextLevel>,
}

impl TextBook {
    /// Sets or, with an empty size, removes a level. False when a text is no decimal.
    pub(crate) fn set(&mut self, is_bid: bool, price: &str, qty: &str) -> bool {
        let (Some(key), Some(size)) = (Key::parse(price), Key::parse(qty)) else { return false };
        let side = if is_bid { &mut self.bids } else { &mut self.asks };
        if size.is_zero() {
            side.remove(&key);
        } else {
            side.insert(key, TextLevel { price: price.into(), qty: qty.into() });
        }
        true
    }

    /// Cuts both sides to their best `depth` levels.
    pub(crate) fn truncate(&mut self, depth: usize) {
        while self.bids.len() > depth {
            self.bids.pop_first();
        }
        while self.asks.len() > depth {
            self.asks.pop_last();
        }
    }

    /// Bids from the highest down.
    pub(crate) fn bids(&self) -> impl Iterator<Item = &TextLevel> {
        self.bids.values().rev()
    }

    /// Asks from the lowest up.
    pub(crate) fn asks(&self) -> impl Iterator<Item = &TextLevel> {
        self.asks.values()
    }

    /// The larger number of levels of the two sides.
    pub(crate) fn depth(&self) -> usize {
        self.bids.len().max(self.asks.len())
    }

    /// Kraken's checksum of this book.
    pub(crate) fn checksum(&self) -> u32 {
        let mut sum = Checksum::default();
        for level in self.asks().take(LEVELS).chain(self.bids().take(LEVELS)) {
            sum.add_text(&level.price);
            sum.add_text(&level.qty);
        }
        sum.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_come_out_best_first_with_their_texts() {
        let mut book = TextBook::default();
        for (is_bid, price, qty) in
            [(true, "9.50", "1.0"), (true, "10.5", "2.00"), (false, "11", "3"), (true, "9.5", "0")]
        {
            assert!(book.set(is_bid, price, qty));
        }
        assert!(!book.set(true, "many", "1"));
        let bids: Vec<_> = book.bids().map(|level| &*level.price).collect();
        assert_eq!(bids, ["10.5"]);
        assert_eq!(&*book.asks().next().expect("one").qty, "3");
    }
}
