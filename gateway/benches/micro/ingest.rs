//! The whole of ingest's work on a message: decode, normalise, number, fold, write into the ring.
//!
//! Nobody reads the ring. Running numbers in the messages rise as the venue's do: they are written
//! into the bytes before each message, which costs a dozen instructions.

use std::sync::Arc;
use std::time::Duration;

use gateway::config::{Dialect, Feed, FeedSymbol, FeedSymbols};
use gateway::ingest::{Limits, Pipeline, Publisher};
use gateway::metrics::{Metrics, TickKind};
use market::Nanos;

use crate::case::{Case, Round, Workload, endless};
use crate::fixtures::{LEVELS, TIME_MS, VARIANTS};
use crate::messages::{self, FIRST_ID, Kind, LAST_ID, NEXT_ID, Venue};

const RECV: Nanos = Nanos(TIME_MS * 1_000_000);
const RING_BYTES: usize = 1 << 20;

/// A number that counts up in its decimal text.
struct Odometer([u8; FIRST_ID.len()]);

impl Odometer {
    fn advance(&mut self) {
        for digit in self.0.iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                return;
            }
            *digit = b'0';
        }
    }
}

/// A message and where its running numbers stand.
struct Template {
    text: Vec<u8>,
    next: Vec<usize>,
    last: Vec<usize>,
}

impl Template {
    fn new(text: &str) -> Self {
        let places = |mark| text.match_indices(mark).map(|(at, _)| at).collect();
        Self { next: places(NEXT_ID), last: places(LAST_ID), text: text.as_bytes().to_vec() }
    }

    fn write(&mut self, id: &mut Odometer) -> &[u8] {
        for at in &self.last {
            self.text[*at..*at + FIRST_ID.len()].copy_from_slice(&id.0);
        }
        id.advance();
        for at in &self.next {
            self.text[*at..*at + FIRST_ID.len()].copy_from_slice(&id.0);
        }
        &self.text
    }
}

struct Ingest {
    pipeline: Pipeline,
    publisher: Publisher,
    metrics: Arc<Metrics>,
}

impl Ingest {
    /// Connected, and the book known.
    fn new(venue: Venue) -> Self {
        let feed = feed(venue);
        let metrics = Arc::new(Metrics::new([&*feed.name], 0));
        let (ring, _) = handoff::channel(RING_BYTES).expect("a power of two");
        let mut ingest = Self {
            pipeline: Pipeline::new(&feed, 0, limits(), Arc::clone(&metrics)),
            publisher: Publisher::new(ring, 4, Arc::clone(&metrics)),
            metrics,
        };
        let Self { pipeline, publisher, .. } = &mut ingest;
        pipeline.normaliser.connected(RECV, publisher);
        if venue == Venue::Kraken {
            for message in messages::kraken_beginning() {
                pipeline.message(message.as_bytes(), RECV, publisher);
            }
        } else {
            let snapshot = messages::binance_snapshot();
            assert!(pipeline.snapshot("BTCUSDT", snapshot.as_bytes(), RECV, publisher));
        }
        ingest
    }

    fn take(&mut self, message: &[u8]) {
        self.pipeline.message(message, RECV, &mut self.publisher);
        self.publisher.flush();
    }

    fn published(&self, kind: Kind, venue: Venue) -> u64 {
        let kind = match kind {
            Kind::Quote if venue == Venue::Kraken => TickKind::Statistics,
            Kind::Quote => TickKind::Quote,
            Kind::Trade => TickKind::Trade,
            Kind::Book => TickKind::Book,
        };
        self.metrics.ingest.ticks_published.of(kind).value()
    }
}

fn feed(venue: Venue) -> Feed {
    let (dialect, symbol) = match venue {
        Venue::Kraken => (Dialect::Kraken, "BTC/USD"),
        Venue::Spot => (Dialect::BinanceSpot, "BTCUSDT"),
        Venue::UsdM => (Dialect::BinanceUsdM, "BTCUSDT"),
    };
    let symbol = FeedSymbol {
        venue_symbol: symbol.to_owned(),
        symbol: symbol.to_owned(),
        base: "BTC".to_owned(),
        quote: "USD".to_owned(),
        price_precision: None,
        size_precision: None,
    };
    Feed {
        name: "bench".to_owned(),
        dialect,
        url: String::new(),
        rest_url: None,
        ca_file: None,
        headers: Vec::new(),
        symbols: FeedSymbols::List(vec![symbol]),
        book_depth: 10,
    }
}

fn limits() -> Limits {
    Limits {
        message_bytes_max: 1 << 20,
        book_levels_max: LEVELS as usize,
        symbols_max: 4,
        connect_timeout: Duration::ZERO,
        silence_timeout: Duration::ZERO,
        backoff_min: Duration::ZERO,
        backoff_max: Duration::ZERO,
        flush_messages_max: 1,
        flush_bytes_max: 1,
    }
}

fn ingesting(venue: Venue, kind: Kind) -> Box<dyn Case> {
    let mut ingest = Ingest::new(venue);
    let stream = messages::stream(venue, kind);
    let mut stream = Round::new(stream.iter().map(|m| Template::new(m)).collect());
    let mut id = Odometer(*FIRST_ID.as_bytes().first_chunk().expect("its own length"));
    let before = ingest.published(kind, venue);
    for _ in 0..VARIANTS {
        ingest.take(stream.next().write(&mut id));
    }
    // What is refused is cheap: it must not be what is measured.
    assert_eq!(ingest.published(kind, venue) - before, VARIANTS, "{venue:?} {kind:?}");
    endless(move || {
        let message = stream.next().write(&mut id);
        ingest.take(message);
        message.len()
    })
}

pub(crate) fn workloads(all: &mut Vec<Workload>) {
    for venue in Venue::ALL {
        for kind in Kind::ALL {
            let name = format!("ingest.{}.{}", venue.name(), kind.name(venue));
            all.push(Workload::new(name, 64 * VARIANTS, move || ingesting(venue, kind)));
        }
    }
}
