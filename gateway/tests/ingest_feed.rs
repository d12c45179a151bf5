//! Ingest against a played venue over real sockets: everything that can go wrong with it, and back.
#![allow(missing_docs, reason = "a test says by its name what it is for")]

mod ingest_harness;
#[path = "support/recorded.rs"]
mod recorded;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Sender, bounded};
use feed_sim::{Generate, Handle, Replay, ServerOptions, Speed, Tls};
use gateway::catalogue::Catalogue;
use gateway::config::{Dialect, Feed, FeedSymbols};
use gateway::ingest::{Ingest, IngestError, Seams};
use gateway::metrics::{FeedMetrics, Metrics};
use gateway::replica::ReplicaRequest;
use gateway::threads::StopFlag;
use ingest_harness::{Replica, feed, settings, symbol};
use market::{BookSide, State};

/// A running ingest thread and a shard's view of it.
struct Running {
    replica: Replica,
    metrics: Arc<Metrics>,
    catalogue: Arc<Catalogue>,
    requests: Sender<ReplicaRequest>,
    stop: StopFlag,
    thread: Option<JoinHandle<Result<(), IngestError>>>,
}

impl Running {
    fn start(feeds: Vec<Feed>) -> Self {
        let settings = settings(feeds);
        let metrics = Arc::new(Metrics::new(settings.feeds.iter().map(|f| &*f.name), 0));
        let (ring, subscribers) = handoff::channel(1 << 26).expect("a good capacity");
        let replica = Replica::new(subscribers.subscribe(|| {}).expect("a seat"));
        let (requests, replica_requests) = bounded(4);
        let catalogue = Arc::new(Catalogue::default());
        let stop = StopFlag::default();
        let seams = Seams {
            ring,
            replica_requests,
            catalogue: Arc::clone(&catalogue),
            metrics: Arc::clone(&metrics),
            epoch: 1,
            stop: stop.clone(),
        };
        let ingest = Ingest::new(&settings).expect("usable settings");
        let thread = Some(std::thread::spawn(move || ingest.run(seams)));
        Self { replica, metrics, catalogue, requests, stop, thread }
    }

    fn feed(&self) -> &FeedMetrics {
        &self.metrics.ingest.feeds[0]
    }

    fn wait(&mut self, what: &str, met: impl FnMut(&Replica) -> bool) {
        self.replica.wait(what, met);
    }

    fn wait_ok(&mut self) {
        self.wait("every symbol is ok", |replica| replica.all(State::Ok));
    }

    /// Waits until the catalogue says so of the feed.
    fn wait_detail(&self, words: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let listing = self.catalogue.current();
            if listing.feeds.first().is_some_and(|feed| feed.detail.contains(words)) {
                return;
            }
            assert!(Instant::now() < deadline, "{words}: {:?}", listing.feeds);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Nothing a venue did ended the thread, and nothing was wrong with a book but `faults`.
    fn finish(mut self, faults: u64) {
        assert_eq!(self.feed().checksum_failures.value() + self.feed().gaps.value(), faults);
        self.stop.set();
        let thread = self.thread.take().expect("it is joined once");
        thread.join().expect("no panic").expect("no error");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.set();
    }
}

fn market(symbols: usize) -> Generate {
    Generate { symbols, rate: 400.0, levels: 15, ..Generate::default() }
}

fn anywhere() -> SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}

fn kraken_at(sim: &Handle) -> Feed {
    let url = format!("{}/v2", sim.url());
    Feed { url, ..feed("kraken", Dialect::Kraken, FeedSymbols::All) }
}

fn started(symbols: usize) -> (Handle, Running) {
    let sim = market(symbols).start_thread(anywhere()).expect("it starts");
    let mut running = Running::start(vec![kraken_at(&sim)]);
    running.wait("all symbols are ok", |r| r.truth.symbol_count() == symbols && r.all(State::Ok));
    (sim, running)
}

