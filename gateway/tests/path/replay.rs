//! The recorded Binance market through the whole gateway, held against the recording itself.
//!
//! Dashboards subscribe before the venue opens, so that they see all of it. Every book update is
//! held against a rebuilt book by its top ten, and whole books at a hundred random points and at
//! the end.
//! `PATH_SPEED` changes the speed (20), `1` plays the recorded rhythm.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use feed_sim::{Handle, Replay, Speed};

use super::compare::{Figures, compare_books, compare_tickers};
use super::dashboard::Dashboard;
use super::recorded::find;
use super::recording::{Recording, Venue};
use super::rig::{Gateway, PATIENCE, free_port, wish};
use super::view::View;

/// Seconds of the recording.
const SPAN_S: f64 = 347.0;
const DEEP: usize = 1000;
const SHALLOW: usize = 10;
/// Depths of dashboards that come while the market moves.
const LATE_DEPTHS: [usize; 3] = [25, 100, 500];

/// File, dialect, name at the venue and at dashboards, digits of price and size.
const MARKETS: [(&str, Venue, &str, u8, u8); 3] = [
    ("binance_spot/btcusdt_20240808.gz", Venue::Spot, "BTC/USDT", 8, 8),
    ("binance_spot/ethusdt_20240808.gz", Venue::Spot, "ETH/USDT", 8, 8),
    ("binance_usdm/btcusdt_20240808.gz", Venue::UsdM, "BTC/USDT-PERP", 2, 3),
];

/// Room for what waits while a slow machine catches up; quiet at the end is no fault here.
const LIMITS: &str = "[shard]\ncount = 2\noutbox_bytes_max = 1073741824\n\
    [ingest]\nsilence_timeout_ms = 600000\nbackoff_min_ms = 10\nbackoff_max_ms = 100\n";

fn feeds(venue: SocketAddr) -> String {
    let feed = |name: &str, kind: Venue| {
        let symbols = MARKETS.iter().filter(|market| market.1 == kind).map(|market| {
            let (file, _, symbol, price, size) = market;
            let venue_symbol = if file.contains("eth") { "ETHUSDT" } else { "BTCUSDT" };
            format!(
                "{{ venue_symbol = \"{venue_symbol}\", symbol = \"{symbol}\", \
                 price_precision = {price}, size_precision = {size} }}"
            )
        });
        let symbols: Vec<String> = symbols.collect();
        format!(
            "[[ingest.feeds]]\nname = \"{name}\"\ndialect = \"binance-{name}\"\n\
             url = \"ws://{venue}/{name}\"\nrest_url = \"http://{venue}/{name}\"\n\
             symbols = [{}]\n",
            symbols.join(", ")
        )
    };
    format!("{LIMITS}{}{}", feed("spot", Venue::Spot), feed("usdm", Venue::UsdM))
}

fn speed() -> f64 {
    let asked = std::env::var("PATH_SPEED").ok();
    asked.map_or(20.0, |text| text.parse().expect("PATH_SPEED is a number"))
}

fn names() -> [&'static str; 3] {
    MARKETS.map(|market| market.2)
}

