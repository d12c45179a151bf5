//! Who sees what: at subscribing, and when the rules change under a running session.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::dashboard::symbol;
use super::rig::{ALL, Rig};

/// Everything in real time, but these symbols not.
fn all_but(symbols: &str) -> String {
    format!("[[rules]]\nsymbols = [{symbols}]\nquality = 'none'\n{ALL}")
}

fn is_revoked(text: &Value) -> bool {
    text["data"][0]["kind"] == "revoked"
}

#[test]
fn what_is_not_granted_of_a_request_is_refused_and_the_rest_is_served() {
    let rig = Rig::new("", &all_but("'BTC/USD'"));
    let mut dashboard = rig.enter("alice");
    let answers = dashboard.subscribe("book", &["ETH/USD", "BTC/USD", "NO/SUCH"], &json!({}));
    let outcome = |name: &str| {
        let of_name =
            |answer: &&Value| answer["symbol"] == name || answer["result"]["symbol"] == name;
        let answer = answers.iter().find(of_name).expect("each is answered");
        answer["x"]["code"].as_str().unwrap_or("served").to_owned()
    };
    assert_eq!(outcome("ETH/USD"), "served");
    assert_eq!(outcome("BTC/USD"), "NOT_ENTITLED");
    assert_eq!(outcome("NO/SUCH"), "UNKNOWN_SYMBOL");
    let heard = dashboard.heard_for(Duration::from_secs(1));
    assert!(heard.iter().any(|text| symbol(text) == Some("ETH/USD")));
    assert!(heard.iter().all(|text| symbol(text) != Some("BTC/USD")));
}

#[test]
fn a_pattern_and_the_definitions_leave_out_what_is_not_granted() {
    let rig = Rig::new("", &all_but("'BTC/*'"));
    let mut dashboard = rig.enter("alice");
    let answer = &dashboard.subscribe("book", &["*"], &json!({"seq": true}))[0];
    assert!(answer["result"]["warnings"][0].is_string(), "{answer}");
    let refused = &dashboard.subscribe("book", &["BTC/*"], &json!({"seq": true}))[0];
    assert_eq!(refused["x"]["code"], "NOT_ENTITLED");
    dashboard.say(&json!({"method": "subscribe", "params": {"channel": "instrument"}}));
    let definitions = dashboard.until("definitions", |text| text["channel"] == "instrument");
    let pairs = definitions["data"]["pairs"].as_array().expect("pairs");
    assert!(pairs.len() == 3 && pairs.iter().all(|pair| pair["symbol"] != "BTC/USD"));
    let heard = dashboard.heard_for(Duration::from_secs(1));
    assert!(heard.iter().any(|text| symbol(text) == Some("ETH/USD")));
    assert!(heard.iter().all(|text| symbol(text) != Some("BTC/USD")));
}

#[test]
fn less_than_was_asked_is_served_and_said() {
    let rules = "[[rules]]\nsymbols = ['*']\nquality = 'realtime'\ndepth_max = 30\n\
                 pace_ms_min = 250\n";
    let rig = Rig::new("", rules);
    let mut dashboard = rig.enter("alice");
    let params = json!({"channel": "book", "symbol": ["BTC/USD"], "depth": 100});
    dashboard.say(&json!({"method": "subscribe", "params": params}));
    let answer = dashboard.until("an answer", |text| text["method"] == "subscribe");
    let result = &answer["result"];
    assert_eq!(
        (&result["depth"], &result["x"]["qos"], &result["x"]["conflate_ms"]),
        (&json!(25), &json!("conflated"), &json!(250)),
        "{answer}"
    );
    let snapshot = dashboard.until("a snapshot", |text| text["type"] == "snapshot");
    assert!(snapshot["data"][0]["bids"].as_array().expect("bids").len() <= 25);
    let (begun, updates) = (Instant::now(), dashboard.heard_for(Duration::from_secs(2)));
    let count = updates.iter().filter(|text| symbol(text) == Some("BTC/USD")).count();
    let most = begun.elapsed().as_millis() / 250 + 2;
    assert!(count >= 2 && count as u128 <= most, "{count} of at most {most}");
    dashboard.say(&json!({"method": "unsubscribe", "params": params}));
    let answer = dashboard.until("an answer", |text| text["method"] == "unsubscribe");
    assert!(answer["result"]["warnings"].is_null(), "it is found as it was asked for: {answer}");
}

#[test]
fn a_right_that_is_revoked_ends_its_stream_within_two_seconds_and_says_why() {
    let rig = Rig::with_shards(2, "", ALL);
    let mut extended = rig.enter("alice");
    let mut plain = rig.enter("bob");
    extended.subscribe("book", &["BTC/USD", "ETH/USD"], &json!({"seq": true}));
    plain.subscribe("book", &["BTC/USD", "ETH/USD"], &json!({}));
    for dashboard in [&mut extended, &mut plain] {
        dashboard.until("it streams", |text| symbol(text) == Some("BTC/USD"));
    }
    rig.write("entitlements.toml", &all_but("'BTC/USD'"));
    let revoked = Instant::now();
    rig.running().reload().expect("good rules");
    let notice = extended.until("why", is_revoked);
    assert_eq!(notice["data"][0]["symbol"], "BTC/USD");
    assert!(notice["data"][0]["qos"].is_null(), "it does not go on: {notice}");
    let refusal = plain.until("why", |text| text["x"]["code"] == "NOT_ENTITLED");
    assert_eq!((&refusal["success"], &refusal["symbol"]), (&json!(false), &json!("BTC/USD")));
    let took = revoked.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    for dashboard in [&mut extended, &mut plain] {
        let heard = dashboard.heard_for(Duration::from_secs(1));
        assert!(heard.iter().all(|text| symbol(text) != Some("BTC/USD")), "not one more");
        assert!(heard.iter().any(|text| symbol(text) == Some("ETH/USD")), "the rest goes on");
        let again = dashboard.subscribe("book", &["BTC/USD"], &json!({}));
        assert_eq!(again[0]["x"]["code"], "NOT_ENTITLED", "no snapshot leaks");
    }
    assert_eq!(rig.counted("gateway_shard_revoked_total"), 2);
}

