//! The delay line against a naive model: random ticks, random moments, a session that is delayed.
//!
//! ```text
//!  random ticks --> Publisher --ring--> originals, kept in a list with their time of publication
//!                       | line                                    | those old enough, folded
//!                       +-------ring--> twins == ------------------+
//!                                       Fanout --> a dashboard's books and numbers
//! ```
//!
//! At every moment a twin is exactly what its original was so much earlier. Where the line is too
//! small, it may be stale instead; then it is behind, never ahead, and all of it is told. The
//! dashboard's socket is full now and then, and its shard lapped.
#![allow(missing_docs, reason = "a test says by its name what it is for")]

mod ingest_harness;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fanout::{Admission, Fanout, HistoryLimits, Limits, Permits, SessionKey};
use gateway::ingest::Publisher;
use gateway::metrics::Metrics;
use handoff::{Batch, Read, Reader};
use market::{
    Body, BookChange, BookSide, Channel, Instrument, Interval, Level, Levels, Nanos, OrderKind,
    Price, Quote, Side, Size, State, Statistics, Symbol, SymbolId, Tick, Trade, Trading, Truth,
};
use rights::{Authenticator, Credentials, NewKey, Register, Rules, Wall};
use serde_json::Value;

const DELAYS_MS: [u64; 2] = [1, 3];
const NANOS_PER_MILLI: u64 = 1_000_000;
const SYMBOLS_MAX: usize = 3;
const WALL: Wall = Wall::from_seconds(1_800_000_000);

const LIMITS: Limits = Limits {
    outbox_bytes_max: 1 << 30,
    slow_warning_bytes: 1 << 30,
    slow_cleared_bytes: 1 << 29,
    write_timeout_ns: u64::MAX,
    trades_behind_max: 1 << 40,
    bases_bytes_max: 1 << 20,
    slice_bytes_max: 1 << 30,
    slice_symbols_max: 256,
    history: HistoryLimits { bytes_max: 1 << 20, age_ns_max: u64::MAX },
    subscriptions_max: 1000,
    requests_per_second_max: 1000,
    bad_requests_max: 3,
    credentials_timeout_ns: u64::MAX,
    heartbeat_ns: u64::MAX,
    ping_ns: u64::MAX,
    pong_timeout_ns: u64::MAX,
};

/// What a dashboard was told of one symbol on one channel.
#[derive(Debug, Default)]
struct Followed {
    last: Option<u64>,
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
    missed: u64,
}

/// A dashboard of its own code: it counts, and keeps books.
#[derive(Debug, Default)]
struct Dashboard {
    followed: BTreeMap<(String, String), Followed>,
}

impl Dashboard {
    fn hears(&mut self, text: &Value) {
        let channel = text["channel"].as_str().unwrap_or_default().to_owned();
        let item = &text["data"][0];
        if channel == "notice" && item["kind"] == "gap" {
            let key = (item["channel"].to_string().replace('"', ""), name_of(item));
            let followed = self.followed.entry(key).or_default();
            let [from, to] = ["from_seq", "to_seq"].map(|key| item[key].as_u64());
            assert_eq!(from, followed.last.map(|last| last + 1), "{text}");
            let reason = item["reason"].as_str().expect("a reason");
            if reason == "delay_line" {
                followed.missed += item["count"].as_u64().expect("a count");
            }
            followed.last = to;
        }
        let Some(sequence) = text["x"]["seq"].as_u64().filter(|_| item["symbol"].is_string())
        else {
            return;
        };
        let followed = self.followed.entry((channel.clone(), name_of(item))).or_default();
        if text["type"] == "snapshot" {
            followed.bids.clear();
            followed.asks.clear();
        } else {
            let first = text["x"]["first_seq"].as_u64().unwrap_or(sequence);
            assert_eq!(Some(first), followed.last.map(|last| last + 1), "{text}");
        }
        followed.last = Some(sequence);
        for (name, side) in [("bids", &mut followed.bids), ("asks", &mut followed.asks)] {
            for level in item[name].as_array().into_iter().flatten() {
                let [price, size] = ["price", "qty"].map(|key| level[key].as_i64().expect("whole"));
                if size == 0 {
                    side.remove(&price)
                } else {
                    side.insert(price, size)
                };
            }
        }
        let worst = followed.bids.keys().rev().nth(10).copied();
        followed.bids.retain(|price, _| worst.is_none_or(|worst| *price > worst));
        let worst = followed.asks.keys().nth(10).copied();
        followed.asks.retain(|price, _| worst.is_none_or(|worst| *price < worst));
    }
}

fn name_of(item: &Value) -> String {
    item["symbol"].as_str().expect("a symbol").to_owned()
}

