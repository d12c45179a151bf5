//! From what a venue said to ticks: one feed's symbols, without I/O.
//!
//! Owned by the ingest thread. Events go in with the time they were read, ticks go out through the
//! publisher, and what is to be asked of the venue waits in `requests` for the feed's connection.
//! Nothing a venue says ends it: what does not fit is counted, and costs at most its own symbol.

use std::sync::Arc;

use market::{Body, BookChange, BookSide, Level, Levels, Nanos, TURNOVER_MAX};
use rustc_hash::FxHashMap;
use venue::{BookDelta, BookSnapshot, Event, Join, JoinLimits};

use super::Limits;
use super::numbers::{Precision, is_crossed};
use super::publisher::Publisher;
use super::tracked::{BookFault, BookStep, Tracked};
use crate::config::{Dialect, Feed, FeedSymbols};
use crate::metrics::TickRefusal::{
    AwaitingSnapshot, Invalid, NoInstrument, OutOfOrder, Precision as NotPrecise,
};
use crate::metrics::{FeedMetrics, Metrics, TickRefusal};

/// Deltas of one symbol that wait for its snapshot: 100 s of a stream of ten a second.
const JOIN_LIMITS: JoinLimits = JoinLimits { deltas_max: 1000, bytes_max: 4 << 20 };

/// How far ahead of our clock a trade may say it happened: one from another year would hold bars
/// and statistics fast for as long as the process lives.
const AHEAD_NS_MAX: u64 = 60_000_000_000;

/// Something to be asked of the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// The channels of a symbol.
    Subscribe(usize),
    /// A fresh book.
    Resync(usize),
}

/// One feed's symbols.
pub struct Normaliser {
    pub(super) feed: Feed,
    pub(super) feed_name: Arc<str>,
    feed_index: usize,
    metrics: Arc<Metrics>,
    pub(super) tracked: Vec<Tracked>,
    pub(super) by_venue_symbol: FxHashMap<Arc<str>, usize>,
    /// Drained by the connection after each message.
    pub(super) requests: Vec<Request>,
    live: bool,
    venue_open: bool,
    pub(super) book_levels_max: usize,
    pub(super) symbols_max: usize,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

impl Normaliser {
    /// For the feed at `feed_index` of the config.
    pub fn new(feed: Feed, feed_index: usize, limits: Limits, metrics: Arc<Metrics>) -> Self {
        let book_levels_max = match feed.dialect {
            Dialect::Kraken => usize::from(feed.book_depth),
            Dialect::BinanceSpot | Dialect::BinanceUsdM => limits.book_levels_max,
        };
        let feed_name = Arc::from(feed.name.as_str());
        let mut normaliser = Self {
            feed,
            feed_name,
            feed_index,
            metrics,
            tracked: Vec::new(),
            by_venue_symbol: FxHashMap::default(),
            requests: Vec::new(),
            live: false,
            venue_open: true,
            book_levels_max,
            symbols_max: limits.symbols_max,
            bids: Vec::new(),
            asks: Vec::new(),
        };
        if let FeedSymbols::List(symbols) = &normaliser.feed.symbols {
            for symbol in symbols.clone() {
                normaliser.track(&symbol.venue_symbol.clone(), Some(symbol));
            }
        }
        normaliser
    }

    /// Defines the symbols whose precision the config states.
    pub fn define_configured(&mut self, recv: Nanos, publisher: &mut Publisher) {
        if self.feed.dialect == Dialect::Kraken {
            return;
        }
        for at in 0..self.tracked.len() {
            let configured = self.tracked[at].configured.as_ref();
            let stated = configured.and_then(|c| Some((c.price_precision?, c.size_precision?)));
            if let Some((price, size)) = stated {
                self.define_learnt(at, Precision { price, size }, recv, publisher);
            }
        }
    }

    /// The venue speaks: symbols are no longer stale, and books are asked for.
    pub fn connected(&mut self, recv: Nanos, publisher: &mut Publisher) {
        self.live = true;
        self.venue_open = true;
        for at in 0..self.tracked.len() {
            if self.feed.dialect != Dialect::Kraken {
                self.ask_for_book(at);
            }
            self.settle(at, recv, publisher);
        }
    }

