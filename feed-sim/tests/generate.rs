//! A generated market seen from a client over real sockets.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{Client, ClientBook, DEADLINE, any_port, field, run, scaled, truth_lines};
use feed_sim::{Burst, Generate, Mix};
use serde_json::{Value, json};

/// A small busy market that ends by itself.
fn market(ticks: u64) -> Generate {
    Generate {
        symbols: 5,
        rate: 20_000.0,
        wait_for_subscriber: true,
        start_delay: Duration::from_millis(250),
        ticks_max: Some(ticks),
        exit_when_done: Some(Duration::ZERO),
        ..Generate::default()
    }
}

const NAMES: [&str; 5] = ["BTC/USD", "ETH/USD", "SOL/USD", "XRP/USD", "ADA/USD"];

fn check_checksums(levels: usize, depth: u16, mix: Mix) {
    run(async {
        let sim = Generate { levels, mix, ..market(4_000) }.start(any_port()).await.unwrap();
        let mut client = Client::connect(sim.addr(), "/v2").await;
        client.subscribe_book(depth, &NAMES).await;
        let mut books: BTreeMap<String, ClientBook> = BTreeMap::new();
        let mut updates = 0;
        for text in client.all_texts().await {
            if text.starts_with(r#"{"channel":"book""#) {
                let book = books
                    .entry(field(&text, "symbol").to_owned())
                    .or_insert_with(|| ClientBook::new(usize::from(depth)));
                assert!(book.apply(&text), "checksum of message {updates}: {text}");
                updates += 1;
            }
        }
        assert!(updates > 1_000, "{updates}");
        assert!(books.values().all(|book| book.bids().count() == levels.min(depth.into())));
    });
}

#[test]
fn every_checksum_is_right_at_a_depth_below_the_book() {
    check_checksums(25, 10, Mix::default());
    check_checksums(12, 10, Mix { trade: 1, quote: 1, book: 3 });
}

#[test]
fn every_checksum_is_right_at_the_depth_of_the_book() {
    check_checksums(25, 25, Mix::default());
    check_checksums(10, 10, Mix { trade: 0, quote: 1, book: 0 });
}

#[test]
fn every_checksum_is_right_at_a_depth_beyond_the_book() {
    check_checksums(25, 100, Mix::default());
    check_checksums(11, 1000, Mix { trade: 5, quote: 1, book: 0 });
}

#[test]
fn quotes_are_the_top_of_the_book_and_trades_happen_there() {
    run(async {
        let sim = market(3_000).start(any_port()).await.unwrap();
        let mut client = Client::connect(sim.addr(), "/v2").await;
        let params = json!({ "channel": "ticker", "symbol": NAMES, "event_trigger": "bbo" });
        client.request(json!({ "method": "subscribe", "params": params })).await;
        client.subscribe("trade", &NAMES).await;
        client.subscribe_book(10, &NAMES).await;
        let mut books: BTreeMap<String, ClientBook> = BTreeMap::new();
        let (mut quotes, mut trades) = (0, 0);
        for text in client.all_texts().await {
            if !text.starts_with(r#"{"channel""#) || text.contains("status") {
                continue;
            }
            let symbol = field(&text, "symbol").to_owned();
            let book = books.entry(symbol).or_insert_with(|| ClientBook::new(10));
            let is_update = text.contains(r#""type":"update""#);
            if text.starts_with(r#"{"channel":"book""#) {
                assert!(book.apply(&text));
            } else if text.starts_with(r#"{"channel":"ticker""#) && is_update {
                let top = [book.bids().next().unwrap(), book.asks().next().unwrap()];
                assert_eq!((field(&text, "bid"), field(&text, "bid_qty")), pair(top[0]));
                assert_eq!((field(&text, "ask"), field(&text, "ask_qty")), pair(top[1]));
                quotes += 1;
            } else if text.starts_with(r#"{"channel":"trade""#) && is_update {
                let best = match field(&text, "side") {
                    "buy" => book.asks().next(),
                    _ => book.bids().next(),
                };
                assert_eq!(field(&text, "price"), best.unwrap().0);
                assert!(scaled(field(&text, "qty")) <= scaled(&best.unwrap().1));
                trades += 1;
            }
        }
        assert!(quotes > 1_500 && trades > 400, "{quotes} quotes, {trades} trades");
    });
}

fn pair(level: &(String, String)) -> (&str, &str) {
    (&level.0, &level.1)
}

#[test]
fn the_truth_of_a_slow_market_is_in_the_file_while_it_goes_on() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let truth = directory.path().join("truth.jsonl");
        let slow = Generate { truth: Some(truth.clone()), rate: 5.0, ..Generate::default() };
        let sim = slow.start(any_port()).await.unwrap();
        let written = async {
            loop {
                let text = std::fs::read_to_string(&truth).unwrap();
                if text.lines().filter(|line| line.contains(r#""type":"update""#)).count() >= 3 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(DEADLINE, written).await.expect("lines reach the file as they come");
        tokio::task::spawn_blocking(|| sim.stop()).await.unwrap();
    });
}

#[test]
fn the_truth_is_what_was_received() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let truth = directory.path().join("truth.jsonl");
        let sim = Generate { truth: Some(truth.clone()), ..market(2_000) };
        let sim = sim.start(any_port()).await.unwrap();
        let mut client = Client::connect(sim.addr(), "/v2").await;
        client.subscribe("trade", &NAMES).await;
        client.subscribe_book(1000, &NAMES).await;
        let received = client.all_texts().await;
        let summary = tokio::task::spawn_blocking(|| sim.wait()).await.unwrap();
        assert_eq!(summary.ticks, 2_000);
        let lines = truth_lines(&truth);
        assert_eq!(lines.last().unwrap()["end"], true);
        assert_eq!(lines.last().unwrap()["lines"], lines.len());
        for channel in ["trade", "book"] {
            let prefix = format!(r#"{{"channel":"{channel}","type":"update""#);
            let got: Vec<_> =
                received.iter().filter(|text| text.starts_with(&prefix)).map(|t| &**t).collect();
            let expected: Vec<_> = lines
                .iter()
                .filter(|line| line["channel"] == channel && line["seq"] != 0)
                .collect();
            assert_eq!(got.len(), expected.len(), "{channel}");
            for (text, line) in got.iter().zip(expected) {
                check_line(channel, text, line);
            }
        }
        check_sequences(&lines);
    });
}

