//! A dashboard whose bytes are cut anywhere is understood as if they were not, while ticks flow.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::rig::{Gateway, PATIENCE, any_port, kraken_feed};
use super::venue::{DEPTH, market};
use super::websocket::{UPGRADE, masked, next_frame, read_head};

const SUBSCRIBE: &str =
    r#"{"method":"subscribe","req_id":1,"params":{"channel":"ticker","symbol":["*"]}}"#;
const PING: &str = r#"{"method":"ping","req_id":2}"#;
const MASK: [u8; 4] = [0xa1, 0xb2, 0xc3, 0xd4];

/// Everything a dashboard may say: texts whole and in fragments, a ping between them, the end.
fn session() -> Vec<u8> {
    let (first, rest) = PING.as_bytes().split_at(9);
    [
        masked(MASK, 0x81, SUBSCRIBE.as_bytes()),
        masked(MASK, 0x01, first),
        masked(MASK, 0x89, b"between"),
        masked(MASK, 0x80, rest),
        masked(MASK, 0x8a, b""),
        masked(MASK, 0x88, b"\x03\xe8"),
    ]
    .concat()
}

/// What answers a session whose bytes go in these pieces, data and heartbeats apart.
fn hear(gateway: &Gateway, pieces: [&[u8]; 2]) -> Vec<String> {
    let socket = TcpStream::connect(gateway.target.address).expect("connected");
    socket.set_nodelay(true).expect("an option");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let tls = gateway.target.tls.clone().expect("it speaks TLS");
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let tls = ClientConnection::new(Arc::clone(&tls), name).expect("a client");
    let mut stream = StreamOwned::new(tls, socket);
    stream.write_all(UPGRADE.as_bytes()).expect("sent");
    read_head(&mut stream);
    for piece in pieces {
        stream.write_all(piece).and_then(|()| stream.flush()).expect("sent");
    }
    let mut answers = Vec::new();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an orderly end");
    let mut rest = &bytes[..];
    while let Some((first, place)) = next_frame(rest) {
        let payload = &rest[place.clone()];
        rest = &rest[place.end..];
        let text = String::from_utf8_lossy(payload);
        if first == 0x81 && text.contains(r#""req_id":"#) {
            // Without the times, which differ.
            let times = text.find(r#","time_in""#).unwrap_or(text.len());
            answers.push(text[..times].to_owned());
        } else if first != 0x81 {
            answers.push(format!("{first:x} {payload:?}"));
        }
    }
    assert!(rest.is_empty(), "the last frame is whole");
    answers
}

#[test]
fn a_session_cut_anywhere_is_answered_as_one_that_is_whole() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let gateway = Gateway::start(&kraken_feed(simulator.addr(), DEPTH));
    gateway.wait("ticks flow", PATIENCE, |gateway| gateway.feed().messages.value() > 100);
    let bytes = session();
    let before = gateway.feed().messages.value();
    let whole = hear(&gateway, [&bytes, b""]);
    assert!(whole.iter().any(|answer| answer.contains("pong")), "{whole:?}");
    assert_eq!(whole.last().map(|answer| &answer[..2]), Some("88"), "{whole:?}");
    for cut in 1..bytes.len() {
        let (first, second) = bytes.split_at(cut);
        let answers = hear(&gateway, [first, second]);
        assert_eq!(answers, whole, "cut at {cut}");
    }
    let flowed = |gateway: &Gateway| gateway.feed().messages.value() > before;
    gateway.wait("ticks flowed meanwhile", PATIENCE, flowed);
}