#[test]
fn a_generated_market_arrives_and_a_lapped_shard_gets_the_truth() {
    let (_sim, mut running) = started(20);
    running.wait("ticks flow", |r| r.ticks > 1000 && !r.trades.is_empty());
    let listing = running.catalogue.current();
    assert_eq!(listing.instruments.len(), 20);
    assert!(listing.feeds[0].live);
    assert_eq!(running.feed().live.value(), 1);

    let (reply, answer) = bounded(1);
    let (wake, woken) = bounded(1);
    let wake = Box::new(move || wake.send(()).expect("room for one"));
    assert!(running.requests.send(ReplicaRequest { reply, wake }).is_ok());
    woken.recv_timeout(Duration::from_secs(5)).expect("the shard is woken");
    let copy = answer.try_recv().expect("the answer was there first");
    running.wait("this view has come that far", |r| r.ticks >= copy.position.records());
    assert_eq!(copy.truth.symbol_count(), 20);
    running.finish(0);
}

#[test]
fn a_venue_over_tls_is_trusted_by_its_own_authority_only() {
    let directory = tempfile::tempdir().expect("a directory");
    let tls = Some(Tls::SelfSigned(directory.path().to_owned()));
    let server = ServerOptions { tls, ..ServerOptions::default() };
    let sim = Generate { server, ..market(3) }.start_thread(anywhere()).expect("it starts");
    let strange = kraken_at(&sim);
    let known = Feed { ca_file: Some(directory.path().join("cert.pem")), ..strange.clone() };
    let mut running = Running::start(vec![known]);
    running.wait_ok();
    running.finish(0);

    let running = Running::start(vec![strange]);
    running.wait_detail("TLS");
    running.finish(0);
}

#[test]
fn a_venue_that_drops_the_connection_is_stale_and_comes_back() {
    let (sim, mut running) = started(5);
    sim.disconnect_all();
    running.wait("it was stale", |r| r.states.iter().any(|(_, s)| *s == State::Stale));
    running.wait_ok();
    assert_eq!(running.feed().reconnects.value(), 1);
    running.finish(0);
}

#[test]
fn a_venue_that_falls_silent_is_stale_and_comes_back() {
    let (sim, mut running) = started(5);
    sim.pause();
    running.wait("it is stale", |r| r.all(State::Stale));
    assert!(running.feed().silences.value() >= 1);
    sim.resume();
    running.wait_ok();
    running.finish(0);
}

#[test]
fn a_venue_that_is_restarted_is_found_again() {
    let (sim, mut running) = started(5);
    let address = sim.addr();
    sim.stop();
    running.wait("it is stale", |r| r.all(State::Stale));
    let again = market(5).start_thread(address).expect("the port is free again");
    running.wait_ok();
    assert_eq!(again.connections(), 1);
    running.finish(0);
}

#[test]
fn a_wrong_checksum_or_a_gap_costs_one_symbol_for_a_moment() {
    let (sim, mut running) = started(5);
    let name = running.replica.truth.symbols().next().expect("one").1.instrument.symbol.clone();
    for fault in 1..=2 {
        running.replica.states.clear();
        if fault == 1 {
            sim.corrupt_next_checksum(&name);
        } else {
            sim.skip_next_update(&name);
        }
        running.wait("it recovers", |r| {
            let told: Vec<_> = r.states.iter().map(|(_, state)| *state).collect();
            told == [State::Recovering, State::Ok]
        });
        assert!(running.replica.states.iter().all(|(symbol, _)| **symbol == *name));
        assert_eq!(running.feed().checksum_failures.value(), fault);
    }
    assert_eq!(running.feed().reconnects.value(), 0);
    running.finish(2);
}

#[test]
fn garbage_is_counted_and_the_feed_goes_on() {
    let (sim, mut running) = started(5);
    sim.send_raw("{not json");
    sim.send_raw("{\"channel\":\"book\",\"data\":[{}]}");
    let ticks = running.replica.ticks;
    let metrics = Arc::clone(&running.metrics);
    running.wait("both are counted", |_| {
        let text = metrics.exposition();
        let counted = |kind: &str| text.lines().any(|l| l.contains(kind) && l.ends_with(" 1"));
        counted("malformed_json") && counted("missing_field")
    });
    running.wait("ticks flow", |r| r.ticks > ticks + 200);
    assert!(running.replica.all(State::Ok));
    running.finish(0);
}

