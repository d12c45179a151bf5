//! What a change of the whole book means for one who sees only its top.
//!
//! A dashboard holds the best N levels a side and cuts what lies deeper after each change it
//! applies. So an update names, removals first: every level that left the top because it is gone,
//! every level of the new top that is new or different, and every level that moved up into the top
//! unchanged. Removals go first because some dashboards cut after each single level: an insertion
//! that pushes a good level out before a removal makes room for it would lose that level.

use market::{Book, BookChange, BookSide, Level, Price, Size};
use wire::topic::Depth;

use crate::history::LevelThen;

/// One changed level, with what stood there before.
#[derive(Clone, Copy, Debug)]
struct Touched {
    price: Price,
    was: Size,
}

/// What is remembered of a book from before a change. Reused; holds no memory of its own beyond
/// that.
#[derive(Debug, Default)]
pub(crate) struct Before {
    touched: [Vec<Touched>; 2],
    /// Price of the last level within each depth, where the side is that deep.
    edges: [[Option<Price>; 2]; Depth::ALL.len()],
}

impl Before {
    /// Notes what `change` is about to change in a book that keeps `levels_max` a side. Levels that
    /// new ones may push out of the book are changed too: a dashboard deeper than the book does not
    /// cut. `note_edges` belongs to it where somebody is to be told.
    pub(crate) fn note(&mut self, book: &Book, levels_max: usize, change: &BookChange<'_>) {
        for (at, side) in BookSide::BOTH.into_iter().enumerate() {
            self.touched[at].clear();
            self.touched[at].extend(change.side(side).iter().map(|level| Touched {
                price: level.price,
                was: book.size_at(side, level.price).unwrap_or_default(),
            }));
            let new_count = self.touched[at].iter().filter(|t| t.was == Size(0)).count();
            let levels = book.worst_first(side);
            let cut_count = (levels.len() + new_count).saturating_sub(levels_max).min(new_count);
            let cut = levels.take(cut_count);
            self.touched[at].extend(cut.map(|l| Touched { price: l.price, was: l.size }));
            // A venue may name a price twice in one change; what counts is before and after.
            self.touched[at].sort_unstable_by_key(|t| t.price);
            self.touched[at].dedup_by_key(|t| t.price);
        }
    }

    /// Notes where each depth ends before the change.
    pub(crate) fn note_edges(&mut self, book: &Book) {
        for (at, side) in BookSide::BOTH.into_iter().enumerate() {
            for (depth, edges) in Depth::ALL.into_iter().zip(&mut self.edges) {
                edges[at] = book.nth(side, depth.levels() - 1).map(|level| level.price);
            }
        }
    }

    /// The levels that `note` noted, as they were and as they are now in `book`.
    pub(crate) fn levels<'a>(&'a self, book: &'a Book) -> impl Iterator<Item = LevelThen> + 'a {
        BookSide::BOTH.into_iter().zip(&self.touched).flat_map(move |(side, touched)| {
            touched.iter().map(move |t| LevelThen {
                side,
                price: t.price,
                was: t.was,
                is: book.size_at(side, t.price).unwrap_or_default(),
            })
        })
    }

    /// Replaces `update` by what the top `depth` levels of one side need to hear.
    pub(crate) fn update(
        &self,
        book: &Book,
        side: BookSide,
        depth: Depth,
        update: &mut Vec<Level>,
    ) {
        update.clear();
        let at = usize::from(side == BookSide::Ask);
        let old_edge = self.edges[depth.index()][at];
        let new_edge = book.nth(side, depth.levels() - 1).map(|level| level.price);
        let within = |edge: Option<Price>, price| edge.is_none_or(|e| !side.is_better(e, price));
        let touched = &self.touched[at];
        for t in touched {
            let size = book.size_at(side, t.price);
            if size.is_none() && t.was != Size(0) && within(old_edge, t.price) {
                update.push(Level { price: t.price, size: Size(0) });
            }
        }
        for t in touched {
            let size = book.size_at(side, t.price).filter(|size| *size != t.was);
            if let Some(size) = size.filter(|_| within(new_edge, t.price)) {
                update.push(Level { price: t.price, size });
            }
        }
        moved_up(book, side, depth, old_edge, update);
    }
}

