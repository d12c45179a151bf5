//! `fleet` against a scripted gateway: what is counted is what was said. Times are never compared.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a test is no library")]

mod scripted;

use std::sync::Arc;

use bench::fleet::fleet;
use bench::fleet::outcome::Outcome;
use scripted::market::{Market, SNAPSHOT};
use scripted::{Gateway, Script, Step};

fn measure(steps: Vec<Step>, more: &[&str]) -> Outcome {
    measure_full(steps, 0, more)
}

fn measure_full(steps: Vec<Step>, turned_away: usize, more: &[&str]) -> Outcome {
    let script = Script { requests: 1, refused: None, steps: Arc::new(steps) };
    let gateway = Gateway::start_full(script, turned_away);
    let mut line = vec!["--symbols", "BTC/USD", "--channels", "ticker"];
    line.extend_from_slice(&["--sessions", "40", "--threads", "2"]);
    line.extend_from_slice(&["--seconds", "0.3", "--connecting-max", "4"]);
    line.extend_from_slice(more);
    fleet(&gateway.options(&line)).unwrap()
}

#[test]
fn sessions_that_come_up_are_ready_and_their_sequences_whole() {
    let pid = std::process::id().to_string();
    let outcome = measure(Market::new("BTC/USD", 50, 1).steps(), &["--pid", &pid]);
    assert!(outcome.ready, "{outcome}");
    assert_eq!((outcome.counts.lost, outcome.counts.out_of_order), (0, 0), "{outcome}");
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
    assert!(outcome.gateway.as_ref().unwrap().samples >= 2);
    serde_json::to_string(&outcome).unwrap();
}

#[test]
fn a_lost_and_a_doubled_message_are_counted_for_every_session() {
    let mut market = Market::new("BTC/USD", 50, 1);
    market.updates.remove(market.at("ticker", SNAPSHOT + 7));
    let again = market.updates[market.at("ticker", SNAPSHOT + 9)].clone();
    market.updates.push(again);
    let outcome = measure(market.steps(), &[]);
    assert_eq!((outcome.counts.lost, outcome.counts.out_of_order), (40, 40), "{outcome}");
    assert_eq!(outcome.exit_code(), 1);
}

#[test]
fn who_is_turned_away_at_the_door_comes_again() {
    let steps = Market::new("BTC/USD", 50, 1).steps();
    let outcome = measure_full(steps, 7, &[]);
    assert!(outcome.ready, "{outcome}");
    assert_eq!((outcome.counts.turned_away, outcome.counts.not_connected), (7, 0), "{outcome}");
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
}

#[test]
fn who_is_turned_away_to_the_end_has_not_come_up() {
    let steps = Market::new("BTC/USD", 50, 1).steps();
    let outcome = measure_full(steps, usize::MAX, &["--connect-max", "1"]);
    assert_eq!(outcome.counts.not_connected, 40, "{outcome}");
    assert_eq!(outcome.exit_code(), 3, "{outcome}");
}