fn binance_at(sim: &Handle, name: &str, dialect: Dialect) -> Feed {
    let http = sim.url().replace("ws://", "http://");
    Feed {
        url: format!("{}/{name}", sim.url()),
        rest_url: Some(format!("{http}/{name}")),
        ..feed(name, dialect, FeedSymbols::List(vec![symbol("BTCUSDT", name)]))
    }
}

#[test]
fn a_binance_gap_is_mended_by_a_snapshot() {
    let Some(spot) = recorded::find("binance_spot/btcusdt_20240808.gz") else { return };
    let replay = Replay { binance_spot: vec![spot], ..Replay::default() };
    let sim = replay.start_thread(anywhere()).expect("it starts");
    let mut running = Running::start(vec![binance_at(&sim, "spot", Dialect::BinanceSpot)]);
    running.wait_ok();
    running.replica.states.clear();
    sim.skip_next_update("BTCUSDT");
    running.wait("it recovers", |r| {
        let told: Vec<_> = r.states.iter().map(|(_, state)| *state).collect();
        told == [State::Recovering, State::Ok]
    });
    assert!(running.feed().resnapshots.value() >= 2);
    running.finish(1);
}

/// Price and size of each level, as texts, best first.
type Texts = Vec<(String, String)>;

/// A snapshot shows a thousand levels, and ours may be a little younger than the recorded one: what
/// lay deeper then, and has not changed since, is not known to us. The best 500 are, on both sides.
fn same_best(ours: &Texts, naive: &Texts) -> bool {
    ours.iter().take(500).eq(naive.iter().take(500))
}

/// A rebuild of a recorded book that shares nothing with ours.
#[derive(Default)]
struct Naive {
    sides: [HashMap<String, String>; 2],
    standing: u64,
    joined: bool,
    waiting: Vec<serde_json::Value>,
}

impl Naive {
    fn of(recording: &str) -> [Texts; 2] {
        let mut naive = Self::default();
        for line in recording.lines() {
            let whole = line[20..].starts_with("{\"lastUpdateId\"");
            if whole || line.contains("depthUpdate") {
                let message = serde_json::from_str(&line[20..]).expect("JSON");
                naive.take(whole, &message);
            }
        }
        let mut best = naive.sides.map(|side| {
            let mut all: Texts = side.into_iter().collect();
            let number = |text: &str| text.parse::<f64>().expect("a number");
            all.sort_by(|a, b| number(&a.0).total_cmp(&number(&b.0)));
            all
        });
        best[0].reverse();
        best
    }

    fn take(&mut self, whole: bool, message: &serde_json::Value) {
        if whole {
            self.put(0, &message["bids"]);
            self.put(1, &message["asks"]);
            self.standing = message["lastUpdateId"].as_u64().expect("a number");
            self.joined = true;
        } else {
            self.waiting.push(message["data"].clone());
        }
        if self.joined {
            for delta in std::mem::take(&mut self.waiting) {
                let last = delta["u"].as_u64().expect("a number");
                let futures = delta.get("pu").is_some();
                if last > self.standing || (futures && last == self.standing) {
                    self.put(0, &delta["b"]);
                    self.put(1, &delta["a"]);
                    self.standing = last;
                }
            }
        }
    }

    fn put(&mut self, side: usize, levels: &serde_json::Value) {
        for level in levels.as_array().expect("levels") {
            let [price, size] = [0, 1].map(|at| level[at].as_str().expect("text").to_owned());
            if size.trim_matches(['0', '.']).is_empty() {
                self.sides[side].remove(&price);
            } else {
                self.sides[side].insert(price, size);
            }
        }
    }
}

