//! Books as they were when some sessions of a class were last shown one.
//!
//! A session that is behind must be told what turns *its* book into the current one. Those that
//! fell behind at the same update share one base. All bases of a shard share one room; where it is
//! full a session stands at a number without a book, and what becomes of it is decided when it is
//! told what it missed (`catch_up`).
//!
//! **Invariant:** a base that nobody uses any more stays until the cycle ends: a frame made from it
//! may yet turn out not to have been sent, and the session falls back to it. It takes room until
//! then.

use market::{Book, Level};

/// Bytes that the books of all bases of a shard may take.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) bytes_max: usize,
    bytes: usize,
    /// Books for which there was none.
    refused: u64,
}

impl Room {
    pub(crate) const fn new(bytes_max: usize) -> Self {
        Self { bytes_max, bytes: 0, refused: 0 }
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) const fn refused(&self) -> u64 {
        self.refused
    }

    /// The book that `make` makes, if there is room for it. It is not even made in a full room.
    fn take(&mut self, make: impl FnOnce() -> Option<Book>) -> Option<Book> {
        let top = if self.bytes < self.bytes_max { Some(make()?) } else { None };
        let top = top.filter(|top| self.bytes + bytes_of(top) <= self.bytes_max);
        match &top {
            Some(top) => self.bytes += bytes_of(top),
            None => self.refused += 1,
        }
        top
    }

    /// All that was kept is gone at once.
    pub(crate) const fn empty(&mut self) {
        self.bytes = 0;
    }

    fn give_back(&mut self, top: Option<&Book>) {
        self.bytes -= top.map_or(0, bytes_of);
    }
}

/// A copy of a top holds its levels and nothing to spare.
fn bytes_of(top: &Book) -> usize {
    size_of::<Base>() + (top.bids().len() + top.asks().len()) * size_of::<Level>()
}

/// A book at a sequence.
#[derive(Debug)]
struct Base {
    sequence: u64,
    /// Sessions whose mark is this sequence.
    user_count: u32,
    /// The levels within the class's depth; none where there was no room, or no way back to them.
    top: Option<Book>,
}

/// The bases of one class, by sequence.
#[derive(Debug, Default)]
pub(crate) struct Bases(Vec<Base>);

impl Bases {
    pub(crate) fn top(&self, sequence: u64) -> Option<&Book> {
        self.0[self.place_of(sequence).ok()?].top.as_ref()
    }

    /// Marks are nearly always younger than those before them.
    fn place_of(&self, sequence: u64) -> Result<usize, usize> {
        match self.0.last() {
            Some(last) if last.sequence < sequence => Err(self.0.len()),
            _ => self.0.binary_search_by_key(&sequence, |base| base.sequence),
        }
    }

    /// Counts one more user of the base at `sequence`, whose book `make` makes where there is none.
    /// False, and not counted, when it cannot be had.
    pub(crate) fn take_up(
        &mut self,
        sequence: u64,
        room: &mut Room,
        make: impl FnOnce() -> Option<Book>,
    ) -> bool {
        let place = self.place_of(sequence);
        let is_there = place.is_ok_and(|at| self.0[at].top.is_some());
        let top = if is_there { None } else { room.take(make) };
        if !is_there && top.is_none() {
            return false;
        }
        let base = self.at(place, sequence);
        base.user_count += 1;
        if top.is_some() {
            base.top = top;
        }
        true
    }

    /// Counts one more user of a sequence whose book cannot be had.
    pub(crate) fn stand_without(&mut self, sequence: u64) {
        let place = self.place_of(sequence);
        self.at(place, sequence).user_count += 1;
    }

    fn at(&mut self, place: Result<usize, usize>, sequence: u64) -> &mut Base {
        let at = place.unwrap_or_else(|at| {
            self.0.insert(at, Base { sequence, user_count: 0, top: None });
            at
        });
        &mut self.0[at]
    }

    /// Counts one user less; true when nobody uses the base any more.
    pub(crate) fn give_back(&mut self, sequence: u64) -> bool {
        let Ok(at) = self.place_of(sequence) else { return false };
        let base = &mut self.0[at];
        base.user_count -= 1;
        base.user_count == 0
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Drops what nobody uses.
    pub(crate) fn end_cycle(&mut self, room: &mut Room) {
        self.0.retain(|base| {
            if base.user_count == 0 {
                room.give_back(base.top.as_ref());
            }
            base.user_count > 0
        });
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use market::{BookSide, Price, Size};

    use super::*;

    fn book(level_count: i64) -> Book {
        let mut book = Book::default();
        for price in 1..=level_count {
            book.apply(BookSide::Bid, Level { price: Price(price), size: Size(1) });
        }
        book.top(1000)
    }

    #[test]
    fn those_at_one_sequence_share_one_book_and_the_last_one_frees_it() {
        let mut room = Room::new(1 << 20);
        let mut bases = Bases::default();
        assert!(bases.take_up(5, &mut room, || Some(book(3))));
        let bytes = room.bytes();
        assert!(bases.take_up(5, &mut room, || panic!("it is there")));
        assert!(!bases.give_back(5) && bases.give_back(5));
        assert_eq!(room.bytes(), bytes, "a frame made from it may not have been sent");
        assert!(bases.take_up(5, &mut room, || panic!("it still is")));
        bases.end_cycle(&mut room);
        assert!(bases.top(5).is_some() && bases.give_back(5));
        bases.end_cycle(&mut room);
        assert_eq!((room.bytes(), room.refused()), (0, 0));
    }

    #[test]
    fn in_a_full_room_one_stands_without_a_book_and_costs_another_one_nothing() {
        let one = bytes_of(&book(3));
        let mut room = Room::new(one + one / 2);
        let mut bases = Bases::default();
        assert!(bases.take_up(5, &mut room, || Some(book(3))));
        assert!(!bases.take_up(9, &mut room, || Some(book(3))));
        bases.stand_without(9);
        assert!(!bases.take_up(7, &mut room, || None), "no way back to it");
        assert!(bases.top(9).is_none() && room.bytes() == one && room.refused() == 1);
        assert!(bases.give_back(5));
        bases.end_cycle(&mut room);
        // Somebody else at the same number brings the book with him.
        assert!(bases.take_up(9, &mut room, || Some(book(3))));
        assert!(!bases.give_back(9), "one of two");
        bases.end_cycle(&mut room);
        assert!(bases.top(9).is_some());
    }

    #[test]
    fn random_users_leave_nothing_behind_and_never_more_than_the_room() {
        let mut rng = fastrand::Rng::with_seed(4);
        let mut room = Room::new(2000);
        let mut bases = Bases::default();
        let mut users: Vec<u64> = Vec::new();
        for _ in 0..20_000 {
            let sequence = rng.u64(..40);
            match rng.u32(..10) {
                0 => bases.end_cycle(&mut room),
                1..=4 if !users.is_empty() => {
                    let gone = users.swap_remove(rng.usize(..users.len()));
                    assert_eq!(bases.give_back(gone), !users.contains(&gone));
                }
                _ => {
                    if !bases.take_up(sequence, &mut room, || Some(book(sequence as i64))) {
                        bases.stand_without(sequence);
                    }
                    users.push(sequence);
                }
            }
            assert!(room.bytes() <= 2000);
        }
        assert!(room.refused() > 0);
        for gone in users {
            bases.give_back(gone);
        }
        bases.end_cycle(&mut room);
        assert_eq!(room.bytes(), 0);
        assert!(bases.0.is_empty());
    }
}