    /// The venue is lost: symbols are stale until it is back.
    pub fn disconnected(&mut self, now: Nanos, publisher: &mut Publisher) {
        self.live = false;
        self.requests.clear();
        for at in 0..self.tracked.len() {
            self.tracked[at].disconnect();
            self.settle(at, now, publisher);
        }
    }

    /// True between [`Self::connected`] and [`Self::disconnected`].
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Takes one event, read at `recv`.
    pub fn take(&mut self, event: &Event<'_>, recv: Nanos, publisher: &mut Publisher) {
        match event {
            Event::Quote(quote) => self.take_quote(quote, recv, publisher),
            Event::Ticker(ticker) => self.take_ticker(ticker, recv, publisher),
            Event::Trade(trade) => self.take_trade(trade, recv, publisher),
            Event::BookSnapshot(snapshot) => {
                if let Some(at) = self.find(snapshot.symbol) {
                    self.take_snapshot(at, snapshot, recv, publisher);
                }
            }
            Event::BookDelta(delta) => {
                if let Some(at) = self.find(delta.symbol) {
                    self.take_delta(at, delta, recv, publisher);
                }
            }
            Event::Instrument(definition) => self.take_instrument(definition, recv, publisher),
            Event::Status { system } => {
                self.venue_open = !matches!(*system, "maintenance" | "cancel_only");
                for at in 0..self.tracked.len() {
                    self.settle(at, recv, publisher);
                }
            }
            Event::Ignored(kind) => self.feed_metrics().ignored.of(*kind).inc(),
            Event::Heartbeat | Event::Ack(_) | Event::Pong => {}
        }
    }

    /// The symbol's venue name, for a request.
    pub(super) fn venue_symbol(&self, at: usize) -> &Arc<str> {
        &self.tracked[at].venue_symbol
    }

    /// A request for a fresh book has ended; asks again where the book still does not follow.
    pub(super) fn ask_again(&mut self, at: usize) {
        if self.requests.contains(&Request::Resync(at)) {
            return;
        }
        self.tracked[at].resync_asked = false;
        if !self.tracked[at].is_book_live() {
            self.ask_for_book(at);
        }
    }

    /// Configured symbols the venue has not listed.
    pub(super) fn unlisted(&self) -> impl Iterator<Item = &str> {
        let missing = |t: &&Tracked| t.id.is_none() && !t.refused;
        self.tracked.iter().filter(missing).map(|t| &*t.venue_symbol)
    }

    fn feed_metrics(&self) -> &FeedMetrics {
        &self.metrics.ingest.feeds[self.feed_index]
    }

    pub(super) fn refuse(&self, reason: TickRefusal) {
        self.metrics.ingest.ticks_refused.of(reason).inc();
    }

    pub(super) fn track(
        &mut self,
        venue_symbol: &str,
        configured: Option<crate::config::FeedSymbol>,
    ) -> usize {
        let join = match self.feed.dialect {
            Dialect::Kraken => None,
            Dialect::BinanceSpot => Some(Join::new(venue::Dialect::Spot, JOIN_LIMITS)),
            Dialect::BinanceUsdM => Some(Join::new(venue::Dialect::UsdM, JOIN_LIMITS)),
        };
        let (at, name) = (self.tracked.len(), Arc::<str>::from(venue_symbol));
        let tracked = Tracked::new(Arc::clone(&name), configured, self.book_levels_max, join);
        self.tracked.push(tracked);
        self.by_venue_symbol.insert(name, at);
        at
    }

    fn find(&self, venue_symbol: &str) -> Option<usize> {
        let found = self.by_venue_symbol.get(venue_symbol).copied();
        if found.is_none() {
            self.refuse(NoInstrument);
        }
        found
    }

    /// A symbol that is defined, or can be from these levels.
    fn find_defined(
        &mut self,
        venue_symbol: &str,
        levels: &[&venue::Level],
        recv: Nanos,
        publisher: &mut Publisher,
    ) -> Option<usize> {
        let at = self.find(venue_symbol)?;
        if self.tracked[at].id.is_none() {
            let precision = Precision::of(levels.iter().copied())?;
            if self.feed.dialect == Dialect::Kraken
                || !self.define_learnt(at, precision, recv, publisher)
            {
                self.refuse(NoInstrument);
                return None;
            }
        }
        Some(at)
    }

