//! A client of the simulator that shares no code with it: sockets by fastwebsockets, a book of
//! its own from the texts received, a CRC of its own making over them.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, handshake};
use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest wait for anything; only a broken simulator makes a test wait that long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}

/// A recorded file, or None with a loud word that the test is skipped.
pub(crate) fn recorded(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("GATEWAY_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: recorded data not found at {}", path.display());
    None
}

/// Runs a test body on a runtime of its own.
pub(crate) fn run<F: Future<Output = ()>>(body: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(body);
}

/// What a client can hear.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Text(String),
    Close(u16),
    Lost,
}

pub(crate) struct Client {
    socket: FragmentCollector<TokioIo<Upgraded>>,
}

impl Client {
    pub(crate) async fn connect(addr: SocketAddr, path: &str) -> Self {
        let stream = TcpStream::connect(addr).await.expect("the simulator listens");
        Self::over(stream, path).await
    }

    pub(crate) async fn over<S>(stream: S, path: &str) -> Self
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let request = Request::builder()
            .uri(path)
            .header("Host", "localhost")
            .header("Upgrade", "websocket")
            .header("Connection", "upgrade")
            .header("Sec-WebSocket-Key", handshake::generate_key())
            .header("Sec-WebSocket-Version", "13")
            .body(Empty::<Bytes>::new())
            .expect("a request");
        let (socket, _) =
            handshake::client(&TokioExecutor::new(), request, stream).await.expect("an upgrade");
        Self { socket: FragmentCollector::new(socket) }
    }

    pub(crate) async fn say(&mut self, text: &str) {
        let frame = Frame::text(Payload::Owned(text.as_bytes().to_vec()));
        self.socket.write_frame(frame).await.expect("the simulator reads");
    }

    pub(crate) async fn say_in_fragments(&mut self, pieces: &[&str], ends: bool) {
        for (index, piece) in pieces.iter().enumerate() {
            let opcode = if index == 0 { OpCode::Text } else { OpCode::Continuation };
            let is_last = ends && index + 1 == pieces.len();
            let payload = Payload::Owned(piece.as_bytes().to_vec());
            let frame = Frame::new(is_last, opcode, None, payload);
            // The simulator may have had enough before the last one.
            let _ = self.socket.write_frame(frame).await;
        }
    }

    pub(crate) async fn request(&mut self, request: Value) {
        self.say(&request.to_string()).await;
    }

    pub(crate) async fn subscribe(&mut self, channel: &str, symbols: &[&str]) {
        let params = json!({ "channel": channel, "symbol": symbols });
        self.request(json!({ "method": "subscribe", "params": params })).await;
    }

    pub(crate) async fn subscribe_book(&mut self, depth: u16, symbols: &[&str]) {
        let params = json!({ "channel": "book", "symbol": symbols, "depth": depth });
        self.request(json!({ "method": "subscribe", "params": params })).await;
    }

    /// The next text, close or loss.
    pub(crate) async fn hear(&mut self) -> Heard {
        let heard = async {
            loop {
                match self.socket.read_frame().await {
                    Ok(frame) if frame.opcode == OpCode::Text => {
                        let text = String::from_utf8(frame.payload.to_vec());
                        return Heard::Text(text.expect("UTF-8"));
                    }
                    Ok(frame) if frame.opcode == OpCode::Close => {
                        return Heard::Close(u16::from_be_bytes([
                            frame.payload[0],
                            frame.payload[1],
                        ]));
                    }
                    Ok(_) => {}
                    Err(_) => return Heard::Lost,
                }
            }
        };
        tokio::time::timeout(DEADLINE, heard).await.expect("something is heard in time")
    }

    /// The next text; its end is a failure.
    pub(crate) async fn text(&mut self) -> String {
        match self.hear().await {
            Heard::Text(text) => text,
            other => panic!("expected a text, heard {other:?}"),
        }
    }

    /// Whether nothing is heard for a while.
    pub(crate) async fn is_silent(&mut self, during: Duration) -> bool {
        // read_frame loses bytes when it is cancelled in the middle of a frame, so this may only
        // be used where silence is expected or the socket is not read again.
        tokio::time::timeout(during, self.socket.read_frame()).await.is_err()
    }

    /// The next text for which `matches` holds.
    pub(crate) async fn text_where(&mut self, matches: impl Fn(&str) -> bool) -> String {
        loop {
            let text = self.text().await;
            if matches(&text) {
                return text;
            }
        }
    }

    /// The next text of a channel.
    pub(crate) async fn channel(&mut self, name: &str) -> String {
        let start = format!(r#"{{"channel":"{name}""#);
        self.text_where(|text| text.starts_with(&start)).await
    }

    /// All texts up to the end of the connection, without heartbeats.
    pub(crate) async fn all_texts(&mut self) -> Vec<String> {
        let mut texts = Vec::new();
        loop {
            match self.hear().await {
                Heard::Text(text) if text.contains("heartbeat") => {}
                Heard::Text(text) => texts.push(text),
                Heard::Close(_) | Heard::Lost => return texts,
            }
        }
    }
}

