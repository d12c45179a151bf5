//! What the catalogue is told: the instruments, and how each feed is doing.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::publisher::Publisher;
use crate::catalogue::{Catalogue, FeedStatus, Listing};
use crate::clock;

/// The feeds' standing, collected on the ingest thread.
pub(super) struct Board {
    feeds: RefCell<Vec<FeedStatus>>,
    changed: Cell<bool>,
}

impl Board {
    pub(super) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let status = |name: &str| FeedStatus {
            name: Arc::from(name),
            live: false,
            since: clock::now(),
            detail: "connecting".to_owned(),
        };
        let feeds = names.into_iter().map(status).collect();
        Self { feeds: RefCell::new(feeds), changed: Cell::new(true) }
    }

    pub(super) fn set(&self, index: usize, live: bool, detail: String) {
        let status = &mut self.feeds.borrow_mut()[index];
        if status.live != live {
            status.since = clock::now();
        }
        if status.live != live || status.detail != detail {
            (status.live, status.detail) = (live, detail);
            self.changed.set(true);
        }
    }

    /// How the feeds of the gateway do that is followed: they stand behind our one. Where none of
    /// them is live, ours is not either, whatever passes on it.
    pub(super) fn set_followed(&self, feeds: Vec<FeedStatus>) {
        let is_live = feeds.is_empty() || feeds.iter().any(|feed| feed.live);
        let detail = if is_live { "connected" } else { "connected, but none of its feeds is live" };
        self.feeds.borrow_mut().truncate(1);
        self.feeds.borrow_mut().extend(feeds);
        self.changed.set(true);
        self.set(0, is_live, detail.to_owned());
    }

    /// The gateway that was followed is lost, and with it its feeds.
    pub(super) fn lose_followed(&self, detail: &str) {
        self.feeds.borrow_mut().truncate(1);
        self.changed.set(true);
        self.set(0, false, detail.to_owned());
    }

    /// Publishes the listing if anything in it has changed.
    pub(super) fn show(&self, publisher: &mut Publisher, catalogue: &Catalogue) {
        if publisher.take_listing_changed() | self.changed.take() {
            let truth = publisher.truth();
            // Whoever reaches the door reads it: a definition is shown when all may know it.
            let shown = truth.originals().filter_map(|(id, _)| truth.family(id).last());
            let instruments = shown.filter_map(|id| Some(truth.symbol(id)?.instrument.clone()));
            let instruments = instruments.collect();
            catalogue.publish(Listing { instruments, feeds: self.feeds.borrow().clone() });
        }
    }
}
