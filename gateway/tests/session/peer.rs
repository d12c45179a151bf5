//! A dashboard that writes frames by hand and reads everything up to the end.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use serde_json::Value;

use super::rig::{Gateway, PATIENCE};
use super::trust::trust;
use super::websocket::{UPGRADE, masked, next_frame, read_head};

const MASK: [u8; 4] = [0x11, 0x22, 0x33, 0x44];

/// A frame as a dashboard sends it, its length in the shortest form.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    masked(MASK, first, payload)
}

pub fn text(words: &str) -> Vec<u8> {
    frame(0x81, words.as_bytes())
}

/// One frame of the gateway: its first byte and its payload.
pub type Heard = (u8, Vec<u8>);

/// One session.
pub struct Peer {
    pub stream: StreamOwned<ClientConnection, TcpStream>,
    heard: Vec<u8>,
}

impl Peer {
    pub fn open(gateway: &Gateway) -> Self {
        let socket = TcpStream::connect(gateway.address).expect("connected");
        socket.set_nodelay(true).expect("an option");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let name = ServerName::try_from("localhost").expect("a name");
        let tls = ClientConnection::new(trust(&gateway.cert_file), name).expect("a client");
        let mut peer = Self { stream: StreamOwned::new(tls, socket), heard: Vec::new() };
        peer.say(UPGRADE.as_bytes());
        let head = read_head(&mut peer.stream);
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        peer
    }

    pub fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).and_then(|()| self.stream.flush()).expect("sent");
    }

    /// The next frame; none at the end, which has to be in order.
    pub fn next(&mut self) -> Option<Heard> {
        loop {
            if let Some((first, place)) = next_frame(&self.heard) {
                let payload = self.heard[place.clone()].to_vec();
                self.heard.drain(..place.end);
                return Some((first, payload));
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.heard.extend_from_slice(&buffer[..count]),
                Err(error) => panic!("no orderly end: {error} ({:?})", error.kind()),
            }
        }
    }

    /// The next text that is neither the greeting nor a heartbeat.
    pub fn answer(&mut self) -> Value {
        loop {
            let (first, payload) = self.next().expect("an answer, not the end");
            assert_eq!(first, 0x81, "a text, not {:?}", String::from_utf8_lossy(&payload));
            let value: Value = serde_json::from_slice(&payload).expect("JSON");
            if value.get("channel").is_none() {
                return value;
            }
        }
    }

    /// The code of the close frame, whatever was said before it.
    pub fn close_code(&mut self) -> u16 {
        loop {
            let (first, payload) = self.next().expect("a close frame before the end");
            if first == 0x88 {
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
        }
    }

    /// How long the connection still lives.
    pub fn lives_on_for(&mut self) -> Duration {
        let begun = Instant::now();
        let mut buffer = [0; 4096];
        loop {
            match self.stream.sock.read(&mut buffer) {
                Ok(0) => return begun.elapsed(),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return begun.elapsed(),
                Err(error) => panic!("still open: {error}"),
            }
        }
    }
}
