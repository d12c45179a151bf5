//! Asking a venue for what a feed needs: subscriptions, and fresh books where one was lost.
//!
//! Kraken sends a fresh book to who subscribes again; Binance sends one by REST. Either way one
//! symbol's trouble stays its own: requests of a symbol are spaced by a back-off, at most
//! [`FETCHES_MAX`] fetches of a feed are under way at once, and what belongs to a connection that
//! has ended is dropped.

use std::rc::Rc;
use std::time::Duration;

use fastwebsockets::{Frame, Payload};
use market::Nanos;
use rustc_hash::FxHashMap;
use tokio::time::{sleep, timeout};
use venue::request::{self, KrakenChannel};

use super::backoff::Backoff;
use super::dial::{self, ReadAt};
use super::feed::{Ended, FeedTask, Socket};
use super::normalise::Request;
use super::rest;
use crate::clock;
use crate::config::{Dialect, FeedSymbols};

/// Snapshot requests of one feed at once.
pub(super) const FETCHES_MAX: usize = 4;
/// Symbols named in one subscription.
const SYMBOLS_PER_REQUEST: usize = 50;
/// A fresh book that did not come within this time is asked for again.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// Fresh books that are being asked for.
#[derive(Default)]
pub(super) struct Resyncs {
    backoffs: FxHashMap<usize, Backoff>,
    /// Symbols and when their turn comes; few at any time.
    due: Vec<(Nanos, Turn)>,
}

#[derive(Clone, Copy)]
enum Turn {
    /// Subscribe again.
    Ask(usize),
    /// See whether it helped.
    Check(usize),
}

impl Resyncs {
    pub(super) fn clear(&mut self) {
        // Back-offs stay: a venue that drops us over one symbol is not to be hurried.
        self.due.clear();
    }

    fn take_due(&mut self, now: Nanos) -> Option<Turn> {
        let at = self.due.iter().position(|(due, _)| *due <= now)?;
        Some(self.due.swap_remove(at).1)
    }
}

impl FeedTask {
    /// Connects and says what is wanted; Binance is told in the address.
    pub(super) async fn open(&self) -> Result<(Socket, ReadAt), Ended> {
        let feed = &self.route.feed;
        let path = match (self.binance(), &feed.symbols) {
            (Some(dialect), FeedSymbols::List(symbols)) => {
                let names = symbols.iter().map(|symbol| &*symbol.venue_symbol);
                request::binance_streams(dialect, names)
            }
            _ => String::new(),
        };
        let address = &self.route.address;
        let opened = dial::upgrade(address, &path, &feed.headers, &self.route.tls).await?;
        let (mut socket, read_at) = opened;
        socket.set_max_message_size(self.route.limits.message_bytes_max);
        if feed.dialect == Dialect::Kraken {
            let wanted = request::kraken_subscribe(KrakenChannel::Instrument, []);
            send(&mut socket, wanted).await?;
        }
        Ok((socket, read_at))
    }

    /// True when there may be something for [`Self::answer`] to do.
    pub(super) fn has_answers(&self) -> bool {
        !self.pipeline.borrow().normaliser.requests.is_empty()
            || !self.resyncs.borrow().due.is_empty()
    }

    /// Does what the last message, or the time since, makes necessary.
    pub(super) async fn answer(self: &Rc<Self>, socket: &mut Socket) -> Result<(), Ended> {
        if !self.pipeline.borrow().normaliser.requests.is_empty() {
            if self.binance().is_some() {
                self.fetch_books();
            } else {
                self.subscribe(socket).await?;
            }
        }
        if !self.resyncs.borrow().due.is_empty() {
            self.resubscribe_due(socket).await?;
        }
        Ok(())
    }

    fn binance(&self) -> Option<venue::Dialect> {
        match self.route.feed.dialect {
            Dialect::Kraken => None,
            Dialect::BinanceSpot => Some(venue::Dialect::Spot),
            Dialect::BinanceUsdM => Some(venue::Dialect::UsdM),
        }
    }

    fn book_channel(&self) -> KrakenChannel {
        KrakenChannel::Book(self.route.feed.book_depth)
    }