#[test]
fn a_rule_of_delayed_data_is_refused_where_nothing_is_delayed() {
    let rig = Rig::new("", ALL);
    let mut dashboard = rig.enter("alice");
    dashboard.subscribe("book", &["BTC/USD"], &json!({"seq": true}));
    dashboard.until("it streams", |text| text["type"] == "update");
    let rules = "[[rules]]\nsymbols = ['*']\nquality = 'delayed'\ndelay_minutes = 15\n";
    rig.write("entitlements.toml", rules);
    let said = rig.running().reload().expect_err("nobody serves that").to_string();
    let place = format!("{}:4: rules.delay_minutes: ", rig.file("entitlements.toml").display());
    assert!(said.starts_with(&place) && said.contains("ingest.delays_ms"), "{said}");
    dashboard.until("it goes on", |text| text["type"] == "update");
}

#[test]
fn a_lower_pace_or_depth_changes_a_running_stream_without_a_gap() {
    let rig = Rig::new("", ALL);
    let mut dashboard = rig.enter("alice");
    let params =
        json!({"channel": "book", "symbol": ["BTC/USD"], "depth": 100, "x": {"seq": true}});
    dashboard.say(&json!({"method": "subscribe", "params": params}));
    dashboard.until("it streams", |text| text["type"] == "update");
    let rules = |lowered: &str| {
        rig.write("entitlements.toml", &format!("{ALL}{lowered}\n"));
        rig.running().reload().expect("good rules");
    };
    rules("pace_ms_min = 500");
    let mut last = None;
    let notice = dashboard.until("it is slower", |text| {
        last = text["x"]["seq"].as_u64().or(last);
        is_revoked(text)
    });
    assert_eq!(notice["data"][0]["qos"], "conflated");
    let next = dashboard.until("one frame", |text| text["channel"] == "book");
    let first = next["x"]["first_seq"].as_u64().or(next["x"]["seq"].as_u64());
    assert_eq!(first, last.map(|last| last + 1));
    rules("depth_max = 10");
    dashboard.until("it is less deep", is_revoked);
    let snapshot = dashboard.until("a snapshot", |text| text["type"] == "snapshot");
    assert_eq!(snapshot["data"][0]["bids"].as_array().map(Vec::len), Some(10));
}

#[test]
fn a_file_with_a_fault_changes_nothing_and_is_named_with_line_and_key() {
    let rig = Rig::new("", ALL);
    let mut dashboard = rig.enter("alice");
    dashboard.subscribe("book", &["BTC/USD"], &json!({}));
    rig.write("entitlements.toml", "[[rules]]\nsymbols = ['*']\nquality = 'sometimes'\n");
    let said = rig.running().reload().expect_err("refused").to_string();
    let place = format!("{}:3: rules.quality: ", rig.file("entitlements.toml").display());
    assert!(said.starts_with(&place), "{said}");
    rig.write("entitlements.toml", ALL);
    rig.write("credentials.toml", "[[keys]]\nid = 'short'\n");
    let said = rig.running().reload().expect_err("refused").to_string();
    assert!(said.contains("credentials.toml:"), "{said}");
    let heard = dashboard.heard_for(Duration::from_secs(1));
    assert!(heard.iter().any(|text| symbol(text) == Some("BTC/USD")), "it goes on");
    rig.enter("bob");
}

#[test]
fn who_is_blocked_is_closed_while_others_go_on() {
    let rig = Rig::new("", ALL);
    let (mut alice, mut bob) = (rig.enter("alice"), rig.enter("bob"));
    let register = std::fs::read_to_string(rig.file("credentials.toml")).expect("readable");
    rig.write("credentials.toml", &format!("{register}\n[blocked]\nusers = ['alice']\n"));
    rig.running().reload().expect("a good register");
    assert_eq!(alice.closed().0, 4501);
    assert_eq!(bob.subscribe("book", &["BTC/USD"], &json!({}))[0]["success"], true);
}

#[test]
fn the_usage_log_says_who_saw_what_from_when_to_when() {
    let mut rig = Rig::new("usage_folder = 'usage'\nusage_sync_ms = 0", &all_but("'ETH/USD'"));
    let mut dashboard = rig.enter("alice");
    dashboard.subscribe("book", &["BTC/USD", "ETH/USD"], &json!({}));
    let params = json!({"channel": "book", "symbol": ["BTC/USD"]});
    dashboard.say(&json!({"method": "unsubscribe", "params": params}));
    dashboard.until("an answer", |text| text["method"] == "unsubscribe");
    dashboard.subscribe("trade", &["BTC/USD"], &json!({}));
    rig.stop();
    let text = std::fs::read_to_string(rig.file("usage/usage.jsonl")).expect("a log");
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            assert_eq!(line["user"], "alice");
            let word = |key: &str| line[key].as_str().unwrap_or_default();
            [word("record"), word("symbol"), word("channel"), word("end"), word("reason")]
        })
        .collect();
    assert_eq!(
        told,
        [
            ["refused", "ETH/USD", "book", "", "denied"],
            ["used", "BTC/USD", "book", "unsubscribed", ""],
            ["used", "BTC/USD", "trade", "closed", ""],
        ],
        "{text}"
    );
}
