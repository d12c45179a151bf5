//! A book as it was published: applied from the truth's lines, joined to a REST snapshot where the
//! venue's changes only make sense behind one (docs: Binance, "how to manage a local order book").

use super::book::Book;
use crate::scan::decimal::Decimal;
use crate::scan::items::Side;

/// One level as a truth line names it.
pub type Named = (Side, Decimal, Decimal);

/// What kind of truth line a book line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The whole book.
    Whole,
    /// The whole book as of an update id, asked for beside the stream.
    Rest(u64),
    /// A change, behind whatever was before.
    Update,
    /// A change up to this update id: nothing without a REST snapshot.
    UpdateTo(u64),
}

/// Changes that may wait for a snapshot; older ones are surely in it.
const WAITING_MAX: usize = 20_000;

/// The published book, once it is known.
#[derive(Debug, Default)]
pub struct PublishedBook {
    book: Book,
    known: bool,
    /// Changes up to this id are in the book.
    update_id: u64,
    waiting: std::collections::VecDeque<(u64, Vec<Named>)>,
}

impl PublishedBook {
    /// Takes one line.
    pub fn apply(&mut self, change: Change, levels: &[Named]) {
        match change {
            Change::Whole => {
                self.book.clear();
                self.known = true;
                self.set(levels);
            }
            Change::Update => self.set(levels),
            // Once joined, the stream alone carries the book on.
            Change::Rest(_) if self.known => {}
            Change::Rest(update_id) => {
                self.known = true;
                self.update_id = update_id;
                self.set(levels);
                for (update_id, levels) in std::mem::take(&mut self.waiting) {
                    self.apply(Change::UpdateTo(update_id), &levels);
                }
            }
            Change::UpdateTo(update_id) if self.known => {
                if update_id > self.update_id {
                    self.update_id = update_id;
                    self.set(levels);
                }
            }
            Change::UpdateTo(update_id) => {
                if self.waiting.len() == WAITING_MAX {
                    self.waiting.pop_front();
                }
                self.waiting.push_back((update_id, levels.to_vec()));
            }
        }
    }

    /// The book; none before the first line that says all of it.
    pub fn book(&self) -> Option<&Book> {
        self.known.then_some(&self.book)
    }

    fn set(&mut self, levels: &[Named]) {
        for (side, price, qty) in levels {
            self.book.apply(*side, *price, *qty);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_before_the_rest_snapshot_wait_for_it_and_old_ones_are_in_it() {
        let level = |qty: &str| {
            let read = |text: &str| Decimal::parse(text.as_bytes()).unwrap();
            [(Side::Bid, read("9.5"), read(qty))]
        };
        let mut published = PublishedBook::default();
        published.apply(Change::UpdateTo(5), &level("1"));
        published.apply(Change::UpdateTo(8), &level("3"));
        assert!(published.book().is_none());
        published.apply(Change::Rest(6), &level("2"));
        assert_eq!(published.book().unwrap().levels(Side::Bid)[0].1.digits(), 3);
        published.apply(Change::Rest(9), &level("7"));
        published.apply(Change::UpdateTo(8), &level("7"));
        assert_eq!(published.book().unwrap().levels(Side::Bid)[0].1.digits(), 3);
        published.apply(Change::UpdateTo(9), &level("0"));
        assert!(published.book().unwrap().levels(Side::Bid).is_empty());
    }
}
