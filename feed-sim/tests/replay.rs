//! Recorded files replayed over real sockets.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{Client, ClientBook, Heard, any_port, http_get, recorded, run, scaled, truth_lines};
use feed_sim::{Replay, SimError, Speed, Start};
use serde_json::{Value, json};

const SPOT: &str = "binance_spot/btcusdt_20240808.gz";
const ETH: &str = "binance_spot/ethusdt_20240808.gz";
const USDM: &str = "binance_usdm/btcusdt_20240808.gz";
const KRAKEN: &str = "kraken_v2/btcusd_book10_wiretext_first256.jsonl";
const STREAMS: &str = "/spot/stream?streams=btcusdt@bookTicker/btcusdt@trade/btcusdt@depth@100ms";
const DEPTH: &str = "/spot/api/v3/depth?symbol=BTCUSDT&limit=1000";

const ETH_STREAMS: &str = "/spot/stream?streams=ethusdt@depth@100ms";
const ETH_DEPTH: &str = "/spot/api/v3/depth?symbol=ETHUSDT&limit=1000";
const USDM_STREAMS: &str = "/usdm/stream?streams=btcusdt@depth@0ms";
const USDM_DEPTH: &str = "/usdm/fapi/v1/depth?symbol=BTCUSDT&limit=1000";

