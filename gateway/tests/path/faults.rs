//! A venue that dies, falls silent or talks nonsense: dashboards stay, are told, and are right
//! again.
//!
//! The gateway runs on its default time-outs. A witness at the venue itself says what is right.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::dashboard::Dashboard;
use super::rig::{Gateway, PATIENCE, any_port, kraken_feed, wish};
use super::venue::{self, DEPTH, Process, SYMBOLS, market};
use super::view::View;

/// What a lost venue may take to show.
const STALE_WITHIN: Duration = Duration::from_secs(3);
const CHANNELS: [&str; 3] = ["ticker", "trade", "book"];

/// A gateway with one dashboard that uses extensions and one that does not.
struct Scene {
    gateway: Gateway,
    numbered: Dashboard,
    plain: Dashboard,
    symbols: Vec<String>,
}

impl Scene {
    fn at(venue: SocketAddr) -> Self {
        let gateway = Gateway::start(&kraken_feed(venue, DEPTH));
        let numbered = gateway.dashboard("numbered", &wish(true, DEPTH, &CHANNELS, &["*"]));
        let plain = gateway.dashboard("plain", &wish(false, DEPTH, &CHANNELS, &["*"]));
        numbered.wait("every symbol is ok", PATIENCE, |view| {
            view.books.len() == SYMBOLS && all(view, "ok")
        });
        plain.wait("every book is there", PATIENCE, |view| view.books.len() == SYMBOLS);
        let symbols = numbered.view().books.keys().cloned().collect();
        let scene = Self { gateway, numbered, plain, symbols };
        scene.ticks_flow();
        scene
    }

    /// Waits until every channel has news.
    fn ticks_flow(&self) {
        for dashboard in [&self.numbered, &self.plain] {
            let before = counts(&dashboard.view());
            dashboard.wait("every channel has news", PATIENCE, |view| {
                counts(view).iter().zip(before).all(|(now, before)| *now > before + 20)
            });
        }
    }

    /// Waits until all symbols were told stale; at most so long after `since`.
    fn goes_stale(&self, since: Instant) {
        self.numbered.wait("every symbol is stale", PATIENCE, |view| all(view, "stale"));
        let view = self.numbered.view();
        let last = view.states.iter().map(|told| told.2).max().expect("states were told");
        let took = last - since;
        assert!(took <= STALE_WITHIN, "stale after {took:.2?}");
        eprintln!("stale after {took:.2?}");
    }

    /// Waits until all is well and the books are the venue's.
    fn is_right(&self, venue: SocketAddr) {
        self.numbered.wait("every symbol is ok", PATIENCE, |view| all(view, "ok"));
        self.ticks_flow();
        self.books_are_those_of(venue);
        assert_eq!(self.gateway.counted("gateway_shard_sessions"), 2, "the same two sessions");
        self.numbered.is_content();
        self.plain.is_content();
        assert_eq!(self.numbered.view().announced, 0, "no number is missing");
    }

    /// The same after a loss, saying how long it took from `since`.
    fn recovers(&self, venue: SocketAddr, since: Instant) {
        self.numbered.wait("every symbol is ok", PATIENCE, |view| all(view, "ok"));
        eprintln!("ok again after {:.2?}", since.elapsed());
        self.is_right(venue);
    }

    fn books_are_those_of(&self, venue: SocketAddr) {
        let witness = venue::witness(venue, &self.symbols);
        let here = |view: &View| self.symbols.iter().all(|name| view.books.contains_key(name));
        witness.wait("the venue shows its books", PATIENCE, here);
        for dashboard in [&self.numbered, &self.plain] {
            dashboard.wait("the books are the venue's", PATIENCE, |view| {
                same_books(view, &witness.view())
            });
        }
    }
}

/// Whether both hold the same books at this instant.
pub fn same_books(view: &View, other: &View) -> bool {
    other
        .books
        .iter()
        .all(|(name, book)| view.books.get(name).is_some_and(|own| own.has_same_top(book, DEPTH)))
}

