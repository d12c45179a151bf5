//! A shard's fan-out with sessions in it, driven as the shard drives it, sockets left out.

use std::hint::black_box;

use fanout::{Fanout, HistoryLimits, Limits, SessionKey};
use market::{Body, BookChange, BookSide, Levels, Nanos, SymbolId, Tick};

use crate::fixtures::{self, LEVELS, TIME_MS};

pub(crate) const NOW: Nanos = Nanos(TIME_MS * 1_000_000);
/// As the shard takes: what fits a TLS record.
const RECORD_BYTES_MAX: usize = 16_384;

pub(crate) struct Shard {
    pub(crate) fanout: Fanout,
    pub(crate) sessions: Vec<SessionKey>,
    pub(crate) symbols: Vec<String>,
    frames: Vec<u8>,
    text: Vec<u8>,
}

impl Shard {
    /// Symbols with a quote, a trade and a book each; sessions that want nothing yet.
    pub(crate) fn new(symbol_count: u32, session_count: u64) -> Self {
        let limits = Limits {
            outbox_bytes_max: 1 << 20,
            slow_warning_bytes: u64::MAX,
            slow_cleared_bytes: u64::MAX,
            write_timeout_ns: u64::MAX,
            trades_behind_max: 1000,
            bases_bytes_max: usize::MAX,
            slice_bytes_max: usize::MAX,
            slice_symbols_max: usize::MAX,
            history: HistoryLimits { bytes_max: 16 << 20, age_ns_max: u64::MAX },
            subscriptions_max: 1 << 16,
            requests_per_second_max: u32::MAX,
            bad_requests_max: 0,
            credentials_timeout_ns: u64::MAX,
            heartbeat_ns: u64::MAX,
            ping_ns: u64::MAX,
            pong_timeout_ns: u64::MAX,
        };
        let mut shard = Self {
            fanout: Fanout::new(limits, 1),
            sessions: Vec::new(),
            symbols: (0..symbol_count).map(|at| format!("S{at:03}/USDT")).collect(),
            frames: Vec::with_capacity(2 * RECORD_BYTES_MAX),
            text: Vec::new(),
        };
        for at in 0..symbol_count {
            let id = SymbolId(at);
            let instrument = fixtures::instrument(&shard.symbols[at as usize]);
            shard.tick(id, Body::Instrument(instrument));
            shard.tick(id, Body::Quote(fixtures::quote(0)));
            let [bids, asks] = BookSide::BOTH.map(|side| fixtures::side(side, LEVELS, 0));
            let change = BookChange { bids: Levels::new(&bids), asks: Levels::new(&asks) };
            shard.tick(id, Body::Book(change));
            shard.tick(id, Body::Trade(fixtures::trade(0)));
        }
        for connection in 0..session_count {
            let key = shard.fanout.handle_open(connection, NOW.0);
            shard.sessions.push(key);
        }
        shard.gather();
        shard
    }

    /// A tick as it comes from the ring.
    pub(crate) fn tick(&mut self, symbol: SymbolId, body: Body<'_>) {
        let sequence = self.fanout.truth().next_sequence(symbol, body.channel());
        let tick = Tick { symbol, sequence, stamps: fixtures::stamps(sequence % 16), body };
        self.fanout.handle_tick(&tick).expect("in step");
    }

    /// A text as it comes from a session; the parser changes its own copy.
    pub(crate) fn hear(&mut self, key: SessionKey, text: &str) {
        self.text.clear();
        self.text.extend_from_slice(text.as_bytes());
        self.fanout.handle_text(key, &mut self.text, NOW);
    }

    /// Ends the cycle: takes what every session is to be sent, and says how many bytes that is.
    pub(crate) fn gather(&mut self) -> usize {
        let mut bytes = 0;
        while let Some(key) = self.fanout.poll_dirty() {
            let mut is_more = true;
            while is_more {
                self.frames.clear();
                let frames = &mut self.frames;
                is_more = self.fanout.take(
                    key,
                    RECORD_BYTES_MAX,
                    frames,
                    |stamps| {
                        black_box(stamps);
                    },
                    NOW.0,
                );
                bytes += black_box(&self.frames).len();
            }
        }
        self.fanout.end_cycle();
        bytes
    }
}
