//! A dashboard on the test's own thread: it reads when it is told to, and only then.
//!
//! What it hears goes into a strict [`View`]; beside it stand the positions to resume from, and
//! everything that is no data.

#[path = "../support/websocket.rs"]
mod websocket;

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use serde_json::Value;
use socket2::{Domain, Socket, Type};

use self::websocket::{NO_MASK, UPGRADE, masked, next_frame};
use super::rig::{DEPTH, PATIENCE};
use super::view::{Rules, View};

/// A dashboard's receive buffer: soon full, and not so small that the kernel waits to fill it.
const RECEIVE_BYTES: usize = 65_536;
/// The shard stands in these upper bits of a connection's number.
const SHARD_SHIFT: u32 = 40;

/// Where a dashboard connects.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    pub tls: Arc<ClientConfig>,
}

/// Why there is no session.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// Answered with this status, and when to come back if it said so.
    Status(u16, Option<String>),
    /// Closed before any answer.
    Closed,
}

/// One connection.
pub struct Link {
    pub socket: TcpStream,
    tls: ClientConnection,
    heard: Vec<u8>,
    pub view: View,
    /// Latest number of each channel and symbol.
    pub positions: HashMap<(String, String), u64>,
    pub epoch: Option<String>,
    pub shard: u64,
    /// Acks, notices, heartbeats, in their order.
    pub notes: Vec<Value>,
    /// Data frames: when, channel, symbol, type.
    pub frames: Vec<(Instant, String, String, String)>,
    /// The close code, once it was heard; 0 where the connection was lost.
    pub end: Option<u16>,
    /// Why it was lost, where that was said.
    pub lost: Option<String>,
}

impl Link {
    /// A session that uses extensions.
    pub fn open(target: &Target) -> Self {
        Self::connect(target, true).expect("a session")
    }

    pub fn connect(target: &Target, sequenced: bool) -> Result<Self, Refused> {
        let view = View::new(Rules { sequenced, depth: DEPTH, keeps_frames: false });
        Self::connect_with(target, view)
    }

