//! How much goes into one TLS record, read off the bytes of the connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::rig::{Gateway, PATIENCE, any_port, kraken_feed};
use super::venue::{DEPTH, market};
use super::websocket::{NO_MASK, UPGRADE, masked, read_head};

/// Frames read before the look: every symbol's snapshot is among them.
const PLAIN_BYTES: usize = 20_000;
const SUBSCRIBE: &str =
    r#"{"method":"subscribe","params":{"channel":"book","depth":10,"symbol":["*"],"x":{}}}"#;

/// A socket that keeps what was read from it.
struct Tap {
    socket: TcpStream,
    sealed: Vec<u8>,
}

impl Read for Tap {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.socket.read(bytes)?;
        self.sealed.extend_from_slice(&bytes[..count]);
        Ok(count)
    }
}

impl Write for Tap {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// Sizes of the whole records of application data (RFC 8446, section 5.2) in `sealed`.
fn record_sizes(mut sealed: &[u8]) -> Vec<usize> {
    const APPLICATION_DATA: u8 = 23;
    let mut sizes = Vec::new();
    while let [kind, _, _, high, low, rest @ ..] = sealed {
        let size = usize::from(u16::from_be_bytes([*high, *low]));
        if *kind == APPLICATION_DATA {
            sizes.push(size);
        }
        sealed = rest.get(size..).unwrap_or_default();
    }
    sizes
}

/// The largest record of a session that asks for everything.
fn largest(settings: &str) -> usize {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let gateway = Gateway::start(&format!("{settings}{}", kraken_feed(simulator.addr(), DEPTH)));
    gateway.wait("ticks flow", PATIENCE, |gateway| gateway.feed().messages.value() > 100);
    let socket = TcpStream::connect(gateway.target.address).expect("connected");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let tls = gateway.target.tls.clone().expect("it speaks TLS");
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let tls = ClientConnection::new(Arc::clone(&tls), name).expect("a client");
    let mut stream = StreamOwned::new(tls, Tap { socket, sealed: Vec::new() });
    stream.write_all(UPGRADE.as_bytes()).expect("sent");
    read_head(&mut stream);
    // Records of the handshake look like data from outside; what follows is the session's alone.
    let behind = stream.sock.sealed.len();
    stream.write_all(&masked(NO_MASK, 0x81, SUBSCRIBE.as_bytes())).expect("sent");
    stream.read_exact(&mut vec![0; PLAIN_BYTES]).expect("frames");
    let sizes = record_sizes(&stream.sock.sealed[behind..]);
    sizes.into_iter().max().expect("records")
}

#[test]
fn a_record_gathers_no_more_than_it_is_told_to() {
    /// Beyond the setting by the last frame, a snapshot of ten levels a side, and the seal.
    const BEYOND: usize = 2000;
    let small = largest("[shard]\nrecord_bytes_max = 1024\n");
    assert!(small <= 1024 + BEYOND, "{small} bytes in one record");
    let large = largest("");
    assert!(large > 1024 + BEYOND, "all snapshots are asked for at once, yet {large}");
    eprintln!("largest record: {small} with 1024, {large} by default");
}