fn all(view: &View, state: &str) -> bool {
    let names = || view.books.keys();
    names().len() > 0 && names().all(|name| view.state(name) == state)
}

fn counts(view: &View) -> [u64; 3] {
    let trades: usize = view.trades.values().map(Vec::len).sum();
    let tickers: usize = view.tickers.values().map(Vec::len).sum();
    [view.book_updates, trades as u64, tickers as u64]
}

#[test]
fn a_killed_venue_is_stale_at_once_and_right_again_when_it_is_back() {
    let venue = Process::start(any_port());
    let address = venue.address;
    let scene = Scene::at(address);
    let killed = Instant::now();
    drop(venue);
    scene.goes_stale(killed);
    let back = Instant::now();
    let venue = Process::start(address);
    scene.recovers(venue.address, back);
    assert_eq!(scene.gateway.feed().reconnects.value(), 1);
}

#[test]
fn a_stopped_venue_process_is_stale_in_time_and_right_again_when_it_goes_on() {
    let venue = Process::start(any_port());
    let scene = Scene::at(venue.address);
    let stopped = Instant::now();
    venue.signal("STOP");
    scene.goes_stale(stopped);
    assert_eq!(scene.gateway.feed().silences.value(), 1);
    let back = Instant::now();
    venue.signal("CONT");
    scene.recovers(venue.address, back);
}

#[test]
fn a_venue_that_says_nothing_is_stale_in_time_and_right_again_when_it_speaks() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let scene = Scene::at(simulator.addr());
    let paused = Instant::now();
    simulator.pause();
    scene.goes_stale(paused);
    let back = Instant::now();
    simulator.resume();
    scene.recovers(simulator.addr(), back);
}

#[test]
fn a_gap_or_a_wrong_checksum_costs_one_symbol_a_moment_and_others_nothing() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let scene = Scene::at(simulator.addr());
    for (fault, symbol) in scene.symbols.iter().take(4).enumerate() {
        let told_before = scene.numbered.view().states.len();
        if fault % 2 == 0 {
            simulator.corrupt_next_checksum(symbol);
        } else {
            simulator.skip_next_update(symbol);
        }
        scene.numbered.wait("it was recovering and is ok", PATIENCE, |view| {
            view.states.len() >= told_before + 2 && all(view, "ok")
        });
        let view = scene.numbered.view();
        let told = view.states[told_before..].iter();
        let told: Vec<_> = told.map(|(name, state, _)| (name.as_str(), state.as_str())).collect();
        assert_eq!(told, [(symbol.as_str(), "recovering"), (symbol, "ok")], "nobody else was told");
        drop(view);
        let failures = scene.gateway.feed().checksum_failures.value();
        assert_eq!(failures, fault as u64 + 1, "each is counted, and each once");
    }
    assert_eq!(scene.gateway.feed().reconnects.value(), 0);
    scene.is_right(simulator.addr());
}

#[test]
fn nonsense_from_a_venue_is_counted_and_nobody_hears_of_it() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let scene = Scene::at(simulator.addr());
    let told_before = scene.numbered.view().states.len();
    let nonsense = ["{not json", "{\"channel\":\"book\",\"data\":[{}]}", "[]", "\u{1F4A5}"];
    for text in nonsense {
        simulator.send_raw(text);
    }
    let counted = |gateway: &Gateway| gateway.counted("gateway_feed_decode_failures_total");
    scene.gateway.wait("all of it is counted", PATIENCE, |gateway| {
        counted(gateway) >= nonsense.len() as u64
    });
    assert_eq!(counted(&scene.gateway), nonsense.len() as u64);
    scene.ticks_flow();
    scene.is_right(simulator.addr());
    assert_eq!(scene.numbered.view().states.len(), told_before, "no state changed");
}
