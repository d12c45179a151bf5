//! The certificate exchanged under a running gateway.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, HandshakeKind, SignatureScheme,
};

use super::program::Program;
use super::rig::{any_port, kraken_feed};
use super::venue::{DEPTH, market};

/// Looks at whatever it is shown.
#[derive(Debug)]
struct Anybody(CryptoProvider);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn client() -> Arc<ClientConfig> {
    let provider = aws_lc_rs::default_provider();
    let config = ClientConfig::builder_with_provider(Arc::new(provider.clone()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    Arc::new(config)
}

/// Makes a handshake and asks for something, so that tickets are read; what was shown, and how.
fn shake_hands(program: &Program, config: &Arc<ClientConfig>) -> (Vec<u8>, HandshakeKind) {
    use std::io::{Read, Write};
    let mut socket = TcpStream::connect(program.door).expect("the door is open");
    let name = ServerName::try_from("localhost").expect("a name");
    let mut tls = ClientConnection::new(Arc::clone(config), name).expect("a client");
    let mut stream = rustls::Stream::new(&mut tls, &mut socket);
    let request = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("the door reads");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).to_ascii_lowercase();
    for header in ["strict-transport-security: max-age=", "nosniff", "frame-ancestors 'none'"] {
        assert!(answer.contains(header), "no {header} in {answer}");
    }
    let shown = tls.peer_certificates().map(|chain| chain[0].to_vec());
    (shown.expect("a certificate"), tls.handshake_kind().expect("it is made"))
}

/// Certificate and key, as PEM.
fn make(until_year: i32) -> (String, String) {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(until_year, 1, 1);
    let key = KeyPair::generate().expect("a key");
    (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
}

fn write(file: &Path, text: &str) {
    std::fs::write(file, text).expect("a file");
}

#[test]
fn a_good_certificate_is_taken_from_the_disk_and_bad_ones_leave_the_old_in_use() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let rest = kraken_feed(simulator.addr(), DEPTH);
    let program = Program::start("cert_watch_ms = 20", &rest);
    let (cert, key) = (program.papers.cert_file.clone(), program.papers.key_file.clone());
    let (first, _) = shake_hands(&program, &client());
    let returning = client();
    shake_hands(&program, &returning);

    let (good, good_key) = make(2090);
    write(&key, &good_key);
    write(&cert, &good);
    program.wait("the new one is shown", |program| shake_hands(program, &client()).0 != first);
    let (second, _) = shake_hands(&program, &client());
    assert_eq!(shake_hands(&program, &returning).1, HandshakeKind::Resumed, "tickets are kept");
    assert!(program.counted("gateway_certificate_expires_seconds") > 86_400 * 365 * 20);

    let refused = "gateway_certificate_reloads_total{outcome=\"refused\"}";
    let mut count = program.counted(refused);
    let (expired, expired_key) = make(2001);
    let (_, foreign_key) = make(2090);
    let bad = [
        (&expired[..], &expired_key[..], "ran out"),
        (&good[..], &foreign_key[..], "door.key_file"),
        (&good[..good.len() / 2], &good_key[..], "door.cert_file"),
        ("", &good_key[..], "holds no certificate"),
    ];
    for (bad_cert, bad_key, words) in bad {
        write(&key, bad_key);
        write(&cert, bad_cert);
        program.wait(words, |program| program.counted(refused) > count);
        let (status, problem) = program.ask("POST", "/reload", "");
        let detail = problem["detail"].as_str().expect("words");
        assert!(status == 409 && detail.contains(words), "{words}: {problem}");
        assert_eq!(shake_hands(&program, &client()).0, second, "{words}");
        count = program.counted(refused);
    }
    write(&key, &good_key);
    write(&cert, &good);
    let (status, report) = program.ask("POST", "/reload", "");
    assert_eq!((status, &report["certificate"]), (200, &"unchanged".into()), "{report}");
}

#[test]
fn tls_1_2_is_spoken_only_where_the_config_says_so() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let rest = kraken_feed(simulator.addr(), DEPTH);
    for (key, is_spoken) in [("", false), ("tls_min = '1.2'", true)] {
        let program = Program::start(key, &rest);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS12])
            .expect("a version")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody((*provider).clone())))
            .with_no_client_auth();
        let mut socket = TcpStream::connect(program.door).expect("the door is open");
        let name = ServerName::try_from("localhost").expect("a name");
        let mut tls = ClientConnection::new(Arc::new(config), name).expect("a client");
        while tls.is_handshaking() && tls.complete_io(&mut socket).is_ok() {}
        assert_eq!(!tls.is_handshaking(), is_spoken, "{key:?}");
    }
}
