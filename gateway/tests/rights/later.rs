//! Who is entitled to data no sooner than so much later hears all of it, and nothing of it before.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::dashboard::{Dashboard, symbol};
use super::rig::{ALL, Rig};

const DELAY: Duration = Duration::from_millis(700);

/// Alice has everything at once, everybody else this much later.
fn rules(delay_ms: u64) -> String {
    format!(
        "[[rules]]\nusers = ['alice']\nsymbols = ['*']\nquality = 'realtime'\n\
         [[rules]]\nsymbols = ['*']\nquality = 'delayed'\ndelay_ms = {delay_ms}\n"
    )
}

fn rig(rules: &str) -> Rig {
    Rig::with_ingest(2, "usage_folder = 'usage'\nusage_sync_ms = 0", "delays_ms = [700]", rules)
}

fn numbered() -> Value {
    json!({"seq": true})
}

fn nanos(text: &Value, key: &str) -> u64 {
    text["x"][key].as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64
}

fn is_data(text: &Value) -> bool {
    symbol(text).is_some()
        && ["book", "trade", "ticker", "ohlc"].iter().any(|c| text["channel"] == *c)
}

/// What a dashboard hears for a while, none of it younger than the delay.
fn hears_nothing_fresh(dashboard: &mut Dashboard, time: Duration) -> Vec<Value> {
    let deadline = Instant::now() + time;
    let mut heard = Vec::new();
    while Instant::now() < deadline {
        let text = dashboard.text();
        if is_data(&text) {
            let age = now_ns().saturating_sub(nanos(&text, "ts_recv"));
            assert!(age >= DELAY.as_nanos() as u64, "only {age} ns old: {text}");
            heard.push(text);
        }
    }
    heard
}

/// By channel and number: what was said, and when it was published.
fn by_number(heard: &[Value]) -> BTreeMap<(String, u64), (&Value, u64)> {
    let numbered = heard.iter().filter(|text| is_data(text) && text["type"] == "update");
    numbered
        .map(|text| {
            let channel = text["channel"].as_str().expect("a channel").to_owned();
            let number = text["x"]["seq"].as_u64().expect("a number");
            ((channel, number), (&text["data"], nanos(text, "ts_pub")))
        })
        .collect()
}

#[test]
fn who_is_delayed_hears_what_others_heard_so_much_earlier_and_nothing_sooner() {
    let mut rig = rig(&rules(700));
    let (mut alice, mut bob) = (rig.enter("alice"), rig.enter("bob"));
    for channel in ["book", "trade", "ticker", "ohlc"] {
        let answer = &alice.subscribe(channel, &["BTC/USD"], &numbered())[0];
        assert_eq!(answer["result"]["x"]["qos"], "realtime", "{answer}");
        let answer = &bob.subscribe(channel, &["BTC/USD"], &numbered())[0];
        let granted = &answer["result"]["x"];
        assert_eq!((&granted["qos"], &granted["delay_ms"]), (&json!("delayed"), &json!(700)));
    }
    let time = Duration::from_secs(4);
    let fresh = thread::spawn(move || (alice.heard_for(time), alice));
    let old = hears_nothing_fresh(&mut bob, time);
    let (fresh, _alice) = fresh.join().expect("she hears");
    let (fresh, old) = (by_number(&fresh), by_number(&old));
    let mut both = 0;
    for (number, (said, published)) in &old {
        let Some((said_before, published_before)) = fresh.get(number) else { continue };
        assert_eq!(said, said_before, "{number:?}");
        assert!(*published >= published_before + DELAY.as_nanos() as u64, "{number:?}");
        both += 1;
    }
    assert!(both > 300, "{both} of {} and {}", fresh.len(), old.len());
    for channel in ["book", "trade", "ticker", "ohlc"] {
        let numbers: Vec<_> = old.keys().filter(|key| key.0 == channel).map(|key| key.1).collect();
        assert!(numbers.len() > 5, "{channel}: {numbers:?}");
        assert!(numbers.is_sorted_by(|a, b| *b == a + 1), "a gap in {channel}: {numbers:?}");
    }
    assert!(rig.counted("gateway_delay_released_total") > 300);
    assert_eq!(rig.counted("gateway_delay_lost_total"), 0);
    drop(bob);
    rig.stop();
    let usage = std::fs::read_to_string(rig.file("usage/usage.jsonl")).expect("a log");
    let lines = usage.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    for line in lines {
        let is_late = line["user"] == "bob";
        assert_eq!(line["quality"], if is_late { "delayed" } else { "realtime" }, "{line}");
        assert_eq!(line["delay_ms"], if is_late { json!(700) } else { Value::Null }, "{line}");
    }
}

