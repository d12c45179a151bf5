//! One side-by-side book of a generated symbol, in whole increments and lots.
//!
//! Owned by the sim thread. Invariant: bids fall, asks rise, the best bid is below the best ask,
//! each side holds at most `levels_max` levels, no level is empty. Every operation is recorded
//! with where it happened, so that an update can be told for any depth.

/// Which half of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Bid,
    Ask,
}

/// Price and size mantissas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) price: i64,
    pub(crate) qty: i64,
}

/// What happened to the level at `index` (before a removal, after an insertion).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Changed,
    Inserted,
    Removed,
}

/// One operation on a book.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub(crate) side: Side,
    pub(crate) deed: Deed,
    pub(crate) index: usize,
    pub(crate) level: Level,
}

/// A level as an update names it; an empty one is removed.
pub(crate) type Named = (Side, Level);

/// Both sides, best first.
#[derive(Debug, Default)]
pub(crate) struct Book {
    bids: Vec<Level>,
    asks: Vec<Level>,
}

impl Book {
    /// Adds a level behind the last one of its side; for building a book.
    pub(crate) fn push(&mut self, side: Side, level: Level) {
        self.side_mut(side).push(level);
    }

    /// Gives the level at `index` another size.
    pub(crate) fn change(&mut self, side: Side, index: usize, qty: i64, ops: &mut Vec<Op>) {
        let level = &mut self.side_mut(side)[index];
        level.qty = qty;
        ops.push(Op { side, deed: Deed::Changed, index, level: *level });
    }

    /// Puts a level at `index`.
    pub(crate) fn insert(&mut self, side: Side, index: usize, level: Level, ops: &mut Vec<Op>) {
        self.side_mut(side).insert(index, level);
        ops.push(Op { side, deed: Deed::Inserted, index, level });
    }

    /// Takes the level at `index` out.
    pub(crate) fn remove(&mut self, side: Side, index: usize, ops: &mut Vec<Op>) {
        let mut level = self.side_mut(side).remove(index);
        level.qty = 0;
        ops.push(Op { side, deed: Deed::Removed, index, level });
    }

    pub(crate) fn side(&self, side: Side) -> &[Level] {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    /// The best `depth` levels of a side.
    pub(crate) fn top(&self, side: Side, depth: usize) -> &[Level] {
        let levels = self.side(side);
        &levels[..depth.min(levels.len())]
    }

    /// Best bid and best ask.
    pub(crate) fn touch(&self) -> (Level, Level) {
        (self.bids[0], self.asks[0])
    }

    fn side_mut(&mut self, side: Side) -> &mut Vec<Level> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    /// What a subscriber of `depth` must be told after `ops`: each touched level once, at its
    /// newest, and each level that entered the depth because one above it went.
    pub(crate) fn name_for_depth(&self, depth: usize, ops: &[Op], named: &mut Vec<Named>) {
        named.clear();
        for side in [Side::Bid, Side::Ask] {
            // A client cuts its book only after a whole update: until then it still knows the
            // levels that insertions of this update pushed out, so the reach grows with them.
            let (mut reach, mut removed) = (depth, 0);
            for op in ops.iter().filter(|op| op.side == side) {
                if op.index >= reach {
                    continue;
                }
                match op.deed {
                    Deed::Inserted => reach = reach.saturating_add(1),
                    Deed::Removed => removed += 1,
                    Deed::Changed => {}
                }
                name(named, side, op.level);
            }
            let top = self.top(side, depth);
            if top.len() == depth {
                for &entered in &top[depth.saturating_sub(removed)..] {
                    name(named, side, entered);
                }
            }
        }
    }
}

fn name(named: &mut Vec<Named>, side: Side, level: Level) {
    let known = named.iter_mut().find(|(of, known)| *of == side && known.price == level.price);
    match known {
        Some((_, known)) => *known = level,
        None => named.push((side, level)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ladder(levels: i64) -> Book {
        let mut book = Book::default();
        for step in 0..levels {
            book.push(Side::Bid, Level { price: 100 - step, qty: 1 });
            book.push(Side::Ask, Level { price: 101 + step, qty: 1 });
        }
        book
    }

    fn check(book: &Book, depth: usize, ops: &[Op], expected: &[(Side, i64, i64)]) {
        let mut named = Vec::new();
        book.name_for_depth(depth, ops, &mut named);
        let named: Vec<_> =
            named.iter().map(|(side, level)| (*side, level.price, level.qty)).collect();
        assert_eq!(named, expected);
    }

    #[test]
    fn a_removal_names_the_level_that_enters() {
        let (mut book, mut ops) = (ladder(5), Vec::new());
        book.remove(Side::Ask, 0, &mut ops);
        check(&book, 3, &ops, &[(Side::Ask, 101, 0), (Side::Ask, 104, 1)]);
        check(&book, 10, &ops, &[(Side::Ask, 101, 0)]);
    }

    #[test]
    fn a_change_below_the_depth_is_not_told() {
        let (mut book, mut ops) = (ladder(5), Vec::new());
        book.change(Side::Bid, 3, 9, &mut ops);
        check(&book, 3, &ops, &[]);
        check(&book, 4, &ops, &[(Side::Bid, 97, 9)]);
    }

    #[test]
    fn an_insertion_that_evicts_names_both_to_whoever_knew_the_evicted() {
        let (mut book, mut ops) = (ladder(3), Vec::new());
        book.insert(Side::Bid, 0, Level { price: 101, qty: 2 }, &mut ops);
        book.remove(Side::Bid, 3, &mut ops);
        check(&book, 3, &ops, &[(Side::Bid, 101, 2), (Side::Bid, 98, 0), (Side::Bid, 99, 1)]);
        check(&book, 2, &ops, &[(Side::Bid, 101, 2)]);
    }
}
