//! What is granted and what not, on the smallest stage: decisions, patterns, definitions, reloads.

mod scene;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fanout::{Admission, Permits, Petition, SessionKey, Verdict};
use market::{Body, Nanos, State, SymbolId, Trading, Twin};
use rights::usage::RecordKind;
use rights::{Authenticator, Credentials, NewKey, Quality, Register, Rules, Wall};
use scene::{Scene, book, quote};

const NOW: Nanos = Nanos(1_000);
const WALL: Wall = Wall::from_seconds(1_800_000_000);
const ALL: &str = "[[rules]]\nsymbols = ['*']\nquality = 'realtime'\n";

/// Somebody with a key, and what he may see by some rules.
struct Holder {
    key: NewKey,
}

impl Holder {
    fn new() -> Self {
        Self { key: NewKey::generate().expect("randomness") }
    }

    fn permits(&self, register: &str, rules: &str) -> Arc<Permits> {
        let register = format!("{}{register}", self.key.register_entry("alice", &[], None));
        let file = Path::new("file.toml");
        let register = Register::parse(&register, file).expect("a good register");
        let rules = Rules::parse(rules, file, Duration::from_secs(3600)).expect("good rules");
        let authenticator = Authenticator::new(register, None);
        Arc::new(Permits { authenticator, rules: Arc::new(rules) })
    }

    fn admission(&self, permits: &Arc<Permits>) -> Admission {
        let credentials = Credentials::from_text(self.key.text().expose());
        let identity = permits.authenticator.authenticate(&credentials, WALL).expect("a good key");
        Admission::new(Arc::clone(permits), identity, WALL, NOW)
    }

    /// A stage with some symbols, and a session that may see what the rules say.
    fn inside(&self, symbols: &[&str], rules: &str) -> (Scene, SessionKey) {
        let mut scene = Scene::new(symbols);
        let admission = self.admission(&self.permits("", rules));
        let key = scene.fanout.handle_arrival(1, Some(admission), NOW);
        assert!(scene.written(key).contains("status"));
        (scene, key)
    }
}

fn subscribe(channel: &str, symbols: &str, more: &str) -> String {
    format!(
        r#"{{"method":"subscribe","params":{{"channel":"{channel}","symbol":[{symbols}]{more}}}}}"#
    )
}

const NUMBERED: &str = r#","x":{"seq":true}"#;

#[test]
fn nobody_is_served_before_it_is_known_who_it_is() {
    let mut scene = Scene::new(&["A"]);
    let key = scene.fanout.handle_arrival(7, None, NOW);
    scene.tick(0, quote(1));
    scene.fanout.handle_time(5_000_000_000);
    assert_eq!(scene.written(key), "", "no status, no heartbeat");
    scene.ask(key, &subscribe("ticker", "\"*\"", ""));
    assert_eq!(scene.written(key).matches("AUTH_REQUIRED").count(), 1);
    scene.tick(0, quote(2));
    assert_eq!(scene.written(key), "");
    scene.fanout.handle_time(10_000_001_000);
    let text = scene.written(key);
    assert!(text.contains("AUTH_TIMEOUT"), "{text}");
    assert_eq!(scene.fanout.closing(key).map(wire::close::CloseCode::code), Some(4502));
}