/// Levels of the new top that lay beyond the old one, other than those just named.
fn moved_up(
    book: &Book,
    side: BookSide,
    depth: Depth,
    old_edge: Option<Price>,
    update: &mut Vec<Level>,
) {
    let Some(old_edge) = old_edge else { return };
    let named = update.len();
    for rank in (0..depth.levels()).rev() {
        let Some(level) = book.nth(side, rank) else { continue };
        if !side.is_better(old_edge, level.price) {
            return;
        }
        if !update[..named].iter().any(|u| u.price == level.price) {
            update.push(level);
        }
    }
}

/// The changes that turn the top `depth` of one book into that of another, removals first.
pub(crate) fn difference(old: &Book, new: &Book, side: BookSide, depth: Depth) -> Vec<Level> {
    let mut update = Vec::new();
    old.diff_to(new, side, depth.levels(), &mut update);
    update.sort_by_key(|level| level.size != Size(0));
    update
}

#[cfg(test)]
mod tests {
    use market::Levels;

    use super::*;

    /// A dashboard that cuts after each single level, as one in the field does.
    fn apply_cutting(held: &mut Book, side: BookSide, update: &[Level], depth: Depth) {
        for level in update {
            held.apply(side, *level);
            held.truncate(depth.levels());
        }
    }

    fn random_changes(rng: &mut fastrand::Rng, book: &Book, side: BookSide) -> Vec<Level> {
        (0..rng.usize(..8))
            .map(|_| {
                let existing = book.side(side).nth(rng.usize(..20)).filter(|_| rng.bool());
                let price = existing.map_or_else(|| Price(rng.i64(1..80)), |l| l.price);
                Level { price, size: Size(rng.i64(0..3)) }
            })
            .collect()
    }

    #[test]
    fn a_dashboard_of_any_depth_always_holds_the_top() {
        for seed in 0..300 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut book, mut before) = (Book::default(), Before::default());
            let levels_max = [8, 12, 1000][rng.usize(..3)];
            let depths = [Depth::ALL[0], Depth::ALL[1]];
            let mut held = [Book::default(), Book::default()];
            for _ in 0..200 {
                let changes = BookSide::BOTH.map(|side| random_changes(&mut rng, &book, side));
                let change =
                    BookChange { bids: Levels::new(&changes[0]), asks: Levels::new(&changes[1]) };
                before.note(&book, levels_max, &change);
                before.note_edges(&book);
                for side in BookSide::BOTH {
                    change.side(side).iter().for_each(|level| book.apply(side, level));
                }
                book.truncate(levels_max);
                for (depth, held) in depths.into_iter().zip(&mut held) {
                    for side in BookSide::BOTH {
                        let mut update = Vec::new();
                        before.update(&book, side, depth, &mut update);
                        apply_cutting(held, side, &update, depth);
                    }
                    let mut top = book.clone();
                    top.truncate(depth.levels());
                    assert_eq!(*held, top, "seed {seed}");
                }
            }
        }
    }

    #[test]
    fn a_change_beyond_the_top_says_nothing() {
        let (mut book, mut before) = (Book::default(), Before::default());
        for price in 1..=12 {
            book.apply(BookSide::Bid, Level { price: Price(price), size: Size(1) });
        }
        let deep = [Level { price: Price(1), size: Size(0) }];
        let change = BookChange { bids: Levels::new(&deep), asks: Levels::new(&[]) };
        before.note(&book, 1000, &change);
        before.note_edges(&book);
        book.apply(BookSide::Bid, deep[0]);
        let mut update = Vec::new();
        before.update(&book, BookSide::Bid, Depth::DEFAULT, &mut update);
        assert!(update.is_empty());
    }

    #[test]
    fn a_difference_turns_one_top_into_another() {
        let mut rng = fastrand::Rng::with_seed(5);
        for _ in 0..100 {
            let [mut old, mut new] = [Book::default(), Book::default()];
            for book in [&mut old, &mut new] {
                for _ in 0..30 {
                    let level = Level { price: Price(rng.i64(1..40)), size: Size(rng.i64(1..3)) };
                    book.apply(BookSide::Ask, level);
                }
            }
            let depth = Depth::DEFAULT;
            let update = difference(&old, &new, BookSide::Ask, depth);
            old.truncate(depth.levels());
            new.truncate(depth.levels());
            apply_cutting(&mut old, BookSide::Ask, &update, depth);
            assert_eq!(old, new);
        }
    }
}
