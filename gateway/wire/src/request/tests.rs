//! Requests: what is understood, and what each refusal says.

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<Request, BadRequest> {
    parse(&mut text.as_bytes().to_vec())
}

#[track_caller]
fn refused(text: &str, req_id: Option<u64>, sentence: &str) {
    let bad = read(text).expect_err("a refusal");
    assert_eq!(bad.req_id, req_id, "{text}");
    assert!(bad.refusal.message.contains(sentence), "{text}: {}", bad.refusal.message);
}

#[test]
fn a_book_subscription_is_read_with_all_it_says() {
    let request = read(
        r#"{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD","*","*"],"depth":25,
        "snapshot":false,"x":{"seq":true}},"req_id":7}"#,
    );
    let expected = Subscription {
        topic: Topic::Book(Depth::from_levels(25).expect("a depth")),
        is_topic_exact: true,
        symbols: vec!["BTC/USD".into(), "*".into()],
        snapshot: false,
        sequenced: true,
    };
    assert_eq!(request, Ok(Request { req_id: Some(7), method: Method::Subscribe(expected) }));
}

#[test]
fn defaults_are_those_of_the_venue() {
    for (channel, topic) in [
        ("ticker", Topic::TickerOnTrade),
        ("book", Topic::Book(Depth::DEFAULT)),
        ("ohlc", Topic::Bars(Interval::Minute1)),
    ] {
        let text = format!(
            r#"{{"method":"subscribe","params":{{"channel":"{channel}","symbol":["A"]}}}}"#
        );
        let Ok(Request { method: Method::Subscribe(s), req_id: None }) = read(&text) else {
            panic!("{text}")
        };
        assert_eq!(
            (s.topic, s.is_topic_exact, s.snapshot, s.sequenced),
            (topic, false, true, false)
        );
    }
    assert_eq!(read(r#"{"method":"ping"}"#), Ok(Request { req_id: None, method: Method::Ping }));
}

#[test]
fn refusals_say_what_is_wrong_and_keep_the_request_id() {
    refused("", None, "not JSON");
    refused("[1]", None, "JSON object");
    refused(r#"{"method":"ping","req_id":-1}"#, None, "req_id");
    refused(r#"{"method":"ping","req_id":3,"extra":1}"#, Some(3), r#""extra""#);
    refused(r#"{"req_id":3}"#, Some(3), "method is missing");
    refused(r#"{"method":"dance","req_id":3}"#, Some(3), r#""dance""#);
    refused(r#"{"method":"subscribe","req_id":4}"#, Some(4), "params is missing");
    let params = |params: &str| format!(r#"{{"method":"subscribe","req_id":5,"params":{params}}}"#);
    for (given, sentence) in [
        (r#"{"symbol":["A"]}"#, "params.channel"),
        (r#"{"channel":"tape","symbol":["A"]}"#, r#"unknown channel "tape""#),
        (r#"{"channel":"book","symbol":"A"}"#, "list of strings"),
        (r#"{"channel":"book","symbol":[]}"#, "empty"),
        (r#"{"channel":"book","symbol":[1]}"#, "list of strings"),
        (r#"{"channel":"book","symbol":["A"],"depth":11}"#, "params.depth"),
        (r#"{"channel":"ohlc","symbol":["A"],"interval":2}"#, "params.interval"),
        (r#"{"channel":"ticker","symbol":["A"],"event_trigger":"x"}"#, "event_trigger"),
        (r#"{"channel":"trade","symbol":["A"],"snapshot":1}"#, "params.snapshot"),
        (r#"{"channel":"trade","symbol":["A"],"x":{"sequence":true}}"#, r#""params.x.sequence""#),
        (r#"{"channel":"trade","symbol":["A"],"x":1}"#, "params.x"),
    ] {
        refused(&params(given), Some(5), sentence);
    }
}

#[test]
fn a_strangers_text_is_repeated_only_in_short() {
    let text = format!(r#"{{"method":"{}"}}"#, "x".repeat(100_000));
    let bad = read(&text).expect_err("a refusal");
    assert!(bad.refusal.message.len() < 200);
}

#[test]
fn nesting_costs_no_stack() {
    let text = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(read(&text).is_err());
}

proptest! {
    #[test]
    fn random_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&mut bytes);
    }
}
