//! What a test of a gateway can break, and what a bad client cannot.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Client, ClientBook, DEADLINE, Heard, any_port, run};
use feed_sim::{Generate, ServerOptions, Tls};
use tokio::net::TcpStream;

fn market() -> Generate {
    Generate { symbols: 3, rate: 2_000.0, ..Generate::default() }
}

#[test]
fn a_corrupted_checksum_and_a_skipped_update_happen_once() {
    run(async {
        let sim = market().start(any_port()).await.unwrap();
        let mut client = Client::connect(sim.addr(), "/v2").await;
        client.subscribe_book(10, &["BTC/USD"]).await;
        let mut book = ClientBook::new(10);
        for fault in [true, false] {
            while !book.apply(&client.channel("book").await) {}
            if fault {
                sim.corrupt_next_checksum("BTC/USD");
            } else {
                sim.skip_next_update("BTC/USD");
            }
            let started = Instant::now();
            while book.apply(&client.channel("book").await) {
                assert!(started.elapsed() < DEADLINE, "the fault shows");
            }
            if fault {
                assert!(book.apply(&client.channel("book").await), "only one is wrong");
            }
        }
        drop(client);
        sim.stop();
    });
}

#[test]
fn a_pause_is_silent_and_tcp_lives() {
    run(async {
        let sim = market().start(any_port()).await.unwrap();
        let mut client = Client::connect(sim.addr(), "/v2").await;
        client.subscribe("trade", &["BTC/USD"]).await;
        client.channel("trade").await;
        sim.pause();
        // What was on its way arrives; the market stands still once its count does.
        let mut ticks = sim.ticks();
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if sim.ticks() == ticks {
                break;
            }
            ticks = sim.ticks();
        }
        let mut other = Client::connect(sim.addr(), "/v2").await;
        assert!(other.is_silent(Duration::from_millis(1_200)).await, "not even a status");
        assert_eq!(sim.ticks(), ticks);
        sim.resume();
        while sim.ticks() == ticks {
            client.channel("trade").await;
        }
        drop((client, other));
        let summary = sim.stop();
        assert!(summary.lateness.max_us < 1_000_000, "a pause makes nothing late");
    });
}

#[test]
fn disconnected_clients_are_lost_and_may_return() {
    run(async {
        let sim = market().start(any_port()).await.unwrap();
        let mut client = Client::connect(sim.addr(), "/v2").await;
        client.subscribe("trade", &["BTC/USD"]).await;
        sim.disconnect_all();
        loop {
            match client.hear().await {
                Heard::Text(_) => {}
                heard => {
                    assert_eq!(heard, Heard::Lost);
                    break;
                }
            }
        }
        let mut client = Client::connect(sim.addr(), "/v2").await;
        client.channel("status").await;
        sim.send_raw("{not json");
        client.text_where(|text| text == "{not json").await;
        sim.begin_stop();
        loop {
            match client.hear().await {
                Heard::Text(_) => {}
                heard => {
                    assert_eq!(heard, Heard::Close(1001));
                    break;
                }
            }
        }
    });
}

#[test]
fn a_client_that_does_not_read_is_closed_and_counted_and_others_go_on() {
    run(async {
        let server = ServerOptions { outbox_bytes_max: 256 << 10, ..ServerOptions::default() };
        let sim = Generate { rate: 50_000.0, server, ..market() };
        let sim = sim.start(any_port()).await.unwrap();
        let mut slow = Client::connect(sim.addr(), "/v2").await;
        slow.subscribe_book(25, &["BTC/USD", "ETH/USD", "SOL/USD"]).await;
        let started = Instant::now();
        let mut seen = false;
        while !seen || sim.connections() > 0 {
            seen |= sim.connections() > 0;
            assert!(started.elapsed() < DEADLINE, "the slow one is closed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut client = Client::connect(sim.addr(), "/v2").await;
        client.channel("status").await;
        drop((slow, client));
        assert_eq!(sim.stop().connections_closed_slow, 1);
    });
}

#[test]
fn junk_is_answered_and_changes_nothing() {
    run(async {
        let sim = market().start(any_port()).await.unwrap();
        let mut client = Client::connect(sim.addr(), "/v2").await;
        let mut rng = fastrand::Rng::with_seed(11);
        let pieces =
            ["{", "}", "[", "]", "\"method\"", ":", "\"subscribe\"", ",", "\"params\"", "7"];
        for _ in 0..200 {
            let junk: String = (0..rng.usize(1..12)).map(|_| pieces[rng.usize(..10)]).collect();
            client.say(&junk).await;
            client.text_where(|text| text.contains(r#""success":false"#)).await;
        }
        client.subscribe("trade", &["BTC/USD"]).await;
        client.channel("trade").await;
    });
}

#[test]
fn a_request_in_fragments_is_heard_and_one_without_end_is_not() {
    run(async {
        let sim = market().start(any_port()).await.unwrap();
        let mut client = Client::connect(sim.addr(), "/v2").await;
        client.say_in_fragments(&[r#"{"method""#, r#":"ping","#, r#""req_id":42}"#], true).await;
        client.text_where(|text| text.contains(r#""req_id":42"#)).await;
        let piece = " ".repeat(1 << 18);
        client.say_in_fragments(&[piece.as_str(); 5], false).await;
        while client.hear().await != Heard::Lost {}
    });
}

#[test]
fn a_self_signed_certificate_is_made_once_and_serves_wss() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let tls = Some(Tls::SelfSigned(directory.path().join("tls")));
        let server = ServerOptions { tls, ..ServerOptions::default() };
        let mut certificates = Vec::new();
        for _ in 0..2 {
            let sim = Generate { server: server.clone(), ..market() };
            let sim = sim.start(any_port()).await.unwrap();
            assert!(sim.url().starts_with("wss://127.0.0.1:"));
            let pem = std::fs::read(directory.path().join("tls/cert.pem")).unwrap();
            let stream = trusting(&pem, TcpStream::connect(sim.addr()).await.unwrap()).await;
            let mut client = Client::over(stream, "/v2").await;
            client.channel("status").await;
            client.subscribe("trade", &["BTC/USD"]).await;
            client.channel("trade").await;
            certificates.push(pem);
        }
        assert_eq!(certificates[0], certificates[1]);
    });
}

async fn trusting(pem: &[u8], stream: TcpStream) -> tokio_rustls::client::TlsStream<TcpStream> {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    connector.connect("localhost".try_into().unwrap(), stream).await.unwrap()
}
