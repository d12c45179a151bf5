//! Ingest without sockets: messages in, the ring read and folded.
#![allow(
    missing_docs,
    clippy::print_stdout,
    reason = "a test says by its name what it is for, and aloud what it skips"
)]

mod ingest_harness;
#[path = "support/recorded.rs"]
mod recorded;

use std::sync::Arc;

use gateway::config::{Dialect, FeedSymbols};
use gateway::ingest::{Limits, Pipeline, Publisher};
use gateway::metrics::{Metrics, TickRefusal};
use ingest_harness::{Replica, feed, settings, symbol};
use market::{Channel, Nanos, Price, Size, State, SymbolId};

/// When the tests read their messages: 2027, after everything that was recorded.
const NOW: u64 = 1_800_000_000_000_000_000;

struct Desk {
    feeds: Vec<Pipeline>,
    publisher: Publisher,
    replica: Replica,
    metrics: Arc<Metrics>,
    now: u64,
}

impl Desk {
    fn new(feeds: Vec<gateway::config::Feed>) -> Self {
        let settings = settings(feeds);
        let limits = Limits::from(&settings);
        let metrics = Arc::new(Metrics::new(settings.feeds.iter().map(|f| &*f.name), 0));
        let (ring, subscribers) = handoff::channel(1 << 24).expect("a good capacity");
        let reader = subscribers.subscribe(|| {}).expect("a seat");
        let mut publisher = Publisher::new(ring, settings.symbols_max, Arc::clone(&metrics));
        let feeds = settings.feeds.iter().enumerate();
        let mut feeds: Vec<_> =
            feeds.map(|(at, feed)| Pipeline::new(feed, at, limits, Arc::clone(&metrics))).collect();
        for feed in &mut feeds {
            feed.normaliser.define_configured(Nanos(NOW), &mut publisher);
            feed.normaliser.connected(Nanos(NOW), &mut publisher);
        }
        let mut desk = Self { feeds, publisher, replica: Replica::new(reader), metrics, now: NOW };
        desk.settle();
        desk
    }

    fn kraken() -> Self {
        let mut desk = Self::new(vec![feed("kraken", Dialect::Kraken, FeedSymbols::All)]);
        desk.take(INSTRUMENTS);
        desk
    }

    fn binance(dialect: Dialect) -> Self {
        let symbols = FeedSymbols::List(vec![symbol("BTCUSDT", "BTC/USDT")]);
        Self::new(vec![feed("binance", dialect, symbols)])
    }

    fn take(&mut self, message: &str) {
        self.take_from(0, message);
    }

    fn take_from(&mut self, at: usize, message: &str) {
        self.now += 1;
        self.feeds[at].message(message.as_bytes(), Nanos(self.now), &mut self.publisher);
        self.settle();
    }

    fn snapshot(&mut self, message: &str) {
        self.now += 1;
        let publisher = &mut self.publisher;
        assert!(self.feeds[0].snapshot("BTCUSDT", message.as_bytes(), Nanos(self.now), publisher));
        self.settle();
    }

    /// The replica folds what was published and is then the truth.
    fn settle(&mut self) {
        self.publisher.flush();
        self.replica.catch_up();
        let (ours, theirs) = (self.publisher.truth(), &self.replica.truth);
        assert_eq!(ours.symbol_count(), theirs.symbol_count());
        for ((_, ours), (_, theirs)) in ours.symbols().zip(theirs.symbols()) {
            assert!(ours.book == theirs.book && ours.quote == theirs.quote);
            assert_eq!(ours.state, theirs.state);
        }
    }

    fn book(&self, name: &str) -> String {
        let id = self.replica.truth.find(name).expect("defined");
        let book = &self.replica.truth.symbol(id).expect("defined").book;
        let text = |l: market::Level| format!("{}x{}", l.price.0, l.size.0);
        let bids: Vec<_> = book.bids().map(text).collect();
        let asks: Vec<_> = book.asks().map(text).collect();
        format!("{} | {}", bids.join(" "), asks.join(" "))
    }

    fn refused(&self, reason: TickRefusal) -> u64 {
        self.metrics.ingest.ticks_refused.of(reason).value()
    }

    fn sequence(&self, channel: Channel) -> u64 {
        self.replica.truth.next_sequence(SymbolId(0), channel) - 1
    }
}