#[test]
fn a_verdict_for_a_session_that_has_gone_is_not_given_to_the_one_that_took_its_number() {
    let holder = Holder::new();
    let mut scene = Scene::new(&["A"]);
    let first = scene.fanout.handle_arrival(7, None, NOW);
    scene.ask(first, r#"{"method":"auth","params":{"token":"t"}}"#);
    let Petition { ticket, .. } = scene.fanout.poll_petition().expect("a token");
    scene.fanout.handle_gone(first);
    let second = scene.fanout.handle_arrival(8, None, NOW);
    assert_eq!(first, second, "the number is used again");
    let admission = Box::new(holder.admission(&holder.permits("", ALL)));
    assert!(!scene.fanout.handle_verdict(ticket, Verdict::Admitted(admission, WALL), NOW));
    scene.ask(second, &subscribe("ticker", "\"A\"", ""));
    assert!(scene.written(second).contains("AUTH_REQUIRED"));
}

#[test]
fn one_token_at_a_time_is_looked_at_and_the_session_waits_no_longer_than_its_time() {
    let mut scene = Scene::new(&["A"]);
    let key = scene.fanout.handle_arrival(7, None, NOW);
    for _ in 0..2 {
        scene.ask(key, r#"{"method":"auth","params":{"token":"t"}}"#);
    }
    assert!(scene.fanout.poll_petition().is_some() && scene.fanout.poll_petition().is_none());
    assert!(scene.written(key).contains("RATE_LIMIT"));
    scene.fanout.handle_time(10_000_000_100);
    assert_eq!(scene.fanout.closing(key).map(wire::close::CloseCode::code), Some(1013));
}

#[test]
fn each_symbol_is_decided_by_itself() {
    let rules = "[[rules]]\nsymbols = ['B']\nquality = 'none'\n\
                 [[rules]]\nsymbols = ['C']\nquality = 'delayed'\ndelay_minutes = 15\n\
                 [[rules]]\nsymbols = ['A', 'B', 'C']\nquality = 'realtime'\n";
    let (mut scene, key) = Holder::new().inside(&["A", "B", "C", "D"], rules);
    for id in 0..4 {
        scene.tick(id, quote(5));
    }
    scene.ask(key, &subscribe("ticker", r#""A","B","C","D""#, ""));
    let text = scene.written(key);
    assert_eq!(text.matches("NOT_ENTITLED").count(), 3, "{text}");
    assert_eq!(text.matches("later than anything is told here").count(), 1);
    assert_eq!(text.matches(r#""type":"snapshot""#).count(), 1);
    assert_eq!(scene.fanout.counters().not_granted, 3);
}

#[test]
fn a_pattern_catches_what_is_granted_now_and_later_and_nothing_else() {
    let rules = "[[rules]]\nsymbols = ['X*']\nquality = 'none'\n".to_owned() + ALL;
    let (mut scene, key) = Holder::new().inside(&["A", "X"], &rules);
    scene.ask(key, &subscribe("ticker", "\"*\"", NUMBERED));
    let text = scene.written(key);
    assert!(text.contains("left out") && !text.contains("NOT_ENTITLED"), "{text}");
    let template = scene.ingest.symbol(SymbolId(0)).expect("A").instrument.clone();
    for (id, name) in [(2, "XY"), (3, "B")] {
        let instrument = market::Instrument { symbol: name.into(), ..template.clone() };
        scene.tick(id, Body::Instrument(instrument));
    }
    for id in 0..4 {
        scene.tick(id, quote(5));
    }
    let text = scene.written(key);
    assert!(text.contains(r#""symbol":"A""#) && text.contains(r#""symbol":"B""#), "{text}");
    assert!(!text.contains(r#""symbol":"X"#), "{text}");
    assert_eq!(scene.fanout.counters().subscriptions, 2);
}

#[test]
fn what_is_granted_of_late_joins_a_running_pattern_and_what_was_given_up_stays_away() {
    let holder = Holder::new();
    let none = "[[rules]]\nsymbols = ['X*']\nquality = 'none'\n".to_owned() + ALL;
    let (mut scene, key) = holder.inside(&["A", "B", "X1", "X2", "Y"], &none);
    scene.ask(key, &subscribe("ticker", "\"*\"", NUMBERED));
    scene.ask(key, r#"{"method":"unsubscribe","params":{"channel":"ticker","symbol":["B"]}}"#);
    for id in 0..5 {
        scene.tick(id, quote(5));
    }
    assert!(!scene.written(key).contains(r#""symbol":"X"#));
    let fewer = "[[rules]]\nsymbols = ['X2', 'Y']\nquality = 'none'\n".to_owned() + ALL;
    scene.fanout.handle_permits(holder.permits("", &fewer), WALL);
    let text = scene.written(key);
    assert_eq!(text.matches(r#""type":"snapshot""#).count(), 1, "{text}");
    assert!(text.contains(r#""symbol":"X1""#) && text.contains("revoked"), "{text}");
    // What a reload took away and the next gives back comes back, too.
    scene.fanout.handle_permits(holder.permits("", ALL), WALL);
    let text = scene.written(key);
    assert_eq!(text.matches(r#""type":"snapshot""#).count(), 2, "{text}");
    assert!(text.contains(r#""symbol":"X2""#) && text.contains(r#""symbol":"Y""#), "{text}");
    assert_eq!(scene.fanout.counters().subscriptions, 4, "all but B");
    scene.fanout.handle_permits(holder.permits("", ALL), WALL);
    assert_eq!(scene.written(key), "", "nothing has changed");
}

#[test]
fn ten_thousand_symbols_granted_of_late_join_in_slices_up_to_what_a_session_may_hold() {
    let holder = Holder::new();
    let names: Vec<String> = (0..10_001).map(|at| format!("S{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let only = "[[rules]]\nsymbols = ['S0']\nquality = 'realtime'\n";
    let (mut scene, key) = holder.inside(&names, only);
    scene.ask(key, &subscribe("ticker", "\"*\"", ""));
    scene.written(key);
    assert_eq!(scene.fanout.counters().subscriptions, 1);
    scene.fanout.handle_permits(holder.permits("", ALL), WALL);
    let mut cycles = 0;
    while scene.fanout.counters().subscriptions < 10_000 {
        let before = scene.fanout.counters().subscriptions;
        scene.fanout.handle_work(NOW);
        assert!(scene.fanout.counters().subscriptions - before <= 2048, "in one cycle");
        cycles += 1;
        assert!(cycles < 10, "it goes on");
    }
    let text = scene.written(key);
    assert_eq!(text.matches("SYMBOL_LIMIT").count(), 1, "one beyond what it may hold");
    assert_eq!(scene.fanout.counters().subscriptions, 10_000);
}

#[test]
fn definitions_that_are_not_granted_are_not_told_nor_counted() {
    let rules = "[[rules]]\nsymbols = ['X']\nquality = 'none'\n".to_owned() + ALL;
    let (mut scene, key) = Holder::new().inside(&["A", "X"], &rules);
    scene.ask(key, r#"{"method":"subscribe","params":{"channel":"instrument","x":{"seq":true}}}"#);
    let text = scene.written(key);
    assert!(text.contains(r#""symbol":"A""#) && !text.contains(r#""symbol":"X""#), "{text}");
    let definition =
        |scene: &Scene, id| scene.ingest.symbol(SymbolId(id)).expect("defined").instrument.clone();
    let (known, secret) = (definition(&scene, 0), definition(&scene, 1));
    scene.tick(1, Body::Instrument(secret));
    assert_eq!(scene.written(key), "", "that it was changed is a hint");
    scene.tick(0, Body::Instrument(known));
    let text = scene.written(key);
    assert!(text.contains(r#""symbol":"A""#) && text.contains(r#""seq":2"#), "{text}");
}

#[test]
fn what_is_revoked_ends_behind_its_last_update_and_the_rest_goes_on() {
    let holder = Holder::new();
    let (mut scene, key) = holder.inside(&["A", "B"], ALL);
    scene
        .ask(key, &subscribe("ticker", r#""A","B""#, r#","event_trigger":"bbo","x":{"seq":true}"#));
    scene.tick(0, quote(1));
    scene.tick(1, quote(1));
    scene.written(key);
    scene.tick(0, quote(2));
    let rules = "[[rules]]\nsymbols = ['A']\nquality = 'none'\n".to_owned() + ALL;
    scene.fanout.handle_permits(holder.permits("", &rules), WALL);
    assert!(scene.fanout.has_work());
    scene.fanout.handle_work(NOW);
    scene.tick(0, quote(3));
    scene.tick(1, quote(3));
    let text = scene.written(key);
    let told = text.find(r#""kind":"revoked","symbol":"A""#).expect("it is told");
    assert!(text.find(r#""bid":2"#).is_some_and(|last| last < told), "{text}");
    assert_eq!(text.matches(r#""bid":3"#).count(), 1, "B alone: {text}");
    assert_eq!(scene.fanout.counters().subscriptions, 1);
}

#[test]
fn a_session_whose_socket_is_full_is_not_shown_what_was_revoked_meanwhile() {
    let holder = Holder::new();
    let (mut scene, key) = holder.inside(&["A"], ALL);
    scene.tick(0, book(&[(5, 1)], &[(7, 1)]));
    scene.ask(key, &subscribe("book", "\"A\"", NUMBERED));
    scene.written(key);
    scene.tick(0, book(&[(5, 2)], &[]));
    scene.block(key);
    let rules = "[[rules]]\nsymbols = ['A']\nquality = 'none'\n";
    scene.fanout.handle_permits(holder.permits("", rules), WALL);
    scene.fanout.handle_work(NOW);
    scene.tick(0, book(&[(5, 3)], &[]));
    let text = scene.written(key);
    assert!(text.contains("revoked") && !text.contains(r#""bids""#), "{text}");
    assert_eq!(scene.fanout.counters().subscriptions, 0);
}

#[test]
fn who_came_by_rules_that_were_replaced_on_his_way_is_looked_at_again() {
    let holder = Holder::new();
    let mut scene = Scene::new(&["A"]);
    let old = holder.permits("", ALL);
    scene.fanout.handle_permits(holder.permits("[blocked]\nusers = ['alice']\n", ALL), WALL);
    let key = scene.fanout.handle_arrival(1, Some(holder.admission(&old)), NOW);
    scene.fanout.handle_work(NOW);
    assert_eq!(scene.fanout.closing(key).map(wire::close::CloseCode::code), Some(4501));
}

#[test]
fn a_pace_that_the_rules_set_holds_against_a_reconfigure() {
    let rules = format!("{ALL}pace_ms_min = 200\n");
    let (mut scene, key) = Holder::new().inside(&["A"], &rules);
    scene.ask(key, &subscribe("book", "\"A\"", ""));
    assert!(scene.written(key).contains(r#""qos":"conflated","conflate_ms":200"#));
    scene.ask(
        key,
        concat!(
            r#"{"method":"reconfigure","params":{"channel":"book","symbol":["A"],"#,
            r#""x":{"conflate_ms":0}}}"#
        ),
    );
    let text = scene.written(key);
    assert!(text.contains(r#""conflate_ms":200"#), "{text}");
}

const LATER: &str = "[[rules]]\nsymbols = ['*']\nquality = 'delayed'\ndelay_ms = 500\n";

fn twin(of: u32, delay_ms: u32) -> Body<'static> {
    Body::Twin(Twin { of: SymbolId(of), delay_ms })
}

#[test]
fn who_is_entitled_later_is_served_by_the_next_later_twin_and_hears_nothing_of_the_original() {
    let (mut scene, key) = Holder::new().inside(&["A"], LATER);
    scene.tick(1, twin(0, 400));
    scene.tick(2, twin(0, 900));
    scene.tick(0, quote(7));
    scene.ask(key, &subscribe("ticker", "\"A\"", r#","event_trigger":"bbo""#));
    let text = scene.written(key);
    assert!(text.contains(r#""qos":"delayed","delay_ms":900"#), "said unasked: {text}");
    assert!(!text.contains(r#""bid""#), "nothing is old enough: {text}");
    scene.tick(0, quote(8));
    scene.tick(1, quote(5));
    scene.tick(0, Body::State(State::Halted));
    assert_eq!(scene.written(key), "");
    scene.tick(2, quote(5));
    let text = scene.written(key);
    assert!(text.contains(r#""type":"snapshot""#) && text.contains(r#""bid":5"#), "{text}");
    scene.ask(key, r#"{"method":"list_subscriptions"}"#);
    let text = scene.written(key);
    assert!(text.contains(r#""symbol":"A""#) && text.contains(r#""delay_ms":900"#), "{text}");
    let params = r#"{"channel":"ticker","event_trigger":"bbo","symbol":["A"]}"#;
    scene.ask(key, &format!(r#"{{"method":"unsubscribe","params":{params}}}"#));
    assert!(!scene.written(key).contains("warnings"), "it is found by its name");
    assert_eq!(scene.fanout.counters().subscriptions, 0);
}

#[test]
fn a_definition_is_told_when_it_is_old_enough_and_its_number_gives_nothing_away() {
    let (mut scene, key) = Holder::new().inside(&["A"], LATER);
    scene.tick(1, twin(0, 500));
    scene.ask(key, r#"{"method":"subscribe","params":{"channel":"instrument","x":{"seq":true}}}"#);
    let text = scene.written(key);
    assert_eq!(text.matches(r#""symbol":"A""#).count(), 1, "{text}");
    assert!(text.contains(r#""status":"maintenance""#), "nobody knows yet: {text}");
    let mut news = scene.ingest.symbol(SymbolId(0)).expect("A").instrument.clone();
    news.trading = Trading::CancelOnly;
    scene.tick(0, Body::Instrument(news.clone()));
    assert_eq!(scene.written(key), "");
    scene.tick(1, Body::Instrument(news));
    let text = scene.written(key);
    assert!(text.contains(r#""seq":2"#) && text.contains("cancel_only"), "{text}");
}

#[test]
fn a_pattern_joins_a_symbol_that_is_granted_later_by_its_twin_alone() {
    let rules = format!("[[rules]]\nsymbols = ['B*']\nquality = 'realtime'\n{LATER}");
    let (mut scene, key) = Holder::new().inside(&["A"], &rules);
    scene.tick(1, twin(0, 500));
    scene.ask(key, &subscribe("ticker", "\"*\"", r#","event_trigger":"bbo","x":{"seq":true}"#));
    assert!(scene.written(key).contains(r#""delay_ms":500"#), "all of it is later");
    let template = scene.ingest.symbol(SymbolId(0)).expect("A").instrument.clone();
    for (id, name) in [(2, "X"), (4, "B")] {
        let instrument = market::Instrument { symbol: name.into(), ..template.clone() };
        scene.tick(id, Body::Instrument(instrument));
        scene.tick(id + 1, twin(id, 500));
    }
    assert_eq!(scene.fanout.counters().subscriptions, 3);
    for id in 0..6 {
        scene.tick(id, quote(10 + i64::from(id)));
    }
    let text = scene.written(key);
    let heard: Vec<_> = (10..16).filter(|bid| text.contains(&format!(r#""bid":{bid}"#))).collect();
    assert_eq!(heard, [11, 13, 14], "{text}");
}

#[test]
fn a_book_that_is_lowered_at_two_depths_ends_behind_its_last_update_and_begins_anew() {
    let holder = Holder::new();
    let mut scene = Scene::new(&["A"]);
    scene.tick(1, twin(0, 500));
    scene.fanout.keep_usage();
    let admission = holder.admission(&holder.permits("", ALL));
    let key = scene.fanout.handle_arrival(1, Some(admission), NOW);
    scene.written(key);
    scene.tick(0, book(&[(5, 1)], &[(7, 1)]));
    for depth in [10, 25] {
        let more = format!(r#","depth":{depth},"x":{{"seq":true}}"#);
        scene.ask(key, &subscribe("book", "\"A\"", &more));
    }
    scene.written(key);
    scene.tick(1, book(&[(4, 1)], &[(9, 1)]));
    scene.tick(0, book(&[(6, 3)], &[]));
    scene.fanout.handle_permits(holder.permits("", LATER), WALL);
    scene.fanout.handle_work(NOW);
    scene.tick(0, book(&[(5, 2)], &[]));
    let text = scene.written(key);
    assert_eq!(text.matches("now_delayed").count(), 2, "{text}");
    let (before, after) = text.split_once("now_delayed").expect("told");
    assert!(before.contains(r#""qty":3"#) && !after.contains(r#""price":5"#), "{text}");
    assert_eq!(after.matches(r#""price":4"#).count(), 2, "a snapshot at each depth: {text}");
    let ended = |scene: &mut Scene| -> Vec<Quality> {
        let kinds = scene.fanout.drain_usage().map(|record| record.kind);
        let used = kinds.filter_map(|kind| match kind {
            RecordKind::Used { grant, .. } => Some(grant.quality),
            _ => None,
        });
        used.collect()
    };
    assert!(ended(&mut scene).contains(&Quality::Realtime));
    let rules = "[[rules]]\nsymbols = ['*']\nquality = 'none'\n";
    scene.fanout.handle_permits(holder.permits("", rules), WALL);
    scene.fanout.handle_work(NOW);
    let ended = ended(&mut scene);
    let last = ended.last().expect("what is revoked at all its depths is used no longer");
    assert_eq!(*last, Quality::Delayed(Duration::from_millis(500)));
}

/// One symbol with two twins, news of it that has not reached them, and a session that listens.
fn listening(rules: &str) -> (Holder, Scene, SessionKey) {
    let holder = Holder::new();
    let (mut scene, key) = holder.inside(&["A"], rules);
    scene.tick(1, twin(0, 500));
    scene.tick(2, twin(0, 900));
    for id in [1, 2] {
        define(&mut scene, id, Trading::Online);
    }
    scene.ask(key, r#"{"method":"subscribe","params":{"channel":"instrument","x":{"seq":true}}}"#);
    scene.written(key);
    define(&mut scene, 0, Trading::CancelOnly);
    (holder, scene, key)
}

fn define(scene: &mut Scene, id: u32, trading: Trading) {
    let symbol = scene.ingest.symbol(SymbolId(id)).expect("defined");
    let instrument = market::Instrument { trading, ..symbol.instrument.clone() };
    scene.tick(id, Body::Instrument(instrument));
}

#[test]
fn who_is_raised_hears_the_definitions_that_are_still_on_their_way_to_the_twin() {
    let (holder, mut scene, key) = listening(LATER);
    assert_eq!(scene.written(key), "", "not old enough");
    scene.fanout.handle_permits(holder.permits("", LATER), WALL);
    assert_eq!(scene.written(key), "", "other rules that say the same");
    scene.fanout.handle_permits(holder.permits("", ALL), WALL);
    let text = scene.written(key);
    assert!(text.contains(r#""type":"update""#) && text.contains("cancel_only"), "{text}");
    assert!(text.contains(r#""seq":3"#), "behind the two it was shown: {text}");
    // What comes out of the line behind it is old, and is not told any more.
    define(&mut scene, 1, Trading::CancelOnly);
    assert_eq!(scene.written(key), "");
    define(&mut scene, 0, Trading::Online);
    let text = scene.written(key);
    assert!(text.contains(r#""seq":4"#) && text.contains(r#""status":"online""#), "{text}");
}

#[test]
fn who_is_raised_by_a_token_of_his_own_hears_the_same() {
    let (holder, mut scene, key) = listening(LATER);
    scene.ask(key, r#"{"method":"auth","params":{"token":"t"}}"#);
    let Petition { ticket, .. } = scene.fanout.poll_petition().expect("a token");
    let admission = Box::new(holder.admission(&holder.permits("", ALL)));
    assert!(scene.fanout.handle_verdict(ticket, Verdict::Admitted(admission, WALL), NOW));
    assert!(scene.written(key).contains("cancel_only"));
}

#[test]
fn who_is_lowered_holds_the_definitions_that_the_twin_has_and_hears_no_fresh_one() {
    let (holder, mut scene, key) = listening(ALL);
    assert!(scene.written(key).contains("cancel_only"), "it is told as it comes");
    scene.fanout.handle_permits(holder.permits("", LATER), WALL);
    let text = scene.written(key);
    assert!(text.contains(r#""status":"online""#) && !text.contains("cancel_only"), "{text}");
    define(&mut scene, 0, Trading::PostOnly);
    assert_eq!(scene.written(key), "");
    define(&mut scene, 2, Trading::CancelOnly);
    assert_eq!(scene.written(key), "", "another's twin");
    define(&mut scene, 1, Trading::CancelOnly);
    assert!(scene.written(key).contains("cancel_only"));
}

#[test]
fn definitions_that_are_granted_of_late_are_told_once_and_to_who_was_granted_none_too() {
    let holder = Holder::new();
    let none = "[[rules]]\nsymbols = ['*']\nquality = 'none'\n";
    let (mut scene, key) = holder.inside(&["A", "B", "C"], ALL);
    scene.ask(key, r#"{"method":"subscribe","params":{"channel":"instrument","x":{"seq":true}}}"#);
    scene.written(key);
    scene.fanout.handle_permits(holder.permits("", none), WALL);
    assert_eq!(scene.written(key), "");
    define(&mut scene, 1, Trading::CancelOnly);
    assert_eq!(scene.written(key), "", "granted to nobody");
    let more = "[[rules]]\nsymbols = ['C']\nquality = 'none'\n".to_owned() + ALL;
    scene.fanout.handle_permits(holder.permits("", &more), WALL);
    let text = scene.written(key);
    assert_eq!(text.matches(r#""type":"update""#).count(), 1, "in one frame: {text}");
    let heard = ["A", "B", "C"].map(|name| text.contains(&format!(r#""symbol":"{name}""#)));
    assert_eq!(heard, [true, true, false], "{text}");
    assert!(text.contains("cancel_only") && text.contains(r#""seq":5,"first_seq":4"#), "{text}");
    scene.fanout.handle_permits(holder.permits("", &more), WALL);
    assert_eq!(scene.written(key), "", "nothing has changed");
}
