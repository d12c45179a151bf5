//! A dashboard that speaks by the byte, one message at a time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::{Value, json};

use super::rig::PATIENCE;
use super::websocket::{HEADERS, NO_MASK, masked, read_head};

/// What is heard.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    Text(Value),
    Close(u16, String),
    /// A pong, or a ping.
    Other,
}

/// An answer that is no 101: without the line that says the time.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub text: String,
}

pub struct Dashboard {
    stream: StreamOwned<ClientConnection, TcpStream>,
    /// Of the 101.
    pub head: String,
}

impl Dashboard {
    pub fn knock(
        address: SocketAddr,
        tls: &Arc<ClientConfig>,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Self, Reply> {
        let socket = TcpStream::connect(address).expect("connected");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let name = ServerName::try_from("127.0.0.1").expect("a name");
        let connection = ClientConnection::new(Arc::clone(tls), name).expect("a client");
        let mut stream = StreamOwned::new(connection, socket);
        let mut request = format!("GET {path} HTTP/1.1\r\n{HEADERS}");
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        stream.write_all((request + "\r\n").as_bytes()).expect("sent");
        let head = String::from_utf8(read_head(&mut stream)).expect("text").to_ascii_lowercase();
        let status = head[9..12].parse().expect("a status");
        if status == 101 {
            return Ok(Self { stream, head });
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a length"))];
        stream.read_exact(&mut body).expect("a body");
        let kept = head.lines().filter(|line| !line.starts_with("date: "));
        let text = kept.collect::<Vec<_>>().join("\n") + &String::from_utf8_lossy(&body);
        Err(Reply { status, text })
    }

    pub fn say(&mut self, message: &Value) {
        self.say_text(&message.to_string());
    }

    pub fn say_text(&mut self, text: &str) {
        self.stream.write_all(&masked(NO_MASK, 0x81, text.as_bytes())).expect("sent");
    }

    pub fn next(&mut self) -> Heard {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).expect("a frame");
        let length = match head[1] {
            126 => u64::from(u16::from_be_bytes(self.bytes())),
            127 => u64::from_be_bytes(self.bytes()),
            short => u64::from(short),
        };
        let mut payload = vec![0; length as usize];
        self.stream.read_exact(&mut payload).expect("a payload");
        match head[0] & 15 {
            1 => Heard::Text(serde_json::from_slice(&payload).expect("JSON")),
            8 => {
                let (code, reason) = payload.split_first_chunk().expect("a code");
                let reason = String::from_utf8_lossy(reason).into_owned();
                Heard::Close(u16::from_be_bytes(*code), reason)
            }
            _ => Heard::Other,
        }
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).expect("a length");
        bytes
    }

    /// The next text; a close fails.
    pub fn text(&mut self) -> Value {
        loop {
            match self.next() {
                Heard::Text(text) => return text,
                Heard::Close(code, reason) => panic!("closed with {code} {reason}"),
                Heard::Other => {}
            }
        }
    }

    /// The first text that is meant; what came before is dropped.
    pub fn until(&mut self, what: &str, mut is_meant: impl FnMut(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = self.text();
            if is_meant(&text) {
                return text;
            }
            assert!(Instant::now() < deadline, "never: {what}");
        }
    }

    /// Reads to the close; its code, and the texts before it.
    pub fn closed(&mut self) -> (u16, Vec<Value>) {
        let mut texts = Vec::new();
        loop {
            match self.next() {
                Heard::Text(text) => texts.push(text),
                Heard::Close(code, _) => return (code, texts),
                Heard::Other => {}
            }
        }
    }

    /// All that is heard in so long.
    pub fn heard_for(&mut self, time: Duration) -> Vec<Value> {
        let deadline = Instant::now() + time;
        let mut texts = Vec::new();
        while Instant::now() < deadline {
            texts.push(self.text());
        }
        texts
    }

    pub fn is_greeted(&mut self) {
        let text = self.text();
        assert_eq!(text["channel"], "status", "{text}");
    }

    pub fn auth(&mut self, token: &str) {
        self.say(&json!({"method": "auth", "params": {"token": token}, "req_id": 7}));
    }

    /// Subscribes, and hears the answer about each symbol.
    pub fn subscribe(&mut self, channel: &str, symbols: &[&str], x: &Value) -> Vec<Value> {
        let params = json!({"channel": channel, "symbol": symbols, "x": x});
        self.say(&json!({"method": "subscribe", "params": params}));
        let is_answer = |text: &Value| text["method"] == "subscribe";
        symbols.iter().map(|_| self.until("an answer", is_answer)).collect()
    }
}

/// The symbol that a text of data is about.
pub fn symbol(text: &Value) -> Option<&str> {
    text["data"][0]["symbol"].as_str().filter(|_| text["channel"] != "notice")
}