fn book_texts(replica: &Replica, name: &str) -> Option<[Texts; 2]> {
    let symbol = replica.truth.symbol(replica.truth.find(name)?)?;
    let (price, size) = (symbol.instrument.price_precision, symbol.instrument.size_precision);
    let text = |value, scale| market::Decimal::new(value, scale).expect("in range").to_string();
    Some(BookSide::BOTH.map(|side| {
        let level = |l: market::Level| (text(l.price.0, price), text(l.size.0, size));
        symbol.book.side(side).map(level).collect()
    }))
}

#[test]
fn the_replayed_recordings_end_in_the_naive_books_with_every_trade() {
    let Some(spot) = recorded::find("binance_spot/btcusdt_20240808.gz") else { return };
    let Some(usdm) = recorded::find("binance_usdm/btcusdt_20240808.gz") else { return };
    let texts = [recorded::text(&spot), recorded::text(&usdm)];
    let naive = texts.each_ref().map(|text| Naive::of(text));
    let replay = Replay {
        binance_spot: vec![spot],
        binance_usdm: vec![usdm],
        speed: Speed::Factor(100.0),
        ..Replay::default()
    };
    let sim = replay.start_thread(anywhere()).expect("it starts");
    let feeds = [("spot", Dialect::BinanceSpot), ("usdm", Dialect::BinanceUsdM)];
    let feeds = feeds.map(|(name, dialect)| binance_at(&sim, name, dialect));
    let mut running = Running::start(feeds.to_vec());
    let trade_count: usize = texts.iter().map(|text| text.matches("@trade\"").count()).sum();
    running.wait("everything was played", |r| r.trades.len() >= trade_count && sim.is_done());
    for (name, naive) in ["spot", "usdm"].into_iter().zip(&naive) {
        let alike = |ours: [Texts; 2]| (0..2).all(|at| same_best(&ours[at], &naive[at]));
        running.wait("the book is the naive one", |r| book_texts(r, name).is_some_and(alike));
    }
    for (name, text) in ["spot", "usdm"].into_iter().zip(&texts) {
        let id = running.replica.truth.find(name).expect("defined");
        let number =
            |line: &str| line.split_once("\"t\":")?.1.split(',').next()?.parse::<u64>().ok();
        let recorded = text.lines().filter_map(number);
        let delivered = running.replica.trades.iter().filter(|(of, _)| *of == id);
        assert!(delivered.map(|(_, number)| *number).eq(recorded), "{name}: trades in order");
    }
    running.finish(0);
}

#[test]
fn a_venue_that_accepts_and_says_nothing_is_given_up_and_tried_again() {
    let deaf = std::net::TcpListener::bind(anywhere()).expect("a port");
    let url = format!("ws://{}/v2", deaf.local_addr().expect("bound"));
    let feeds = vec![Feed { url, ..feed("kraken", Dialect::Kraken, FeedSymbols::All) }];
    let running = Running::start(feeds);
    let first = deaf.accept().expect("the feed dials");
    let second = deaf.accept().expect("the feed dials again");
    drop((first, second));
    running.wait_detail("connect time-out");
    running.finish(0);
}

#[test]
fn settings_that_cannot_work_are_refused_at_start() {
    let refused = |change: fn(&mut Feed)| {
        let list = FeedSymbols::List(vec![symbol("BTCUSDT", "BTC/USDT")]);
        let mut feed = feed("f", Dialect::BinanceSpot, list);
        change(&mut feed);
        match Ingest::new(&settings(vec![feed])) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(refused(|_| ()), "accepted");
    assert_eq!(refused(|f| f.rest_url = None), "feed f: this dialect needs rest_url");
    assert_eq!(
        refused(|f| f.symbols = FeedSymbols::All),
        "feed f: this dialect needs a list of symbols"
    );
    assert_eq!(
        refused(|f| f.url = "http://x".to_owned()),
        "feed f: address \"http://x\" is not of the form ws[s]://HOST[:PORT][/PATH]"
    );
    assert!(refused(|f| f.ca_file = Some("/nowhere.pem".into())).contains("ca_file /nowhere.pem"));
}
