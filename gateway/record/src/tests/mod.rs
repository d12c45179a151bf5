//! The record layer against rustls, and against itself where rustls would never misbehave so.

mod interop;
mod keys;
mod rules;

use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, SupportedCipherSuite,
    SupportedProtocolVersion,
};

use crate::{Event, Input, Records, Violation};

/// All that may be agreed on.
const SUITES: [SupportedCipherSuite; 6] = [
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
];
const TLS13: SupportedCipherSuite = SUITES[0];
const TLS12: SupportedCipherSuite = SUITES[3];

/// One handshake message or alert, or what may follow it, on its way.
macro_rules! step {
    ($tls:expr, $incoming:expr, $outgoing:expr) => {{
        let UnbufferedStatus { discard, state } = $tls.process_tls_records($incoming);
        let is_waiting = match state.expect("a good handshake") {
            ConnectionState::EncodeTlsData(mut data) => {
                let at = $outgoing.len();
                let wanted = match data.encode(&mut []) {
                    Err(EncodeError::InsufficientSize(wanted)) => wanted.required_size,
                    other => panic!("{other:?}"),
                };
                $outgoing.resize(at + wanted, 0);
                data.encode(&mut $outgoing[at..]).expect("there is room");
                false
            }
            ConnectionState::TransmitTlsData(data) => {
                data.done();
                false
            }
            ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_) => true,
            other => panic!("{other:?}"),
        };
        $incoming.drain(..discard);
        is_waiting
    }};
}

fn provider(suite: SupportedCipherSuite) -> Arc<CryptoProvider> {
    let known = aws_lc_rs::default_provider();
    Arc::new(CryptoProvider { cipher_suites: vec![suite], ..known })
}

fn configs(suite: SupportedCipherSuite) -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let versions: [&'static SupportedProtocolVersion; 1] = match suite {
        SupportedCipherSuite::Tls13(_) => [&rustls::version::TLS13],
        SupportedCipherSuite::Tls12(_) => [&rustls::version::TLS12],
    };
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let mut server = ServerConfig::builder_with_provider(provider(suite))
        .with_protocol_versions(&versions)
        .expect("the suite is of that version")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("they belong together");
    server.enable_secret_extraction = true;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a certificate");
    let mut client = ClientConfig::builder_with_provider(provider(suite))
        .with_protocol_versions(&versions)
        .expect("the suite is of that version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.enable_secret_extraction = true;
    (Arc::new(server), Arc::new(client))
}

fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}

/// Our server and a rustls client, the handshake behind them.
fn with_client(suite: SupportedCipherSuite) -> (Records, ClientConnection) {
    let (server, client) = configs(suite);
    let mut server = UnbufferedServerConnection::new(server).expect("a server");
    let mut client = ClientConnection::new(client, name()).expect("a client");
    let (mut up, mut down) = (Vec::new(), Vec::new());
    loop {
        while client.wants_write() {
            client.write_tls(&mut up).expect("memory takes all");
        }
        let is_quiet = up.is_empty();
        while !step!(server, &mut up, &mut down) {}
        client.read_tls(&mut down.as_slice()).expect("memory gives all");
        down.clear();
        client.process_new_packets().expect("a good handshake");
        if is_quiet && !client.is_handshaking() {
            return (Records::take_over(server).expect("taken over"), client);
        }
    }
}

/// Our record layer on both ends: server, client.
fn pair(suite: SupportedCipherSuite) -> (Records, Records) {
    let (server, client) = configs(suite);
    let mut server = UnbufferedServerConnection::new(server).expect("a server");
    let mut client = UnbufferedClientConnection::new(client, name()).expect("a client");
    let (mut up, mut down) = (Vec::new(), Vec::new());
    loop {
        while !step!(client, &mut down, &mut up) {}
        let is_quiet = up.is_empty();
        while !step!(server, &mut up, &mut down) {}
        if is_quiet && down.is_empty() {
            break;
        }
    }
    let (secrets, keys) = client.dangerous_into_kernel_connection().expect("taken over");
    let client = Records::new(secrets, keys).expect("known");
    (Records::take_over(server).expect("taken over"), client)
}

fn plain(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 31 % 251) as u8).collect()
}

/// Seals as the shard does, behind what `out` has.
fn seal(records: &mut Records, bytes: &[u8], out: &mut Vec<u8>) {
    let begin = records.begin(out).expect("a fresh key");
    out.extend_from_slice(bytes);
    records.seal(out, begin);
}

/// What came out of some bytes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Opened {
    data: Vec<u8>,
    is_closed: bool,
    violation: Option<Violation>,
}

fn open_more(records: &mut Records, sealed: &[u8], opened: &mut Opened) {
    let mut bytes = sealed.to_vec();
    let mut input = Input::new(&mut bytes);
    loop {
        match records.next(&mut input) {
            Ok(None) => return,
            Ok(Some(Event::Data(data))) => opened.data.extend_from_slice(data),
            Ok(Some(Event::Closed)) => opened.is_closed = true,
            Err(violation) => {
                opened.violation = Some(violation);
                return;
            }
        }
    }
}

fn open(records: &mut Records, sealed: &[u8]) -> Opened {
    let mut opened = Opened::default();
    open_more(records, sealed, &mut opened);
    opened
}

fn refused(records: &mut Records, sealed: &[u8]) -> Violation {
    open(records, sealed).violation.expect("a violation")
}