const INSTRUMENTS: &str = concat!(
    r#"{"channel":"instrument","type":"snapshot","data":{"assets":[],"#,
    r#""pairs":[{"symbol":"BTC/USD","base":"BTC","quote":"USD","status":"online","#,
    r#""qty_precision":2,"qty_increment":0.01,"price_precision":1,"price_increment":0.1,"#,
    r#""qty_min":0.05},{"symbol":"ETH/USD","base":"ETH","quote":"USD","status":"online","#,
    r#""qty_precision":2,"qty_increment":0.01,"price_precision":1,"price_increment":0.1,"#,
    r#""qty_min":0.05}]}}"#
);

/// A Kraken book message, with the checksum of the book it leads to.
fn kraken_book(kind: &str, symbol: &str, bids: &str, asks: &str, checksum: u32) -> String {
    format!(
        r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":[{bids}],
            "asks":[{asks}],"checksum":{checksum},"timestamp":"2023-07-30T15:29:58.343415Z"}}]}}"#
    )
}

fn checksum(bids: &[(i64, i64)], asks: &[(i64, i64)]) -> u32 {
    let texts = asks.iter().chain(bids).map(|(price, size)| [price.to_string(), size.to_string()]);
    let text = texts.flatten().collect::<String>();
    // Bit by bit, so that it has nothing in common with the checked code.
    let mut crc = u32::MAX;
    for byte in text.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

const FIRST: (&str, &str) = (r#"{"price":10.0,"qty":1.00}"#, r#"{"price":10.1,"qty":2.00}"#);

fn kraken_with_books() -> Desk {
    let mut desk = Desk::kraken();
    let sum = checksum(&[(100, 100)], &[(101, 200)]);
    for symbol in ["BTC/USD", "ETH/USD"] {
        desk.take(&kraken_book("snapshot", symbol, FIRST.0, FIRST.1, sum));
    }
    desk
}

#[test]
fn a_symbol_is_defined_before_its_first_tick_and_ok_with_its_book() {
    let desk = kraken_with_books();
    assert_eq!(desk.book("BTC/USD"), "100x100 | 101x200");
    assert!(desk.replica.all(State::Ok));
    let symbol = desk.replica.truth.symbol(SymbolId(0)).expect("defined");
    assert_eq!(&*symbol.instrument.venue, "kraken");
    assert_eq!(symbol.instrument.book_levels_max, 10);
    assert_eq!(
        (symbol.instrument.size_min, symbol.instrument.price_increment),
        (Size(5), Price(1))
    );
    // A book without a quote makes the quote.
    assert_eq!(symbol.quote.expect("made").bid.price, Price(100));
}

#[test]
fn a_wrong_checksum_is_never_published_and_costs_only_its_symbol() {
    let mut desk = kraken_with_books();
    desk.take(&kraken_book("update", "BTC/USD", r#"{"price":9.9,"qty":5.00}"#, "", 1));
    assert_eq!(desk.book("BTC/USD"), "100x100 | 101x200");
    assert_eq!(desk.replica.state("BTC/USD"), Some(State::Recovering));
    assert_eq!(desk.replica.state("ETH/USD"), Some(State::Ok));
    assert_eq!(desk.metrics.ingest.feeds[0].checksum_failures.value(), 1);
    let waiting = kraken_book("update", "BTC/USD", r#"{"price":9.8,"qty":5.00}"#, "", 1);
    desk.take(&waiting);
    assert_eq!(desk.refused(TickRefusal::AwaitingSnapshot), 1);

    let bids = r#"{"price":9.9,"qty":5.00},{"price":10.0,"qty":1.00}"#;
    let sum = checksum(&[(100, 100), (99, 500)], &[(102, 300)]);
    let before = desk.sequence(Channel::Book);
    let asks = r#"{"price":10.2,"qty":3.00}"#;
    desk.take(&kraken_book("snapshot", "BTC/USD", bids, asks, sum));
    assert_eq!(desk.book("BTC/USD"), "100x100 99x500 | 102x300");
    assert_eq!(desk.sequence(Channel::Book), before + 1, "one update, no reset");
    assert!(desk.replica.all(State::Ok));
}

#[test]
fn tickers_trades_and_their_repetitions() {
    let mut desk = kraken_with_books();
    desk.take(concat!(
        r#"{"channel":"ticker","type":"snapshot","data":[{"symbol":"BTC/USD","bid":10.0,"#,
        r#""bid_qty":1.00,"ask":10.1,"ask_qty":2.00,"last":10.1,"volume":163.28,"vwap":10.04399,"#,
        r#""low":9.5,"high":11.0,"change":-0.4,"change_pct":-3.81,"#,
        r#""timestamp":"2022-12-25T09:30:59.123456Z"}]}"#
    ));
    let statistics = desk.replica.truth.symbol(SymbolId(0)).expect("defined").statistics;
    let statistics = statistics.expect("the venue said");
    assert_eq!((statistics.vwap, statistics.volume), (Price(100), 16_328));
    assert_eq!((statistics.change, statistics.change_basis_points), (Price(-4), -381));
    let trade = concat!(
        r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","#,
        r#""price":10.1,"qty":0.50,"ord_type":"limit","trade_id":7,"#,
        r#""timestamp":"2023-10-06T17:35:55.440295Z"}]}"#
    );
    desk.take(trade);
    desk.take(trade);
    assert_eq!(desk.replica.trades, [(SymbolId(0), 7)]);
    assert_eq!(desk.refused(TickRefusal::OutOfOrder), 1);
    // A time that is far ahead would hold bars and statistics fast.
    desk.take(&trade.replace("\"trade_id\":7", "\"trade_id\":8").replace("2023-", "2100-"));
    assert_eq!(desk.refused(TickRefusal::Invalid), 1);
    desk.take(&trade.replace("10.1", "999999999999999").replace("0.50", "999999999999999"));
    assert_eq!(desk.refused(TickRefusal::Invalid), 2);
    // A venue that was restarted counts anew, but its clock goes on.
    desk.take(&trade.replace("\"trade_id\":7", "\"trade_id\":1").replace("2023-", "2024-"));
    assert_eq!(desk.replica.trades.last(), Some(&(SymbolId(0), 1)));
}

#[test]
fn what_is_finer_than_the_instrument_or_crossed_is_refused() {
    let mut desk = kraken_with_books();
    for (bid, ask) in [("10.05", "10.1"), ("10.2", "10.1"), ("10.1", "10.1")] {
        desk.take(&format!(
            r#"{{"channel":"ticker","type":"update","data":[{{"symbol":"BTC/USD","bid":{bid},
                "bid_qty":1,"ask":{ask},"ask_qty":1}}]}}"#
        ));
    }
    assert_eq!(desk.refused(TickRefusal::Precision), 1);
    assert_eq!(desk.refused(TickRefusal::Invalid), 2);
    desk.take(concat!(
        r#"{"channel":"ticker","type":"update","data":[{"symbol":"X/Y","bid":1,"bid_qty":1,"#,
        r#""ask":2,"ask_qty":1}]}"#
    ));
    assert_eq!(desk.refused(TickRefusal::NoInstrument), 1);
    let crossing = kraken_book("update", "BTC/USD", r#"{"price":10.1,"qty":5.00}"#, "", {
        checksum(&[(101, 500), (100, 100)], &[(101, 200)])
    });
    desk.take(&crossing);
    assert_eq!(desk.refused(TickRefusal::Invalid), 3);
    assert_eq!(desk.replica.state("BTC/USD"), Some(State::Recovering));
}