    async fn subscribe(&self, socket: &mut Socket) -> Result<(), Ended> {
        let requests = std::mem::take(&mut self.pipeline.borrow_mut().normaliser.requests);
        let mut wanted = Vec::new();
        for request in requests {
            match request {
                Request::Subscribe(at) => {
                    wanted.push(self.pipeline.borrow().normaliser.venue_symbol(at).clone());
                }
                Request::Resync(at) => {
                    let mut resyncs = self.resyncs.borrow_mut();
                    let now = clock::now();
                    let backoff = resyncs.backoffs.entry(at).or_default();
                    let wait = backoff.next_or_now(self.pace(), now);
                    resyncs.due.push((later(now, wait), Turn::Ask(at)));
                }
            }
        }
        for symbols in wanted.chunks(SYMBOLS_PER_REQUEST) {
            for channel in [KrakenChannel::Ticker, KrakenChannel::Trade, self.book_channel()] {
                let names = symbols.iter().map(|symbol| &**symbol);
                send(socket, request::kraken_subscribe(channel, names)).await?;
            }
        }
        if !wanted.is_empty() {
            let pipeline = self.pipeline.borrow();
            for symbol in pipeline.normaliser.unlisted() {
                tracing::warn!(feed = self.route.feed.name, symbol, "not listed by the venue");
            }
        }
        Ok(())
    }

    async fn resubscribe_due(&self, socket: &mut Socket) -> Result<(), Ended> {
        let now = clock::now();
        loop {
            let turn = self.resyncs.borrow_mut().take_due(now);
            match turn {
                None => return Ok(()),
                Some(Turn::Check(at)) => {
                    self.pipeline.borrow_mut().normaliser.ask_again(at);
                }
                Some(Turn::Ask(at)) => {
                    let symbol = self.pipeline.borrow().normaliser.venue_symbol(at).clone();
                    let channel = self.book_channel();
                    send(socket, request::kraken_unsubscribe(channel, [&*symbol])).await?;
                    send(socket, request::kraken_subscribe(channel, [&*symbol])).await?;
                    self.feed_metrics().resnapshots.inc();
                    let check = (later(now, ANSWER_WAIT), Turn::Check(at));
                    self.resyncs.borrow_mut().due.push(check);
                }
            }
        }
    }

    /// Starts a fetch for each book that was asked for.
    fn fetch_books(self: &Rc<Self>) {
        let requests = std::mem::take(&mut self.pipeline.borrow_mut().normaliser.requests);
        for request in requests {
            if let Request::Resync(at) = request {
                let epoch = self.epoch.get();
                self.fetches.borrow_mut().spawn_local(Rc::clone(self).fetch_book(at, epoch));
            }
        }
    }

    async fn fetch_book(self: Rc<Self>, at: usize, epoch: u64) {
        let wait = {
            let mut resyncs = self.resyncs.borrow_mut();
            resyncs.backoffs.entry(at).or_default().next_or_now(self.pace(), clock::now())
        };
        sleep(wait).await;
        let (Some(dialect), Some(rest)) = (self.binance(), &self.route.rest) else { return };
        let Ok(_permit) = self.permits.acquire().await else { return };
        if self.epoch.get() != epoch {
            return;
        }
        let symbol = self.pipeline.borrow().normaliser.venue_symbol(at).clone();
        let path = request::binance_snapshot(dialect, &symbol);
        let (route, limits) = (&self.route, self.route.limits);
        let fetch =
            rest::get(rest, &path, &route.feed.headers, &route.tls, limits.message_bytes_max);
        let outcome = timeout(limits.connect_timeout, fetch).await;
        self.feed_metrics().resnapshots.inc();
        if self.epoch.get() != epoch {
            return;
        }
        let feed = &*route.feed.name;
        match outcome {
            Ok(Ok(body)) => {
                let mut publisher = self.publisher.borrow_mut();
                let mut pipeline = self.pipeline.borrow_mut();
                pipeline.snapshot(&symbol, &body, clock::now(), &mut publisher);
                publisher.flush();
            }
            Ok(Err(error)) => tracing::warn!(feed, symbol = &*symbol, %error, "no snapshot"),
            Err(_) => tracing::warn!(feed, symbol = &*symbol, "no snapshot in time"),
        }
        self.pipeline.borrow_mut().normaliser.ask_again(at);
        self.fetch_books();
    }
}

fn later(now: Nanos, wait: Duration) -> Nanos {
    Nanos(now.0 + wait.as_nanos() as u64)
}

async fn send(socket: &mut Socket, text: String) -> Result<(), Ended> {
    let frame = Frame::text(Payload::Owned(text.into_bytes()));
    Ok(socket.write_frame(frame).await?)
}
