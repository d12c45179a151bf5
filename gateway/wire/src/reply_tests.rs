//! Golden texts of the answers.

use super::*;
use crate::refusal::Code;
use crate::topic::Depth;

const ENVELOPE: Envelope = Envelope { req_id: Some(3), time_in: Nanos(0), time_out: Nanos(1000) };

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
            r#""snapshot":false,"warnings":["already subscribed"],"x":{"epoch":"9","seq":4,"qos":"realtime"}},"#,
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
