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
use super::view::{BookFrame, Rules, View, apply_book};

/// Seconds of the recording.
const SPAN_S: f64 = 347.0;
/// Points at which whole books are compared.
const POINTS: usize = 100;
const DEEP: usize = 1000;
const SHALLOW: usize = 10;

/// File, dialect, name at the venue and at dashboards, digits of price and size.
const MARKETS: [(&str, Venue, &str, u8, u8); 3] = [
    ("binance_spot/btcusdt_20240808.gz", Venue::Spot, "BTC/USDT", 8, 8),
    ("binance_spot/ethusdt_20240808.gz", Venue::Spot, "ETH/USDT", 8, 8),
    ("binance_usdm/btcusdt_20240808.gz", Venue::UsdM, "BTC/USDT-PERP", 2, 3),
];

/// Room for what waits while a slow machine catches up; quiet at the end is no fault here.
const LIMITS: &str = "[shard]\noutbox_bytes_max = 1073741824\n\
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
    let has_all = |view: &View| names.iter().zip(&recordings).all(|of| has_all(view, of.0, of.1));
    deep.wait("everything recorded has arrived", limit, has_all);
    let ends = |view: &View| names.iter().zip(&recordings).all(|of| is_at_end(view, of.0, of.1));
    shallow.wait("the last book update has arrived", PATIENCE, ends);
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
        for (dashboard, depth) in [(&deep, DEEP), (&shallow, SHALLOW)] {
            let view = dashboard.view();
            compare_books(name, recording, &view.frames[name], depth, &mut figures);
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
    for dashboard in [&deep, &shallow, &plain] {
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
/// the last one; the first is the snapshot with the deltas that waited for it.
fn compare_books(
    name: &str,
    recording: &Recording,
    frames: &[BookFrame],
    depth: usize,
    figures: &mut Figures,
) {
    let (frame_count, delta_count) = (frames.len(), recording.deltas.len());
    assert!(frame_count <= delta_count + 1, "{name}: more updates than deltas");
    let joined = delta_count + 1 - frame_count;
    assert!(joined < 100, "{name}: {joined} deltas lie in the snapshot: some were lost");
    let mut rng = fastrand::Rng::with_seed(depth as u64);
    let mut points: Vec<usize> = (0..POINTS).map(|_| rng.usize(..frame_count)).collect();
    points.push(frame_count - 1);
    let (mut rebuilt, mut told) = (recording.snapshot.clone(), Book::default());
    let (waiting, following) = recording.deltas.split_at(joined);
    waiting.iter().for_each(|delta| delta.apply(&mut rebuilt));
    for (at, frame) in frames.iter().enumerate() {
        if at > 0 {
            let delta = &following[at - 1];
            delta.apply(&mut rebuilt);
            assert_eq!(frame.ts_event, delta.ts_event_ns, "{name}: update {at} is another delta");
        }
        assert_eq!(frame.seq, at as u64 + 1, "{name}");
        let message = Json::parse(&frame.text).expect("it was read before");
        let item = &message.list("data").expect("it was read before")[0];
        apply_book(&mut told, item, at == 0, depth)
            .unwrap_or_else(|reason| panic!("{name}: update {at}: {reason}"));
        assert_eq!(item.whole("checksum"), Some(rebuilt.checksum()), "{name}: update {at}");
        assert!(told.has_same_top(&rebuilt, SHALLOW), "{name}: top after update {at}");
        figures.book_updates += 1;
        let times = points.iter().filter(|point| **point == at).count();
        if times > 0 {
            assert_same(name, at, &told, &rebuilt, depth);
            figures.whole_books += times;
        }
    }
}

fn assert_same(name: &str, at: usize, told: &Book, rebuilt: &Book, depth: usize) {
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

/// The rules by which the recorded Kraken market is watched.
const KRAKEN: Rules = Rules { sequenced: true, depth: SHALLOW, keeps_frames: true };

#[test]
fn the_recorded_kraken_market_arrives_with_every_checksum_right() {
    let Some(file) = find("kraken_v2/btcusd_book10_wiretext_first256.jsonl") else { return };
    let venue = free_port();
    let feed = super::rig::kraken_feed(venue, SHALLOW);
    let gateway = Gateway::start(&format!("{LIMITS}{feed}"));
    let mut wish = wish(true, SHALLOW, &["book"], &["*"]);
    wish.rules = KRAKEN;
    let dashboard = gateway.dashboard("kraken", &wish);
    wish.rules.sequenced = false;
    wish.rules.keeps_frames = false;
    let plain = gateway.dashboard("plain", &wish);
    for dashboard in [&dashboard, &plain] {
        dashboard.wait("the subscription is granted", PATIENCE, |view| view.acks == 1);
    }
    let recorded = std::fs::read_to_string(&file).expect("it was there");
    let (mut book, mut due) = (Book::default(), Vec::new());
    for line in recorded.lines() {
        let message = Json::parse(line).expect("recorded JSON");
        let item = &message.list("data").expect("recorded data")[0];
        // The venue may remove a level that was cut; only its checksum counts.
        let _ = apply_book(&mut book, item, due.is_empty(), SHALLOW);
        assert_eq!(item.whole("checksum"), Some(book.checksum()), "the recording is right");
        due.push(book.checksum());
    }
    let replay = Replay { kraken: vec![file], speed: Speed::Factor(20.0), ..Replay::default() };
    let simulator = replay.start_thread(venue).expect("the port is still free");
    let name = "BTC/USD";
    dashboard.wait("every update has arrived", PATIENCE, |view| {
        view.frames.get(name).is_some_and(|frames| frames.len() >= due.len())
    });
    plain.wait("the plain dashboard holds the last book", PATIENCE, |view| {
        view.books.get(name).is_some_and(|told| told.has_same_top(&book, SHALLOW))
    });
    let checksum = |frame: &BookFrame| {
        let message = Json::parse(&frame.text).expect("it was read before");
        message.list("data").expect("it was read before")[0].whole("checksum")
    };
    let told: Vec<_> = dashboard.view().frames[name].iter().filter_map(checksum).collect();
    assert_eq!(told, due, "the venue's own checksums, one after the other");
    assert!(dashboard.view().books[name].has_same_top(&book, SHALLOW));
    let feed = gateway.feed();
    assert_eq!((feed.checksum_failures.value(), feed.gaps.value()), (0, 0));
    dashboard.is_content();
    plain.is_content();
    eprintln!("{} checksums, all right; {:?}", told.len(), simulator.stop().ticks);
}