    fn take_quote(&mut self, quote: &venue::Quote<'_>, recv: Nanos, publisher: &mut Publisher) {
        let levels = [&quote.bid, &quote.ask];
        let Some(at) = self.find_defined(quote.symbol, &levels, recv, publisher) else { return };
        let tracked = &mut self.tracked[at];
        if let Some(update_id) = quote.update_id {
            if update_id < tracked.last_update_id {
                return self.refuse(OutOfOrder);
            }
            tracked.last_update_id = update_id;
        }
        self.publish_quote(at, quote.bid, quote.ask, None, (quote.ts_event, recv), publisher);
    }

    fn take_ticker(&mut self, ticker: &venue::Ticker<'_>, recv: Nanos, publisher: &mut Publisher) {
        let levels = [&ticker.bid, &ticker.ask];
        let Some(at) = self.find_defined(ticker.symbol, &levels, recv, publisher) else { return };
        let times = (ticker.ts_event, recv);
        self.publish_quote(at, ticker.bid, ticker.ask, Some(ticker), times, publisher);
    }

    fn publish_quote(
        &mut self,
        at: usize,
        bid: venue::Level,
        ask: venue::Level,
        ticker: Option<&venue::Ticker<'_>>,
        (ts_event, recv): (Nanos, Nanos),
        publisher: &mut Publisher,
    ) {
        let tracked = &mut self.tracked[at];
        let Some(id) = tracked.id else { return };
        let Ok(quote) = tracked.precision.quote(&bid, &ask) else {
            return self.refuse(NotPrecise);
        };
        if is_crossed(&quote) {
            return self.refuse(Invalid);
        }
        tracked.quote_seen = true;
        let statistics = ticker.map(|ticker| tracked.precision.statistics(ticker));
        let body = match statistics.flatten() {
            Some(statistics) => Body::Ticker(quote, statistics),
            None => Body::Quote(quote),
        };
        if statistics == Some(None) && ticker.is_some_and(|ticker| ticker.last.is_some()) {
            // They do not fit; the quote is good all the same.
            self.refuse(NotPrecise);
        }
        publisher.publish(id, ts_event, recv, body);
    }

    fn take_trade(&mut self, trade: &venue::Trade<'_>, recv: Nanos, publisher: &mut Publisher) {
        let level = venue::Level { price: trade.price, size: trade.size };
        let Some(at) = self.find_defined(trade.symbol, &[&level], recv, publisher) else { return };
        let tracked = &mut self.tracked[at];
        let Some(id) = tracked.id else { return };
        let Ok(Level { price, size }) = tracked.precision.level(&level) else {
            return self.refuse(NotPrecise);
        };
        let turnover = i128::from(price.0) * i128::from(size.0);
        let is_far_off = trade.ts_event.0 > recv.0.saturating_add(AHEAD_NS_MAX);
        if is_far_off || !(1..=TURNOVER_MAX).contains(&turnover) {
            return self.refuse(Invalid);
        }
        if !tracked.is_new_trade(trade.trade_id, trade.ts_event) {
            return self.refuse(OutOfOrder);
        }
        let (side, order_kind, trade_id) = (trade.side, trade.order_kind, trade.trade_id);
        let ts_event = trade.ts_event.or(recv);
        let tick = market::Trade { price, size, side, order_kind, trade_id, ts_event };
        publisher.publish(id, trade.ts_event, recv, Body::Trade(tick));
    }

    fn take_snapshot(
        &mut self,
        at: usize,
        snapshot: &BookSnapshot<'_>,
        recv: Nanos,
        publisher: &mut Publisher,
    ) {
        if self.tracked[at].id.is_none() {
            let precision = Precision::of(snapshot.bids.iter().chain(snapshot.asks));
            let learnt = self.feed.dialect != Dialect::Kraken
                && precision.is_some_and(|p| self.define_learnt(at, p, recv, publisher));
            if !learnt {
                return self.refuse(NoInstrument);
            }
        }
        let tracked = &mut self.tracked[at];
        tracked.resync_asked = false;
        match tracked.snapshot(snapshot) {
            Ok(BookStep::Changed) => self.publish_whole(at, snapshot.ts_event, recv, publisher),
            Ok(_) => self.ask_for_book(at),
            Err(fault) => self.book_fault(at, fault),
        }
        self.settle(at, recv, publisher);
    }

