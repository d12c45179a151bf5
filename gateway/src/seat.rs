//! Seats: how many sessions a user, or an address, may have at once.
//!
//! The door alone gives seats out, so that two shards can never both give the last one; whoever
//! holds a seat, a shard or the door, gives it back by dropping it. A user who may displace his
//! oldest session gets a seat that is not entered until that one is gone: at no moment do more
//! sessions than allowed get data.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

/// What happens to one session too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// The newest is refused.
    Refuse,
    /// The oldest has to go.
    Displace,
}

#[derive(Debug, Default)]
struct Mark {
    // Relaxed both: a flag that guards nothing else; giving back is the count of the Arc.
    is_displaced: AtomicBool,
    is_entered: AtomicBool,
}

/// The right to be there; given back when dropped.
#[derive(Debug)]
pub struct Seat(Arc<Mark>);

impl Seat {
    /// Whether a newer session took its place.
    pub fn is_displaced(&self) -> bool {
        self.0.is_displaced.load(Ordering::Relaxed)
    }

    /// Whether its holder is inside.
    pub fn is_entered(&self) -> bool {
        self.0.is_entered.load(Ordering::Relaxed)
    }
}

/// The seats of all users, or of all addresses. Owned by the door.
#[derive(Debug)]
pub struct Seats<K> {
    max: usize,
    beyond: Beyond,
    /// Oldest first. Strangers choose their addresses, so the hash has a key.
    rows: HashMap<K, Vec<Weak<Mark>>>,
    /// Rows at which those that are empty are dropped.
    sweep_at: usize,
}

/// Rows below which sweeping is not worth it.
const SWEEP_MIN: usize = 64;

impl<K: Hash + Eq> Seats<K> {
    /// At most `max` for each.
    pub fn new(max: usize, beyond: Beyond) -> Self {
        Self { max, beyond, rows: HashMap::new(), sweep_at: SWEEP_MIN }
    }

    /// A seat, unless all are taken and nobody is displaced. To be entered before it is used.
    pub fn take(&mut self, key: K) -> Option<Seat> {
        if self.rows.len() >= self.sweep_at {
            self.rows.retain(|_, row| row.iter().any(|mark| mark.strong_count() > 0));
            self.sweep_at = (2 * self.rows.len()).max(SWEEP_MIN);
        }
        let row = self.rows.entry(key).or_default();
        row.retain(|mark| mark.strong_count() > 0);
        let marks: Vec<_> = row.iter().filter_map(Weak::upgrade).collect();
        let mut staying = marks.iter().filter(|mark| !mark.is_displaced.load(Ordering::Relaxed));
        let oldest = staying.next();
        if oldest.iter().count() + staying.count() >= self.max {
            match (self.beyond, oldest) {
                (Beyond::Displace, Some(oldest)) => {
                    oldest.is_displaced.store(true, Ordering::Relaxed);
                }
                _ => return None,
            }
        }
        let mark = Arc::new(Mark::default());
        row.push(Arc::downgrade(&mark));
        Some(Seat(mark))
    }

    /// Enters a seat; false while as many as allowed are still inside.
    pub fn enter(&self, key: &K, seat: &Seat) -> bool {
        let row = self.rows.get(key).map_or(&[][..], Vec::as_slice);
        let is_inside = |mark: &Arc<Mark>| mark.is_entered.load(Ordering::Relaxed);
        let inside = row.iter().filter_map(Weak::upgrade).filter(is_inside).count();
        let has_room = inside < self.max;
        if has_room {
            seat.0.is_entered.store(true, Ordering::Relaxed);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_refused_until_a_seat_is_given_back() {
        let mut seats = Seats::new(2, Beyond::Refuse);
        let (one, two) = (seats.take("a").expect("free"), seats.take("a").expect("free"));
        assert!(seats.enter(&"a", &one) && seats.enter(&"a", &two));
        assert!(seats.take("a").is_none());
        assert!(seats.take("b").is_some(), "another has his own");
        drop(one);
        assert!(seats.take("a").is_some());
    }

    #[test]
    fn the_oldest_is_displaced_and_nobody_enters_before_it_is_gone() {
        let mut seats = Seats::new(1, Beyond::Displace);
        let one = seats.take("a").expect("free");
        assert!(seats.enter(&"a", &one));
        let two = seats.take("a").expect("it displaces");
        assert!(one.is_displaced() && !seats.enter(&"a", &two));
        let three = seats.take("a").expect("it displaces the one that waits");
        assert!(two.is_displaced() && !three.is_displaced());
        drop(two);
        assert!(!seats.enter(&"a", &three), "the first is still inside");
        drop(one);
        assert!(seats.enter(&"a", &three));
    }

    #[test]
    fn whoever_has_left_is_forgotten() {
        let mut seats = Seats::new(1, Beyond::Refuse);
        for user in 0..10_000 {
            drop(seats.take(user));
        }
        assert!(seats.rows.len() <= SWEEP_MIN);
    }
}
