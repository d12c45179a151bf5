//! The path of a venue's message through ingest, on one core, with recorded Binance traffic.
//!
//! ```text
//!   recording --> [ decode ] --> [ normalise ] --> [ number, fold, write ] --> ring (nobody reads)
//!   in memory     venue          ingest::Normaliser  ingest::Publisher, market::Truth
//! ```
//!
//! Not an open loop: what is asked here is how fast one core can go and whether it allocates. Each
//! pass starts from nothing and replays everything; the first passes warm up, the median of the
//! others is reported, in time on the processor: on a shared machine the clock on the wall measures
//! the others. Allocations are counted by the allocator itself, over a second half of a pass, when
//! every buffer has reached its size. Run it with `cargo bench -p gateway --bench ingest`;
//! `-- --json` prints one line.
#![allow(
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a benchmark prints its table, and has no public face"
)]

#[path = "../tests/support/recorded.rs"]
mod recorded;

use std::alloc::System;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use allocations::Counting;
use gateway::config::{Dialect, Feed, FeedSymbol, FeedSymbols};
use gateway::ingest::{Limits, Pipeline, Publisher};
use gateway::metrics::Metrics;
use gateway::metrics::TickKind::{Book, Quote, Trade};
use market::Nanos;

const PASSES: usize = 9;
const WARM_UP: usize = 2;

#[global_allocator]
static ALLOCATOR: Counting<System> = Counting::new(System);

/// One recorded message and whose it is.
struct Message {
    feed: usize,
    recv: Nanos,
    bytes: Vec<u8>,
    /// A REST snapshot of this symbol.
    snapshot_of: Option<&'static str>,
}

const FILES: [(&str, usize, &str); 3] = [
    ("binance_spot/btcusdt_20240808.gz", 0, "BTCUSDT"),
    ("binance_spot/ethusdt_20240808.gz", 0, "ETHUSDT"),
    ("binance_usdm/btcusdt_20240808.gz", 1, "BTCUSDT"),
];

fn load() -> Result<Vec<Message>, PathBuf> {
    let mut messages = Vec::new();
    for (name, feed, symbol) in FILES {
        let path = recorded::folder().join(name);
        if !path.exists() {
            return Err(path);
        }
        for line in recorded::text(&path).lines() {
            let (recv, message) = line.split_once(' ').expect("time and message");
            messages.push(Message {
                feed,
                recv: Nanos(recv.parse().expect("nanoseconds")),
                bytes: message.as_bytes().to_vec(),
                snapshot_of: message.starts_with("{\"lastUpdateId\"").then_some(symbol),
            });
        }
    }
    messages.sort_by_key(|message| message.recv);
    Ok(messages)
}

fn feed(name: &str, dialect: Dialect, symbols: &[&str]) -> Feed {
    let symbol = |venue_symbol: &&str| FeedSymbol {
        venue_symbol: (*venue_symbol).to_owned(),
        symbol: format!("{name}:{venue_symbol}"),
        base: venue_symbol[..3].to_owned(),
        quote: "USDT".to_owned(),
        price_precision: None,
        size_precision: None,
    };
    Feed {
        name: name.to_owned(),
        dialect,
        url: String::new(),
        rest_url: None,
        ca_file: None,
        headers: Vec::new(),
        symbols: FeedSymbols::List(symbols.iter().map(symbol).collect()),
        book_depth: 1000,
    }
}

struct Gateway {
    pipelines: [Pipeline; 2],
    publisher: Publisher,
    metrics: Arc<Metrics>,
    published_before: u64,
}

impl Gateway {
    /// With a ring nobody reads.
    fn new() -> Self {
        Self::with_ring(handoff::channel(1 << 24).expect("a good capacity").0)
    }

