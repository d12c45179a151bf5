//! Single promises of the fan-out, each on the smallest stage that can break it.

mod scene;

use fanout::SessionKey;
use market::{Body, SymbolId};
use scene::{Scene, quote, trade};

const A: u32 = 0;

const TICKER: &str =
    r#"{"method":"subscribe","params":{"channel":"ticker","symbol":["A"],"x":{"seq":true}}}"#;

#[test]
fn a_quoted_symbol_without_a_trade_has_a_ticker_snapshot() {
    let mut scene = Scene::new(&["A"]);
    scene.tick(A, quote(7));
    let key = scene.open();
    scene.ask(key, TICKER);
    let snapshot = scene.written(key);
    assert!(snapshot.contains(r#""type":"snapshot""#) && snapshot.contains(r#""seq":0"#));
    scene.tick(A, trade(1));
    let update = scene.written(key);
    assert!(update.contains(r#""type":"update""#) && update.contains(r#""seq":1"#), "{update}");
}

#[test]
fn who_subscribes_before_anything_is_known_gets_a_snapshot_first_and_once() {
    let mut scene = Scene::new(&["A"]);
    let key = scene.open();
    scene.ask(key, TICKER);
    assert!(!scene.written(key).contains("snapshot\",\"data"));
    scene.tick(A, quote(7));
    assert!(scene.written(key).contains(r#""type":"snapshot""#));
    scene.tick(A, quote(8));
    assert_eq!(scene.written(key), "", "quotes alone do not move the ticker on trades");
    scene.tick(A, trade(1));
    assert!(scene.written(key).contains(r#""type":"update""#));
}

#[test]
fn an_unsubscribe_ack_does_not_overtake_the_updates_before_it() {
    let mut scene = Scene::new(&["A"]);
    let key = scene.open();
    scene.ask(key, r#"{"method":"subscribe","params":{"channel":"trade","symbol":["A"]}}"#);
    scene.written(key);
    scene.tick(A, trade(1));
    scene.ask(key, r#"{"method":"unsubscribe","params":{"channel":"trade","symbol":["A"]}}"#);
    scene.tick(A, trade(2));
    let text = scene.written(key);
    let (data, ack) = (text.find("trade_id"), text.find("unsubscribe"));
    assert!(data < ack && data.is_some(), "{text}");
    assert_eq!(text.matches("trade_id").count(), 1);
}

/// A session that asked for the trades of so many strange names at once, all of this ending.
fn asked_for(count: usize, ending: &str) -> (Scene, SessionKey) {
    let mut scene = Scene::new(&["A"]);
    let key = scene.open();
    let names: Vec<_> = (0..count).map(|n| format!("\"N{n}{ending}\"")).collect();
    let names = names.join(",");
    scene.ask(
        key,
        &format!(r#"{{"method":"subscribe","params":{{"channel":"trade","symbol":[{names}]}}}}"#),
    );
    (scene, key)
}

#[test]
fn many_symbols_in_one_request_are_answered_one_by_one() {
    let (mut scene, key) = asked_for(5000, "");
    assert_eq!(scene.written(key).matches("UNKNOWN_SYMBOL").count(), 5000);
    assert_eq!(scene.fanout.closing(key), None);
}

#[test]
fn patterns_beyond_reason_are_refused_as_a_whole() {
    let (mut scene, key) = asked_for(2000, "*");
    assert_eq!(scene.written(key).matches("RATE_LIMIT").count(), 1);
    assert_eq!(scene.fanout.closing(key), None);
}

#[test]
fn definitions_missed_in_a_lap_are_covered_by_one_range() {
    let mut scene = Scene::new(&["A"]);
    let key = scene.open();
    scene.ask(key, r#"{"method":"subscribe","params":{"channel":"instrument","x":{"seq":true}}}"#);
    assert!(scene.written(key).contains(r#""x":{"seq":1,"#));
    let definition = scene.ingest.symbol(SymbolId(A)).expect("defined").instrument.clone();
    for _ in 0..3 {
        scene.fold(A, Body::Instrument(definition.clone()));
    }
    scene.fanout.handle_truth(scene.ingest.clone());
    let update = scene.written(key);
    assert!(update.contains(r#""seq":4,"first_seq":2,"merged":3"#), "{update}");
}

#[test]
fn a_silent_dashboard_is_pinged_then_closed_and_a_quiet_session_gets_heartbeats() {
    let mut scene = Scene::new(&["A"]);
    let key = scene.open();
    scene.fanout.handle_time(1_000_000_000);
    assert!(scene.written(key).contains("heartbeat"));
    scene.fanout.handle_time(5_000_000_000);
    assert!(scene.written(key).starts_with('\u{fffd}'), "a ping frame comes first");
    scene.fanout.heard(key, 5_500_000_000);
    scene.fanout.handle_time(7_500_000_000);
    assert_eq!(scene.fanout.closing(key), None, "it answered");
    scene.fanout.handle_time(10_500_000_000);
    scene.fanout.handle_time(12_500_000_000);
    let code = scene.fanout.closing(key).map(wire::close::CloseCode::code);
    assert_eq!(code, Some(4002));
}

#[test]
fn who_waits_for_its_turn_gets_what_came_meanwhile_and_who_had_it_goes_behind_the_others() {
    let mut scene = Scene::new(&["A"]);
    scene.tick(A, quote(1));
    let keys = [scene.open(), scene.open(), scene.open()];
    for key in keys {
        scene.ask(key, TICKER);
        scene.written(key);
    }
    scene.tick(A, trade(1));
    assert_eq!(scene.fanout.poll_dirty(), Some(keys[0]));
    assert!(scene.taken(keys[0]).contains(r#""seq":1"#));
    scene.tick(A, trade(2));
    let mut order = Vec::new();
    while let Some(key) = scene.fanout.poll_dirty() {
        order.push((key, scene.taken(key).matches("\"update\"").count()));
    }
    assert_eq!(order, [(keys[1], 2), (keys[2], 2), (keys[0], 1)]);
}

#[test]
fn of_too_many_pings_the_latest_is_answered_and_far_too_many_are_the_end() {
    let mut scene = Scene::new(&["A"]);
    let key = scene.open();
    for number in 0..900 {
        scene.fanout.handle_ping(key, format!("<{number}>").as_bytes(), 1);
    }
    let answered = scene.written(key);
    assert!(answered.contains("<499>") && !answered.contains("<500>"), "ten seconds' worth");
    scene.fanout.handle_time(2);
    let answered = scene.written(key);
    assert!(answered.contains("<899>") && answered.matches('<').count() == 1, "{answered}");
    scene.fanout.handle_time(3);
    assert_eq!(scene.written(key), "", "it is answered once");
    for _ in 0..101 {
        scene.fanout.handle_ping(key, b"", 3);
    }
    assert_eq!(scene.fanout.closing(key).map(wire::close::CloseCode::code), Some(4004));
}

#[test]
fn pongs_nobody_asked_for_are_paid_for_and_those_asked_for_are_not() {
    let mut scene = Scene::new(&["A"]);
    let key = scene.open();
    for second in 0..2000 {
        let now = second * 5_000_000_000;
        scene.fanout.handle_time(now);
        scene.fanout.handle_pong(key, now);
    }
    scene.written(key);
    let now = 20_000_000_000_000;
    for _ in 0..1000 {
        scene.fanout.handle_pong(key, now);
    }
    assert_eq!(scene.fanout.closing(key), None);
    scene.fanout.handle_pong(key, now);
    assert_eq!(scene.fanout.closing(key).map(wire::close::CloseCode::code), Some(4004));
}
