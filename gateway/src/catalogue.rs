//! What exists right now, for readers that are in no hurry: the HTTP pages and admin.
//!
//! Ingest replaces the listing when an instrument or a feed changes, which is rare; door and admin
//! read it. Nothing on the path of a tick touches this lock.

use std::sync::{Arc, Mutex, PoisonError};

use market::{Instrument, Nanos};

/// How one feed is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedStatus {
    /// Its name in the config.
    pub name: Arc<str>,
    /// True while it is connected and speaking.
    pub live: bool,
    /// Since when it is, or is not.
    pub since: Nanos,
    /// In words, for an operator.
    pub detail: String,
}

/// A listing as of one moment.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Every instrument known, in order of appearance; where symbols are told later, too, as the
    /// longest delay has it.
    pub instruments: Vec<Instrument>,
    /// Every feed of the config.
    pub feeds: Vec<FeedStatus>,
}

/// The current listing, shared.
#[derive(Debug, Default)]
pub struct Catalogue(Mutex<Arc<Listing>>);

impl Catalogue {
    /// Replaces the listing.
    pub fn publish(&self, listing: Listing) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(listing);
    }

    /// The listing as it stands.
    pub fn current(&self) -> Arc<Listing> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
