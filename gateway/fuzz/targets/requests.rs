//! A dashboard's request: any bytes are taken or refused, and whatever of them is repeated in the
//! answer comes out as JSON that says what it should.
//!
//! serde_json is the second opinion: what we take is JSON, and what it reads as a value we do not
//! call "not JSON".
#![no_main]

use libfuzzer_sys::fuzz_target;
use market::Nanos;
use serde::de::IgnoredAny;
use serde_json::Value;
use wire::refusal::{Code, Refusal};
use wire::reply::{self, Envelope};
use wire::request::{self, BadRequest, Method, Request, SYMBOL_BYTES_MAX};

/// The longest sentence of ours with the longest repeated text in it, every byte of it escaped.
const MESSAGE_BYTES_MAX: usize = 1024;

fuzz_target!(|data: &[u8]| {
    let outcome = request::parse(&mut data.to_vec());
    assert_eq!(outcome, request::parse(&mut data.to_vec()), "asked twice");
    match outcome {
        Ok(request) => check_taken(data, &request),
        Err(bad) => check_refused(data, &bad),
    }
});

fn envelope(req_id: Option<u64>) -> Envelope {
    Envelope { req_id, time_in: Nanos(1), time_out: Nanos(2) }
}

fn check_taken(data: &[u8], request: &Request) {
    serde_json::from_slice::<IgnoredAny>(data).expect("what is taken is JSON");
    let (Method::Subscribe(asked) | Method::Unsubscribe(asked)) = &request.method else { return };
    let envelope = envelope(request.req_id);
    let mut out = Vec::new();
    for symbol in &asked.symbols {
        assert!(symbol.len() <= SYMBOL_BYTES_MAX + "...".len(), "{symbol:?}");
        out.clear();
        let refusal = Refusal::new(Code::UnknownSymbol, format!("no symbol {symbol:?}"));
        reply::write_refusal(Some("subscribe"), &refusal, Some(symbol), &envelope, &mut out);
        assert_eq!(check_answer(&out, request.req_id)["symbol"], **symbol);
    }
}

fn check_refused(data: &[u8], bad: &BadRequest) {
    let message = &bad.refusal.message;
    assert!(message.len() <= MESSAGE_BYTES_MAX, "{} bytes said", message.len());
    if message.starts_with("not JSON") {
        assert!(serde_json::from_slice::<Value>(data).is_err(), "serde_json reads it: {message}");
    }
    let mut out = Vec::new();
    let method = bad.method.as_deref();
    reply::write_refusal(method, &bad.refusal, None, &envelope(bad.req_id), &mut out);
    let answer = check_answer(&out, bad.req_id);
    assert_eq!(answer["error"], **message);
    assert_eq!(answer["method"].as_str(), method);
}

/// The answer's JSON, once it is seen to be one whole text frame of it.
fn check_answer(frame: &[u8], req_id: Option<u64>) -> Value {
    assert_eq!(wire::frame::length(frame), frame.len());
    let head = if frame[1] == 126 { 4 } else { 2 };
    let answer: Value = serde_json::from_slice(&frame[head..]).expect("answers are JSON");
    assert_eq!(answer["req_id"].as_u64(), req_id);
    answer
}
