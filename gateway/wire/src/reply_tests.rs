//! Golden texts of the answers.

use super::*;
use crate::refusal::Code;
use crate::topic::Depth;

const ENVELOPE: Envelope = Envelope { req_id: Some(3), time_in: Nanos(0), time_out: Nanos(1000) };

const GRANTED: Granted = Granted {
    epoch: 9,
    sequence: Some(4),
    recovered: None,
    pace_ms: 0,
    qos: Quality::Realtime,
    on_slow: OnSlow::Conflate,
};

/// How every answer ends.
const TAIL: &str = concat!(
    r#""success":true,"req_id":3,"time_in":"1970-01-01T00:00:00.000000Z","#,
    r#""time_out":"1970-01-01T00:00:00.000001Z"}"#
);

#[track_caller]
fn check(frame: &[u8], expected: &str) {
    let start = if frame[1] == 126 { 4 } else { 2 };
    assert_eq!(String::from_utf8_lossy(&frame[start..]), expected);
    simd_json::to_tape(&mut frame[start..].to_vec()).expect("well-formed JSON");
}

#[test]
fn a_plain_ack_looks_like_the_venues() {
    let mut out = Vec::new();
    let ack = Ack {
        method: "subscribe",
        topic: Topic::Book(Depth::DEFAULT),
        symbol: Some("BTC/USD"),
        snapshot: true,
        granted: None,
        warning: None,
    };
    ack.write(&ENVELOPE, &mut out);
    check(
        &out,
        concat!(
            r#"{"method":"subscribe","result":{"channel":"book","depth":10,"#,
            r#""symbol":"BTC/USD","snapshot":true},"success":true,"req_id":3,"#,
            r#""time_in":"1970-01-01T00:00:00.000000Z","time_out":"1970-01-01T00:00:00.000001Z"}"#
        ),
    );
}

#[test]
fn extensions_are_told_what_was_granted() {
    let mut out = Vec::new();
    let ack = Ack {
        method: "subscribe",
        topic: Topic::Bars(Interval::Second1),
        symbol: Some("A"),
        snapshot: false,
        granted: Some(GRANTED),
        warning: Some("already subscribed"),
    };
    ack.write(&Envelope { req_id: None, ..ENVELOPE }, &mut out);
    check(
        &out,
        concat!(
            r#"{"method":"subscribe","result":{"channel":"ohlc","interval_s":1,"symbol":"A","#,
            r#""snapshot":false,"warnings":["already subscribed"],"#,
            r#""x":{"epoch":"9","seq":4,"qos":"realtime"}},"#,
            r#""success":true,"time_in":"1970-01-01T00:00:00.000000Z","#,
            r#""time_out":"1970-01-01T00:00:00.000001Z"}"#
        ),
    );
}

#[test]
fn refusals_and_pongs_are_well_formed() {
    let mut out = Vec::new();
    let refusal = Refusal::new(Code::UnknownSymbol, "no symbol \"X\"");
    write_refusal(Some("subscribe"), &refusal, Some("X"), &ENVELOPE, &mut out);
    check(
        &out,
        concat!(
            r#"{"method":"subscribe","success":false,"error":"no symbol \"X\"","symbol":"X","#,
            r#""x":{"code":"UNKNOWN_SYMBOL"},"req_id":3,"time_in":"1970-01-01T00:00:00.000000Z","#,
            r#""time_out":"1970-01-01T00:00:00.000001Z"}"#
        ),
    );
    out.clear();
    write_pong(&ENVELOPE, &mut out);
    check(
        &out,
        concat!(
            r#"{"method":"pong","req_id":3,"time_in":"1970-01-01T00:00:00.000000Z","#,
            r#""time_out":"1970-01-01T00:00:00.000001Z"}"#
        ),
    );
}

