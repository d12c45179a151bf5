//! Recorded traffic: nothing is undecodable, and every book can be rebuilt.
#![allow(missing_docs, reason = "a test says by its name what it is for")]

#[path = "../../tests/support/recorded.rs"]
mod recorded;

use std::collections::BTreeMap;

use market::{Book, BookSide, Price, Size};
use venue::{Binance, Dialect, Event, Join, JoinLimits, Kraken, Level, Outcome, Replay};

const LIMITS: JoinLimits = JoinLimits { deltas_max: 1000, bytes_max: 1 << 22 };

/// The text of a recording; none, said loudly, where it is not there.
fn recording(name: &str) -> Option<String> {
    recorded::find(name).map(|path| recorded::text(&path))
}

fn apply(book: &mut Book, side: BookSide, levels: &[Level], precisions: (u8, u8)) {
    for level in levels {
        let price = Price(level.price.at_precision(precisions.0).expect("as fine as the venue"));
        let size = Size(level.size.at_precision(precisions.1).expect("as fine as the venue"));
        book.apply(side, market::Level { price, size });
    }
}

/// What a program that knows nothing of ours would do: parse with `serde_json`, keep texts in a map
/// ordered by a padded price, follow the venue's manual.
#[derive(Default)]
struct Naive {
    sides: [BTreeMap<String, String>; 2],
    standing: u64,
    waiting: Vec<serde_json::Value>,
    joined: bool,
}

impl Naive {
    fn take(&mut self, levels: &serde_json::Value, side: usize) {
        for pair in levels.as_array().expect("levels") {
            let (price, size) = (pair[0].as_str().expect("text"), pair[1].as_str().expect("text"));
            let key = format!("{price:0>24}");
            if size.trim_matches(['0', '.']).is_empty() {
                self.sides[side].remove(&key);
            } else {
                self.sides[side].insert(key, size.to_owned());
            }
        }
    }

    fn delta(&mut self, delta: &serde_json::Value) {
        let last = delta["u"].as_u64().expect("a number");
        let old = match delta.get("pu") {
            Some(_) => last < self.standing,
            None => last <= self.standing,
        };
        if !old {
            self.take(&delta["b"], 0);
            self.take(&delta["a"], 1);
            self.standing = last;
        }
    }

    fn message(&mut self, message: &serde_json::Value) {
        if let Some(last) = message.get("lastUpdateId") {
            self.take(&message["bids"], 0);
            self.take(&message["asks"], 1);
            self.standing = last.as_u64().expect("a number");
            self.joined = true;
            for waiting in std::mem::take(&mut self.waiting) {
                self.delta(&waiting);
            }
        } else if message["data"]["e"] == "depthUpdate" {
            if self.joined {
                self.delta(&message["data"]);
            } else {
                self.waiting.push(message["data"].clone());
            }
        }
    }

    fn texts(&self, side: usize) -> Vec<String> {
        let text =
            |(price, size): (&String, &String)| format!("{} {size}", price.trim_start_matches('0'));
        self.sides[side].iter().map(text).collect()
    }
}

fn texts(book: &Book, side: BookSide, precisions: (u8, u8)) -> Vec<String> {
    let mut all: Vec<_> = book
        .side(side)
        .map(|level| {
            let mut text = Vec::new();
            market::digits::write_fixed_i64(level.price.0, precisions.0, &mut text);
            text.push(b' ');
            market::digits::write_fixed_i64(level.size.0, precisions.1, &mut text);
            String::from_utf8(text).expect("digits")
        })
        .collect();
    if side == BookSide::Bid {
        all.reverse();
    }
    all
}

fn replay_binance(name: &str, dialect: Dialect, precisions: (u8, u8)) {
    let Some(text) = recording(name) else { return };
    let mut decoder = Binance::new(1 << 20);
    let mut join = Join::new(dialect, LIMITS);
    let (mut book, mut naive) = (Book::default(), Naive::default());
    let (mut trades, mut quotes, mut last_trade) = (0, 0, 0);
    let line_count = text.lines().count();
    for (index, line) in text.lines().enumerate() {
        let message = &line.as_bytes()[20..];
        let mut sink = |event: Event<'_>| match event {
            Event::BookSnapshot(snapshot) => {
                apply(&mut book, BookSide::Bid, snapshot.bids, precisions);
                apply(&mut book, BookSide::Ask, snapshot.asks, precisions);
                let last = snapshot.last_update_id.expect("numbered");
                let replay = join.snapshot(last, |bids, asks, _| {
                    apply(&mut book, BookSide::Bid, bids, precisions);
                    apply(&mut book, BookSide::Ask, asks, precisions);
                });
                assert!(matches!(replay, Replay::Joined { .. }), "{replay:?}");
            }
            Event::BookDelta(delta) => match join.delta(&delta) {
                Outcome::Apply => {
                    apply(&mut book, BookSide::Bid, delta.bids, precisions);
                    apply(&mut book, BookSide::Ask, delta.asks, precisions);
                }
                Outcome::Buffered => assert!(book.is_empty()),
                Outcome::Old => {}
                outcome => panic!("{outcome:?} at line {index}"),
            },
            Event::Trade(trade) => {
                assert!(trade.trade_id > last_trade);
                last_trade = trade.trade_id;
                trades += 1;
            }
            Event::Quote(quote) => {
                quotes += 1;
                assert!(quote.bid.price.mantissa() < quote.ask.price.mantissa());
            }
            other => assert!(matches!(other, Event::Ignored(_)), "{other:?}"),
        };
        let outcome = if message.starts_with(b"{\"lastUpdateId\"") {
            decoder.decode_snapshot(message, "BTCUSDT", &mut sink)
        } else {
            decoder.decode(message, &mut sink)
        };
        assert_eq!(outcome, Ok(()), "line {index}");
        if message.starts_with(b"{\"lastUpdateId\"") || line.contains("depthUpdate") {
            naive.message(&serde_json::from_slice(message).expect("JSON"));
        }
        if naive.joined && (index % (line_count / 100) == 0 || index + 1 == line_count) {
            assert!(!book.is_crossed(), "line {index}");
            assert!(texts(&book, BookSide::Bid, precisions) == naive.texts(0), "line {index}");
            assert!(texts(&book, BookSide::Ask, precisions) == naive.texts(1), "line {index}");
        }
    }
    assert!(trades > 1000 && quotes > 1000 && naive.joined, "{trades} {quotes}");
}