struct World {
    rng: fastrand::Rng,
    publisher: Publisher,
    metrics: Arc<Metrics>,
    reader: Reader,
    batch: Batch,
    /// What the ring holds, folded.
    replica: Truth,
    fanout: Fanout,
    session: SessionKey,
    is_blocked: bool,
    /// The shard is lapped: ticks do not reach it.
    is_lapped: bool,
    dashboard: Dashboard,
    /// Every tick of an original, and when it was published.
    told: Vec<(u64, Vec<u8>)>,
    /// By delay: how many of them are old enough, and these folded.
    naive: Vec<(usize, Truth)>,
    /// The moment of the last release.
    now: u64,
    trade_id: u64,
    definitions: Vec<(SymbolId, Instrument)>,
}

impl World {
    fn new(seed: u64, line_bytes_max: usize) -> Self {
        let metrics = Arc::new(Metrics::new([], 0));
        let (ring, subscribers) = handoff::channel(1 << 24).expect("a good capacity");
        let reader = subscribers.subscribe(|| {}).expect("a seat");
        let delays = DELAYS_MS.map(Duration::from_millis);
        let publisher = Publisher::new(ring, SYMBOLS_MAX, Arc::clone(&metrics))
            .with_delays(&delays, line_bytes_max);
        let mut fanout = Fanout::new(LIMITS, 7);
        let session = fanout.handle_arrival(1, Some(admission()), Nanos(1));
        let mut world = Self {
            rng: fastrand::Rng::with_seed(seed),
            publisher,
            metrics,
            reader,
            batch: Batch::with_size_max(1 << 20),
            replica: Truth::default(),
            fanout,
            session,
            is_blocked: false,
            is_lapped: false,
            dashboard: Dashboard::default(),
            told: Vec::new(),
            naive: DELAYS_MS.map(|_| (0, Truth::default())).into(),
            now: 0,
            trade_id: 0,
            definitions: Vec::new(),
        };
        for channel in ["book", "trade", "ticker"] {
            let text = format!(
                r#"{{"method":"subscribe","params":{{"channel":"{channel}","symbol":["*"],
                "x":{{"seq":true}}}}}}"#
            );
            world.fanout.handle_text(world.session, &mut text.into_bytes(), Nanos(1));
        }
        world
    }

    fn tick(&mut self) {
        if self.definitions.len() < SYMBOLS_MAX && self.rng.u32(..40) == 0 {
            let instrument = instrument(["A/B", "C/D", "E/F"][self.definitions.len()]);
            let id = self.publisher.define(instrument.clone(), Nanos(5)).expect("there is room");
            self.definitions.push((id, instrument));
        }
        if self.definitions.is_empty() {
            return;
        }
        let at = self.rng.usize(..self.definitions.len());
        let (id, instrument) = &mut self.definitions[at];
        let rng = &mut self.rng;
        let mut level = || Level { price: Price(rng.i64(1..60)), size: Size(rng.i64(0..3)) };
        let levels = [level(), level(), level()];
        let (kind, side) = (rng.u32(..60), rng.usize(..2));
        let body = match kind {
            0 => {
                instrument.trading = Trading::ALL[rng.usize(..5)];
                let instrument = instrument.clone();
                return self.publisher.redefine(*id, instrument, Nanos(5));
            }
            1 => Body::State([State::Ok, State::Stale, State::Halted][rng.usize(..3)]),
            2..20 => Body::Quote(Quote { bid: levels[0], ask: levels[1] }),
            20..22 if id.0 == 0 => {
                let statistics = Statistics { last: levels[0].price, ..Statistics::default() };
                Body::Ticker(Quote { bid: levels[0], ask: levels[1] }, statistics)
            }
            22..40 => {
                self.trade_id += 1;
                Body::Trade(Trade {
                    price: Price(rng.i64(1..60)),
                    size: Size(rng.i64(1..9)),
                    side: Side::Buy,
                    order_kind: OrderKind::Market,
                    trade_id: self.trade_id,
                    ts_event: Nanos(rng.u64(1..900_000_000_000)),
                })
            }
            _ => {
                let sides = [Levels::new(&levels), Levels::new(&[])];
                Body::Book(BookChange { bids: sides[side], asks: sides[1 - side] })
            }
        };
        assert!(self.publisher.publish(*id, Nanos(4), Nanos(5), body));
    }

    /// Lets go what is old enough at a moment, and looks at what came of it.
    fn release(&mut self, now: u64, is_line_large: bool) {
        self.now = self.now.max(now);
        self.publisher.flush();
        self.read();
        while self.publisher.release(Nanos(self.now)) {}
        self.read();
        for (at, delay_ms) in DELAYS_MS.into_iter().enumerate() {
            let (count, naive) = &mut self.naive[at];
            let latest = self.now.saturating_sub(delay_ms * NANOS_PER_MILLI);
            while let Some((_, record)) = self.told.get(*count).filter(|(at, _)| *at <= latest) {
                fold_renumbered(naive, &Tick::decode(record).expect("a record"));
                *count += 1;
            }
            self.compare(at, is_line_large);
        }
        self.write();
    }

    fn read(&mut self) {
        while let Read::Records(_) = self.reader.read(&mut self.batch) {
            for record in &self.batch {
                let tick = Tick::decode(record).expect("a record");
                self.replica.apply(&tick).expect("in step");
                if !self.is_lapped {
                    self.fanout.handle_tick(&tick).expect("in step");
                }
                let symbol = self.replica.symbol(tick.symbol).expect("defined");
                if symbol.twin.is_none() {
                    self.told.push((tick.stamps.publish.0, record.to_vec()));
                }
            }
        }
    }

    /// Each twin of a delay with its original as it was then.
    fn compare(&self, at: usize, is_line_large: bool) {
        for (id, _) in self.replica.originals() {
            let delay_ms = DELAYS_MS[at] as u32;
            let twin = self.replica.delayed(id, delay_ms).expect("every original has its twins");
            let twin = self.replica.symbol(twin).expect("defined");
            let name = self.replica.symbol(id).expect("defined").instrument.symbol.clone();
            let naive = &self.naive[at].1;
            let Some(then) = naive.find(&name).and_then(|id| naive.symbol(id)) else {
                assert_eq!(twin.sequence(Channel::Book), 0, "told before it was there");
                assert_eq!(twin.instrument.trading, Trading::Maintenance, "nobody knows yet");
                continue;
            };
            for channel in CHANNELS {
                assert!(twin.sequence(channel) <= then.sequence(channel), "younger than it may be");
            }
            if is_line_large || (twin.state != State::Stale && then.state != State::Stale) {
                assert_same(twin, then);
            }
        }
    }

    fn write(&mut self) {
        match self.rng.u32(..30) {
            0 => self.is_lapped = true,
            1..4 => self.resynchronise(),
            _ => {}
        }
        if self.rng.u32(..10) == 0 {
            self.is_blocked = !self.is_blocked;
            if !self.is_blocked {
                self.fanout.mark_dirty(self.session);
            }
        }
        while let Some(key) = self.fanout.poll_dirty() {
            if self.is_blocked {
                self.fanout.keep(key);
                continue;
            }
            let mut bytes = Vec::new();
            while self.fanout.take(key, 1 << 30, &mut bytes, |_| {}, self.now) {}
            assert_eq!(self.fanout.closing(key), None, "{}", String::from_utf8_lossy(&bytes));
            for text in texts(&bytes) {
                self.dashboard.hears(&text);
            }
        }
        self.fanout.end_cycle();
        if !self.is_blocked {
            self.fanout.handle_work(Nanos(self.now));
            self.look();
        }
    }

    fn come_back(&mut self) {
        self.resynchronise();
        self.is_blocked = false;
        self.fanout.mark_dirty(self.session);
    }

    fn resynchronise(&mut self) {
        if std::mem::take(&mut self.is_lapped) {
            self.fanout.handle_truth(self.publisher.replica().truth);
        }
    }

    /// The dashboard holds what the shortest delay's twins are.
    fn look(&self) {
        let truth = self.fanout.truth();
        for ((channel, name), followed) in &self.dashboard.followed {
            let id = truth.find(name).and_then(|id| truth.delayed(id, 1)).expect("a twin");
            let twin = truth.symbol(id).expect("defined");
            let sequence = match &**channel {
                "book" => twin.sequence(Channel::Book),
                "trade" => twin.sequence(Channel::Trade),
                _ => twin.sequence(Channel::TickerOnTrade),
            };
            assert_eq!(followed.last, Some(sequence), "{channel} {name}");
            if channel == "book" {
                let side = |side| twin.book.side(side).take(10).map(|l| (l.price.0, l.size.0));
                let bids: BTreeMap<_, _> = side(BookSide::Bid).collect();
                let asks: BTreeMap<_, _> = side(BookSide::Ask).collect();
                assert_eq!((&followed.bids, &followed.asks), (&bids, &asks), "{name}");
            }
        }
    }
}

