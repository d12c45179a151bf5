//! The recorded Binance market through the whole gateway, held against the recording itself.
//!
//! Dashboards subscribe before the venue opens, so that they see all of it. Every book update is held
//! against a rebuilt book by its top ten, and whole books at a hundred random points and at the end.
//! `PATH_SPEED` changes the speed (20), `1` plays the recorded rhythm.

use std::time::{Duration, Instant};

use feed_sim::{Replay, Speed};

use super::book::Book;
use super::json::Json;
use super::recording::{Recording, Venue, find};
use super::rig::{Gateway, PATIENCE, free_port, wish};
use super::view::{BookFrame, View, apply_book};

/// Seconds of the recording.
const SPAN_S: f64 = 347.0;
/// Points at which whole books are compared.
const POINTS: usize = 100;
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

fn feeds(venue: std::net::SocketAddr) -> String {
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

#[test]
fn the_recorded_binance_market_arrives_whole_and_exact() {
    let files: Option<Vec<_>> = MARKETS.iter().map(|market| find(market.0)).collect();
    let Some(files) = files else { return };
    let venue = free_port();
    let gateway = Gateway::start(&feeds(venue));
    let names = MARKETS.map(|market| market.2);
    let watch = |depth, channels: &[&'static str]| {
        let mut wish = wish(true, depth, channels, &["*"]);
        wish.rules.keeps_frames = true;
        gateway.dashboard(&format!("depth {depth}"), &wish)
    };
    let deep = watch(DEEP, &["ticker", "trade", "book"]);
    let shallow = watch(SHALLOW, &["book"]);
    let plain = gateway.dashboard("plain", &wish(false, SHALLOW, &["trade", "book"], &["*"]));
    for (dashboard, acks) in [(&deep, 3), (&shallow, 1), (&plain, 2)] {
        dashboard.wait("every subscription is granted", PATIENCE, |view| view.acks == acks);
    }

    let spot = files[..2].to_vec();
    let usdm = files[2..].to_vec();
    let speed = speed();
    let replay = Replay {
        binance_spot: spot,
        binance_usdm: usdm,
        speed: Speed::Factor(speed),
        ..Replay::default()
    };
    let begun = Instant::now();
    let simulator = replay.start_thread(venue).expect("the port is still free");
    let recordings: Vec<Recording> =
        files.iter().zip(MARKETS).map(|(file, market)| Recording::read(file, market.1)).collect();
    let limit = Duration::from_secs_f64(SPAN_S / speed + 90.0);
    let ticker_count: usize = recordings.iter().map(|recording| recording.tickers.len()).sum();
    let late = LATE_DEPTHS.into_iter().zip(1..).map(|(depth, part)| {
        let due = ticker_count * part / (LATE_DEPTHS.len() + 1);
        deep.wait("a part has been played", limit, |view| {
            view.tickers.values().map(Vec::len).sum::<usize>() >= due
        });
        (watch(depth, &["trade", "book"]), depth)
    });
    let late: Vec<_> = late.collect();
    let has_all = |view: &View| names.iter().zip(&recordings).all(|of| has_all(view, of.0, of.1));
    deep.wait("everything recorded has arrived", limit, has_all);
    let ends = |view: &View| names.iter().zip(&recordings).all(|of| is_at_end(view, of.0, of.1));
    for dashboard in [&shallow].into_iter().chain(late.iter().map(|of| &of.0)) {
        dashboard.wait("the last book update has arrived", PATIENCE, ends);
    }
    let tops_are_last = |view: &View| {
        names.iter().all(|name| {
            let (own, other) = (view.books.get(*name), shallow.view().books.get(*name).cloned());
            own.zip(other).is_some_and(|(own, other)| own.has_same_top(&other, SHALLOW))
        })
    };
    plain.wait("the plain dashboard holds the same books", PATIENCE, tops_are_last);
    let took = begun.elapsed();

    assert_eq!(gateway.counted("gateway_ingest_ticks_refused_total"), 0, "nothing was refused");
    assert_eq!(gateway.laps(), 0, "the ring holds the whole recording");
    for feed in &gateway.metrics.ingest.feeds {
        assert_eq!((feed.gaps.value(), feed.reconnects.value()), (0, 0), "{}", feed.name);
    }
    let mut figures = Figures::default();
    for (name, recording) in names.into_iter().zip(&recordings) {
        let early = [(&deep, DEEP), (&shallow, SHALLOW)].into_iter();
        for (dashboard, depth) in early.chain(late.iter().map(|of| (&of.0, of.1))) {
            let view = dashboard.view();
            compare_books(name, recording, &view.frames[name], depth, &mut figures);
        }
        for (dashboard, _) in &late {
            let view = dashboard.view();
            let told = &view.trades[name];
            assert!(recording.trades.ends_with(told), "{name}: trades from the middle on");
            assert_eq!(view.announced + view.merged, 0, "{name}");
        }
        let view = deep.view();
        assert!(view.trades[name] == recording.trades, "{name}: trades are those recorded");
        assert!(plain.view().trades[name] == recording.trades, "{name}: plain trades, too");
        compare_tickers(name, recording, &view);
        assert_eq!(view.announced + view.merged, 0, "nothing was missed or merged");
        figures.trades += recording.trades.len();
        figures.tickers += recording.tickers.len();
        figures.quotes += recording.quote_count;
        figures.messages += recording.message_count;
    }
    for dashboard in [&deep, &shallow, &plain].into_iter().chain(late.iter().map(|of| &of.0)) {
        dashboard.is_content();
    }
    let lateness = simulator.stop().lateness;
    eprintln!(
        "speed {speed}: {figures:?} in {took:.1?}, venue late by at most {} us",
        lateness.max_us
    );
}

/// What was compared.
#[derive(Debug, Default)]
struct Figures {
    messages: usize,
    book_updates: usize,
    whole_books: usize,
    trades: usize,
    tickers: usize,
    quotes: usize,
}

fn has_all(view: &View, name: &str, recording: &Recording) -> bool {
    view.trades.get(name).is_some_and(|trades| trades.len() >= recording.trades.len())
        && view.tickers.get(name).is_some_and(|told| told.len() >= recording.tickers.len())
        && is_at_end(view, name, recording)
}

/// Whether the last book update told is the last one recorded.
fn is_at_end(view: &View, name: &str, recording: &Recording) -> bool {
    let told = view.frames.get(name).and_then(|frames| frames.last());
    let last = recording.deltas.last().map(|delta| delta.ts_event_ns);
    told.map(|frame| frame.ts_event) == last
}

/// Follows the frames with one book and the recording with another. Every update is one delta, the last
/// the last one; number 1 is the snapshot with the deltas that waited for it.
fn compare_books(
    name: &str,
    recording: &Recording,
    frames: &[BookFrame],
    depth: usize,
    figures: &mut Figures,
) {
    let delta_count = recording.deltas.len() as u64;
    let (first, last) = (frames[0].seq, frames[frames.len() - 1].seq);
    assert!(last <= delta_count + 1, "{name}: more updates than deltas");
    let joined = delta_count + 1 - last;
    assert!(joined < 100, "{name}: {joined} deltas lie in the snapshot: some were lost");
    let mut rng = fastrand::Rng::with_seed(depth as u64);
    let mut points: Vec<u64> = (0..POINTS).map(|_| rng.u64(first..=last)).collect();
    points.push(last);
    let (mut rebuilt, mut told) = (recording.snapshot.clone(), Book::default());
    let (waiting, mut following) = recording.deltas.split_at((joined + first - 1) as usize);
    waiting.iter().for_each(|delta| delta.apply(&mut rebuilt));
    for (frame, seq) in frames.iter().zip(first..) {
        assert_eq!(frame.seq, seq, "{name}");
        if seq > first {
            let (delta, rest) = following.split_first().expect("a delta for each update");
            delta.apply(&mut rebuilt);
            following = rest;
            assert_eq!(frame.ts_event, delta.ts_event_ns, "{name}: {seq} is another delta");
        }
        let message = Json::parse(&frame.text).expect("it was read before");
        let item = &message.list("data").expect("it was read before")[0];
        apply_book(&mut told, item, seq == first, depth)
            .unwrap_or_else(|reason| panic!("{name}: update {seq}: {reason}"));
        assert_eq!(item.whole("checksum"), Some(rebuilt.checksum()), "{name}: update {seq}");
        assert!(told.has_same_top(&rebuilt, SHALLOW), "{name}: top after update {seq}");
        figures.book_updates += 1;
        let times = points.iter().filter(|point| **point == seq).count();
        if times > 0 {
            assert_same(name, seq, &told, &rebuilt, depth);
            figures.whole_books += times;
        }
    }
    assert!(following.is_empty(), "{name}: every delta was told");
}

fn assert_same(name: &str, at: u64, told: &Book, rebuilt: &Book, depth: usize) {
    let (told, rebuilt) = (told.top(depth), rebuilt.top(depth));
    for (side, (told, rebuilt)) in told.iter().zip(&rebuilt).enumerate() {
        let differs = told.iter().zip(rebuilt).position(|(told, rebuilt)| told != rebuilt);
        assert_eq!(differs, None, "{name}: update {at}, side {side}, depth {depth}: rank");
        assert_eq!(told.len(), rebuilt.len(), "{name}: update {at}, side {side}, depth {depth}");
    }
}

fn compare_tickers(name: &str, recording: &Recording, view: &View) {
    let told = &view.tickers[name];
    let differs = told.iter().zip(&recording.tickers).position(|(told, due)| told != due);
    if let Some(at) = differs {
        panic!("{name}: ticker {at} is {:?}, recorded {:?}", told[at], recording.tickers[at]);
    }
    assert_eq!(told.len(), recording.tickers.len(), "{name}: as many tickers as changes");
}

#[test]
fn a_gap_in_a_recorded_market_is_mended_while_the_others_go_on() {
    let files: Option<Vec<_>> = MARKETS.iter().map(|market| find(market.0)).collect();
    let Some(files) = files else { return };
    let venue = free_port();
    let gateway = Gateway::start(&feeds(venue));
    let mut wish = wish(true, SHALLOW, &["trade", "book"], &["*"]);
    wish.rules.keeps_frames = true;
    let dashboard = gateway.dashboard("dashboard", &wish);
    dashboard.wait("the subscriptions are granted", PATIENCE, |view| view.acks == 2);
    let replay = Replay {
        binance_spot: files[..2].to_vec(),
        binance_usdm: files[2..].to_vec(),
        speed: Speed::Factor(40.0),
        ..Replay::default()
    };
    let simulator = replay.start_thread(venue).expect("the port is still free");
    let names = MARKETS.map(|market| market.2);
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
    let recordings: Vec<Recording> =
        files.iter().zip(MARKETS).map(|(file, market)| Recording::read(file, market.1)).collect();
    for (name, recording) in names.iter().zip(&recordings) {
        let mut rebuilt = recording.snapshot.clone();
        recording.deltas.iter().for_each(|delta| delta.apply(&mut rebuilt));
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
