//! A feed's whole way: messages, one a line, through decoder, normaliser and ring into a replica.
//!
//! The first byte chooses the dialect; a line that begins with `#` is a REST snapshot. Whatever the
//! venue says, the records of the ring fold without a gap, the replica is the truth, and no book
//! is crossed or deeper than allowed.
#![no_main]

use std::path::Path;
use std::sync::{Arc, LazyLock};

use gateway::config::{self, Ingest};
use gateway::ingest::{Limits, Pipeline, Publisher};
use gateway::metrics::Metrics;
use handoff::{Batch, Read};
use libfuzzer_sys::fuzz_target;
use market::{Nanos, Tick, Truth};

const RING_BYTES: usize = 1 << 17;
const CONFIG: &str = r#"
[door]
listen = "127.0.0.1:0"
cert_file = "cert.pem"
key_file = "key.pem"
[ring]
bytes = 262144
[ingest]
book_levels_max = 100
symbols_max = 5
[[ingest.feeds]]
name = "kraken"
dialect = "kraken"
url = "wss://venue.example/v2"
symbols = "all"
book_depth = 10
[[ingest.feeds]]
name = "spot"
dialect = "binance-spot"
url = "wss://venue.example"
rest_url = "https://venue.example"
symbols = [{ venue_symbol = "ABUSD", symbol = "AB/USD", base = "AB", quote = "USD" }]
[[ingest.feeds]]
name = "usdm"
dialect = "binance-usdm"
url = "wss://venue.example"
rest_url = "https://venue.example"
symbols = [{ venue_symbol = "ABUSD", symbol = "AB/USD:USD", base = "AB", quote = "USD" }]
"#;

static SETTINGS: LazyLock<Ingest> = LazyLock::new(|| {
    let loaded = config::parse(CONFIG, Path::new("fuzz.toml")).unwrap_or_else(|e| panic!("{e}"));
    loaded.config.ingest
});

/// They only count, and are dear to make.
static METRICS: LazyLock<Arc<Metrics>> =
    LazyLock::new(|| Arc::new(Metrics::new(SETTINGS.feeds.iter().map(|feed| &*feed.name), 0)));

fuzz_target!(|data: &[u8]| {
    let Some((choice, messages)) = data.split_first() else { return };
    let at = usize::from(*choice) % SETTINGS.feeds.len();
    let limits = Limits::from(&*SETTINGS);
    let metrics = Arc::clone(&METRICS);
    let (ring, subscribers) = handoff::channel(RING_BYTES).expect("a good capacity");
    let mut reader = subscribers.subscribe(|| {}).expect("a seat");
    let mut batch = Batch::with_size_max(RING_BYTES);
    let mut publisher = Publisher::new(ring, SETTINGS.symbols_max, Arc::clone(&metrics));
    let mut pipeline = Pipeline::new(&SETTINGS.feeds[at], at, limits, metrics);
    let mut replica = Truth::default();
    let mut now = 1_800_000_000_000_000_000;
    pipeline.normaliser.define_configured(Nanos(now), &mut publisher);
    pipeline.normaliser.connected(Nanos(now), &mut publisher);
    for message in messages.split(|byte| *byte == b'\n') {
        now += 1_000_000;
        match message.strip_prefix(b"#") {
            Some(snapshot) => {
                pipeline.snapshot("ABUSD", snapshot, Nanos(now), &mut publisher);
            }
            None => pipeline.message(message, Nanos(now), &mut publisher),
        }
        publisher.flush();
        // One message cannot lap a reader that has read all before it, unless it is many records.
        match reader.read(&mut batch) {
            Read::Lagged { .. } => return,
            Read::Empty | Read::Records(_) => fold(&batch, &mut replica),
        }
        while let Read::Records(_) = reader.read(&mut batch) {
            fold(&batch, &mut replica);
        }
        check(publisher.truth(), &replica);
    }
    pipeline.normaliser.disconnected(Nanos(now), &mut publisher);
});

fn fold(batch: &Batch, replica: &mut Truth) {
    for record in batch {
        let tick = Tick::decode(record).expect("a record of ours");
        replica.apply(&tick).expect("every sequence follows the one before");
    }
}

fn check(truth: &Truth, replica: &Truth) {
    assert_eq!(truth.symbol_count(), replica.symbol_count());
    for ((_, ours), (_, theirs)) in truth.symbols().zip(replica.symbols()) {
        assert!(ours.book == theirs.book && ours.quote == theirs.quote);
        assert_eq!(ours.state, theirs.state);
        assert!(!ours.book.is_crossed(), "{}: a crossed book", ours.instrument.symbol);
        assert!(ours.book.bids().len() <= SETTINGS.book_levels_max);
        assert!(ours.book.asks().len() <= SETTINGS.book_levels_max);
    }
}
