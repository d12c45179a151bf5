//! The numbering begins anew under sessions that are there.

mod scene;

use market::{Body, State, SymbolId, Tick};
use scene::{Scene, book, quote, trade};

fn subscribe(channel: &str, symbol: &str, more: &str) -> String {
    format!(
        r#"{{"method":"subscribe","params":{{"channel":"{channel}","symbol":["{symbol}"]{more}}}}}"#
    )
}

/// A market of two symbols in which everything has happened once.
fn lively() -> Scene {
    let mut scene = Scene::new(&["A/B", "C/D"]);
    for symbol in 0..2 {
        scene.tick(symbol, quote(10));
        scene.tick(symbol, trade(1));
        scene.tick(symbol, book(&[(1, 5)], &[(2, 5)]));
    }
    scene
}

#[test]
fn who_hears_the_market_is_closed_to_come_back_and_who_does_not_stays() {
    let mut scene = lively();
    let numbered = r#","x":{"seq":true}"#;
    let asks = [
        subscribe("book", "A/B", numbered),
        subscribe("trade", "A/B", ""),
        subscribe("ticker", "X/*", numbered),
        subscribe("ticker", "C/D", r#","event_trigger":"bbo","x":{"seq":true,"conflate_ms":100}"#),
        r#"{"method":"subscribe","params":{"channel":"instrument"}}"#.to_owned(),
    ];
    let hearers = asks.map(|ask| {
        let key = scene.open();
        scene.ask(key, &ask);
        assert!(scene.written(key).contains(r#""success":true"#), "{ask}");
        key
    });
    let behind = scene.open();
    scene.ask(behind, &subscribe("book", "C/D", ""));
    scene.written(behind);
    scene.tick(1, book(&[(1, 6)], &[]));
    scene.block(behind);
    let idle = scene.open();
    let other = lively();
    scene.ingest = other.ingest.clone();
    scene.fanout.handle_new_life(other.ingest, 2);
    scene.tick(0, quote(11));
    scene.tick(0, trade(2));
    for key in hearers.into_iter().chain([behind]) {
        let text = scene.written(key);
        assert!(text.contains("the numbering has begun anew"), "{text}");
        assert!(!text.contains(r#""channel""#), "nothing of the market: {text}");
        scene.fanout.handle_gone(key);
    }
    assert_eq!(scene.fanout.counters().subscriptions, 0);
    assert_eq!(scene.written(idle), "");
    scene.ask(idle, &subscribe("trade", "A/B", numbered));
    let text = scene.written(idle);
    assert!(text.contains(r#""epoch":"2","seq":2"#), "{text}");
    scene.tick(0, trade(3));
    assert!(scene.written(idle).contains(r#""seq":3"#));
}

#[test]
fn numbers_are_good_for_the_life_they_were_told_in() {
    let mut scene = lively();
    let other = lively();
    scene.ingest = other.ingest.clone();
    scene.fanout.handle_new_life(other.ingest, 2);
    scene.tick(0, trade(2));
    scene.tick(0, trade(3));
    for (epoch, seq, is_recovered) in [(1, 1, false), (2, 1, true), (2, 2, true), (2, 9, false)] {
        let key = scene.open();
        let resume =
            format!(r#","x":{{"seq":true,"resume":{{"A/B":{{"epoch":{epoch},"seq":{seq}}}}}}}"#);
        scene.ask(key, &subscribe("trade", "A/B", &resume));
        let text = scene.written(key);
        assert!(text.contains(&format!(r#""recovered":{is_recovered}"#)), "{epoch} {seq}: {text}");
    }
}

#[test]
fn who_was_shown_what_a_truth_held_goes_on_behind_it() {
    let mut scene = lively();
    let other = lively();
    scene.ingest = other.ingest.clone();
    scene.fanout.handle_new_life(other.ingest, 2);
    let asks = [
        ("ticker", r#","event_trigger":"bbo""#, 2),
        ("ticker", r#","event_trigger":"trades""#, 1),
        ("trade", "", 1),
        ("book", "", 1),
    ];
    scene.tick(0, quote(11));
    scene.tick(0, trade(2));
    scene.tick(0, book(&[(1, 7)], &[]));
    for (channel, more, seq) in asks {
        let key = scene.open();
        let resume =
            format!(r#"{more},"x":{{"seq":true,"resume":{{"A/B":{{"epoch":2,"seq":{seq}}}}}}}"#);
        scene.ask(key, &subscribe(channel, "A/B", &resume));
        let text = scene.written(key);
        assert!(text.contains(r#""recovered":true"#), "{channel} {seq}: {text}");
        assert!(!text.contains(r#""type":"snapshot""#), "{text}");
    }
}

#[test]
fn a_state_that_is_vouched_for_is_told_and_uses_up_no_number() {
    let mut scene = lively();
    let key = scene.open();
    scene.ask(key, &subscribe("trade", "A/B", r#","x":{"seq":true}"#));
    scene.written(key);
    for (state, word) in [(State::Stale, "stale"), (State::Ok, "ok")] {
        let (symbol, stamps) = (SymbolId(0), market::Stamps::default());
        let tick = Tick { symbol, sequence: 0, stamps, body: Body::State(state) };
        assert!(!tick.is_numbered());
        scene.fanout.handle_tick(&tick).expect("no number is due");
        assert!(scene.written(key).contains(word));
    }
    // The next that is numbered is the first.
    scene.tick(0, Body::State(State::Halted));
    assert!(scene.written(key).contains("halted"));
}

#[test]
fn a_life_with_fewer_symbols_keeps_nothing_of_the_one_before() {
    let mut scene = lively();
    let keys: Vec<_> = (2..20)
        .map(|bid| {
            let depth = if bid % 2 == 0 { r#","depth":25"# } else { "" };
            let pace = format!(r#","x":{{"seq":true,"conflate_ms":{}}}"#, 50 * bid);
            let key = scene.open();
            scene.ask(key, &subscribe("book", "C/D", &format!("{depth}{pace}")));
            scene.ask(key, &subscribe("ticker", "C/D", &pace));
            scene.written(key);
            key
        })
        .collect();
    assert!(scene.fanout.counters().bases_bytes > 0);
    let other = Scene::new(&["E/F"]);
    scene.ingest = other.ingest.clone();
    scene.fanout.handle_new_life(other.ingest, 2);
    for key in keys {
        assert!(scene.written(key).contains("the numbering has begun anew"));
    }
    scene.fanout.end_cycle();
    assert_eq!(scene.fanout.counters().bases_bytes, 0);
    scene.tick(0, quote(1));
}
