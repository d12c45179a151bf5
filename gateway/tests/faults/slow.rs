//! Dashboards that stop reading for a while: what each asked to happen, happens, and is said.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wire::close::CloseCode;

use super::link::Link;
use super::rig::{
    CHANNELS, Gateway, PATIENCE, SHALLOW, SYMBOLS, market, market_of, subscribe_plainly,
};

const WARNING: &str = "[shard]\nslow_warning_bytes = 40000\nslow_cleared_bytes = 10000\n";

/// A session that stopped reading until the market stood still, and one that never did.
fn stop_and_go(rest: &str, x: &Value) -> (Gateway, Link, Link) {
    let gateway = Gateway::start(market_of(12_000, 6000.0), SHALLOW, rest);
    let mut slow = gateway.session(&CHANNELS, x);
    let mut healthy = gateway.session(&CHANNELS, &json!({}));
    let mut was_behind = false;
    while !gateway.venue.is_done() {
        healthy.listen(Duration::from_millis(5));
        was_behind |= gateway.behind() > 0;
    }
    assert!(was_behind, "the session fell behind");
    let deadline = Instant::now() + PATIENCE;
    while told(&slow) != gateway.published() || told(&healthy) != gateway.published() {
        assert!(Instant::now() < deadline, "not told up to the last number: {:?}", told(&slow));
        healthy.listen(Duration::from_millis(5));
        slow.listen(Duration::from_millis(5));
    }
    healthy.is_content();
    slow.is_content();
    assert_eq!(gateway.sessions(), 2);
    (gateway, slow, healthy)
}

fn told(link: &Link) -> [u64; 3] {
    CHANNELS.map(|channel| link.view.numbered(channel))
}

/// Books and last quotes are what the healthy one has.
fn same_values(slow: &Link, healthy: &Link) {
    for (symbol, book) in &healthy.view.books {
        assert!(book.has_same_top(&slow.view.books[symbol], 10), "{symbol}");
        let last = |link: &Link| link.view.tickers[symbol].last().cloned();
        assert_eq!(last(healthy), last(slow), "{symbol}");
    }
}

#[test]
fn who_stops_reading_hears_the_newest_and_every_trade_when_it_reads_again() {
    let rest = format!("{WARNING}trades_behind_max = 100000\n");
    let (_gateway, mut slow, healthy) = stop_and_go(&rest, &json!({}));
    same_values(&slow, &healthy);
    slow.until("its warning is taken back", |link| link.notices("slow_cleared").count() > 0);
    assert!(slow.view.merged > 100, "quotes and books were merged: {}", slow.view.merged);
    assert_eq!(slow.view.announced, 0, "no trade was lost");
    for (symbol, trades) in &healthy.view.trades {
        assert!(slow.view.trades[symbol].ends_with(&trades[50.min(trades.len())..]), "{symbol}");
    }
    let warned: Vec<_> = slow.notices("slow_warning").collect();
    assert!(warned.iter().all(|item| item["bytes"].as_u64() >= Some(40_000)), "{warned:?}");
    assert!(!warned.is_empty(), "it was warned");
}

#[test]
fn trades_that_are_too_many_are_announced_as_missed_by_their_numbers() {
    let rest = "[shard]\ntrades_behind_max = 3\n";
    let (_gateway, slow, healthy) = stop_and_go(rest, &json!({}));
    same_values(&slow, &healthy);
    assert!(slow.view.announced > 0, "{}", slow.view.summary());
    for gap in slow.notices("gap") {
        assert_eq!((&gap["channel"], &gap["reason"]), (&json!("trade"), &json!("slow")));
    }
    let told: usize = slow.view.trades.values().map(Vec::len).sum();
    assert!(told > 0, "the latest were told");
}

#[test]
fn who_asked_to_skip_is_told_the_numbers_and_the_newest() {
    let (gateway, slow, healthy) = stop_and_go("", &json!({ "on_slow": "skip" }));
    assert_eq!(slow.terms()["on_slow"], "skip");
    same_values(&slow, &healthy);
    assert!(slow.notices("gap").any(|gap| gap["channel"] == "book"), "{:?}", slow.view.summary());
    gateway.wait("what was announced is counted", PATIENCE, |gateway| {
        gateway.counted("gateway_shard_updates_missed_total")
            == slow.view.announced + healthy.view.announced
    });
}

/// Waits, reading the healthy one, until the other was closed for a reason.
fn closes(gateway: &Gateway, healthy: &mut Link, code: CloseCode) {
    let deadline = Instant::now() + PATIENCE;
    while gateway.closed(code) == 0 {
        assert!(Instant::now() < deadline, "nobody was closed with {code:?}");
        healthy.listen(Duration::from_millis(5));
    }
}

#[test]
fn who_asked_to_be_disconnected_is_closed_when_too_far_behind() {
    let rest = "[shard]\noutbox_bytes_max = 65536\nwrite_timeout_ms = 60000\n";
    let gateway = Gateway::start(market(4000.0), SHALLOW, rest);
    let mut slow = gateway.session(&CHANNELS, &json!({ "on_slow": "disconnect" }));
    assert_eq!(slow.terms()["on_slow"], "disconnect");
    let mut healthy = gateway.session(&CHANNELS, &json!({}));
    closes(&gateway, &mut healthy, CloseCode::TooSlow);
    let before = told(&healthy);
    healthy.until("the other goes on", |link| told(link) > before);
    assert_eq!((gateway.sessions(), healthy.view.announced), (1, 0));
    // What the kernel had taken may still come, and then the end.
    slow.until_closed();
}

#[test]
fn who_uses_no_numbers_and_missed_trades_is_closed_to_come_back() {
    let rest = "[shard]\ntrades_behind_max = 3\n";
    let gateway = Gateway::start(market(6000.0), SHALLOW, rest);
    let mut plain = Link::connect(&gateway.target, false).expect("a session");
    for channel in CHANNELS {
        plain.say(&subscribe_plainly(channel, &["*"]));
    }
    plain.until("it is served", |link| link.view.books.len() == SYMBOLS);
    let mut healthy = gateway.session(&CHANNELS, &json!({}));
    // Long enough that more trades were missed than are held for it.
    let full = gateway.metrics.ingest.ticks_published.of(gateway::metrics::TickKind::Trade).value();
    gateway.wait("it is behind by many trades", PATIENCE, |gateway| {
        healthy.listen(Duration::from_millis(1));
        let trades = gateway.metrics.ingest.ticks_published.of(gateway::metrics::TickKind::Trade);
        gateway.behind() > 0 && trades.value() > full + 2000
    });
    assert_eq!(plain.until_closed(), 4005);
    assert!(plain.view.violations.is_empty(), "{:#?}", plain.view.violations);
    gateway.wait("it is counted", PATIENCE, |g| g.closed(CloseCode::ResyncNeeded) == 1);
    healthy.is_content();
}