    /// Publishes the way from the published book to the venue's, so that no dashboard sees a reset.
    fn publish_whole(&mut self, at: usize, ts: Nanos, recv: Nanos, publisher: &mut Publisher) {
        let tracked = &self.tracked[at];
        let Some(id) = tracked.id else { return };
        self.bids.clear();
        self.asks.clear();
        let published = &publisher.symbol(id).book;
        published.diff_to(&tracked.book, BookSide::Bid, usize::MAX, &mut self.bids);
        published.diff_to(&tracked.book, BookSide::Ask, usize::MAX, &mut self.asks);
        let empty = self.bids.is_empty() && self.asks.is_empty();
        if !empty && !self.publish_change(at, ts, recv, publisher) {
            return;
        }
        let tracked = &mut self.tracked[at];
        let best = |side| tracked.book.nth(side, 0).unwrap_or_default();
        let quote = market::Quote { bid: best(BookSide::Bid), ask: best(BookSide::Ask) };
        if !tracked.quote_seen && !tracked.book.is_empty() {
            // A symbol at rest may not be quoted for long; its book says the same.
            tracked.quote_seen = true;
            publisher.publish(id, ts, recv, Body::Quote(quote));
        }
    }

    fn take_delta(
        &mut self,
        at: usize,
        delta: &BookDelta<'_>,
        recv: Nanos,
        publisher: &mut Publisher,
    ) {
        let tracked = &mut self.tracked[at];
        if tracked.refused {
            return self.refuse(NoInstrument);
        }
        match tracked.delta(delta, &mut self.bids, &mut self.asks) {
            Ok(BookStep::Changed) => {
                self.publish_change(at, delta.ts_event, recv, publisher);
            }
            Ok(BookStep::Unchanged) => {}
            Ok(BookStep::Waiting) => {
                // A Binance delta waits and is used; Kraken's is behind the snapshot to come.
                if self.feed.dialect == Dialect::Kraken {
                    self.refuse(AwaitingSnapshot);
                }
                self.ask_for_book(at);
            }
            Err(fault) => {
                self.book_fault(at, fault);
                self.settle(at, recv, publisher);
            }
        }
    }

    /// Publishes `bids` and `asks`. A change the ring cannot hold costs the book.
    fn publish_change(
        &mut self,
        at: usize,
        ts_event: Nanos,
        recv: Nanos,
        publisher: &mut Publisher,
    ) -> bool {
        let Some(id) = self.tracked[at].id else { return false };
        let change = BookChange { bids: Levels::new(&self.bids), asks: Levels::new(&self.asks) };
        let published = publisher.publish(id, ts_event, recv, Body::Book(change));
        if !published {
            self.tracked[at].lose_book();
            self.ask_for_book(at);
            self.settle(at, recv, publisher);
        }
        published
    }

    fn book_fault(&mut self, at: usize, fault: BookFault) {
        let feed = &*self.feed_name;
        let symbol = &*self.tracked[at].venue_symbol;
        tracing::warn!(feed, symbol, ?fault, "book lost, asking for a fresh one");
        match fault {
            // The join has kept the delta behind the gap: it waits for the snapshot.
            BookFault::Gap => {
                self.feed_metrics().gaps.inc();
                self.tracked[at].wait_for_snapshot();
            }
            BookFault::Checksum => {
                self.feed_metrics().checksum_failures.inc();
                self.tracked[at].lose_book();
            }
            BookFault::Refused(reason) => {
                self.refuse(reason);
                self.tracked[at].lose_book();
            }
        }
        self.ask_for_book(at);
    }

    fn ask_for_book(&mut self, at: usize) {
        let tracked = &mut self.tracked[at];
        if self.live && !tracked.resync_asked && !tracked.refused {
            tracked.resync_asked = true;
            self.requests.push(Request::Resync(at));
        }
    }

    pub(super) fn settle(&mut self, at: usize, now: Nanos, publisher: &mut Publisher) {
        let tracked = &mut self.tracked[at];
        let Some(id) = tracked.id else { return };
        let due = tracked.due_state(self.live, self.venue_open);
        if due != tracked.state {
            tracked.state = due;
            publisher.publish(id, Nanos::UNKNOWN, now, Body::State(due));
            let (feed, symbol) = (&*self.feed_name, &*tracked.venue_symbol);
            tracing::debug!(feed, symbol, state = due.as_str(), "state of a symbol");
        }
    }
}
