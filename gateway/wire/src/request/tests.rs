//! Requests: what is understood, and what each refusal says.

use market::Interval;
use proptest::prelude::*;

use super::*;
use crate::refusal::Code;
use crate::topic::Depth;

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
        pace_ms: 0,
        on_slow: OnSlow::Conflate,
        resume: Vec::new(),
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
    refused(r#"{"method":"ping","req_id":18446744073709551616}"#, None, "no number within 64");
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

fn with_params(method: &str, params: &str) -> String {
    format!(r#"{{"method":"{method}","req_id":5,"params":{params}}}"#)
}

#[track_caller]
fn subscribed(params: &str) -> Subscription {
    match read(&with_params("subscribe", params)) {
        Ok(Request { req_id: Some(5), method: Method::Subscribe(subscription) }) => subscription,
        other => panic!("{params}: {other:?}"),
    }
}

#[test]
fn a_pace_is_read_as_time_or_as_rate_and_never_exceeds_the_rate() {
    for (x, pace_ms) in [
        ("{}", 0),
        (r#"{"conflate_ms":0}"#, 0),
        (r#"{"conflate_ms":1}"#, 1),
        (r#"{"conflate_ms":60000}"#, 60_000),
        (r#"{"max_hz":1}"#, 1000),
        (r#"{"max_hz":3}"#, 334),
        (r#"{"max_hz":4}"#, 250),
        (r#"{"max_hz":999}"#, 2),
        (r#"{"max_hz":1000}"#, 1),
    ] {
        for channel in ["ticker", "book", "ohlc"] {
            let params = format!(r#"{{"channel":"{channel}","symbol":["A"],"x":{x}}}"#);
            assert_eq!(subscribed(&params).pace_ms, pace_ms, "{params}");
        }
    }
}

#[test]
fn every_slow_policy_is_read_by_its_word_on_every_channel() {
    for channel in ["ticker", "trade", "book", "ohlc", "instrument"] {
        for policy in OnSlow::ALL {
            let params = format!(
                r#"{{"channel":"{channel}","symbol":["A"],"x":{{"on_slow":"{}"}}}}"#,
                policy.as_str()
            );
            assert_eq!(subscribed(&params).on_slow, policy, "{params}");
        }
    }
    assert_eq!(OnSlow::default(), OnSlow::Conflate);
}

#[test]
fn a_resume_is_read_with_numbers_or_texts_for_some_of_the_symbols() {
    let subscription = subscribed(
        r#"{"channel":"book","symbol":["A","BTC/USD","C/*"],"depth":100,"x":{"seq":true,
        "resume":{"BTC/USD":{"epoch":"18446744073709551615","seq":45},
        "A":{"seq":"7","epoch":8}}}}"#,
    );
    assert_eq!(subscription.topic, Topic::Book(Depth::from_levels(100).expect("a depth")));
    assert_eq!(
        subscription.resume,
        [
            ("BTC/USD".into(), Position { epoch: u64::MAX, sequence: 45 }),
            ("A".into(), Position { epoch: 8, sequence: 7 }),
        ]
    );
    let nothing = subscribed(r#"{"channel":"trade","symbol":["A"],"x":{"seq":true,"resume":{}}}"#);
    assert_eq!(nothing.resume, []);
}

#[test]
fn an_unsubscribe_takes_what_it_always_took() {
    let text =
        r#"{"channel":"ohlc","symbol":["A"],"snapshot":true,"x":{"seq":true,"interval_s":1}}"#;
    let request = read(&with_params("unsubscribe", text)).expect("a request");
    let Method::Unsubscribe(subscription) = request.method else { panic!("{request:?}") };
    assert_eq!(subscription.topic, Topic::Bars(Interval::Second1));
    assert!(subscription.sequenced);
}

#[test]
fn a_reconfigure_says_only_what_shall_change() {
    let reconfigured = |params: &str| match read(&with_params("reconfigure", params)) {
        Ok(Request { req_id: Some(5), method: Method::Reconfigure(wanted) }) => wanted,
        other => panic!("{params}: {other:?}"),
    };
    let expected = Reconfiguration {
        topic: Topic::Book(Depth::from_levels(25).expect("a depth")),
        is_topic_exact: true,
        symbols: vec!["A".into(), "B/*".into()],
        pace_ms: Some(0),
        on_slow: None,
    };
    let text = r#"{"channel":"book","depth":25,"symbol":["A","B/*"],"x":{"conflate_ms":0}}"#;
    assert_eq!(reconfigured(text), expected);
    let bars = reconfigured(
        r#"{"channel":"ohlc","symbol":["A"],"x":{"interval_s":1,"max_hz":2,"on_slow":"skip"}}"#,
    );
    assert_eq!(bars.topic, Topic::Bars(Interval::Second1));
    assert_eq!((bars.pace_ms, bars.on_slow), (Some(500), Some(OnSlow::Skip)));
    let trades = reconfigured(r#"{"channel":"trade","symbol":["A"],"x":{"on_slow":"disconnect"}}"#);
    assert_eq!((trades.pace_ms, trades.on_slow), (None, Some(OnSlow::Disconnect)));
    let ticker = reconfigured(r#"{"channel":"ticker","symbol":["A"],"x":{"conflate_ms":100}}"#);
    assert_eq!((ticker.topic, ticker.is_topic_exact), (Topic::TickerOnTrade, false));
}

#[test]
fn requests_about_the_session_are_read() {
    let method = |text: &str| read(text).expect("a request").method;
    assert_eq!(method(r#"{"method":"list_subscriptions"}"#), Method::ListSubscriptions);
    assert_eq!(method(&with_params("list_subscriptions", "{}")), Method::ListSubscriptions);
    let heartbeat = r#"{"channel":"heartbeat"}"#;
    assert_eq!(method(&with_params("subscribe", heartbeat)), Method::Heartbeat { detailed: true });
    assert_eq!(
        method(&with_params("unsubscribe", heartbeat)),
        Method::Heartbeat { detailed: false }
    );
    let longest = "t".repeat(TOKEN_BYTES_MAX);
    let Method::Auth { token } =
        method(&with_params("auth", &format!(r#"{{"token":"{longest}"}}"#)))
    else {
        panic!("no auth")
    };
    assert_eq!(token.as_str(), longest);
}

#[test]
fn a_token_is_never_printed() {
    let request = read(&with_params("auth", r#"{"token":"abc.secret.xyz"}"#)).expect("a request");
    assert!(!format!("{request:?} {request:#?}").contains("secret"));
    for params in [
        r#"{"token":"secret","more":1}"#,
        r#"{"token":["secret"]}"#,
        &format!(r#"{{"token":"{}"}}"#, "secret".repeat(TOKEN_BYTES_MAX)),
    ] {
        let bad = read(&with_params("auth", params)).expect_err("a refusal");
        assert!(!format!("{bad:?}").contains("secret"), "{bad:?}");
    }
}

#[test]
fn what_makes_no_sense_as_an_extension_is_refused_by_name() {
    let pace = "params.x.conflate_ms must be a whole number from 0 to 60000";
    let rate = "params.x.max_hz must be a whole number from 1 to 1000";
    let policy = r#"params.x.on_slow must be "conflate", "skip" or "disconnect""#;
    for (x, sentence) in [
        (r#"{"conflate_ms":60001}"#, pace),
        (r#"{"conflate_ms":4294967297}"#, pace),
        (r#"{"conflate_ms":-1}"#, pace),
        (r#"{"conflate_ms":1.5}"#, pace),
        (r#"{"conflate_ms":"100"}"#, pace),
        (r#"{"conflate_ms":null}"#, pace),
        (r#"{"max_hz":0}"#, rate),
        (r#"{"max_hz":1001}"#, rate),
        (r#"{"max_hz":2.5}"#, rate),
        (r#"{"max_hz":10,"conflate_ms":100}"#, "params.x takes conflate_ms or max_hz, not both"),
        (r#"{"on_slow":"wait"}"#, policy),
        (r#"{"on_slow":"Skip"}"#, policy),
        (r#"{"on_slow":1}"#, policy),
        (r#"{"on_fast":1}"#, r#"unknown field "params.x.on_fast""#),
    ] {
        for method in ["subscribe", "reconfigure"] {
            let params = format!(r#"{{"channel":"book","symbol":["A"],"x":{x}}}"#);
            refused(&with_params(method, &params), Some(5), sentence);
        }
    }
    for (channel, what) in [("trade", "trades"), ("instrument", "definitions")] {
        for (field, value) in [("conflate_ms", "100"), ("conflate_ms", "0"), ("max_hz", "10")] {
            for method in ["subscribe", "reconfigure"] {
                let params = format!(
                    r#"{{"channel":"{channel}","symbol":["A"],"x":{{"{field}":{value}}}}}"#
                );
                let sentence =
                    format!("params.x.{field} is not for {channel}: {what} are never conflated");
                refused(&with_params(method, &params), Some(5), &sentence);
            }
        }
    }
}

#[test]
fn a_resume_that_makes_no_sense_is_refused_by_name() {
    let shape = "params.x.resume must be an object of {epoch, seq} by symbol";
    for (resume, sentence) in [
        ("1", shape),
        ("[]", shape),
        ("null", shape),
        (r#"{"B":{"epoch":1,"seq":2}}"#, r#"names "B", which params.symbol does not"#),
        (r#"{"C/*":{"epoch":1,"seq":2}}"#, r#"names "C/*": a pattern cannot resume"#),
        (r#"{"A":{"epoch":1,"seq":2},"A":{"epoch":1,"seq":2}}"#, r#"names "A" twice"#),
        (r#"{"A":7}"#, "params.x.resume.A must be an object of epoch and seq"),
        (r#"{"A":{"epoch":1,"seq":2,"at":3}}"#, r#"unknown field "params.x.resume.A.at""#),
        (
            r#"{"A":{"epoch":1}}"#,
            "params.x.resume.A.seq must be a whole number or its decimal text",
        ),
        (r#"{"A":{"seq":1}}"#, "params.x.resume.A.epoch must be a whole number"),
        (r#"{"A":{"epoch":"","seq":1}}"#, "resume.A.epoch must be"),
        (r#"{"A":{"epoch":"+1","seq":1}}"#, "resume.A.epoch must be"),
        (r#"{"A":{"epoch":"0x1","seq":1}}"#, "resume.A.epoch must be"),
        (r#"{"A":{"epoch":"18446744073709551616","seq":1}}"#, "resume.A.epoch must be"),
        (r#"{"A":{"epoch":1,"seq":-1}}"#, "resume.A.seq must be"),
        (r#"{"A":{"epoch":1,"seq":1.5}}"#, "resume.A.seq must be"),
        (r#"{"A":{"epoch":1,"seq":true}}"#, "resume.A.seq must be"),
    ] {
        let params = format!(
            r#"{{"channel":"book","symbol":["A","C/*"],"x":{{"seq":true,"resume":{resume}}}}}"#
        );
        refused(&with_params("subscribe", &params), Some(5), sentence);
    }
    for seq in [r#""seq":false,"#, ""] {
        let x = format!(r#"{{{seq}"resume":{{"A":{{"epoch":1,"seq":2}}}}}}"#);
        let params = format!(r#"{{"channel":"book","symbol":["A"],"x":{x}}}"#);
        refused(&with_params("subscribe", &params), Some(5), "needs params.x.seq true");
    }
    let params = r#"{"channel":"instrument","x":{"seq":true,"resume":{"A":{"epoch":1,"seq":2}}}}"#;
    refused(&with_params("subscribe", params), Some(5), "params.x.resume is not for instrument");
}

#[test]
fn what_belongs_to_another_method_is_refused_by_name() {
    let book = |x: &str| format!(r#"{{"channel":"book","symbol":["A"],"x":{x}}}"#);
    for (field, value) in
        [("conflate_ms", "0"), ("max_hz", "1"), ("on_slow", r#""skip""#), ("resume", "{}")]
    {
        let sentence = format!("params.x.{field} is not for unsubscribe");
        let params = book(&format!(r#"{{"{field}":{value}}}"#));
        refused(&with_params("unsubscribe", &params), Some(5), &sentence);
    }
    for (field, value) in [("seq", "true"), ("resume", "{}")] {
        let sentence = format!("params.x.{field} is not for reconfigure");
        let params = book(&format!(r#"{{"conflate_ms":1,"{field}":{value}}}"#));
        refused(&with_params("reconfigure", &params), Some(5), &sentence);
    }
    for (method, params, sentence) in [
        ("reconfigure", book("{}"), "params.x must say conflate_ms, max_hz or on_slow"),
        ("reconfigure", r#"{"channel":"book","symbol":["A"]}"#.into(), "params.x must say"),
        ("reconfigure", book("1"), "params.x must be an object"),
        (
            "reconfigure",
            r#"{"channel":"book","symbol":["A"],"snapshot":true}"#.into(),
            "params.snapshot is not for reconfigure",
        ),
        ("reconfigure", r#"{"channel":"book","x":{"max_hz":1}}"#.into(), "params.symbol must be"),
        ("reconfigure", "1".into(), "params is missing or not an object"),
        ("list_subscriptions", "1".into(), "params is missing or not an object"),
        ("list_subscriptions", r#"{"channel":"book"}"#.into(), r#""params.channel""#),
        ("subscribe", r#"{"channel":"heartbeat","symbol":["A"]}"#.into(), r#""params.symbol""#),
        ("auth", "null".into(), "params is missing or not an object"),
        ("auth", "{}".into(), "params.token is missing or not a string"),
        ("auth", r#"{"token":1}"#.into(), "params.token is missing or not a string"),
        ("auth", r#"{"token":""}"#.into(), "params.token is empty"),
        ("auth", r#"{"token":"a","user":"b"}"#.into(), r#"unknown field "params.user""#),
        (
            "auth",
            format!(r#"{{"token":"{}"}}"#, "t".repeat(TOKEN_BYTES_MAX + 1)),
            "params.token is longer than 16384 bytes",
        ),
    ] {
        refused(&with_params(method, &params), Some(5), sentence);
    }
    let nothing_to_pace = r#"{"channel":"heartbeat","x":{"max_hz":1}}"#;
    let bad = read(&with_params("reconfigure", nothing_to_pace)).expect_err("a refusal");
    assert_eq!(bad.refusal.code, Code::UnknownChannel);
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

/// Values of the shapes a request has, right and wrong ones, in any place.
fn any_json() -> impl Strategy<Value = String> {
    const WORDS: &str =
        r"book|ticker|trade|ohlc|instrument|heartbeat|A|B/\*|\*|skip|conflate|7|bbo";
    const FIELDS: &str = "channel|symbol|depth|interval|x|seq|resume|conflate_ms|max_hz|on_slow|\
                          epoch|snapshot|token|interval_s|A";
    let leaf = prop_oneof![
        WORDS.prop_map(|word: String| format!("\"{word}\"")),
        Just("true".to_owned()),
        Just("null".to_owned()),
        Just("25".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        (0.0..1e9_f64).prop_map(|number| format!("{number:.3}")),
    ];
    leaf.prop_recursive(4, 40, 8, |inner| {
        let field = (FIELDS, inner.clone()).prop_map(|(name, value)| format!("\"{name}\":{value}"));
        prop_oneof![
            proptest::collection::vec(inner, 0..4).prop_map(|list| format!("[{}]", list.join(","))),
            proptest::collection::vec(field, 0..6).prop_map(|all| format!("{{{}}}", all.join(","))),
        ]
    })
}

fn check_promises(method: &Method) {
    match method {
        Method::Subscribe(wanted) | Method::Unsubscribe(wanted) => {
            assert!(wanted.pace_ms <= 60_000);
            assert!(wanted.pace_ms == 0 || wanted.topic != Topic::Trade);
            assert!(wanted.resume.is_empty() || wanted.sequenced);
            assert!(wanted.resume.iter().all(|(name, _)| wanted.symbols.contains(name)));
        }
        Method::Reconfigure(wanted) => {
            assert!(wanted.pace_ms.is_some() || wanted.on_slow.is_some());
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn random_json_never_panics_and_what_is_taken_keeps_its_promises(
        method in "subscribe|unsubscribe|reconfigure|list_subscriptions|auth|ping",
        params in any_json(),
        x in any_json(),
        resume in any_json(),
    ) {
        for params in [
            params,
            format!(r#"{{"channel":"book","symbol":["A"],"x":{x}}}"#),
            format!(r#"{{"channel":"book","symbol":["A"],"x":{{"seq":true,"resume":{resume}}}}}"#),
        ] {
            if let Ok(request) = read(&with_params(&method, &params)) {
                check_promises(&request.method);
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&mut bytes);
    }
}
