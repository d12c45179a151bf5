//! Bytes behind the TLS handshake: HTTP as the door reads it, the upgrade's rules, the query.
//!
//! Whatever comes, every answer is HTTP with a status that the door has. A 101 is only said to a
//! request that tungstenite, which is more lenient, would accept with the same answer to the key.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use gateway::config;
use gateway::door::rehearsal::{Rehearsal, query_value};
use libfuzzer_sys::fuzz_target;
use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::{Request, create_response};
use tungstenite::http::HeaderValue;

const CONFIG: &str = r#"
[door]
listen = "127.0.0.1:0"
cert_file = "cert.pem"
key_file = "key.pem"
origins = ["https://desk.example"]
header_bytes_max = 8192
[[ingest.feeds]]
name = "kraken"
dialect = "kraken"
url = "wss://venue.example/v2"
symbols = "all"
"#;

const STATUSES: [u16; 12] = [101, 200, 304, 400, 403, 404, 405, 413, 414, 426, 431, 503];

struct Door(Rehearsal);
// The fuzzer has one thread.
static DOOR: LazyLock<std::sync::Mutex<Door>> = LazyLock::new(|| {
    let loaded = config::parse(CONFIG, Path::new("fuzz.toml")).unwrap_or_else(|e| panic!("{e}"));
    std::sync::Mutex::new(Door(Rehearsal::new(loaded.config.door)))
});

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Some(value) = query_value(text, "pair") {
            assert!(value.len() <= 3 * text.len());
        }
    }
    let answers = DOOR.lock().expect("nobody panicked").0.answers(data);
    let mut rest = &answers[..];
    while !rest.is_empty() {
        rest = check_answer(rest, data);
    }
});

/// Checks the first answer and returns what stands behind it.
fn check_answer<'a>(answers: &'a [u8], asked: &[u8]) -> &'a [u8] {
    let end = answers.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head") + 4;
    let head = std::str::from_utf8(&answers[..end]).expect("our heads are text");
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5));
    let status: u16 = status.and_then(|digits| digits.parse().ok()).expect("a status line");
    assert!(STATUSES.contains(&status), "{head}");
    if status == 101 {
        check_switch(head, asked);
        assert_eq!(answers.len(), end, "something is said behind the 101");
    }
    let length = header(head, "content-length");
    let length: usize = length.map_or(0, |digits| digits.parse().expect("a length"));
    let behind = &answers[end..];
    // An answer to HEAD states the length of a body that is not there.
    let is_bodiless = behind.is_empty() || behind.starts_with(b"HTTP/1.");
    if is_bodiless { behind } else { &behind[length..] }
}

/// The last request of the connection is the one that was granted.
fn check_switch(head: &str, asked: &[u8]) {
    let granted = (0..asked.len()).any(|start| {
        let Ok(Some((_, mut request))) = Request::try_parse(&asked[start..]) else { return false };
        simplify(&mut request, "connection", "upgrade");
        simplify(&mut request, "upgrade", "websocket");
        create_response(&request).is_ok_and(|theirs| {
            let accept = theirs.headers()["sec-websocket-accept"].to_str().ok();
            header(head, "sec-websocket-accept") == accept
        })
    });
    assert!(granted, "tungstenite would have refused");
}

/// tungstenite reads one line of such a header, and only if all of it is visible ASCII; the lists
/// of HTTP may have several lines and other words.
fn simplify(request: &mut Request, name: &'static str, word: &'static str) {
    let listed = request.headers().get_all(name).iter().any(|line| {
        let mut items = line.as_bytes().split(|byte| *byte == b',');
        items.any(|item| item.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    });
    if listed {
        request.headers_mut().insert(name, HeaderValue::from_static(word));
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
}