#[test]
fn trading_that_stops_is_told_and_a_changed_precision_is_not_taken_up() {
    let mut desk = kraken_with_books();
    let update = |status: &str, precision: u8| {
        format!(
            r#"{{"channel":"instrument","type":"update","data":{{"assets":[],
                "pairs":[{{"symbol":"BTC/USD","base":"BTC","quote":"USD","status":"{status}",
                "qty_precision":2,"price_precision":{precision}}}]}}}}"#
        )
    };
    for (status, state) in [
        ("maintenance", State::Halted),
        ("online", State::Ok),
        ("delisted", State::Closed),
        ("post_only", State::Ok),
    ] {
        desk.take(&update(status, 1));
        assert_eq!(desk.replica.state("BTC/USD"), Some(state), "{status}");
    }
    desk.take(&update("online", 2));
    assert_eq!(desk.refused(TickRefusal::Precision), 1);
    desk.take(r#"{"channel":"status","type":"update","data":[{"system":"maintenance"}]}"#);
    assert!(desk.replica.all(State::Halted));
}

#[test]
fn a_lost_feed_is_stale_and_comes_back_by_its_snapshots() {
    let mut desk = kraken_with_books();
    desk.feeds[0].normaliser.disconnected(Nanos(NOW), &mut desk.publisher);
    desk.settle();
    assert!(desk.replica.all(State::Stale));
    assert_eq!(desk.book("BTC/USD"), "100x100 | 101x200", "the last values stand");
    desk.feeds[0].normaliser.connected(Nanos(NOW), &mut desk.publisher);
    desk.take(INSTRUMENTS);
    assert!(desk.replica.all(State::Recovering));
    let sum = checksum(&[(100, 100)], &[(101, 200)]);
    desk.take(&kraken_book("snapshot", "BTC/USD", FIRST.0, FIRST.1, sum));
    assert_eq!(desk.replica.state("BTC/USD"), Some(State::Ok));
    assert_eq!(desk.replica.state("ETH/USD"), Some(State::Recovering));
}

