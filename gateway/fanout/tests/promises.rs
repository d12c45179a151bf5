//! Single promises of the fan-out, each on the smallest stage that can break it.

use fanout::{Fanout, Limits, SessionKey};
use market::{
    Body, Instrument, Level, Nanos, OrderKind, Price, Quote, Side, Size, Stamps, SymbolId, Tick,
    Trade, Trading, Truth,
};

const LIMITS: Limits = Limits {
    outbox_bytes_max: 1 << 20,
    subscriptions_max: 10_000,
    requests_per_second_max: 50,
    bad_requests_max: 3,
    heartbeat_ns: 1_000_000_000,
    ping_ns: 5_000_000_000,
    pong_timeout_ns: 2_000_000_000,
};

struct Scene {
    fanout: Fanout,
    ingest: Truth,
}

impl Scene {
    fn new(symbols: &[&str]) -> Self {
        let mut scene = Self { fanout: Fanout::new(LIMITS, 1), ingest: Truth::default() };
        for (at, name) in symbols.iter().enumerate() {
            let instrument = Instrument {
                symbol: (*name).into(),
                venue: "v".into(),
                venue_symbol: (*name).into(),
                base: "A".into(),
                quote: "B".into(),
                price_precision: 0,
                size_precision: 0,
                price_increment: Price(1),
                size_increment: Size(1),
                size_min: Size(1),
                book_levels_max: 10,
                trading: Trading::Online,
            };
            scene.tick(SymbolId(at as u32), Body::Instrument(instrument));
        }
        scene
    }

    fn fold(&mut self, symbol: SymbolId, body: Body<'_>) -> Vec<u8> {
        let sequence = self.ingest.next_sequence(symbol, body.channel());
        let tick = Tick { symbol, sequence, stamps: Stamps::default(), body };
        self.ingest.apply(&tick).expect("in step");
        let mut record = Vec::new();
        tick.encode(&mut record);
        record
    }

    fn tick(&mut self, symbol: SymbolId, body: Body<'_>) {
        let record = self.fold(symbol, body);
        self.fanout.handle_tick(&Tick::decode(&record).expect("whole")).expect("in step");
    }

    fn open(&mut self) -> SessionKey {
        let key = self.fanout.handle_open(1, 0);
        self.written(key);
        key
    }

    fn ask(&mut self, key: SessionKey, text: &str) {
        self.fanout.handle_text(key, &mut text.as_bytes().to_vec(), Nanos(1));
    }

    /// Everything that waits for a session, as one text; ends the cycle.
    fn written(&mut self, key: SessionKey) -> String {
        let mut bytes = Vec::new();
        while self.fanout.take(key, 1 << 16, &mut bytes, |_| {}, 0) {}
        while self.fanout.poll_dirty().is_some() {}
        self.fanout.end_cycle();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn quote(bid: i64) -> Body<'static> {
    let level = |price| Level { price: Price(price), size: Size(1) };
    Body::Quote(Quote { bid: level(bid), ask: level(bid + 1) })
}

fn trade(trade_id: u64) -> Body<'static> {
    Body::Trade(Trade {
        price: Price(5),
        size: Size(1),
        side: Side::Buy,
        order_kind: OrderKind::Market,
        trade_id,
        ts_event: Nanos(1),
    })
}

const TICKER: &str =
    r#"{"method":"subscribe","params":{"channel":"ticker","symbol":["A"],"x":{"seq":true}}}"#;

#[test]
fn a_quoted_symbol_without_a_trade_has_a_ticker_snapshot() {
    let mut scene = Scene::new(&["A"]);
    scene.tick(SymbolId(0), quote(7));
    let key = scene.open();
    scene.ask(key, TICKER);
    let snapshot = scene.written(key);
    assert!(snapshot.contains(r#""type":"snapshot""#) && snapshot.contains(r#""seq":0"#));
    scene.tick(SymbolId(0), trade(1));
    let update = scene.written(key);
    assert!(update.contains(r#""type":"update""#) && update.contains(r#""seq":1"#), "{update}");
}

#[test]
fn who_subscribes_before_anything_is_known_gets_a_snapshot_first_and_once() {
    let mut scene = Scene::new(&["A"]);
    let key = scene.open();
    scene.ask(key, TICKER);
    assert!(!scene.written(key).contains("snapshot\",\"data"));
    scene.tick(SymbolId(0), quote(7));
    assert!(scene.written(key).contains(r#""type":"snapshot""#));
    scene.tick(SymbolId(0), quote(8));
    assert_eq!(scene.written(key), "", "quotes alone do not move the ticker on trades");
    scene.tick(SymbolId(0), trade(1));
    assert!(scene.written(key).contains(r#""type":"update""#));
}

#[test]
fn an_unsubscribe_ack_does_not_overtake_the_updates_before_it() {
    let mut scene = Scene::new(&["A"]);
    let key = scene.open();
    scene.ask(key, r#"{"method":"subscribe","params":{"channel":"trade","symbol":["A"]}}"#);
    scene.written(key);
    scene.tick(SymbolId(0), trade(1));
    scene.ask(key, r#"{"method":"unsubscribe","params":{"channel":"trade","symbol":["A"]}}"#);
    scene.tick(SymbolId(0), trade(2));
    let text = scene.written(key);
    let (data, ack) = (text.find("trade_id"), text.find("unsubscribe"));
    assert!(data < ack && data.is_some(), "{text}");
    assert_eq!(text.matches("trade_id").count(), 1);
}

#[test]
fn many_symbols_in_one_request_are_answered_one_by_one() {
    let mut scene = Scene::new(&["A"]);
    let key = scene.open();
    let names: Vec<_> = (0..5000).map(|n| format!("\"N{n}\"")).collect();
    let names = names.join(",");
    scene.ask(
        key,
        &format!(r#"{{"method":"subscribe","params":{{"channel":"trade","symbol":[{names}]}}}}"#),
    );
    assert_eq!(scene.written(key).matches("UNKNOWN_SYMBOL").count(), 5000);
    assert_eq!(scene.fanout.closing(key), None);
}

#[test]
fn patterns_beyond_reason_are_refused_as_a_whole() {
    let mut scene = Scene::new(&["A"]);
    let key = scene.open();
    let names: Vec<_> = (0..2000).map(|n| format!("\"N{n}*\"")).collect();
    let names = names.join(",");
    scene.ask(
        key,
        &format!(r#"{{"method":"subscribe","params":{{"channel":"trade","symbol":[{names}]}}}}"#),
    );
    assert_eq!(scene.written(key).matches("RATE_LIMIT").count(), 1);
    assert_eq!(scene.fanout.closing(key), None);
}

#[test]
fn definitions_missed_in_a_lap_are_covered_by_one_range() {
    let mut scene = Scene::new(&["A"]);
    let key = scene.open();
    scene.ask(key, r#"{"method":"subscribe","params":{"channel":"instrument","x":{"seq":true}}}"#);
    assert!(scene.written(key).contains(r#""x":{"seq":1,"#));
    let definition = scene.ingest.symbol(SymbolId(0)).expect("defined").instrument.clone();
    for _ in 0..3 {
        scene.fold(SymbolId(0), Body::Instrument(definition.clone()));
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