#[track_caller]
fn check_granted(method: &str, granted: Granted, result: &str) {
    let mut out = Vec::new();
    let ack = Ack {
        method,
        topic: Topic::TickerOnQuote,
        symbol: Some("A"),
        snapshot: true,
        granted: Some(granted),
        warning: None,
    };
    ack.write(&ENVELOPE, &mut out);
    let subject = r#""result":{"channel":"ticker","event_trigger":"bbo","symbol":"A""#;
    check(&out, &format!(r#"{{"method":"{method}",{subject}{result}}},{TAIL}"#));
}

#[test]
fn an_ack_says_of_the_service_what_was_asked_or_is_unusual() {
    check_granted(
        "subscribe",
        Granted {
            recovered: Some(true),
            pace_ms: 100,
            qos: Quality::Conflated,
            on_slow: OnSlow::Skip,
            ..GRANTED
        },
        concat!(
            r#","snapshot":true,"x":{"epoch":"9","seq":4,"recovered":true,"qos":"conflated","#,
            r#""conflate_ms":100,"on_slow":"skip"}"#
        ),
    );
    check_granted(
        "subscribe",
        Granted {
            sequence: None,
            recovered: Some(false),
            qos: Quality::Delayed { ms: 900_000 },
            ..GRANTED
        },
        concat!(
            r#","snapshot":true,"x":{"epoch":"9","recovered":false,"qos":"delayed","#,
            r#""delay_ms":900000}"#
        ),
    );
}

#[test]
fn a_reconfigure_is_acked_without_a_snapshot_and_an_unsubscribe_without_service() {
    let granted = Granted { on_slow: OnSlow::Disconnect, ..GRANTED };
    check_granted(
        "reconfigure",
        granted,
        r#","x":{"epoch":"9","seq":4,"qos":"realtime","on_slow":"disconnect"}"#,
    );
    check_granted("unsubscribe", granted, r#","x":{"epoch":"9","seq":4}"#);
}

#[test]
fn heartbeats_made_detailed_or_plain_are_acked_without_a_symbol() {
    for (detailed, method) in [(true, "subscribe"), (false, "unsubscribe")] {
        let mut out = Vec::new();
        write_heartbeat_ack(detailed, &ENVELOPE, &mut out);
        check(&out, &format!(r#"{{"method":"{method}","result":{{"channel":"heartbeat"}},{TAIL}"#));
    }
}

#[test]
fn subscriptions_are_listed_with_how_they_are_served() {
    let plain = Listed {
        topic: Topic::Book(Depth::DEFAULT),
        symbol: Some("A\"B"),
        sequenced: true,
        qos: Quality::Realtime,
        pace_ms: 0,
        on_slow: OnSlow::Conflate,
    };
    let pattern = Listed {
        topic: Topic::Bars(Interval::Minute1),
        symbol: Some("*"),
        sequenced: false,
        qos: Quality::Conflated,
        pace_ms: 1000,
        on_slow: OnSlow::Skip,
    };
    let definitions = Listed { topic: Topic::Instrument, symbol: None, ..plain };
    let mut out = Vec::new();
    write_subscriptions(&ENVELOPE, [plain, pattern, definitions], &mut out);
    let expected = concat!(
        r#"{"method":"list_subscriptions","result":{"subscriptions":["#,
        r#"{"channel":"book","depth":10,"symbol":"A\"B","x":{"seq":true,"qos":"realtime"}},"#,
        r#"{"channel":"ohlc","interval":1,"symbol":"*","x":{"seq":false,"qos":"conflated","#,
        r#""conflate_ms":1000,"on_slow":"skip"}},"#,
        r#"{"channel":"instrument","x":{"seq":true,"qos":"realtime"}}]},"#,
    );
    check(&out, &format!("{expected}{TAIL}"));
    out.clear();
    write_subscriptions(&ENVELOPE, [], &mut out);
    let nothing = r#"{"method":"list_subscriptions","result":{"subscriptions":[]},"#;
    check(&out, &format!("{nothing}{TAIL}"));
}

#[test]
fn a_good_token_is_answered_with_the_user_and_how_long_it_lasts() {
    for (expires_in_s, result) in [
        (None, r#"{"user":"desk \"7\""}"#),
        (Some(3600), r#"{"user":"desk \"7\"","expires_in_s":3600}"#),
    ] {
        let mut out = Vec::new();
        write_authenticated(&ENVELOPE, "desk \"7\"", expires_in_s, &mut out);
        check(&out, &format!(r#"{{"method":"auth","result":{result},{TAIL}"#));
    }
}
