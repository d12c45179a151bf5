//! Frames to TLS records in memory: TLS 1.3, AES-128-GCM, on aws-lc.
//!
//! `seal` makes the calls of the shard's connection: room for the record, the frames copied behind
//! it as the outbox does, sealed there. `seal-by-rustls` is what was there before, to be read
//! beside it: rustls' buffered connection (the writer's `write_all`, then `write_tls` while it
//! wants). A sink that takes everything stands for the socket.

use std::io::{self, IoSlice, Write};
use std::sync::Arc;

use record::Records;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use crate::case::{Case, Workload, endless};
use crate::fixtures::VARIANTS;

/// Takes everything and keeps the number.
struct Sink(usize);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let count = slices.iter().map(|slice| slice.len()).sum();
        self.0 += count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![cipher_suite::TLS13_AES_128_GCM_SHA256],
        ..aws_lc_rs::default_provider()
    })
}

/// The two sides' settings.
fn configs() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a private key");
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the suite is one of 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("they belong together");
    server.enable_secret_extraction = true;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a certificate");
    let client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the suite is one of 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

fn client(config: Arc<ClientConfig>) -> ClientConnection {
    let name = ServerName::try_from("localhost").expect("a name");
    ClientConnection::new(config, name).expect("a client")
}

/// The server's side of a connection whose handshake is done, as rustls has it.
fn connection() -> ServerConnection {
    let (server, client_config) = configs();
    let mut client = client(client_config);
    let mut server = ServerConnection::new(server).expect("a server");
    while client.is_handshaking() || server.is_handshaking() || server.wants_write() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).expect("memory takes all");
        }
        server.read_tls(&mut wire.as_slice()).expect("memory gives all");
        server.process_new_packets().expect("a good handshake");
        wire.clear();
        while server.wants_write() {
            server.write_tls(&mut wire).expect("memory takes all");
        }
        client.read_tls(&mut wire.as_slice()).expect("memory gives all");
        client.process_new_packets().expect("a good handshake");
    }
    server.set_buffer_limit(None);
    server
}

/// The same as the shard has it.
fn records() -> Records {
    let (server, client_config) = configs();
    let mut client = client(client_config);
    let mut server = UnbufferedServerConnection::new(server).expect("a server");
    let (mut up, mut down) = (Vec::new(), Vec::new());
    loop {
        let UnbufferedStatus { discard, state } = server.process_tls_records(&mut up);
        let mut is_blocked = false;
        match state.expect("a good handshake") {
            ConnectionState::EncodeTlsData(mut data) => {
                if let Err(EncodeError::InsufficientSize(wanted)) = data.encode(&mut []) {
                    let at = down.len();
                    down.resize(at + wanted.required_size, 0);
                    data.encode(&mut down[at..]).expect("there is room");
                }
            }
            ConnectionState::TransmitTlsData(data) => data.done(),
            ConnectionState::WriteTraffic(_) => break,
            _ => is_blocked = true,
        }
        up.drain(..discard);
        if is_blocked {
            client.read_tls(&mut down.as_slice()).expect("memory gives all");
            down.clear();
            client.process_new_packets().expect("a good handshake");
            while client.wants_write() {
                client.write_tls(&mut up).expect("memory takes all");
            }
        }
    }
    Records::take_over(server).expect("the handshake is done")
}

fn frames(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31) as u8).collect()
}

fn sealing(size: usize) -> Box<dyn Case> {
    let (mut records, frames) = (records(), frames(size));
    let mut arena = Vec::with_capacity(2 * record::PLAIN_BYTES_MAX);
    endless(move || {
        arena.clear();
        let begin = records.begin(&mut arena).expect("TLS 1.3 renews its keys");
        arena.extend_from_slice(&frames);
        records.seal(&mut arena, begin);
        std::hint::black_box(&arena).len()
    })
}

fn sealing_by_rustls(size: usize) -> Box<dyn Case> {
    let (mut tls, mut sink, frames) = (connection(), Sink(0), frames(size));
    endless(move || {
        let before = sink.0;
        tls.writer().write_all(&frames).expect("no limit is set");
        while tls.wants_write() {
            tls.write_tls(&mut sink).expect("memory takes all");
        }
        sink.0 - before
    })
}

pub(crate) fn workloads(all: &mut Vec<Workload>) {
    for size in [180, 4096, 16_384] {
        all.push(Workload::new(format!("seal.{size}"), 16 * VARIANTS, move || sealing(size)));
        let by_rustls = move || sealing_by_rustls(size);
        all.push(Workload::new(format!("seal-by-rustls.{size}"), 16 * VARIANTS, by_rustls));
    }
}