#[test]
fn a_stream_that_is_lowered_goes_on_later_with_a_snapshot_and_is_raised_again() {
    let rig = rig(ALL);
    let (mut extended, mut plain) = (rig.enter("bob"), rig.enter("carol"));
    extended.subscribe("book", &["BTC/USD"], &numbered());
    plain.subscribe("book", &["BTC/USD"], &json!({}));
    let fresh = extended.until("it streams", |text| text["type"] == "update");
    plain.until("it streams", |text| text["type"] == "update");
    let change = |rules: &str| {
        rig.write("entitlements.toml", rules);
        rig.running().reload().expect("good rules");
        Instant::now()
    };
    let is_told = |text: &Value| text["data"][0]["kind"] == "revoked";

    let lowered = change(&rules(500));
    let notice = extended.until("why", is_told);
    assert!(lowered.elapsed() < Duration::from_secs(2));
    let told = &notice["data"][0];
    assert_eq!((&told["qos"], &told["delay_ms"]), (&json!("delayed"), &json!(700)), "{notice}");
    let snapshot = extended.until("a snapshot", is_data);
    assert_eq!(snapshot["type"], "snapshot");
    assert!(nanos(&snapshot, "ts_recv") + DELAY.as_nanos() as u64 <= now_ns(), "{snapshot}");
    let old = hears_nothing_fresh(&mut extended, Duration::from_secs(2));
    let first = snapshot["x"]["seq"].as_u64().expect("a number");
    let numbers = old.iter().map(|text| text["x"]["seq"].as_u64().expect("a number"));
    assert!(numbers.eq(first + 1..=first + old.len() as u64), "no gap behind the snapshot");
    assert!(old.len() > 50 && fresh["x"]["seq"].is_u64(), "{}", old.len());
    let refusal = plain.until("why", |text| text["x"]["code"] == "NOT_ENTITLED");
    assert_eq!(refusal["symbol"], "BTC/USD", "{refusal}");
    let heard = plain.heard_for(Duration::from_secs(1));
    assert!(heard.iter().all(|text| !is_data(text)), "it ended");
    let answer = &plain.subscribe("book", &["BTC/USD"], &json!({}))[0];
    assert_eq!(answer["result"]["x"]["qos"], "delayed", "said although nobody asked: {answer}");
    plain.until("a snapshot", |text| text["type"] == "snapshot");

    change(ALL);
    let notice = extended.until("it is raised", is_told);
    assert_eq!(notice["data"][0]["qos"], "realtime", "{notice}");
    let snapshot = extended.until("a snapshot", |text| text["type"] == "snapshot");
    assert!(now_ns() - nanos(&snapshot, "ts_recv") < DELAY.as_nanos() as u64, "{snapshot}");
    let heard = plain.heard_for(Duration::from_secs(1));
    assert!(heard.iter().all(|text| text["type"] != "snapshot" && text["success"].is_null()));
    let heard = plain.heard_for(Duration::from_secs(1));
    assert!(heard.iter().any(is_data), "who cannot be told goes on as he was");
    plain.subscribe("book", &["BTC/USD"], &json!({}));
    plain.until("it begins anew", |text| text["type"] == "snapshot");
}

