//! What exists right now, for readers that are in no hurry: the HTTP pages and admin.
//!
//! Ingest replaces the listing when an instrument or a feed changes, which is rare; door and admin
//! read it. Nothing on the path of a tick touches this lock.

use std::sync::atomic::{AtomicBool, Ordering};
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
pub struct Catalogue {
    listing: Mutex<Arc<Listing>>,
    is_awaited: AtomicBool,
}

impl Catalogue {
    /// Nobody is to be let in before [`Self::arrived`]: symbols and numbers are another gateway's,
    /// and who asked to go on where he left off would be told that there is nothing.
    pub fn await_market(&self) {
        self.is_awaited.store(true, Ordering::Relaxed);
    }

    /// The market is here: it stands in the ring already.
    pub fn arrived(&self) {
        // Release: pairs with the Acquire of `is_awaited`, so whoever is let in finds the ring so.
        self.is_awaited.store(false, Ordering::Release);
    }

    /// Whether the market is still on its way.
    pub fn is_awaited(&self) -> bool {
        self.is_awaited.load(Ordering::Acquire)
    }

    /// Replaces the listing.
    pub fn publish(&self, listing: Listing) {
        *self.listing.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(listing);
    }

    /// The listing as it stands.
    pub fn current(&self) -> Arc<Listing> {
        Arc::clone(&self.listing.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