/// The first `count` lines of a recording in a file of their own, and the texts of its messages.
fn beginning(name: &str, count: usize, directory: &Path) -> Option<(PathBuf, Vec<String>)> {
    let file = std::fs::File::open(recorded(name)?).unwrap();
    let lines = BufReader::new(flate2::read::MultiGzDecoder::new(file)).lines().take(count);
    let lines: Vec<String> = lines.map(Result::unwrap).collect();
    let path = directory.join(name.replace('/', "-").replace(".gz", ".txt"));
    let mut out = std::fs::File::create(&path).unwrap();
    for line in &lines {
        writeln!(out, "{line}").unwrap();
    }
    let messages = lines.iter().map(|line| line.split_once(' ').unwrap().1.to_owned());
    Some((path, messages.filter(|text| text.contains(r#""stream""#)).collect()))
}

fn replay() -> Replay {
    Replay {
        speed: Speed::Max,
        start_delay: Duration::from_millis(250),
        exit_when_done: Some(Duration::ZERO),
        ..Replay::default()
    }
}

#[test]
fn every_recorded_message_is_delivered_once_and_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let Some((path, expected)) = beginning(SPOT, 6_000, directory.path()) else { return };
    run(async {
        let sim = Replay { binance_spot: vec![path], ..replay() };
        let sim = sim.start(any_port()).await.unwrap();
        let mut one = Client::connect(sim.addr(), STREAMS).await;
        // Live requests are an equal way in.
        let mut two = Client::connect(sim.addr(), "/spot/stream").await;
        let names = ["btcusdt@bookTicker", "btcusdt@trade", "btcusdt@depth@100ms"];
        two.request(json!({ "method": "SUBSCRIBE", "params": names, "id": 1 })).await;
        assert_eq!(two.text().await, r#"{"id":1,"result":null}"#);
        let (one, two) = tokio::join!(one.all_texts(), two.all_texts());
        assert_eq!(one.len(), expected.len());
        assert!(one == expected && two == expected);
    });
}

/// A book by scaled price, as a client of Binance keeps it.
type Sides = [BTreeMap<u128, (String, String)>; 2];

fn fold(sides: &mut Sides, bids: &Value, asks: &Value) {
    for (side, levels) in sides.iter_mut().zip([bids, asks]) {
        for level in levels.as_array().unwrap() {
            let (price, qty) = (level[0].as_str().unwrap(), level[1].as_str().unwrap());
            if scaled(qty) == 0 {
                side.remove(&scaled(price));
            } else {
                side.insert(scaled(price), (price.to_owned(), qty.to_owned()));
            }
        }
    }
}

/// Follows a market from a REST snapshot asked for after `from_ticks` until its recording ends.
fn check_join(name: &str, streams: &str, depth: &str, from_ticks: u64) {
    let directory = tempfile::tempdir().unwrap();
    let Some((path, _)) = beginning(name, 4_000, directory.path()) else { return };
    run(async {
        let is_spot = name.starts_with("binance_spot");
        let (spot, usdm) = if is_spot { (vec![path], vec![]) } else { (vec![], vec![path]) };
        let speed = if from_ticks == 0 { Speed::Max } else { Speed::Factor(25.0) };
        let sim = Replay { binance_spot: spot, binance_usdm: usdm, speed, ..replay() };
        let sim = Replay { exit_when_done: None, ..sim }.start(any_port()).await.unwrap();
        let addr = sim.addr();
        let first = Client::connect(addr, streams).await;
        while sim.ticks() < from_ticks {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let client = Client::connect(addr, streams).await;
        let (status, snapshot) = http_get(addr, depth).await;
        assert_eq!(status, 200);
        while !sim.is_done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (_, at_end) = http_get(addr, depth).await;
        // Before the start both are there, so that both must get everything.
        let clients = if from_ticks == 0 { vec![first, client] } else { vec![client] };
        for client in clients {
            follow(client, &snapshot, &at_end).await;
        }
    });
}

async fn follow(mut client: Client, snapshot: &str, at_end: &str) {
    let snapshot: Value = serde_json::from_str(snapshot).unwrap();
    let at_end: Value = serde_json::from_str(at_end).unwrap();
    assert_eq!(snapshot["bids"].as_array().unwrap().len(), 1_000);
    let mut sides = Sides::default();
    fold(&mut sides, &snapshot["bids"], &snapshot["asks"]);
    let mut last = snapshot["lastUpdateId"].as_u64().unwrap();
    let end = at_end["lastUpdateId"].as_u64().unwrap();
    assert!(end > last);
    let mut joined = false;
    while last < end {
        let text = client.text_where(|text| text.contains("@depth")).await;
        let data = &serde_json::from_str::<Value>(&text).unwrap()["data"];
        let (first, upto) = (data["U"].as_u64().unwrap(), data["u"].as_u64().unwrap());
        if upto <= last {
            continue;
        }
        let follows = data["pu"].as_u64().map_or(first == last + 1, |before| before == last);
        assert!(follows || (!joined && first <= last + 1), "{first}..{upto} follows {last}");
        (joined, last) = (true, upto);
        fold(&mut sides, &data["b"], &data["a"]);
    }
    let bids: Vec<_> = sides[0].values().rev().take(1_000).collect();
    let asks: Vec<_> = sides[1].values().take(1_000).collect();
    // A snapshot of 1,000 levels does not know what lies behind them, so only the near half of
    // what is served later can be rebuilt from one.
    for (side, rebuilt) in [("bids", bids), ("asks", asks)] {
        let served = at_end[side].as_array().unwrap();
        assert!(served.len() >= 500 && rebuilt.len() >= 500);
        assert_eq!(json!(rebuilt[..500]), json!(served[..500]), "{side}");
    }
}

#[test]
fn a_held_depth_snapshot_joins_the_deltas_and_the_later_one_is_their_sum() {
    check_join(SPOT, STREAMS, DEPTH, 0);
}

#[test]
fn a_snapshot_that_meets_a_delta_exactly_joins_too() {
    check_join(ETH, ETH_STREAMS, ETH_DEPTH, 0);
    check_join(USDM, USDM_STREAMS, USDM_DEPTH, 0);
}

#[test]
fn a_client_that_comes_in_mid_stream_can_join_from_a_kept_book() {
    check_join(SPOT, STREAMS, DEPTH, 1_000);
    check_join(USDM, USDM_STREAMS, USDM_DEPTH, 1_000);
}

#[test]
fn rest_requests_that_make_no_sense_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let Some((path, _)) = beginning(SPOT, 100, directory.path()) else { return };
    run(async {
        let sim = Replay { binance_spot: vec![path], start: Start::Now, ..replay() };
        let sim = Replay { exit_when_done: None, ..sim }.start(any_port()).await.unwrap();
        for (target, status) in [
            ("/spot/api/v3/depth?symbol=NOUSDT", 400),
            ("/spot/api/v3/depth?symbol=BTCUSDT&limit=none", 400),
            ("/usdm/fapi/v1/depth?symbol=BTCUSDT", 404),
            ("/v2", 404),
            ("/spot/api/v3/depth?symbol=BTCUSDT&limit=5", 200),
        ] {
            assert_eq!(http_get(sim.addr(), target).await.0, status, "{target}");
        }
    });
}

#[test]
fn restamping_changes_times_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let Some((path, expected)) = beginning(SPOT, 1_500, directory.path()) else { return };
    run(async {
        let speed = Speed::Factor(50.0);
        let sim = Replay { binance_spot: vec![path], restamp: true, speed, ..replay() };
        let sim = sim.start(any_port()).await.unwrap();
        let mut client = Client::connect(sim.addr(), STREAMS).await;
        let received = client.all_texts().await;
        assert_eq!(received.len(), expected.len());
        let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now_ms = now_ms.unwrap().as_millis() as u64;
        let mut before = 0;
        for (text, recorded) in received.iter().zip(&expected) {
            assert_eq!(without_times(text), without_times(recorded));
            let message: Value = serde_json::from_str(text).unwrap();
            if let Some(stamp) = message["data"]["E"].as_u64() {
                assert!(stamp >= before && stamp <= now_ms && stamp + 20_000 > now_ms);
                before = stamp;
            }
        }
        assert!(before > 0);
    });
}

fn without_times(text: &str) -> String {
    let mut message: Value = serde_json::from_str(text).unwrap();
    let Some(data) = message["data"].as_object_mut() else { return text.to_owned() };
    for name in ["E", "T"] {
        if let Some(time) = data.get_mut(name) {
            *time = json!(0);
        }
    }
    message.to_string()
}

#[test]
fn every_checksum_of_the_kraken_recording_is_right() {
    let Some(path) = recorded(KRAKEN) else { return };
    run(async {
        let expected = std::fs::read_to_string(&path).unwrap();
        let sim = Replay { kraken: vec![path], ..replay() }.start(any_port()).await.unwrap();
        let mut client = Client::connect(sim.addr(), "/v2").await;
        client.subscribe("instrument", &[]).await;
        let instruments = client.channel("instrument").await;
        assert!(instruments.contains(r#""price_precision":1,"#), "{instruments}");
        assert!(instruments.contains(r#""qty_increment":0.00000001,"#), "{instruments}");
        client.subscribe_book(25, &["BTC/USD"]).await;
        client.text_where(|text| text.contains("Depth 25 is not recorded")).await;
        client.subscribe_book(10, &["BTC/USD"]).await;
        let mut received = client.all_texts().await;
        received.retain(|text| text.starts_with(r#"{"channel":"book""#));
        assert!(received.iter().map(String::as_str).eq(expected.lines()));
        let mut book = ClientBook::new(10);
        assert_eq!(received.iter().filter(|text| book.apply(text)).count(), 256);
    });
}

#[test]
fn a_kraken_subscriber_in_mid_stream_gets_a_snapshot_that_joins() {
    let Some(path) = recorded(KRAKEN) else { return };
    run(async {
        let speed = Speed::Factor(20.0);
        let sim = Replay { kraken: vec![path], speed, ..replay() };
        let sim = sim.start(any_port()).await.unwrap();
        let mut first = Client::connect(sim.addr(), "/v2").await;
        first.subscribe_book(10, &["BTC/USD"]).await;
        for _ in 0..60 {
            first.channel("book").await;
        }
        let mut second = Client::connect(sim.addr(), "/v2").await;
        second.subscribe_book(10, &["BTC/USD"]).await;
        let mut texts = second.all_texts().await;
        texts.retain(|text| text.starts_with(r#"{"channel":"book""#));
        assert!(texts.len() > 50 && texts.len() < 200, "{}", texts.len());
        assert!(texts[0].contains(r#""type":"snapshot""#));
        let mut book = ClientBook::new(10);
        assert!(texts.iter().all(|text| book.apply(text)));
    });
}

#[test]
fn the_truth_of_a_replay_has_every_message() {
    let directory = tempfile::tempdir().unwrap();
    let Some((path, expected)) = beginning(USDM, 3_000, directory.path()) else { return };
    let truth = directory.path().join("truth.jsonl");
    let sim = Replay { binance_usdm: vec![path], start: Start::Now, ..replay() };
    Replay { truth: Some(truth.clone()), ..sim }.start_thread(any_port()).unwrap().wait();
    let lines = truth_lines(&truth);
    assert_eq!(lines.len(), expected.len() + 2, "the snapshot and the end beside them");
    let trades: Vec<_> = lines.iter().filter(|line| line["channel"] == "trade").collect();
    let recorded = expected.iter().filter(|text| text.contains("@trade"));
    for (index, (line, text)) in trades.iter().zip(recorded.clone()).enumerate() {
        let data = &serde_json::from_str::<Value>(text).unwrap()["data"];
        assert_eq!(line["seq"], index + 1);
        assert_eq!((&line["price"], &line["trade_id"]), (&data["p"], &data["t"]));
    }
    assert_eq!(trades.len(), recorded.count());
}

#[test]
fn a_loop_closes_all_connections_and_begins_anew() {
    let directory = tempfile::tempdir().unwrap();
    let Some((path, expected)) = beginning(SPOT, 300, directory.path()) else { return };
    run(async {
        let sim = Replay { binance_spot: vec![path], repeat: true, ..replay() };
        let sim = sim.start(any_port()).await.unwrap();
        for _ in 0..2 {
            let mut client = Client::connect(sim.addr(), STREAMS).await;
            for text in &expected {
                assert_eq!(client.text().await, *text);
            }
            assert_eq!(client.hear().await, Heard::Close(1001));
        }
        assert_eq!(sim.stop().loops, 2);
    });
}

#[test]
fn a_broken_line_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("broken.txt");
    let good = r#"1 {"stream":"a@trade","data":{"s":"A","t":1,"p":"1","q":"1","m":true}}"#;
    for (bad, reason) in [
        ("no time", "receive time"),
        ("2 {\"stream\":", "EOF"),
        (r#"3 {"stream":"a@trade","data":{"s":"A"}}"#, "missing field"),
        ("4 {}", "neither"),
    ] {
        std::fs::write(&path, format!("{good}\n{bad}\n")).unwrap();
        let sim = Replay { binance_spot: vec![path.clone()], ..replay() };
        match sim.start_thread(any_port()) {
            Err(SimError::Line { line: 2, reason: said, .. }) => {
                assert!(said.contains(reason), "{said}");
            }
            other => panic!("{bad}: {other:?}"),
        }
    }
}