const CHANNELS: [Channel; 5] = [
    Channel::Ticker,
    Channel::TickerOnTrade,
    Channel::Trade,
    Channel::Book,
    Channel::Bars(Interval::Minute1),
];

fn assert_same(twin: &Symbol, then: &Symbol) {
    assert_eq!(twin.instrument, then.instrument);
    assert_eq!((twin.state, twin.quote), (then.state, then.quote));
    assert_eq!(twin.statistics, then.statistics);
    assert_eq!((&twin.book, &twin.tape), (&then.book, &then.tape));
    assert_eq!(twin.bars, then.bars);
    for channel in CHANNELS {
        assert_eq!(twin.sequence(channel), then.sequence(channel));
    }
}

/// Folds a tick into a truth that has no twins, where the same symbol has another number.
fn fold_renumbered(naive: &mut Truth, tick: &Tick<'_>) {
    let symbol = SymbolId(tick.symbol.0 / (1 + DELAYS_MS.len() as u32));
    naive.apply(&Tick { symbol, ..tick.clone() }).expect("in step");
}

fn admission() -> Admission {
    let key = NewKey::generate().expect("randomness");
    let file = Path::new("file.toml");
    let register = Register::parse(&key.register_entry("alice", &[], None), file).expect("good");
    let rules = "[[rules]]\nsymbols = ['*']\nquality = 'delayed'\ndelay_ms = 1\n";
    let rules = Arc::new(Rules::parse(rules, file, Duration::from_secs(1)).expect("good"));
    let permits = Arc::new(Permits { authenticator: Authenticator::new(register, None), rules });
    let credentials = Credentials::from_text(key.text().expose());
    let identity = permits.authenticator.authenticate(&credentials, WALL).expect("a good key");
    Admission::new(permits, identity, WALL, Nanos(1))
}