#[test]
fn a_pattern_is_resolved_symbol_by_symbol_and_the_definitions_too() {
    let mixed = format!("[[rules]]\nsymbols = ['ETH/*']\nquality = 'realtime'\n{}", rules(700));
    let rig = rig(&mixed);
    let mut bob = rig.enter("bob");
    let answer = &bob.subscribe("book", &["*"], &numbered())[0];
    assert!(answer["result"]["warnings"][0].is_string(), "{answer}");
    assert_eq!(answer["result"]["x"]["qos"], "delayed", "not more than all of it keeps: {answer}");
    bob.say(&json!({"method": "list_subscriptions"}));
    let list = bob.until("a list", |text| text["method"] == "list_subscriptions");
    let items = list["result"]["subscriptions"].as_array().expect("a list");
    let named = items.iter().filter(|item| item["symbol"] != "*");
    let qualities: Vec<_> = named.map(|item| (&item["symbol"], &item["x"]["qos"])).collect();
    assert_eq!(qualities.len(), 4, "{list}");
    for (name, quality) in qualities {
        let is_fresh = name.as_str().is_some_and(|name| name.starts_with("ETH/"));
        assert_eq!(quality, if is_fresh { "realtime" } else { "delayed" }, "{name}");
    }
    let mut ages = BTreeMap::new();
    for text in bob.heard_for(Duration::from_secs(3)).iter().filter(|text| is_data(text)) {
        let age = nanos(text, "ts_pub").saturating_sub(nanos(text, "ts_recv"));
        let least = ages.entry(symbol(text).expect("a symbol").to_owned()).or_insert(u64::MAX);
        *least = (*least).min(age);
    }
    let delay_ns = DELAY.as_nanos() as u64;
    let is_right = |(name, age): (&String, &u64)| (*age < delay_ns) == name.starts_with("ETH/");
    assert!(ages.len() == 4 && ages.iter().all(is_right), "{ages:?}");
    bob.say(&json!({"method": "subscribe", "params": {"channel": "instrument"}}));
    let definitions = bob.until("definitions", |text| text["channel"] == "instrument");
    assert_eq!(definitions["data"]["pairs"].as_array().map(Vec::len), Some(4), "each once");
    let params = json!({"channel": "book", "symbol": ["*"]});
    bob.say(&json!({"method": "unsubscribe", "params": params}));
    let answer = bob.until("an answer", |text| text["method"] == "unsubscribe");
    assert!(answer["result"]["warnings"].is_null(), "{answer}");
    let heard = bob.heard_for(Duration::from_secs(1));
    assert!(heard.iter().all(|text| !is_data(text)), "all of it ended");
}

#[test]
fn a_resume_brings_what_is_old_enough_and_not_what_was_missed_since() {
    let rig = rig(&rules(700));
    let (mut alice, mut bob) = (rig.enter("alice"), rig.enter("bob"));
    let answer = alice.subscribe("book", &["BTC/USD"], &numbered()).remove(0);
    let epoch = answer["result"]["x"]["epoch"].as_str().expect("an epoch").to_owned();
    bob.subscribe("book", &["BTC/USD"], &numbered());
    let fresh = alice.until("an update", |text| text["type"] == "update")["x"]["seq"].clone();
    let resume =
        |seq: &Value| json!({"seq": true, "resume": {"BTC/USD": {"epoch": epoch, "seq": seq}}});
    let answer = &rig.enter("carol").subscribe("book", &["BTC/USD"], &resume(&fresh))[0];
    assert_eq!(answer["result"]["x"]["recovered"], false, "that is still to come: {answer}");
    assert!(answer["result"]["x"]["seq"].as_u64() < fresh.as_u64(), "{answer}");
    let old = hears_nothing_fresh(&mut bob, Duration::from_secs(2));
    let seq = old.last().expect("updates")["x"]["seq"].clone();
    drop(bob);
    let mut bob = rig.enter("bob");
    let answer = &bob.subscribe("book", &["BTC/USD"], &resume(&seq))[0];
    assert_eq!(answer["result"]["x"]["recovered"], true, "{answer}");
    let old = hears_nothing_fresh(&mut bob, Duration::from_secs(1));
    assert_eq!(old[0]["x"]["seq"].as_u64(), seq.as_u64().map(|seq| seq + 1));
    assert!(old.iter().all(|text| text["type"] == "update"));
}

#[test]
fn a_rule_that_asks_for_more_delay_than_there_is_is_refused_with_its_line() {
    let rig = rig(&rules(700));
    rig.write("entitlements.toml", &rules(701));
    let said = rig.running().reload().expect_err("refused").to_string();
    assert!(said.contains("entitlements.toml:8: rules.delay_ms: is more than"), "{said}");
    let answer = &rig.enter("bob").subscribe("book", &["BTC/USD"], &json!({}))[0];
    assert_eq!(answer["result"]["x"]["delay_ms"], 700, "all stays as it was: {answer}");
}
