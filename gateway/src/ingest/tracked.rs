//! One symbol of one feed, as the feed's connection sees it.
//!
//! Its book is kept here as the venue told it, beside the published one: a delta is tried here
//! first, so a book that fails its checksum or crosses is never published. The price is that books
//! are kept, and changed, twice. No I/O; the normaliser drives it.

use std::sync::Arc;

use market::{Book, BookSide, Level, Nanos, State, SymbolId, Trading};
use venue::{BookDelta, BookSnapshot, Join, Outcome, Replay};

use super::numbers::Precision;
use crate::config::FeedSymbol;
use crate::metrics::TickRefusal;

/// A symbol that is looked at, defined or not yet.
pub(super) struct Tracked {
    /// What the venue calls it.
    pub(super) venue_symbol: Arc<str>,
    /// What the config says of it; none for symbols the venue listed by itself.
    pub(super) configured: Option<FeedSymbol>,
    /// Its number, once defined.
    pub(super) id: Option<SymbolId>,
    /// Could not be defined (its name is taken, or there are too many): not tried again.
    pub(super) refused: bool,
    pub(super) precision: Precision,
    pub(super) trading: Trading,
    /// The state that was published last.
    pub(super) state: State,
    /// Asked for, on this connection.
    pub(super) subscribed: bool,
    /// A quote came on this connection.
    pub(super) quote_seen: bool,
    /// Number of the last quote on this connection.
    pub(super) last_update_id: u64,
    /// Number and time of the last trade: see [`Self::is_new_trade`].
    last_trade: (u64, Nanos),
    /// A request for a fresh book is under way.
    pub(super) resync_asked: bool,
    /// The book follows the venue.
    book_live: bool,
    /// The book as the venue told it.
    pub(super) book: Book,
    pub(super) book_levels_max: usize,
    /// Where snapshots and deltas come on different ways.
    join: Option<Join>,
}

/// Why a book no longer follows its venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BookFault {
    /// Changes are missing.
    Gap,
    /// The venue's checksum is another.
    Checksum,
    /// It does not fit the instrument, or is crossed.
    Refused(TickRefusal),
}

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BookStep {
    /// Publish it.
    Changed,
    /// Nothing to publish.
    Unchanged,
    /// It waits for a snapshot.
    Waiting,
}

impl Tracked {
    pub(super) fn new(
        venue_symbol: Arc<str>,
        configured: Option<FeedSymbol>,
        book_levels_max: usize,
        join: Option<Join>,
    ) -> Self {
        Self {
            venue_symbol,
            configured,
            id: None,
            refused: false,
            precision: Precision::default(),
            trading: Trading::Online,
            state: State::Recovering,
            subscribed: false,
            quote_seen: false,
            last_update_id: 0,
            last_trade: (0, Nanos::UNKNOWN),
            resync_asked: false,
            book_live: false,
            book: Book::default(),
            book_levels_max,
            join,
        }
    }

    /// Forgets what belonged to the connection.
    pub(super) fn disconnect(&mut self) {
        self.subscribed = false;
        self.quote_seen = false;
        self.last_update_id = 0;
        self.resync_asked = false;
        if self.join.is_some() {
            // These streams begin with what is new, whatever its numbers.
            self.last_trade = (0, Nanos::UNKNOWN);
        }
        self.lose_book();
    }

    /// True, and noted, for a trade that was not seen before. A Kraken subscription begins with the
    /// last fifty trades, of which some may be known; a number that went back although time went on
    /// means that the venue counts anew.
    pub(super) fn is_new_trade(&mut self, trade_id: u64, ts_event: Nanos) -> bool {
        let (last_id, last_time) = self.last_trade;
        let new = trade_id > last_id || ts_event > last_time;
        if new {
            self.last_trade = (trade_id, ts_event.max(last_time));
        }
        new
    }

    /// Waits for a new snapshot; deltas that wait already stay.
    pub(super) fn wait_for_snapshot(&mut self) {
        self.book_live = false;
    }

