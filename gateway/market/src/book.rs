//! A book by price: what is bid and asked at each level.
//!
//! Each side is one sorted vector with the best level last, because nearly every change is near the
//! touch and then moves only a few entries. The price: a change deep in a book of thousands of
//! levels moves them all (16 bytes each).

use crate::checksum::Checksum;
use crate::{Level, Price, Size};

/// A side of the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BookSide {
    /// Buyers.
    Bid,
    /// Sellers.
    Ask,
}

impl BookSide {
    /// Both, bids first.
    pub const BOTH: [Self; 2] = [Self::Bid, Self::Ask];

    /// True when a level at `price` stands nearer to the touch than one at `other`.
    pub fn is_better(self, price: Price, other: Price) -> bool {
        match self {
            Self::Bid => price > other,
            Self::Ask => price < other,
        }
    }
}

/// Bids and asks of one instrument, in its units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    /// Ascending, so that the highest bid is last. No size is zero, no price occurs twice.
    bids: Vec<Level>,
    /// Descending, so that the lowest ask is last. No size is zero, no price occurs twice.
    asks: Vec<Level>,
}

impl Book {
    /// Sets one level; size zero removes it. Removing what is not there changes nothing.
    pub fn apply(&mut self, side: BookSide, level: Level) {
        let at = self.position(side, level.price);
        let levels = self.levels_mut(side);
        let found = levels.get(at).is_some_and(|l| l.price == level.price);
        match (found, level.size == Size(0)) {
            (true, true) => drop(levels.remove(at)),
            (true, false) => levels[at].size = level.size,
            (false, true) => {}
            (false, false) => levels.insert(at, level),
        }
    }

    /// Keeps the best `depth` levels of each side.
    pub fn truncate(&mut self, depth: usize) {
        for levels in [&mut self.bids, &mut self.asks] {
            if levels.len() > depth {
                levels.drain(..levels.len() - depth);
            }
        }
    }

    /// The best `depth` levels of each side, as a book of their own.
    #[must_use]
    pub fn top(&self, depth: usize) -> Self {
        let top = |levels: &[Level]| levels[levels.len().saturating_sub(depth)..].to_vec();
        Self { bids: top(&self.bids), asks: top(&self.asks) }
    }

