//! Frames to TLS records in memory: rustls on aws-lc, TLS 1.3, AES-128-GCM.
//!
//! The calls are those of the shard's connection (the writer's `write_all`, then `write_tls` while
//! it wants), with a sink that takes everything in place of the socket.

use std::io::{self, IoSlice, Write};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite};
use rustls::pki_types::{PrivateKeyDer, ServerName};
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

/// The server's side of a connection whose handshake is done.
fn connection() -> ServerConnection {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a private key");
    let server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the suite is one of 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("they belong together");
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a certificate");
    let client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the suite is one of 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let mut client = ClientConnection::new(Arc::new(client), name).expect("a client");
    let mut server = ServerConnection::new(Arc::new(server)).expect("a server");
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

fn sealing(size: usize) -> Box<dyn Case> {
    let (mut tls, mut sink) = (connection(), Sink(0));
    let frames: Vec<u8> = (0..size).map(|at| (at * 31) as u8).collect();
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
    }
}
