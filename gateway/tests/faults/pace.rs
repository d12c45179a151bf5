//! Paces: at most one frame in that time per symbol, changed while running, nothing missed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::json;

use super::link::Link;
use super::rig::{CHANNELS, Gateway, SYMBOLS, market, market_of, subscribe};

const PACE: Duration = Duration::from_millis(200);

/// Frames of each symbol's ticker since then.
fn tickers_since(link: &Link, since: Instant) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    for (at, channel, symbol, _) in &link.frames {
        if channel == "ticker" && *at >= since {
            *counts.entry(symbol.as_str()).or_default() += 1;
        }
    }
    counts
}

#[test]
fn a_paced_dashboard_gets_one_frame_a_bucket_and_another_pace_while_running() {
    let gateway = Gateway::start(market(2000.0), "", "");
    let mut paced = gateway.session(&["ticker"], &json!({ "conflate_ms": 200 }));
    assert_eq!(paced.terms()["qos"], "conflated");
    assert_eq!(paced.terms()["conflate_ms"], 200);
    let since = Instant::now();
    paced.listen_for(6 * PACE);
    paced.is_content();
    let buckets = (since.elapsed().as_millis() / PACE.as_millis()) as usize + 2;
    let counts = tickers_since(&paced, since);
    assert_eq!(counts.len(), SYMBOLS, "every symbol has news");
    assert!(counts.values().all(|count| *count <= buckets), "{counts:?} in {buckets} buckets");
    assert!(paced.view.merged > 100, "a frame stands for several: {}", paced.view.merged);

    let acks = paced.view.acks;
    let faster = json!({ "channel": "ticker", "symbol": ["*"], "event_trigger": "bbo",
        "x": { "conflate_ms": 0 } });
    paced.say(&json!({ "method": "reconfigure", "params": faster }));
    paced.until("the new pace is granted", |link| link.view.acks > acks);
    let (since, merged) = (Instant::now(), paced.view.merged);
    paced.listen_for(6 * PACE);
    paced.is_content();
    let busiest = tickers_since(&paced, since).into_values().max().unwrap_or_default();
    assert!(busiest > 3 * buckets, "{busiest} frames without a pace");
    assert!(paced.view.merged <= merged + 2 * SYMBOLS as u64, "each update has its own again");
}

#[test]
fn who_is_paced_ends_with_what_everybody_has_and_every_trade() {
    let gateway = Gateway::start(market_of(4000, 2000.0), "", "");
    let mut every = gateway.session(&CHANNELS, &json!({}));
    let mut paced = gateway.session(&["trade"], &json!({}));
    for channel in ["ticker", "book"] {
        paced.say(&subscribe(channel, &["*"], &json!({ "max_hz": 5 })));
    }
    while !gateway.venue.is_done() {
        every.listen(Duration::from_millis(1));
        paced.listen(Duration::from_millis(1));
    }
    every.listen_for(Duration::from_millis(300));
    paced.until("the same numbers", |link| link.positions == every.positions);
    every.is_content();
    for (symbol, book) in &every.view.books {
        assert!(book.has_same_top(&paced.view.books[symbol], 10), "{symbol}");
        let last = |link: &Link| link.view.tickers[symbol].last().cloned();
        assert_eq!(last(&every), last(&paced), "{symbol}");
    }
    assert!(paced.view.book_updates < every.view.book_updates, "books were conflated");
    assert_eq!((every.view.announced, paced.view.announced), (0, 0));
}