    /// Waits for a new snapshot, and for deltas from here on.
    pub(super) fn lose_book(&mut self) {
        self.book_live = false;
        if let Some(join) = &mut self.join {
            join.reset();
        }
    }

    /// True while the book follows the venue.
    pub(super) fn is_book_live(&self) -> bool {
        self.book_live
    }

    /// Takes a whole book. `Waiting`: it is older than the deltas that wait, a newer one is needed.
    pub(super) fn snapshot(&mut self, snapshot: &BookSnapshot<'_>) -> Result<BookStep, BookFault> {
        self.book_live = false;
        self.book.clear();
        let (book, precision) = (&mut self.book, self.precision);
        put(book, precision, snapshot.bids, snapshot.asks)?;
        if let (Some(join), Some(last)) = (&mut self.join, snapshot.last_update_id) {
            let mut outcome = Ok(());
            let replay = join.snapshot(last, |bids, asks, _| {
                outcome = outcome.and_then(|()| put(book, precision, bids, asks));
            });
            outcome?;
            if replay == Replay::TooOld {
                return Ok(BookStep::Waiting);
            }
        }
        self.verify(snapshot.checksum)?;
        self.book_live = true;
        Ok(BookStep::Changed)
    }

    /// Takes a change; on `Changed` its levels in the instrument's units are in `bids` and `asks`.
    pub(super) fn delta(
        &mut self,
        delta: &BookDelta<'_>,
        bids: &mut Vec<Level>,
        asks: &mut Vec<Level>,
    ) -> Result<BookStep, BookFault> {
        bids.clear();
        asks.clear();
        match self.join.as_mut().map(|join| join.delta(delta)) {
            None if !self.book_live => return Ok(BookStep::Waiting),
            None | Some(Outcome::Apply) => {}
            Some(Outcome::Buffered) => return Ok(BookStep::Waiting),
            Some(Outcome::Old) => return Ok(BookStep::Unchanged),
            Some(Outcome::Gap | Outcome::Overflow) => return Err(BookFault::Gap),
        }
        let fits = self
            .precision
            .levels(delta.bids, bids)
            .and_then(|()| self.precision.levels(delta.asks, asks));
        fits.map_err(|_| BookFault::Refused(TickRefusal::Precision))?;
        for (side, levels) in [(BookSide::Bid, &*bids), (BookSide::Ask, &*asks)] {
            for level in levels {
                self.book.apply(side, *level);
            }
        }
        self.verify(delta.checksum)?;
        Ok(if bids.is_empty() && asks.is_empty() { BookStep::Unchanged } else { BookStep::Changed })
    }

    fn verify(&mut self, checksum: Option<u32>) -> Result<(), BookFault> {
        self.book.truncate(self.book_levels_max);
        if checksum.is_some_and(|expected| expected != self.book.checksum()) {
            return Err(BookFault::Checksum);
        }
        if self.book.is_crossed() {
            return Err(BookFault::Refused(TickRefusal::Invalid));
        }
        Ok(())
    }

    /// The state dashboards are to be told. Trading that stopped says more than a feed that is
    /// lost.
    pub(super) fn due_state(&self, feed_live: bool, venue_open: bool) -> State {
        match self.trading {
            Trading::Delisted => State::Closed,
            Trading::Maintenance | Trading::CancelOnly => State::Halted,
            _ if !feed_live => State::Stale,
            _ if !venue_open => State::Halted,
            _ if !self.book_live => State::Recovering,
            _ => State::Ok,
        }
    }
}

fn put(
    book: &mut Book,
    precision: Precision,
    bids: &[venue::Level],
    asks: &[venue::Level],
) -> Result<(), BookFault> {
    for (side, levels) in [(BookSide::Bid, bids), (BookSide::Ask, asks)] {
        for level in levels {
            let level = precision.level(level);
            book.apply(side, level.map_err(|_| BookFault::Refused(TickRefusal::Precision))?);
        }
    }
    Ok(())
}