fn instrument(name: &str) -> Instrument {
    Instrument {
        symbol: name.into(),
        venue: "v".into(),
        venue_symbol: name.into(),
        base: "A".into(),
        quote: "B".into(),
        price_precision: 0,
        size_precision: 0,
        price_increment: Price(1),
        size_increment: Size(1),
        size_min: Size(1),
        book_levels_max: 20,
        trading: Trading::PostOnly,
    }
}

/// The texts of whole frames.
fn texts(mut bytes: &[u8]) -> Vec<Value> {
    let mut texts = Vec::new();
    while let [head, length, rest @ ..] = bytes {
        let (length, rest) = match length {
            126 => {
                let (length, rest) = rest.split_first_chunk().expect("a length");
                (usize::from(u16::from_be_bytes(*length)), rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk().expect("a length");
                (u64::from_be_bytes(*length) as usize, rest)
            }
            short => (usize::from(*short), rest),
        };
        assert_eq!(*head, 0x81, "texts alone");
        texts.push(serde_json::from_slice(&rest[..length]).expect("JSON"));
        bytes = &rest[length..];
    }
    texts
}

#[test]
fn a_twin_is_at_every_moment_what_its_original_was_so_much_earlier() {
    for seed in 0..30 {
        let mut world = World::new(seed, 16 << 20);
        for _ in 0..600 {
            for _ in 0..world.rng.usize(..20) {
                world.tick();
            }
            world.publisher.flush();
            world.read();
            // Up to some tick that one of the delays has not told yet.
            let at = world.rng.usize(..DELAYS_MS.len());
            let next = world.naive[at].0 + world.rng.usize(..30);
            if let Some((published, _)) = world.told.get(next) {
                world.release(published + DELAYS_MS[at] * NANOS_PER_MILLI, true);
            }
        }
        world.come_back();
        world.release(u64::MAX / 2, true);
        assert!(world.naive.iter().all(|(count, _)| *count == world.told.len() && *count > 3000));
        assert_eq!(world.metrics.ingest.delay.lost.value(), 0);
        assert_eq!(world.metrics.ingest.delay.bytes.value(), 0);
        assert!(world.dashboard.followed.values().all(|followed| followed.missed == 0));
    }
}

#[test]
fn a_line_that_is_full_costs_symbols_that_are_stale_and_told_and_come_back_whole() {
    let (mut missed, mut renewals) = (0, 0);
    for seed in 0..30 {
        let mut world = World::new(seed, 60_000);
        for round in 0..900 {
            for _ in 0..world.rng.usize(..40) {
                world.tick();
            }
            world.publisher.flush();
            world.read();
            let is_drained = round % 60 == 59;
            let ahead = if is_drained { usize::MAX } else { world.rng.usize(..6) };
            let next = world.naive[1].0.saturating_add(ahead).min(world.told.len().max(1) - 1);
            let Some((published, _)) = world.told.get(next) else { continue };
            world.release(published + DELAYS_MS[1] * NANOS_PER_MILLI, false);
        }
        for _ in 0..3 {
            world.come_back();
            world.release(world.now + 1_000_000 * NANOS_PER_MILLI, false);
        }
        let metrics = &world.metrics.ingest.delay;
        assert!(metrics.overflows.value() > 0 && metrics.lost.value() > 0, "seed {seed}");
        assert_eq!(metrics.renewals.value(), metrics.overflows.value(), "all came back");
        renewals += metrics.renewals.value();
        missed += world.dashboard.followed.values().map(|followed| followed.missed).sum::<u64>();
        for at in 0..DELAYS_MS.len() {
            world.compare(at, true);
        }
    }
    assert!(missed > 0 && renewals > 100, "{missed} trades announced, {renewals} renewals");
}