    /// Empties both sides; their memory stays.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// Best first.
    pub fn side(&self, side: BookSide) -> impl ExactSizeIterator<Item = Level> + '_ {
        self.levels(side).iter().rev().copied()
    }

    /// Worst first: what a cut takes.
    pub fn worst_first(&self, side: BookSide) -> impl ExactSizeIterator<Item = Level> + '_ {
        self.levels(side).iter().copied()
    }

    /// Highest first.
    pub fn bids(&self) -> impl ExactSizeIterator<Item = Level> + '_ {
        self.side(BookSide::Bid)
    }

    /// Lowest first.
    pub fn asks(&self) -> impl ExactSizeIterator<Item = Level> + '_ {
        self.side(BookSide::Ask)
    }

    /// The level at rank `rank` (0 is the best).
    pub fn nth(&self, side: BookSide, rank: usize) -> Option<Level> {
        let levels = self.levels(side);
        levels.len().checked_sub(rank + 1).map(|at| levels[at])
    }

    /// What stands at `price`.
    pub fn size_at(&self, side: BookSide, price: Price) -> Option<Size> {
        let at = self.position(side, price);
        self.levels(side).get(at).filter(|l| l.price == price).map(|l| l.size)
    }

    /// True when the best bid is not below the best ask: no honest venue shows that for long.
    pub fn is_crossed(&self) -> bool {
        match (self.bids.last(), self.asks.last()) {
            (Some(bid), Some(ask)) => bid.price >= ask.price,
            _ => false,
        }
    }

    /// True when neither side has a level.
    pub fn is_empty(&self) -> bool {
        self.bids.is_empty() && self.asks.is_empty()
    }

    /// CRC32 over the top ten asks, then the top ten bids: see [`Checksum`].
    pub fn checksum(&self) -> u32 {
        let mut sum = Checksum::default();
        self.asks().take(Checksum::DEPTH).for_each(|level| sum.add(level));
        self.bids().take(Checksum::DEPTH).for_each(|level| sum.add(level));
        sum.value()
    }

    /// Appends the changes that turn the top `depth` levels of one side into those of `target`:
    /// removals have size zero.
    pub fn diff_to(&self, target: &Self, side: BookSide, depth: usize, changes: &mut Vec<Level>) {
        let mut old = self.side(side).take(depth).peekable();
        let mut new = target.side(side).take(depth).peekable();
        loop {
            match (old.peek().copied(), new.peek().copied()) {
                (Some(was), Some(is)) if was.price == is.price => {
                    if was.size != is.size {
                        changes.push(is);
                    }
                    old.next();
                    new.next();
                }
                (Some(was), Some(is)) if side.is_better(is.price, was.price) => {
                    changes.push(is);
                    new.next();
                }
                (Some(was), _) => {
                    changes.push(Level { price: was.price, size: Size(0) });
                    old.next();
                }
                (None, Some(is)) => {
                    changes.push(is);
                    new.next();
                }
                (None, None) => return,
            }
        }
    }

    fn position(&self, side: BookSide, price: Price) -> usize {
        self.levels(side).partition_point(|level| side.is_better(price, level.price))
    }

    fn levels(&self, side: BookSide) -> &[Level] {
        match side {
            BookSide::Bid => &self.bids,
            BookSide::Ask => &self.asks,
        }
    }

    fn levels_mut(&mut self, side: BookSide) -> &mut Vec<Level> {
        match side {
            BookSide::Bid => &mut self.bids,
            BookSide::Ask => &mut self.asks,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn level(price: i64, size: i64) -> Level {
        Level { price: Price(price), size: Size(size) }
    }

    fn random_book(rng: &mut fastrand::Rng, changes: usize) -> (Book, [BTreeMap<i64, i64>; 2]) {
        let mut book = Book::default();
        let mut model = [BTreeMap::new(), BTreeMap::new()];
        for _ in 0..changes {
            let at = rng.usize(..2);
            let (price, size) = (rng.i64(1..60), rng.i64(0..4));
            book.apply(BookSide::BOTH[at], level(price, size));
            if size == 0 {
                model[at].remove(&price);
            } else {
                model[at].insert(price, size);
            }
        }
        (book, model)
    }

    fn flat(levels: impl Iterator<Item = Level>) -> Vec<(i64, i64)> {
        levels.map(|l| (l.price.0, l.size.0)).collect()
    }

    #[test]
    fn random_changes_agree_with_a_map() {
        let seed = 7;
        let mut rng = fastrand::Rng::with_seed(seed);
        for _ in 0..200 {
            let count = rng.usize(..300);
            let (mut book, [bids, asks]) = random_book(&mut rng, count);
            let bids: Vec<_> = bids.into_iter().rev().collect();
            let asks: Vec<_> = asks.into_iter().collect();
            assert_eq!(flat(book.bids()), bids, "seed {seed}");
            assert_eq!(flat(book.asks()), asks, "seed {seed}");
            assert_eq!(book.nth(BookSide::Bid, 3).map(|l| l.price.0), bids.get(3).map(|l| l.0));
            let depth = rng.usize(..20);
            book.truncate(depth);
            assert_eq!(flat(book.bids()), bids[..depth.min(bids.len())]);
            assert_eq!(flat(book.asks()), asks[..depth.min(asks.len())]);
        }
    }

    #[test]
    fn a_difference_applied_gives_the_target() {
        let mut rng = fastrand::Rng::with_seed(11);
        for _ in 0..200 {
            let (mut book, _) = random_book(&mut rng, 60);
            let (target, _) = random_book(&mut rng, 60);
            for side in BookSide::BOTH {
                let mut changes = Vec::new();
                book.diff_to(&target, side, usize::MAX, &mut changes);
                for change in changes {
                    book.apply(side, change);
                }
            }
            assert_eq!(book, target);
            let mut none = Vec::new();
            book.diff_to(&target, BookSide::Bid, usize::MAX, &mut none);
            assert!(none.is_empty(), "equal books differ by nothing");
        }
    }

    #[test]
    fn a_crossed_book_is_seen() {
        let mut book = Book::default();
        book.apply(BookSide::Bid, level(10, 1));
        assert!(!book.is_crossed());
        book.apply(BookSide::Ask, level(11, 1));
        assert!(!book.is_crossed());
        book.apply(BookSide::Ask, level(10, 1));
        assert!(book.is_crossed());
    }
}