fn check_line(channel: &str, text: &str, line: &Value) {
    assert_eq!(line["symbol"], field(text, "symbol"));
    if channel == "trade" {
        for name in ["price", "qty", "side"] {
            assert_eq!(line[name], field(text, name));
        }
        assert_eq!(line["trade_id"].to_string(), field(text, "trade_id"));
    } else {
        assert_eq!(line["checksum"].to_string(), field(text, "checksum"));
        for side in ["bids", "asks"] {
            assert_eq!(line[side], json!(common::levels(text, side)), "{text}");
        }
    }
}

fn check_sequences(lines: &[Value]) {
    let mut last: BTreeMap<(String, String), u64> = BTreeMap::new();
    for line in &lines[..lines.len() - 1] {
        let key = (line["symbol"].to_string(), line["channel"].to_string());
        let seq = line["seq"].as_u64().unwrap();
        match last.insert(key, seq) {
            None => assert_eq!(seq, 0),
            Some(before) => assert_eq!(seq, before + 1),
        }
    }
}

#[test]
fn the_same_seed_makes_the_same_market() {
    let directory = tempfile::tempdir().unwrap();
    let play = |name: &str, seed| {
        let truth = directory.path().join(name);
        let burst = Some(Burst { count: 20, every_ms: 5 });
        let sim = Generate {
            truth: Some(truth.clone()),
            seed,
            burst,
            wait_for_subscriber: false,
            ..market(1_500)
        };
        sim.start_thread(any_port()).unwrap().wait();
        let mut lines = truth_lines(&truth);
        lines.retain(|line| line["seq"] != 0);
        let first_ns = lines[0]["ts"].as_u64().unwrap();
        for line in lines.iter_mut().filter(|line| line["ts"].is_u64()) {
            line["ts"] = json!(line["ts"].as_u64().unwrap() - first_ns);
        }
        lines
    };
    let (one, again, other) = (play("one", 7), play("again", 7), play("other", 8));
    assert_eq!(one, again);
    assert_ne!(one, other);
}

#[test]
fn each_symbol_is_acked_or_refused_by_itself() {
    run(async {
        let sim = Generate { rate: 1.0, ..Generate::default() };
        let sim = sim.start(any_port()).await.unwrap();
        let mut client = Client::connect(sim.addr(), "/v2").await;
        assert!(client.text().await.contains(r#""api_version":"v2""#));
        let params = json!({ "channel": "book", "symbol": ["BTC/USD", "NO/USD"], "depth": 25 });
        client.request(json!({ "method": "subscribe", "params": params, "req_id": 7 })).await;
        let ack: Value = serde_json::from_str(&client.text().await).unwrap();
        assert_eq!(ack["success"], true);
        assert_eq!((&ack["req_id"], &ack["result"]["depth"]), (&json!(7), &json!(25)));
        assert!(client.text().await.contains(r#""type":"snapshot""#));
        let refusal = client.text_where(|text| text.contains("NO/USD")).await;
        assert!(refusal.contains(r#""success":false"#), "{refusal}");
        for (request, expected) in [
            (json!({ "method": "subscribe", "params": params }), "Already subscribed"),
            (json!({ "method": "dance" }), "Unsupported method dance"),
            (json!({ "method": "subscribe", "params": { "channel": "x" } }), "channel x"),
            (json!({ "method": "subscribe", "params": { "channel": "trade" } }), "No symbol"),
            (json!({ "method": 5 }), "Malformed request"),
            (json!({ "method": "ping", "req_id": 3 }), r#""method":"pong","req_id":3"#),
            (json!({ "method": "unsubscribe", "params": params }), r#""success":true"#),
            (json!({ "method": "unsubscribe", "params": params }), "Subscription Not Found"),
        ] {
            client.request(request).await;
            client.text_where(|text| text.contains(expected)).await;
        }
        client.channel("heartbeat").await;
        sim.stop();
    });
}

#[test]
fn instruments_of_a_large_market_come_in_one_message() {
    run(async {
        let sim = Generate { symbols: 10_000, rate: 1.0, levels: 10, ..Generate::default() };
        let sim = sim.start(any_port()).await.unwrap();
        let mut client = Client::connect(sim.addr(), "/v2").await;
        client.subscribe("instrument", &[]).await;
        let message: Value = serde_json::from_str(&client.channel("instrument").await).unwrap();
        let pairs = message["data"]["pairs"].as_array().unwrap();
        assert_eq!(pairs.len(), 10_000);
        assert_eq!(pairs[0]["symbol"], "BTC/USD");
    });
}
