//! What ingest's tests share: settings, and a reader of the ring that folds.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "each test program uses a part of it, and none has a public face"
)]

use std::time::{Duration, Instant};

use gateway::config::{Dialect, Feed, FeedSymbol, FeedSymbols, Ingest};
use handoff::{Batch, Read, Reader};
use market::{Body, State, SymbolId, Tick, Truth};

/// A feed under test; nothing it needs is on the network unless the test puts it there.
pub fn feed(name: &str, dialect: Dialect, symbols: FeedSymbols) -> Feed {
    Feed {
        name: name.to_owned(),
        dialect,
        url: "ws://127.0.0.1:1".to_owned(),
        rest_url: (dialect != Dialect::Kraken).then(|| "http://127.0.0.1:1".to_owned()),
        ca_file: None,
        headers: Vec::new(),
        symbols,
        book_depth: 10,
    }
}

/// `BTCUSDT` as `NAME`, precision learnt.
pub fn symbol(venue_symbol: &str, name: &str) -> FeedSymbol {
    FeedSymbol {
        venue_symbol: venue_symbol.to_owned(),
        symbol: name.to_owned(),
        base: "BASE".to_owned(),
        quote: "QUOTE".to_owned(),
        price_precision: None,
        size_precision: None,
    }
}

pub fn settings(feeds: Vec<Feed>) -> Ingest {
    Ingest {
        pin: false,
        spin: Duration::ZERO,
        flush_messages_max: 64,
        flush_bytes_max: 65_536,
        silence_timeout: Duration::from_millis(1500),
        backoff_min: Duration::from_millis(50),
        backoff_max: Duration::from_millis(500),
        connect_timeout: Duration::from_secs(3),
        message_bytes_max: 4 << 20,
        book_levels_max: 10_000,
        symbols_max: 1000,
        delays: Vec::new(),
        delay_bytes_max: 1 << 20,
        follow: None,
        feeds,
    }
}

/// A shard's view: what the ring holds, folded. Folding fails on any gap in a sequence.
pub struct Replica {
    reader: Reader,
    batch: Batch,
    pub truth: Truth,
    /// Every state that was told, in order.
    pub states: Vec<(String, State)>,
    /// Number of every trade, in order, per symbol.
    pub trades: Vec<(SymbolId, u64)>,
    /// Ticks folded.
    pub ticks: u64,
}

impl Replica {
    pub fn new(reader: Reader) -> Self {
        Self {
            reader,
            batch: Batch::with_size_max(1 << 20),
            truth: Truth::default(),
            states: Vec::new(),
            trades: Vec::new(),
            ticks: 0,
        }
    }

    /// Folds what is there.
    pub fn catch_up(&mut self) {
        loop {
            match self.reader.read(&mut self.batch) {
                Read::Empty => return,
                Read::Lagged { lost } => panic!("the test's reader was lapped by {lost} records"),
                Read::Records(_) => {}
            }
            for record in &self.batch {
                let tick = Tick::decode(record).expect("a record of ours");
                self.truth.apply(&tick).expect("every sequence follows the one before");
                self.ticks += 1;
                match tick.body {
                    Body::State(state) => {
                        let symbol = self.truth.symbol(tick.symbol).expect("defined");
                        self.states.push((symbol.instrument.symbol.to_string(), state));
                    }
                    Body::Trade(trade) => self.trades.push((tick.symbol, trade.trade_id)),
                    _ => {}
                }
            }
        }
    }

    /// Folds until `met`, or fails the test.
    pub fn wait(&mut self, what: &str, mut met: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            self.catch_up();
            if met(self) {
                return;
            }
            assert!(Instant::now() < deadline, "never: {what}; states {:?}", self.states);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn all(&self, state: State) -> bool {
        self.truth.symbol_count() > 0 && self.truth.symbols().all(|(_, s)| s.state == state)
    }

    pub fn state(&self, name: &str) -> Option<State> {
        Some(self.truth.symbol(self.truth.find(name)?)?.state)
    }
}
