//! Requests that make no sense, that are too much, and that come and go.

use gateway::metrics::CloseReason;
use wire::close::CloseCode;

use super::peer::{Peer, text};
use super::rig::Gateway;

const PING: &str = r#"{"method":"ping","req_id":7}"#;

fn ask(method: &str, names: &str) -> Vec<u8> {
    text(&format!(
        r#"{{"method":"{method}","req_id":5,"params":{{"channel":"ticker","symbol":[{names}]}}}}"#
    ))
}

#[test]
fn nonsense_is_answered_with_an_error_and_the_session_lives() {
    let gateway = Gateway::with("message_bytes_max = 1000000\nbad_requests_max = 3\n");
    let mut peer = Peer::open(&gateway);
    let deep = format!(r#"{{"req_id":3,"method":{}"#, "[".repeat(100_000));
    let cases: [(&str, Option<u64>); 15] = [
        ("no JSON at all", None),
        (r#"{"method":"ping","req_id":3"#, None),
        (&deep, None),
        (r#"{"method":"ping","req_id":1e400}"#, None),
        (r#"{"method":"ping","req_id":-3}"#, None),
        ("{\"method\":\"\\ud800\",\"req_id\":3}", None),
        ("\u{feff}{\"method\":\"ping\",\"req_id\":3}", None),
        (r#"[{"method":"ping"}]"#, None),
        ("null", None),
        (r#"{"method":3,"req_id":3}"#, Some(3)),
        (r#"{"method":"dance","req_id":3}"#, Some(3)),
        (r#"{"method":"ping","req_id":3,"colour":"red"}"#, Some(3)),
        (r#"{"method":"subscribe","req_id":3,"params":[]}"#, Some(3)),
        (
            r#"{"method":"subscribe","req_id":3,"params":{"channel":"tape","symbol":["A"]}}"#,
            Some(3),
        ),
        (r#"{"method":"subscribe","req_id":3,"params":{"channel":"book","symbol":[1]}}"#, Some(3)),
    ];
    for (words, id) in cases {
        peer.say(&text(words));
        let answer = peer.answer();
        let shown: String = words.chars().take(60).collect();
        assert_eq!(answer["success"], false, "{shown}: {answer}");
        assert!(answer["error"].is_string(), "{shown}: {answer}");
        assert_eq!(answer["req_id"].as_u64(), id, "{shown}: {answer}");
        peer.say(&text(PING));
        assert_eq!(peer.answer()["req_id"], 7, "{shown}: the session lives");
    }
}

#[test]
fn a_key_said_twice_is_answered_and_never_a_hang() {
    let gateway = Gateway::start();
    let mut peer = Peer::open(&gateway);
    peer.say(&text(r#"{"method":"ping","method":"dance","req_id":3,"req_id":4}"#));
    peer.answer();
    peer.say(&text(PING));
    assert_eq!(peer.answer()["req_id"], 7);
}

#[test]
fn too_much_nonsense_is_the_end() {
    let gateway = Gateway::with("bad_requests_max = 3\n");
    let mut peer = Peer::open(&gateway);
    peer.say(&text("nonsense").repeat(4));
    for _ in 0..4 {
        assert_eq!(peer.answer()["success"], false);
    }
    assert_eq!(peer.close_code(), 4505);
}

#[test]
fn ten_thousand_names_are_answered_one_by_one() {
    let gateway = Gateway::with("message_bytes_max = 1000000\nrequests_per_second_max = 1000\n");
    let mut peer = Peer::open(&gateway);
    let names: Vec<String> = (0..10_000).map(|at| format!("\"N{at}/USD\"")).collect();
    peer.say(&ask("subscribe", &names.join(",")));
    for at in 0..10_000 {
        let answer = peer.answer();
        assert_eq!(answer["success"], false, "{answer}");
        assert_eq!(answer["symbol"], format!("N{at}/USD"), "{answer}");
        assert_eq!(answer["req_id"], 5);
    }
    assert_eq!(gateway.shard().subscriptions.value(), 0);
}

#[test]
fn a_name_of_a_megabyte_is_too_big_a_message_or_a_refusal_in_short() {
    let name = format!("\"{}\"", "A".repeat(1 << 20));
    let gateway = Gateway::start();
    let mut peer = Peer::open(&gateway);
    peer.say(&ask("subscribe", &name));
    assert_eq!(peer.close_code(), 1009);

    let gateway = Gateway::with("message_bytes_max = 2000000\n");
    let mut peer = Peer::open(&gateway);
    peer.say(&ask("subscribe", &name));
    let answer = peer.answer();
    assert_eq!(answer["success"], false);
    assert!(answer.to_string().len() < 1000, "{} bytes are said back", answer.to_string().len());
}

#[test]
fn look_alikes_are_names_nobody_knows() {
    let gateway = Gateway::start();
    let mut peer = Peer::open(&gateway);
    for name in
        ["ВTC/USD", "BTC/USD\\u200b", "BTC\\u2044USD", "btc/usd", " BTC/USD", "BTC/USD\\u0000"]
    {
        peer.say(&ask("subscribe", &format!("\"{name}\"")));
        let answer = peer.answer();
        assert_eq!((&answer["success"], &answer["req_id"]), (&false.into(), &5.into()), "{answer}");
    }
}

#[test]
fn requests_beyond_the_rate_are_refused_and_a_flood_is_the_end() {
    let gateway = Gateway::with("requests_per_second_max = 10\n");
    let mut peer = Peer::open(&gateway);
    peer.say(&text(PING).repeat(150));
    let answers: Vec<_> = (0..150).map(|_| peer.answer()).collect();
    let refused = answers.iter().filter(|a| a["x"]["code"] == "RATE_LIMIT").count();
    let served = answers.iter().filter(|a| a["method"] == "pong").count();
    assert!(served >= 100 && refused >= 30, "{served} served, {refused} refused: {}", answers[149]);
    peer.say(&text(PING).repeat(300));
    assert_eq!(peer.close_code(), 4004);
    gateway.wait("it is gone", |shard| {
        shard.sessions_closed.of(CloseReason::Code(CloseCode::TooManyRequests)).value() == 1
    });
}