    fn with_ring(ring: handoff::Writer) -> Self {
        let feeds = [
            feed("spot", Dialect::BinanceSpot, &["BTCUSDT", "ETHUSDT"]),
            feed("usdm", Dialect::BinanceUsdM, &["BTCUSDT"]),
        ];
        let limits = Limits {
            message_bytes_max: 1 << 20,
            // Full from the first snapshot on, so that no side grows during the count.
            book_levels_max: 1000,
            symbols_max: 16,
            connect_timeout: Duration::ZERO,
            silence_timeout: Duration::ZERO,
            backoff_min: Duration::ZERO,
            backoff_max: Duration::ZERO,
            flush_messages_max: 1,
            flush_bytes_max: 1,
        };
        let metrics = Arc::new(Metrics::new(feeds.iter().map(|f| &*f.name), 0));
        let publisher = Publisher::new(ring, 16, Arc::clone(&metrics));
        let mut at = 0;
        let pipelines = feeds.map(|feed| {
            at += 1;
            Pipeline::new(&feed, at - 1, limits, Arc::clone(&metrics))
        });
        let mut gateway = Self { pipelines, publisher, metrics, published_before: 0 };
        for pipeline in &mut gateway.pipelines {
            pipeline.normaliser.connected(Nanos(1), &mut gateway.publisher);
        }
        gateway.live_through_the_years();
        gateway.published_before = gateway.metrics.ingest.ticks_published.of(Trade).value();
        gateway
    }

    /// Trades that fill every history (bars of 15 days among them) before the recording begins, as
    /// in a gateway that has been running: what grows to a bound has reached it.
    fn live_through_the_years(&mut self) {
        const BEGIN_MS: u64 = 1_723_161_250_000;
        const DAYS_15_MS: u64 = 15 * 86_400_000;
        const MINUTES_5_MS: u64 = 300_000;
        let long_ago = (1..=70).rev().map(|step| BEGIN_MS - step * DAYS_15_MS);
        let last_day = (1..=290).rev().map(|step| BEGIN_MS - step * MINUTES_5_MS);
        for (id, time) in long_ago.chain(last_day).enumerate() {
            for (feed, symbol, price, size) in [
                (0, "BTCUSDT", "60000.00000000", "1.00000000"),
                (0, "ETHUSDT", "2600.00000000", "1.00000000"),
                (1, "BTCUSDT", "60000.00", "1.000"),
            ] {
                let text = format!(
                    "{{\"e\":\"trade\",\"s\":\"{symbol}\",\"t\":{},\"p\":\"{price}\",\
                     \"q\":\"{size}\",\"T\":{time},\"m\":true}}",
                    id + 1
                );
                let recv = Nanos::from_millis(time);
                self.pipelines[feed].message(text.as_bytes(), recv, &mut self.publisher);
            }
        }
        let published = self.metrics.ingest.ticks_published.of(Trade).value();
        assert_eq!(published, 3 * (70 + 290), "a refused trade fills no history");
    }

    fn take(&mut self, message: &Message) {
        let Self { pipelines, publisher, .. } = self;
        let pipeline = &mut pipelines[message.feed];
        match message.snapshot_of {
            None => pipeline.message(&message.bytes, message.recv, publisher),
            Some(symbol) => {
                assert!(pipeline.snapshot(symbol, &message.bytes, message.recv, publisher));
            }
        }
        publisher.flush();
    }
}

#[derive(Default)]
struct Times {
    whole: Vec<f64>,
    decode: Vec<f64>,
    append: Vec<f64>,
    fold: Vec<f64>,
    allocations: u64,
    allocations_over: usize,
    published: u64,
}

/// Time this thread has been on a processor, in nanoseconds; from the clock where the system does
/// not say.
fn on_processor(begin: Instant) -> u64 {
    let stated = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let first = stated.and_then(|text| text.split(' ').next()?.parse().ok());
    first.unwrap_or_else(|| begin.elapsed().as_nanos() as u64)
}

fn whole_pass(messages: &[Message], times: &mut Times) {
    let mut gateway = Gateway::new();
    let half = messages.len() / 2;
    let clock = Instant::now();
    let begin = on_processor(clock);
    messages[..half].iter().for_each(|message| gateway.take(message));
    let before = ALLOCATOR.count();
    messages[half..].iter().for_each(|message| gateway.take(message));
    let allocations = ALLOCATOR.count() - before;
    times.whole.push((on_processor(clock) - begin) as f64 / messages.len() as f64);
    (times.allocations, times.allocations_over) = (allocations, messages.len() - half);
    let published = &gateway.metrics.ingest.ticks_published;
    times.published = [Book, Quote, Trade].map(|kind| published.of(kind).value()).iter().sum();
    times.published -= gateway.published_before;
    let failures: u64 = gateway.metrics.ingest.feeds.iter().map(|f| f.gaps.value()).sum();
    assert_eq!(failures, 0, "the recording has no gap");
}

