//! A book as a careful dashboard keeps it: applied by price, cut to its depth, checked by CRC32.
//!
//! Independent of the gateway's own, on purpose. Sorted vectors: at ten levels nothing is faster,
//! at a thousand an insertion moves 64 KiB at worst.

use std::cmp::Ordering;

use crate::scan::decimal::Decimal;
use crate::scan::items::Side;

/// Levels a side that a checksum covers.
const CHECKED_LEVELS: usize = 10;

/// Price, then size.
pub type Level = (Decimal, Decimal);

/// Both sides, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    bids: Vec<Level>,
    asks: Vec<Level>,
}

impl Book {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// Sets the size at a price; nothing removes it.
    pub fn apply(&mut self, side: Side, price: Decimal, qty: Decimal) {
        let levels = self.levels_mut(side);
        let found = levels.binary_search_by(|level| match side {
            Side::Ask => level.0.cmp(&price),
            Side::Bid => price.cmp(&level.0),
        });
        match found {
            Ok(at) if qty.is_zero() => {
                levels.remove(at);
            }
            Ok(at) => levels[at] = (price, qty),
            Err(_) if qty.is_zero() => {}
            Err(at) => levels.insert(at, (price, qty)),
        }
    }

    /// Cuts both sides to `depth`.
    pub fn truncate(&mut self, depth: usize) {
        self.bids.truncate(depth);
        self.asks.truncate(depth);
    }

    /// One side, best first.
    pub fn levels(&self, side: Side) -> &[Level] {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    /// CRC32 over the top ten asks, then the top ten bids: price and size as digits without point
    /// and leading zeros (docs.kraken.com, "book checksum v2").
    pub fn checksum(&self) -> u32 {
        let mut hash = crc32fast::Hasher::new();
        let mut print = itoa::Buffer::new();
        let checked = self.asks.iter().take(CHECKED_LEVELS);
        for (price, qty) in checked.chain(self.bids.iter().take(CHECKED_LEVELS)) {
            for digits in [price.digits(), qty.digits()] {
                let text = match u64::try_from(digits) {
                    Ok(short) => print.format(short),
                    Err(_) => print.format(digits),
                };
                hash.update(text.as_bytes());
            }
        }
        hash.finalize()
    }

    /// Whether this is `whole` cut to `depth`, price for price.
    pub fn is_top_of(&self, whole: &Self, depth: usize) -> bool {
        [Side::Bid, Side::Ask].into_iter().all(|side| {
            let top = whole.levels(side);
            self.levels(side).cmp(&top[..top.len().min(depth)]) == Ordering::Equal
        })
    }

    fn levels_mut(&mut self, side: Side) -> &mut Vec<Level> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_checksum_is_the_one_of_the_venue_documentation() {
        let asks = [
            ("45285.2", "0.00100000"),
            ("45286.4", "1.54571953"),
            ("45286.6", "1.54571109"),
            ("45289.6", "1.54560911"),
            ("45290.2", "0.15890660"),
            ("45291.8", "1.54553491"),
            ("45294.7", "0.04454749"),
            ("45296.1", "0.35380000"),
            ("45297.5", "0.09945542"),
            ("45299.5", "0.18772827"),
        ];
        let bids = [
            ("45283.5", "0.10000000"),
            ("45283.4", "1.54582015"),
            ("45282.1", "0.10000000"),
            ("45281.0", "0.10000000"),
            ("45280.3", "1.54592586"),
            ("45279.0", "0.07990000"),
            ("45277.6", "0.03310103"),
            ("45277.5", "0.30000000"),
            ("45277.3", "1.54602737"),
            ("45276.6", "0.15445238"),
        ];
        let mut book = Book::default();
        for (price, qty) in asks {
            book.apply(Side::Ask, decimal(price), decimal(qty));
        }
        for (price, qty) in bids {
            book.apply(Side::Bid, decimal(price), decimal(qty));
        }
        assert_eq!(book.checksum(), 3_310_070_434);
    }

    #[test]
    fn levels_are_set_removed_and_cut_from_the_far_end() {
        let mut book = Book::default();
        for price in ["1.0", "3.0", "2.0"] {
            book.apply(Side::Bid, decimal(price), decimal("1"));
            book.apply(Side::Ask, decimal(price), decimal("1"));
        }
        let whole = book.clone();
        book.truncate(2);
        assert_eq!(
            book.levels(Side::Bid),
            [("3", "1"), ("2", "1")].map(|(p, q)| (decimal(p), decimal(q)))
        );
        assert!(book.is_top_of(&whole, 2) && !book.is_top_of(&whole, 3));
        book.apply(Side::Bid, decimal("3.00"), decimal("0.0"));
        book.apply(Side::Bid, decimal("9"), decimal("0"));
        assert_eq!(book.levels(Side::Bid).len(), 1);
    }
}
