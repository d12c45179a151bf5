//! A dashboard made of rustls and a bare socket, so that a test decides which bytes go when.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, SupportedCipherSuite};
use serde_json::Value;

use super::rig::{Gateway, PATIENCE};
use super::trust::roots;
use super::websocket::{NO_MASK, UPGRADE, masked, next_frame};

/// One connection.
pub struct Link {
    pub socket: TcpStream,
    pub tls: ClientConnection,
    /// Plain bytes that were read and not looked at.
    heard: Vec<u8>,
}

impl Link {
    /// Connected by TCP.
    pub fn new(gateway: &Gateway, suite: Option<SupportedCipherSuite>) -> Self {
        let socket = TcpStream::connect(gateway.address).expect("connected");
        Self::over(socket, gateway, suite)
    }

    pub fn over(socket: TcpStream, gateway: &Gateway, suite: Option<SupportedCipherSuite>) -> Self {
        socket.set_nodelay(true).expect("an option");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let mut provider = aws_lc_rs::default_provider();
        provider.cipher_suites.retain(|known| suite.is_none_or(|wanted| *known == wanted));
        let tls = ClientConnection::new(trust(gateway, provider), name()).expect("a client");
        Self { socket, tls, heard: Vec::new() }
    }

    /// With a session behind it.
    pub fn open(gateway: &Gateway, suite: Option<SupportedCipherSuite>) -> Self {
        let mut link = Self::new(gateway, suite);
        link.upgrade();
        link
    }

    pub fn upgrade(&mut self) {
        while self.tls.is_handshaking() {
            self.tls.complete_io(&mut self.socket).expect("a handshake");
        }
        self.tls.writer().write_all(UPGRADE.as_bytes()).expect("room");
        self.send();
        self.hear_upgraded();
    }

    /// Reads the 101.
    pub fn hear_upgraded(&mut self) {
        let end = loop {
            if let Some(at) = self.heard.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.read().expect("an answer");
        };
        let head: Vec<u8> = self.heard.drain(..end).collect();
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    }

    /// What TLS has to say, sealed and not sent.
    pub fn sealed(&mut self) -> Vec<u8> {
        let mut sealed = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut sealed).expect("memory takes all");
        }
        sealed
    }

    pub fn send(&mut self) {
        let sealed = self.sealed();
        self.socket.write_all(&sealed).expect("sent");
    }

    /// Gives TLS a ping.
    pub fn write_ping(&mut self, id: u64) {
        self.tls.writer().write_all(&ping(id, 0)).expect("room");
    }

    /// Says a ping and waits for its pong.
    pub fn exchange(&mut self, id: u64) {
        self.write_ping(id);
        self.send();
        self.hear_pong(id);
    }

    /// Waits for the next pong, which has to be this one.
    pub fn hear_pong(&mut self, id: u64) {
        loop {
            let message = self.message();
            if message["method"] == "pong" {
                assert_eq!(message["req_id"], id, "{message}");
                return;
            }
        }
    }

    /// The next text.
    fn message(&mut self) -> Value {
        loop {
            if let Some((first, payload)) = next_frame(&self.heard) {
                assert_eq!(first, 0x81, "a whole text");
                let value = serde_json::from_slice(&self.heard[payload.clone()]).expect("JSON");
                self.heard.drain(..payload.end);
                return value;
            }
            self.read().expect("more");
        }
    }

    /// Reads once; an error is TLS'.
    pub fn read(&mut self) -> Result<(), rustls::Error> {
        let bytes = self.tls.read_tls(&mut self.socket).expect("bytes in time");
        self.tls.process_new_packets()?;
        // It ends with "would block" where nothing is left.
        let _ = self.tls.reader().read_to_end(&mut self.heard);
        assert!(bytes > 0, "closed: {:?}", String::from_utf8_lossy(&self.heard));
        Ok(())
    }
}

/// A ping as a WebSocket frame whose mask is zero, with so many spaces before its end.
pub fn ping(id: u64, spaces: usize) -> Vec<u8> {
    let text = format!("{{\"method\":\"ping\",\"req_id\":{id}{:spaces$}}}", "");
    masked(NO_MASK, 0x81, text.as_bytes())
}

fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}

fn trust(gateway: &Gateway, provider: CryptoProvider) -> Arc<ClientConfig> {
    let is_old = provider.cipher_suites.iter().all(|suite| suite.tls13().is_none());
    let versions: &[_] =
        if is_old { &[&rustls::version::TLS12] } else { &[&rustls::version::TLS13] };
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots(&gateway.cert_file))
        .with_no_client_auth();
    Arc::new(config)
}