/// The venue, opened at an address where the gateway looks for it already.
///
/// A first word makes the gateway ask for its books before the recording begins, so that it is
/// given the recorded snapshots; one who asks later is given the book of that moment, cut to 1,000
/// levels.
fn play(files: &[PathBuf], speed: f64, venue: SocketAddr, gateway: &Gateway) -> Handle {
    let replay = Replay {
        binance_spot: files[..2].to_vec(),
        binance_usdm: files[2..].to_vec(),
        speed: Speed::Factor(speed),
        start_delay: Duration::from_secs(2),
        ..Replay::default()
    };
    let simulator = replay.start_thread(venue).expect("the port is still free");
    gateway.wait("both feeds are connected", PATIENCE, |_| simulator.connections() == 2);
    simulator.send_raw(r#"{"result":null,"id":1}"#);
    gateway.wait("both feeds are live", PATIENCE, |gateway| {
        gateway.metrics.ingest.feeds.iter().all(|feed| feed.live.value() == 1)
    });
    assert_eq!(simulator.ticks(), 0, "the recording has not begun");
    simulator
}

fn read(files: &[PathBuf]) -> Vec<Recording> {
    files.iter().zip(MARKETS).map(|(file, market)| Recording::read(file, market.1)).collect()
}

/// A dashboard of all symbols that keeps its book frames.
fn watch(gateway: &Gateway, depth: usize, channels: &[&'static str]) -> Dashboard {
    let mut wish = wish(true, depth, channels, &["*"]);
    wish.rules.keeps_frames = true;
    gateway.dashboard(&format!("depth {depth}"), &wish)
}

/// Those who watch: from before the first message, or from the middle on.
struct Audience {
    deep: Dashboard,
    shallow: Dashboard,
    plain: Dashboard,
    late: Vec<(Dashboard, usize)>,
}

impl Audience {
    fn new(gateway: &Gateway) -> Self {
        let deep = watch(gateway, DEEP, &["ticker", "trade", "book"]);
        let shallow = watch(gateway, SHALLOW, &["book"]);
        let plain = gateway.dashboard("plain", &wish(false, SHALLOW, &["trade", "book"], &["*"]));
        for (dashboard, acks) in [(&deep, 3), (&shallow, 1), (&plain, 2)] {
            dashboard.wait("every subscription is granted", PATIENCE, |view| view.acks == acks);
        }
        Self { deep, shallow, plain, late: Vec::new() }
    }

    /// Lets others in while the market moves, then waits until all have seen its end.
    fn watch_to_the_end(&mut self, gateway: &Gateway, recordings: &[Recording], limit: Duration) {
        let ticker_count: usize = recordings.iter().map(|of| of.tickers.len()).sum();
        for (depth, part) in LATE_DEPTHS.into_iter().zip(1..) {
            let due = ticker_count * part / (LATE_DEPTHS.len() + 1);
            self.deep.wait("a part has been played", limit, |view| {
                view.tickers.values().map(Vec::len).sum::<usize>() >= due
            });
            self.late.push((watch(gateway, depth, &["trade", "book"]), depth));
        }
        let each = |met: fn(&View, &str, &Recording) -> bool| {
            move |view: &View| names().iter().zip(recordings).all(|of| met(view, of.0, of.1))
        };
        self.deep.wait("every ticker has arrived", limit, each(has_all_tickers));
        self.deep.wait("every trade has arrived", PATIENCE, each(has_last_trade));
        self.plain.wait("every trade has arrived", PATIENCE, each(has_last_trade));
        for (late, _) in &self.late {
            late.wait("the last trade has arrived", PATIENCE, each(has_last_trade));
        }
        for (numbered, _) in self.numbered() {
            numbered.wait("the last book update has arrived", PATIENCE, each(is_at_end));
        }
        self.plain.wait("the last book has arrived", PATIENCE, |view| {
            let other = self.shallow.view();
            names().iter().all(|name| view.books[*name].has_same_top(&other.books[*name], SHALLOW))
        });
    }

    /// Everybody with numbers, and their depths.
    fn numbered(&self) -> impl Iterator<Item = (&Dashboard, usize)> {
        let early = [(&self.deep, DEEP), (&self.shallow, SHALLOW)].into_iter();
        early.chain(self.late.iter().map(|(dashboard, depth)| (dashboard, *depth)))
    }

    fn compare(&self, recordings: &[Recording]) -> Figures {
        let mut figures = Figures::default();
        for (name, recording) in names().into_iter().zip(recordings) {
            for (dashboard, depth) in self.numbered() {
                let view = dashboard.view();
                assert_eq!(view.announced + view.merged, 0, "nothing was missed or merged");
                compare_books(name, recording, &view.frames[name], depth, &mut figures);
            }
            for dashboard in [&self.deep, &self.plain] {
                assert!(dashboard.view().trades[name] == recording.trades, "{name}: every trade");
            }
            for (late, _) in &self.late {
                let view = late.view();
                let told = &view.trades[name];
                assert!(recording.trades.ends_with(told), "{name}: trades from the middle on");
            }
            compare_tickers(name, recording, &self.deep.view());
            figures.trades += recording.trades.len();
            figures.tickers += recording.tickers.len();
            figures.quotes += recording.quote_count;
            figures.messages += recording.message_count;
        }
        self.plain.is_content();
        self.numbered().for_each(|(dashboard, _)| dashboard.is_content());
        figures
    }
}

#[test]
fn the_recorded_binance_market_arrives_whole_and_exact() {
    let files: Option<Vec<_>> = MARKETS.iter().map(|market| find(market.0)).collect();
    let Some(files) = files else { return };
    let venue = free_port();
    let gateway = Gateway::start(&feeds(venue));
    let mut audience = Audience::new(&gateway);
    let (speed, begun) = (speed(), Instant::now());
    let simulator = play(&files, speed, venue, &gateway);
    let recordings = read(&files);
    let limit = Duration::from_secs_f64(SPAN_S / speed + 60.0);
    audience.watch_to_the_end(&gateway, &recordings, limit);
    let took = begun.elapsed();

    assert_eq!(gateway.counted("gateway_ingest_ticks_refused_total"), 0, "nothing was refused");
    assert_eq!(gateway.laps(), 0, "the ring holds the whole recording");
    for feed in &gateway.metrics.ingest.feeds {
        assert_eq!((feed.gaps.value(), feed.reconnects.value()), (0, 0), "{}", feed.name);
    }
    let figures = audience.compare(&recordings);
    let late_us = simulator.stop().lateness.max_us;
    eprintln!("speed {speed}: {figures:?} in {took:.1?}, venue late by at most {late_us} us");
}

fn has_all_tickers(view: &View, name: &str, recording: &Recording) -> bool {
    view.tickers.get(name).is_some_and(|told| told.len() >= recording.tickers.len())
}

fn has_last_trade(view: &View, name: &str, recording: &Recording) -> bool {
    view.trades.get(name).is_some_and(|told| told.last() == recording.trades.last())
}

/// Whether the last book update told is the last one recorded.
fn is_at_end(view: &View, name: &str, recording: &Recording) -> bool {
    let told = view.frames.get(name).and_then(|frames| frames.last());
    let last = recording.deltas.last().map(|delta| delta.ts_event_ns);
    told.map(|frame| frame.ts_event) == last
}

#[test]
fn a_gap_in_a_recorded_market_is_mended_while_the_others_go_on() {
    let files: Option<Vec<_>> = MARKETS.iter().map(|market| find(market.0)).collect();
    let Some(files) = files else { return };
    let venue = free_port();
    let gateway = Gateway::start(&feeds(venue));
    let dashboard = watch(&gateway, SHALLOW, &["trade", "book"]);
    dashboard.wait("the subscriptions are granted", PATIENCE, |view| view.acks == 2);
    let simulator = play(&files, 40.0, venue, &gateway);
    let names = names();
    dashboard.wait("the market moves", PATIENCE, |view| {
        names.iter().all(|name| view.frames.get(*name).is_some_and(|frames| frames.len() > 100))
    });
    for (at, (venue_name, name)) in
        [("binance-spot:ETHUSDT", names[1]), ("binance-usdm:BTCUSDT", names[2])].iter().enumerate()
    {
        let told_before = dashboard.view().states.len();
        simulator.skip_next_update(venue_name);
        dashboard.wait("it was recovering and is ok", PATIENCE, |view| {
            view.states.len() >= told_before + 2
        });
        let view = dashboard.view();
        let told = view.states[told_before..].iter();
        let told: Vec<_> = told.map(|(name, state, _)| (name.as_str(), state.as_str())).collect();
        assert_eq!(told, [(*name, "recovering"), (*name, "ok")], "nobody else was told");
        let gaps: u64 = gateway.metrics.ingest.feeds.iter().map(|feed| feed.gaps.value()).sum();
        assert_eq!(gaps, at as u64 + 1, "counted once");
    }
    assert!(!simulator.is_done(), "both gaps lay within the recording");
    let recordings = read(&files);
    for (name, recording) in names.iter().zip(&recordings) {
        let mut rebuilt = recording.snapshot.clone();
        for delta in &recording.deltas {
            delta.apply(&mut rebuilt);
        }
        dashboard.wait("the end has arrived", Duration::from_secs(60), |view| {
            is_at_end(view, name, recording) && view.trades[*name].len() == recording.trades.len()
        });
        let view = dashboard.view();
        assert!(view.books[*name].has_same_top(&rebuilt, SHALLOW), "{name}: the last book");
        assert!(view.trades[*name] == recording.trades, "{name}: a book's gap costs no trade");
        assert_eq!(view.announced + view.merged, 0);
    }
    dashboard.is_content();
}