#[test]
fn a_name_that_is_taken_is_refused_to_the_second_feed() {
    let list = |venue_symbol| FeedSymbols::List(vec![symbol(venue_symbol, "BTC/USDT")]);
    let mut desk = Desk::new(vec![
        feed("a", Dialect::BinanceSpot, list("BTCUSDT")),
        feed("b", Dialect::BinanceUsdM, list("BTCUSDT_PERP")),
    ]);
    let quote = |s: &str| format!(r#"{{"u":1,"s":"{s}","b":"1.0","B":"1","a":"1.1","A":"1"}}"#);
    desk.take_from(0, &quote("BTCUSDT"));
    desk.take_from(1, &quote("BTCUSDT_PERP"));
    desk.take_from(1, &quote("BTCUSDT_PERP"));
    assert_eq!(desk.replica.truth.symbol_count(), 1);
    assert_eq!(desk.sequence(Channel::Ticker), 1);
    assert_eq!(desk.refused(TickRefusal::NoInstrument), 3);
}

fn delta(first: u64, last: u64, previous: u64, bids: &str, asks: &str) -> String {
    format!(
        r#"{{"stream":"btcusdt@depth","data":{{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":{first},
            "u":{last},"pu":{previous},"b":[{bids}],"a":[{asks}]}}}}"#
    )
}