#[test]
fn spot_btc_decodes_and_its_book_is_the_naive_one() {
    replay_binance("binance_spot/btcusdt_20240808.gz", Dialect::Spot, (8, 8));
}

#[test]
fn spot_eth_decodes_and_its_book_is_the_naive_one() {
    replay_binance("binance_spot/ethusdt_20240808.gz", Dialect::Spot, (8, 8));
}

#[test]
fn usdm_btc_decodes_and_its_book_is_the_naive_one() {
    replay_binance("binance_usdm/btcusdt_20240808.gz", Dialect::UsdM, (2, 3));
}

#[test]
fn coin_m_follows_the_rules_of_usdm() {
    replay_binance("binance_cm/btcusd_perp_20240808.gz", Dialect::UsdM, (1, 0));
}

#[test]
fn every_kraken_checksum_is_right() {
    let Some(text) = recording("kraken_v2/btcusd_book10_wiretext_first256.jsonl") else {
        return;
    };
    let (mut decoder, mut book, mut checked) = (Kraken::new(1 << 20), Book::default(), 0);
    for line in text.lines() {
        let outcome = decoder.decode(line.as_bytes(), |event| {
            let (bids, asks, checksum) = match event {
                Event::BookSnapshot(snapshot) => {
                    book.clear();
                    (snapshot.bids, snapshot.asks, snapshot.checksum)
                }
                Event::BookDelta(delta) => (delta.bids, delta.asks, delta.checksum),
                other => panic!("{other:?}"),
            };
            apply(&mut book, BookSide::Bid, bids, (1, 8));
            apply(&mut book, BookSide::Ask, asks, (1, 8));
            book.truncate(10);
            assert_eq!(Some(book.checksum()), checksum, "message {checked}");
            checked += 1;
        });
        assert_eq!(outcome, Ok(()));
    }
    assert_eq!(checked, 256);
}

#[test]
fn no_fixture_of_these_dialects_is_undecodable() {
    let (mut kraken, mut binance) = (Kraken::new(1 << 20), Binance::new(1 << 20));
    let mut decoded = 0;
    let mut check = |name: &str, message: &str| {
        let bytes = message.as_bytes();
        let mut count = 0;
        let outcome = if name.contains("kraken") {
            kraken.decode(bytes, |_| count += 1)
        } else if message.starts_with("{\"lastUpdateId\"") {
            binance.decode_snapshot(bytes, "S", |_| count += 1)
        } else {
            binance.decode(bytes, |_| count += 1)
        };
        assert_eq!(outcome, Ok(()), "{name}: {message}");
        assert!(count > 0, "{name}: {message}");
        decoded += 1;
    };
    for name in ["kraken_v2", "binance", "binance_futures"] {
        let path = format!("fixtures_tardis_mappers/{name}.jsonl");
        let Some(text) = recording(&path) else { return };
        text.lines().filter(|l| !l.is_empty()).for_each(|line| check(&path, line));
    }
    let Some(text) = recording("fixtures_crypto_msg_parser/binance.tsv") else { return };
    for line in text.lines() {
        let (kind, message) = line.split_once('\t').expect("kind and message");
        if !kind.starts_with("open_interest") {
            check("binance", message);
        }
    }
    let kraken_kinds = "book_snapshot book_update l3_snapshot l3_update_add ohlc_update pong \
                        subscribe_response ticker_snapshot trade_update";
    for kind in kraken_kinds.split_whitespace() {
        let path = format!("fixtures_nautilus/kraken/ws_{kind}.json");
        let Some(text) = recording(&path) else { return };
        check(&path, &text);
    }
    let binance_kinds = "agg_trade book_ticker depth_update kline_closed kline_open liquidation \
                         mark_price ticker trade";
    for kind in binance_kinds.split_whitespace() {
        let kind = kind.replace("kline_", "kline_stream_");
        let kind = if kind.contains("stream") { kind } else { kind + "_stream" };
        let path = format!("fixtures_nautilus/binance/{kind}.json");
        let Some(text) = recording(&path) else { return };
        check(&path, &text);
    }
    assert!(decoded > 80, "{decoded}");
}
