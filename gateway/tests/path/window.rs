//! A shard with a flush window: fewer sends, nothing lost, nothing late by more than the window.

use std::time::{Duration, Instant};

use feed_sim::Generate;
use gateway::latency::Stretch;
use gateway::metrics::TickKind;

use super::rig::{Gateway, PATIENCE, any_port, kraken_feed, wish};
use super::venue::{DEPTH, SYMBOLS, market};

const WINDOW: Duration = Duration::from_millis(5);
const SETTINGS: &str = "[shard]\nflush_window_us = 5000\n";
const SESSIONS: u64 = 3;
const TICKS: u64 = 6000;
/// The handshake, the subscriptions' answers and snapshots.
const SENDS_OF_ARRIVAL: u64 = 20;

#[test]
fn a_window_bounds_the_sends_and_loses_nothing() {
    let market =
        Generate { rate: 2000.0, ticks_max: Some(TICKS), wait_for_subscriber: true, ..market() };
    let simulator = market.start_thread(any_port()).expect("it starts");
    let begun = Instant::now();
    let gateway = Gateway::start(&format!("{SETTINGS}{}", kraken_feed(simulator.addr(), DEPTH)));
    let wish = wish(true, DEPTH, &["ticker", "trade", "book"], &["*"]);
    let sessions: Vec<_> =
        (0..SESSIONS).map(|at| gateway.dashboard(&format!("session {at}"), &wish)).collect();
    gateway.wait("the market stands still", PATIENCE, |_| simulator.is_done());
    let published = |kinds: &[TickKind]| -> u64 {
        kinds.iter().map(|kind| gateway.metrics.ingest.ticks_published.of(*kind).value()).sum()
    };
    for session in &sessions {
        session.wait("every number is told", PATIENCE, |view| {
            let told = ["trade", "book", "ticker"].map(|channel| view.numbered(channel));
            view.books.len() == SYMBOLS
                && told
                    == [
                        published(&[TickKind::Trade]),
                        published(&[TickKind::Book]),
                        published(&[TickKind::Quote, TickKind::Statistics]),
                    ]
        });
        session.is_content();
        assert_eq!(session.view().announced, 0, "nothing was missed");
    }
    let windows = (begun.elapsed().as_nanos() / WINDOW.as_nanos()) as u64 + 1;
    let sends: u64 = gateway.metrics.shards.iter().map(|shard| shard.sends.value()).sum();
    let bound = SESSIONS * (windows + SENDS_OF_ARRIVAL);
    assert!(sends <= bound, "{sends} sends in {windows} windows");
    assert!(sends > 0);

    let latency = &gateway.metrics.latency;
    gateway.wait("latencies are collected", PATIENCE, |_| {
        !latency.since_start(Stretch::RecvToSent).histogram.is_empty()
    });
    let median = latency.since_start(Stretch::RecvToSent).histogram.value_at_quantile(0.5);
    let median = Duration::from_nanos(median);
    assert!(median <= 4 * WINDOW, "half of the updates took more than {median:?}");
    eprintln!("{sends} sends in {windows} windows, {SESSIONS} sessions, median {median:?}");
}