fn decode_pass(messages: &[Message], times: &mut Times) {
    let mut decoder = venue::Binance::new(1 << 20);
    let clock = Instant::now();
    let begin = on_processor(clock);
    for message in messages {
        let sink = |event: venue::Event<'_>| {
            black_box(&event);
        };
        let outcome = match message.snapshot_of {
            None => decoder.decode(&message.bytes, sink),
            Some(symbol) => decoder.decode_snapshot(&message.bytes, symbol, sink),
        };
        assert_eq!(outcome, Ok(()));
    }
    times.decode.push((on_processor(clock) - begin) as f64 / messages.len() as f64);
}

/// Every record of one pass, in order.
fn capture(messages: &[Message]) -> Vec<Vec<u8>> {
    let (ring, subscribers) = handoff::channel(1 << 26).expect("a good capacity");
    let mut reader = subscribers.subscribe(|| {}).expect("a seat");
    let mut batch = handoff::Batch::with_size_max(1 << 20);
    let mut gateway = Gateway::with_ring(ring);
    let mut records = Vec::new();
    let mut drain = |records: &mut Vec<Vec<u8>>| {
        loop {
            match reader.read(&mut batch) {
                handoff::Read::Records(_) => records.extend(batch.iter().map(<[u8]>::to_vec)),
                handoff::Read::Empty => return,
                handoff::Read::Lagged { .. } => unreachable!("it is drained after each message"),
            }
        }
    };
    drain(&mut records);
    for message in messages {
        gateway.take(message);
        drain(&mut records);
    }
    records
}

/// The ring alone: every record appended and shown, nothing else.
fn append_pass(records: &[Vec<u8>], messages: usize, times: &mut Times) {
    let (mut ring, _) = handoff::channel(1 << 24).expect("a good capacity");
    let clock = Instant::now();
    let begin = on_processor(clock);
    for record in records {
        ring.publish(record).expect("it fitted before");
    }
    times.append.push((on_processor(clock) - begin) as f64 / messages as f64);
}

/// The fold alone, as a shard does it: every record read back and folded.
fn fold_pass(records: &[Vec<u8>], messages: usize, times: &mut Times) {
    let mut truth = market::Truth::default();
    let clock = Instant::now();
    let begin = on_processor(clock);
    for record in records {
        let tick = market::Tick::decode(record).expect("a record of ours");
        truth.apply(&tick).expect("in step");
    }
    times.fold.push((on_processor(clock) - begin) as f64 / messages as f64);
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values[WARM_UP..].to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn main() {
    let messages = match load() {
        Ok(messages) => messages,
        Err(path) => {
            println!("SKIPPED: recorded data not found at {}", path.display());
            return;
        }
    };
    let mut times = Times::default();
    let records = capture(&messages);
    for _ in 0..PASSES {
        whole_pass(&messages, &mut times);
        decode_pass(&messages, &mut times);
        append_pass(&records, messages.len(), &mut times);
        fold_pass(&records, messages.len(), &mut times);
    }
    let (whole, decode) = (median(&times.whole), median(&times.decode));
    let (append, fold) = (median(&times.append), median(&times.fold));
    let bytes: usize = messages.iter().map(|message| message.bytes.len()).sum();
    let (count, published) = (messages.len(), times.published);
    let (rate, allocations, over) = (1e9 / whole, times.allocations, times.allocations_over);
    let rest = whole - decode - append - fold;
    assert_eq!(allocations, 0, "ingest allocates for its messages");
    if std::env::args().any(|argument| argument == "--json") {
        println!(
            "{{\"bench\":\"ingest\",\"messages\":{count},\"bytes\":{bytes},\
             \"ticks\":{published},\"messages_per_s\":{rate:.0},\"ns_per_message\":{whole:.1},\
             \"decode_ns\":{decode:.1},\"normalise_ns\":{rest:.1},\"fold_ns\":{fold:.1},\
             \"append_ns\":{append:.1},\
             \"allocations\":{allocations},\"allocations_over_messages\":{over}}}"
        );
    } else {
        println!("{count} messages, {bytes} bytes, {published} ticks published, one core");
        println!("whole path             {whole:8.1} ns/message  {rate:10.0} messages/s");
        println!("  decode               {decode:8.1} ns/message");
        println!("  normalise, number    {rest:8.1} ns/message (what is left)");
        println!("  fold                 {fold:8.1} ns/message (read back, as a shard does)");
        println!("  append, flush        {append:8.1} ns/message");
        println!("allocations            {allocations:8} in the last {over} messages");
    }
}