#[test]
fn binance_deltas_wait_for_the_snapshot_and_a_gap_asks_for_another() {
    for dialect in [Dialect::BinanceSpot, Dialect::BinanceUsdM] {
        let mut desk = Desk::binance(dialect);
        desk.take(&delta(1, 5, 0, r#"["10.0","9"]"#, ""));
        desk.take(&delta(6, 8, 5, r#"["9.9","3"]"#, ""));
        assert_eq!(desk.replica.truth.symbol_count(), 0);
        desk.snapshot(r#"{"lastUpdateId":5,"bids":[["10.0","1"]],"asks":[["10.1","2"]]}"#);
        // u == lastUpdateId: dropped on spot, applied on USD-M.
        let first = if dialect == Dialect::BinanceSpot { "100x1" } else { "100x9" };
        assert_eq!(desk.book("BTC/USDT"), format!("{first} 99x3 | 101x2"));
        assert!(desk.replica.all(State::Ok));

        desk.take(&delta(20, 21, 19, "", r#"["10.2","4"]"#));
        assert!(desk.replica.all(State::Recovering));
        assert_eq!(desk.metrics.ingest.feeds[0].gaps.value(), 1);
        desk.snapshot(r#"{"lastUpdateId":12,"bids":[["9.0","1"]],"asks":[["10.1","2"]]}"#);
        assert!(desk.replica.all(State::Recovering), "that snapshot is too old");
        assert_eq!(desk.book("BTC/USDT"), format!("{first} 99x3 | 101x2"));
        desk.snapshot(r#"{"lastUpdateId":20,"bids":[["9.0","1"]],"asks":[["10.1","2"]]}"#);
        assert_eq!(desk.book("BTC/USDT"), "90x1 | 101x2 102x4");
        assert!(desk.replica.all(State::Ok));
    }
}

#[test]
fn an_old_quote_is_refused_and_garbage_is_counted_by_kind() {
    let mut desk = Desk::binance(Dialect::BinanceSpot);
    let quote =
        |id: u64| format!(r#"{{"u":{id},"s":"BTCUSDT","b":"1.0","B":"1","a":"1.1","A":"1"}}"#);
    desk.take(&quote(5));
    desk.take(&quote(4));
    assert_eq!(desk.refused(TickRefusal::OutOfOrder), 1);
    desk.take("{\"e\":\"trade\"");
    desk.take(r#"{"e":"trade","s":"BTCUSDT"}"#);
    desk.take(&quote(6));
    assert_eq!(desk.sequence(Channel::Ticker), 2);
    let text = desk.metrics.exposition();
    for kind in ["malformed_json", "missing_field"] {
        let counted = text.lines().any(|line| line.contains(kind) && line.ends_with(" 1"));
        assert!(counted, "{kind} in {text}");
    }
}

#[test]
fn the_recorded_streams_give_every_trade_in_order_and_no_gap() {
    let files = [
        ("binance_spot/btcusdt_20240808.gz", Dialect::BinanceSpot),
        ("binance_usdm/btcusdt_20240808.gz", Dialect::BinanceUsdM),
    ];
    for (name, dialect) in files {
        let Some(path) = recorded::find(name) else { return };
        let mut desk = Desk::binance(dialect);
        let mut trades = Vec::new();
        for line in recorded::text(&path).lines() {
            let message = &line[20..];
            desk.now += 1;
            let publisher = &mut desk.publisher;
            if message.starts_with("{\"lastUpdateId\"") {
                let recv = Nanos(desk.now);
                assert!(desk.feeds[0].snapshot("BTCUSDT", message.as_bytes(), recv, publisher));
            } else {
                desk.feeds[0].message(message.as_bytes(), Nanos(desk.now), publisher);
            }
            if let Some((_, tail)) = message.split_once("\"t\":") {
                let digits = tail.split(',').next().expect("a number");
                trades.push((SymbolId(0), digits.parse().expect("a number")));
            }
            desk.publisher.flush();
            desk.replica.catch_up();
        }
        desk.settle();
        assert_eq!(desk.replica.trades, trades);
        assert!(desk.replica.all(State::Ok));
        let feed = &desk.metrics.ingest.feeds[0];
        assert_eq!((feed.gaps.value(), desk.refused(TickRefusal::Invalid)), (0, 0));
    }
}

/// Bytes changed, lost or cut; most results are nonsense, some are messages with other numbers.
fn mutate(random: &mut fastrand::Rng, message: &str) -> Vec<u8> {
    let mut bytes = message.as_bytes().to_vec();
    for _ in 0..random.usize(0..3) {
        let at = random.usize(0..bytes.len());
        match random.u8(0..8) {
            0..=4 => bytes[at] = random.choice(b"0123456789.-e\"{}[]:,nAB").copied().unwrap_or(0),
            5 => bytes[at] = random.u8(..),
            6 => drop(bytes.remove(at)),
            _ => bytes.truncate(at.max(1)),
        }
    }
    bytes
}

#[test]
fn whatever_a_venue_says_the_replica_stays_the_truth() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let sum = checksum(&[(100, 100)], &[(101, 200)]);
    let kraken = [
        INSTRUMENTS.to_owned(),
        kraken_book("snapshot", "BTC/USD", FIRST.0, FIRST.1, sum),
        kraken_book("update", "BTC/USD", "", r#"{"price":10.1,"qty":2.00}"#, sum),
        concat!(
            r#"{"channel":"ticker","data":[{"symbol":"BTC/USD","bid":10.0,"bid_qty":1,"ask":10.1,"#,
            r#""ask_qty":2,"last":10.1,"volume":1.2,"vwap":10.04,"low":9.5,"high":11.0,"#,
            r#""change":-0.4,"change_pct":-3.81}]}"#
        )
        .to_owned(),
        concat!(
            r#"{"channel":"trade","data":[{"symbol":"ETH/USD","side":"buy","price":10.1,"#,
            r#""qty":0.50,"trade_id":7,"timestamp":"2023-10-06T17:35:55.440295Z"}]}"#
        )
        .to_owned(),
        r#"{"channel":"status","data":[{"system":"online"}]}"#.to_owned(),
    ];
    let binance = [
        delta(1, 5, 0, r#"["10.0","9"]"#, ""),
        delta(6, 8, 5, "", r#"["10.2","4"]"#),
        r#"{"lastUpdateId":5,"bids":[["10.0","1"]],"asks":[["10.1","2"]]}"#.to_owned(),
        r#"{"u":5,"s":"BTCUSDT","b":"1.0","B":"1","a":"1.1","A":"1"}"#.to_owned(),
        r#"{"e":"trade","s":"BTCUSDT","t":1,"p":"1.5","q":"1","T":9,"m":true}"#.to_owned(),
    ];
    for (mut desk, messages) in [
        (Desk::kraken(), &kraken[..]),
        (Desk::binance(Dialect::BinanceSpot), &binance[..]),
        (Desk::binance(Dialect::BinanceUsdM), &binance[..]),
    ] {
        for _ in 0..3000 {
            let message = &messages[random.usize(0..messages.len())];
            let bytes = mutate(&mut random, message);
            desk.now += 1;
            let (recv, publisher) = (Nanos(desk.now), &mut desk.publisher);
            if message.starts_with("{\"lastUpdateId\"") {
                desk.feeds[0].snapshot("BTCUSDT", &bytes, recv, publisher);
            } else {
                desk.feeds[0].message(&bytes, recv, publisher);
            }
            if random.u8(..) == 0 {
                desk.feeds[0].normaliser.disconnected(recv, publisher);
                desk.feeds[0].normaliser.connected(recv, publisher);
            }
            desk.settle();
        }
        assert!(desk.replica.truth.symbols().all(|(_, symbol)| !symbol.book.is_crossed()));
        assert!(desk.replica.ticks > 100, "some of it is understood");
    }
}
