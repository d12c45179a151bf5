//! What follows another gateway, without a socket: bytes in, records of our ring out. For the fuzz
//! targets alone.
//!
//! What reads, judges and folds is the follower's own code; connecting and the greeting are left
//! out.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use handoff::Writer;
use market::Truth;

use super::board::Board;
use super::follow::{Ended, Follower};
use super::publisher::Publisher;
use super::spin::Spin;
use super::{Limits, followed_limits};
use crate::catalogue::Catalogue;
use crate::config::{self, RelayAddress};
use crate::metrics::Metrics;
use crate::relay_frame::{Delays, Place};
use crate::replica::Replica;

/// One that follows whoever is played to it.
pub struct Rehearsal {
    follower: Follower,
    publisher: Rc<RefCell<Publisher>>,
}

impl Rehearsal {
    /// With the sizes of these settings, and metrics of one feed.
    pub fn new(settings: &config::Ingest, ring: Writer, metrics: &Arc<Metrics>) -> Self {
        let publisher = Publisher::new(ring, settings.symbols_max, Arc::clone(metrics));
        let publisher = Rc::new(RefCell::new(publisher));
        let board = Board::new(metrics.ingest.feeds.iter().map(|feed| &*feed.name));
        let home = (Rc::clone(&publisher), Rc::new(board), Rc::new(Spin::new(Duration::ZERO)));
        let whom = RelayAddress::Unix("nobody".into());
        let limits = followed_limits(Limits::from(settings), &settings.delays);
        let follower = Follower::new(
            (whom, Delays::from(&settings.delays[..])),
            limits,
            home,
            Arc::new(Catalogue::default()),
            Arc::clone(metrics),
        );
        Self { follower, publisher }
    }

    /// A connection that brings these bytes in pieces, and ends: by a fault, whose words are
    /// returned, or when all have come.
    pub fn hear<'a>(&mut self, pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
        let mut inbox = self.follower.inbox();
        let mut pieces = pieces.into_iter();
        let fault = pieces.find_map(|piece| {
            inbox.room().extend_from_slice(piece);
            self.follower.take_all(&mut inbox).err()
        });
        let ended = fault.unwrap_or(Ended::Closed);
        self.follower.end(&ended, Duration::ZERO);
        ended.to_string()
    }

    /// Up to where it has everything.
    pub const fn place(&self) -> Place {
        self.follower.place()
    }

    /// Does something with all that it knows.
    pub fn look<T>(&self, at: impl FnOnce(&Truth) -> T) -> T {
        at(self.publisher.borrow().truth())
    }

    /// What a shard is answered that asks for the truth.
    pub fn replica(&self) -> Replica {
        self.publisher.borrow_mut().replica()
    }
}