    /// One that knows already what a view holds.
    pub fn connect_with(target: &Target, view: View) -> Result<Self, Refused> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(RECEIVE_BYTES).expect("an option");
        socket.connect(&target.address.into()).map_err(|_| Refused::Closed)?;
        let socket = TcpStream::from(socket);
        socket.set_nodelay(true).expect("an option");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let name = ServerName::try_from("127.0.0.1").expect("a name");
        let tls = ClientConnection::new(Arc::clone(&target.tls), name).expect("a client");
        let mut link = Self {
            socket,
            tls,
            heard: Vec::new(),
            view,
            positions: HashMap::new(),
            epoch: None,
            shard: 0,
            notes: Vec::new(),
            frames: Vec::new(),
            end: None,
            lost: None,
        };
        link.upgrade()?;
        // The greeting may have come with the answer.
        link.understand();
        Ok(link)
    }

    fn upgrade(&mut self) -> Result<(), Refused> {
        while self.tls.is_handshaking() {
            self.tls.complete_io(&mut self.socket).map_err(|_| Refused::Closed)?;
        }
        self.write(UPGRADE.as_bytes()).map_err(|_| Refused::Closed)?;
        let end = loop {
            if let Some(at) = self.heard.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.read().map_err(|_| Refused::Closed)? {
                return Err(Refused::Closed);
            }
        };
        let head: Vec<u8> = self.heard.drain(..end).collect();
        let head = String::from_utf8_lossy(&head);
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        if status == 101 {
            return Ok(());
        }
        let retry = head.lines().find_map(|line| line.strip_prefix("retry-after: "));
        Err(Refused::Status(status, retry.map(str::to_owned)))
    }

    /// Sends a request, without reading.
    pub fn say(&mut self, message: &Value) {
        self.write(&masked(NO_MASK, 0x81, message.to_string().as_bytes())).expect("sent");
    }

    /// The same where it may be closed already.
    pub fn try_say(&mut self, message: &Value) -> io::Result<()> {
        self.write(&masked(NO_MASK, 0x81, message.to_string().as_bytes()))
    }

    /// Sends a ping frame, without reading.
    pub fn ping(&mut self) -> io::Result<()> {
        self.write(&masked(NO_MASK, 0x89, b"here"))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tls.writer().write_all(bytes)?;
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.socket)?;
        }
        Ok(())
    }

    /// Reads once; false at the end.
    fn read(&mut self) -> io::Result<bool> {
        let count = self.tls.read_tls(&mut self.socket)?;
        self.tls.process_new_packets().map_err(io::Error::other)?;
        // It ends with "would block" where nothing is left.
        let _ = self.tls.reader().read_to_end(&mut self.heard);
        Ok(count > 0)
    }

    /// Reads and understands for at most so long; false when nothing came.
    pub fn listen(&mut self, limit: Duration) -> bool {
        if self.end.is_some() {
            return false;
        }
        self.socket.set_read_timeout(Some(limit.max(Duration::from_millis(1)))).expect("a time");
        match self.read() {
            Ok(true) => {}
            Ok(false) => self.end = Some(0),
            Err(error) if is_quiet(&error) => return false,
            Err(error) => {
                self.end = Some(0);
                self.lost = Some(error.to_string());
            }
        }
        self.understand();
        true
    }

    /// Reads for so long.
    pub fn listen_for(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while self.end.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            self.listen(left);
        }
    }

    /// Reads until `met`; fails on a broken promise, an end, or the deadline.
    pub fn until(&mut self, what: &str, mut met: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(self.view.violations.is_empty(), "{:#?}", self.view.violations);
            if met(self) {
                return;
            }
            assert!(self.end.is_none(), "ended with {:?} before {what}", self.end);
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "not in time: {what}; {}", self.view.summary());
            self.listen(left);
        }
    }

    /// Reads to the end and returns its code.
    pub fn until_closed(&mut self) -> u16 {
        let deadline = Instant::now() + PATIENCE;
        while self.end.is_none() {
            assert!(Instant::now() < deadline, "it is not closed; {}", self.view.summary());
            self.listen(Duration::from_millis(100));
        }
        self.end.unwrap_or_default()
    }

    pub fn is_content(&self) {
        assert!(self.view.violations.is_empty(), "{:#?}", self.view.violations);
        assert_eq!(self.end, None);
    }

    /// Notices of a kind.
    pub fn notices<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        let items = self.notes.iter().filter(|note| note["channel"] == "notice");
        items.filter_map(|note| note["data"].get(0)).filter(move |item| item["kind"] == kind)
    }

    /// The granted terms of the latest subscribe.
    pub fn terms(&self) -> &Value {
        let ack = self.notes.iter().rev().find(|note| note["method"] == "subscribe");
        &ack.expect("an ack")["result"]["x"]
    }

    fn understand(&mut self) {
        let mut at = 0;
        while let Some((first, place)) = next_frame(&self.heard[at..]) {
            let payload = self.heard[at..][place.clone()].to_vec();
            at += place.end;
            match first {
                0x81 => self.hear(&String::from_utf8(payload).expect("text is UTF-8")),
                0x88 => {
                    let code = payload.first_chunk().map_or(1005, |two| u16::from_be_bytes(*two));
                    self.end = Some(code);
                }
                // A dashboard that is gone for the gateway cannot answer.
                0x89 => drop(self.write(&masked(NO_MASK, 0x8a, &payload))),
                0x8a => {}
                other => panic!("an unexpected frame {other:x}"),
            }
        }
        self.heard.drain(..at);
    }

    fn hear(&mut self, text: &str) {
        let message: Value = serde_json::from_str(text).expect("JSON");
        self.view.hear(text);
        let channel = message["channel"].as_str().unwrap_or_default().to_owned();
        match channel.as_str() {
            "ticker" | "trade" | "book" => {
                let symbol = message["data"][0]["symbol"].as_str().unwrap_or_default().to_owned();
                let kind = message["type"].as_str().unwrap_or_default().to_owned();
                if let Some(seq) = message["x"]["seq"].as_u64() {
                    self.positions.insert((channel.clone(), symbol.clone()), seq);
                }
                self.frames.push((Instant::now(), channel, symbol, kind));
            }
            "status" => {
                let id = message["data"][0]["connection_id"].as_u64();
                self.shard = id.map_or(self.shard, |id| id >> SHARD_SHIFT);
            }
            _ => {
                if let Some(epoch) = message["result"]["x"]["epoch"].as_str() {
                    self.epoch = Some(epoch.to_owned());
                }
                self.notes.push(message);
            }
        }
    }
}

fn is_quiet(error: &io::Error) -> bool {
    // Interrupted: a process that was stopped and goes on.
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}