/// One plain HTTP request; status and body.
pub(crate) async fn http_get(addr: SocketAddr, target: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(addr).await.expect("the simulator listens");
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("a request is taken");
    let mut answer = String::new();
    let read = tokio::time::timeout(DEADLINE, stream.read_to_string(&mut answer)).await;
    read.expect("answered in time").expect("an answer");
    let status = answer[9..12].parse().expect("a status");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    (status, body.expect("a body"))
}

/// A book as a client of the Kraken dialect keeps it.
#[derive(Debug, Default)]
pub(crate) struct ClientBook {
    /// Price scaled to an integer, with both texts.
    sides: [BTreeMap<u128, (String, String)>; 2],
    depth: usize,
}

impl ClientBook {
    pub(crate) fn new(depth: usize) -> Self {
        Self { depth, ..Self::default() }
    }

    /// Applies a book message as text; false when its checksum does not fit.
    pub(crate) fn apply(&mut self, text: &str) -> bool {
        if text.contains(r#""type":"snapshot""#) {
            self.sides = Default::default();
        }
        for (side, name) in ["bids", "asks"].into_iter().enumerate() {
            for (price, qty) in levels(text, name) {
                let key = scaled(&price);
                if qty.bytes().all(|byte| byte == b'0' || byte == b'.') {
                    self.sides[side].remove(&key);
                } else {
                    self.sides[side].insert(key, (price, qty));
                }
            }
        }
        while self.sides[0].len() > self.depth {
            self.sides[0].pop_first();
        }
        while self.sides[1].len() > self.depth {
            self.sides[1].pop_last();
        }
        self.checksum() == number_after(text, r#""checksum":"#)
    }

    pub(crate) fn checksum(&self) -> u64 {
        let mut digits = String::new();
        let top = self.asks().take(10).chain(self.bids().take(10));
        for (price, qty) in top {
            for number in [price, qty] {
                digits.push_str(number.replace('.', "").trim_start_matches('0'));
            }
        }
        u64::from(crc32(digits.as_bytes()))
    }

    pub(crate) fn bids(&self) -> impl Iterator<Item = &(String, String)> {
        self.sides[0].values().rev()
    }

    pub(crate) fn asks(&self) -> impl Iterator<Item = &(String, String)> {
        self.sides[1].values()
    }
}

/// The levels of a side of a Kraken book message, as texts.
pub(crate) fn levels(text: &str, side: &str) -> Vec<(String, String)> {
    let start = text.find(&format!(r#""{side}":["#)).expect("both sides are there");
    let body = &text[start..];
    let body = &body[..body.find(']').expect("the side ends")];
    body.split('{')
        .skip(1)
        .map(|level| (field(level, "price").to_owned(), field(level, "qty").to_owned()))
        .collect()
}

/// The text of a field's number or string, without quotes.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let key = format!(r#""{name}":"#);
    let start = text.find(&key).unwrap_or_else(|| panic!("{name} in {text}")) + key.len();
    let value = &text[start..];
    match value.strip_prefix('"') {
        Some(value) => &value[..value.find('"').expect("the string ends")],
        None => &value[..value.find([',', '}', ']']).expect("the number ends")],
    }
}

fn number_after(text: &str, key: &str) -> u64 {
    let start = text.find(key).expect("a checksum") + key.len();
    let digits = text[start..].bytes().take_while(u8::is_ascii_digit).count();
    text[start..start + digits].parse().expect("a number")
}

/// A decimal text times 10^12.
pub(crate) fn scaled(text: &str) -> u128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<12}").parse().expect("a decimal")
}

/// CRC-32 (IEEE 802.3), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc >>= 1;
            if carry == 1 {
                crc ^= 0xEDB8_8320;
            }
        }
    }
    !crc
}

/// The lines of a truth file as values.
pub(crate) fn truth_lines(path: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("the truth file is there");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}
