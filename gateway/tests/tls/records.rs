//! Records as they come and go: cut, long, changed, blocked, and with new keys between them.

use std::io::Write;
use std::net::SocketAddr;

use gateway::metrics::CloseReason;
use rustls::crypto::aws_lc_rs::{self, cipher_suite};
use rustls::{AlertDescription, Error};
use socket2::{Domain, Socket, Type};

use super::link::{Link, ping};
use super::rig::Gateway;
use super::websocket::UPGRADE;

#[test]
fn every_suite_is_spoken() {
    let gateway = Gateway::start();
    let known = aws_lc_rs::default_provider().cipher_suites;
    // The certificate is one of ECDSA.
    let spoken = known.iter().filter(|suite| !format!("{suite:?}").contains("RSA"));
    assert_eq!(spoken.clone().count(), 6);
    for suite in spoken {
        let mut link = Link::open(&gateway, Some(*suite));
        assert_eq!(link.tls.negotiated_cipher_suite(), Some(*suite));
        for id in 0..5 {
            link.exchange(id);
        }
    }
}

#[test]
fn a_record_may_come_in_two_pieces_cut_anywhere() {
    let gateway = Gateway::start();
    let mut link = Link::open(&gateway, None);
    link.write_ping(0);
    let length = link.sealed().len();
    // What was sealed to be measured was not sent.
    let mut link = Link::open(&gateway, None);
    for cut in 1..length {
        let before = gateway.shard().tls_bytes_received.value();
        link.write_ping(9);
        let sealed = link.sealed();
        link.socket.write_all(&sealed[..cut]).expect("sent");
        gateway.wait("the first piece is read", |shard| {
            shard.tls_bytes_received.value() >= before + cut as u64
        });
        link.socket.write_all(&sealed[cut..]).expect("sent");
        link.hear_pong(9);
        // All is counted before the next round looks.
        let all = before + sealed.len() as u64;
        gateway.wait("the rest is counted", |shard| shard.tls_bytes_received.value() >= all);
    }
}

#[test]
fn messages_may_be_longer_than_records_and_records_than_reads() {
    let gateway = Gateway::start();
    let mut link = Link::open(&gateway, None);
    link.tls.set_buffer_limit(None);
    for spaces in [1, 8_000, 16_340, 16_341, 16_342, 16_384, 40_000, 65_000] {
        link.tls.writer().write_all(&ping(7, spaces)).expect("no limit is set");
        link.send();
        link.hear_pong(7);
    }
    for id in 0..500 {
        link.write_ping(id);
    }
    link.send();
    for id in 0..500 {
        link.hear_pong(id);
    }
}

#[test]
fn what_follows_the_handshake_at_once_is_not_lost() {
    let gateway = Gateway::start();
    for suite in [cipher_suite::TLS13_AES_128_GCM_SHA256, SUITE_12] {
        for cut in [0, 1, 5, 6, 40, 90, 200] {
            let mut link = Link::new(&gateway, Some(suite));
            while link.tls.is_handshaking() {
                link.send();
                link.read().expect("a good handshake");
            }
            // In TLS 1.3 its Finished is left to say, in one flight with all that follows.
            link.tls.writer().write_all(UPGRADE.as_bytes()).expect("room");
            link.write_ping(1);
            let flight = link.sealed();
            let (first, second) = flight.split_at(cut.min(flight.len()));
            link.socket.write_all(first).expect("sent");
            link.socket.write_all(second).expect("sent");
            link.hear_upgraded();
            link.hear_pong(1);
        }
    }
}

const SUITE_12: rustls::SupportedCipherSuite =
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;

#[test]
fn a_handshake_may_come_byte_by_byte() {
    let gateway = Gateway::start();
    let mut link = Link::new(&gateway, None);
    for byte in link.sealed() {
        link.socket.write_all(&[byte]).expect("sent");
    }
    link.upgrade();
    link.exchange(1);
}

#[test]
fn a_changed_bit_is_answered_by_an_alert_and_the_end() {
    let gateway = Gateway::start();
    for suite in [None, Some(SUITE_12)] {
        let closed = gateway.shard().sessions_closed.of(CloseReason::Tls).value();
        let mut link = Link::open(&gateway, suite);
        link.exchange(1);
        link.write_ping(2);
        let mut sealed = link.sealed();
        let last = sealed.len() - 1;
        sealed[last] ^= 1;
        link.socket.write_all(&sealed).expect("sent");
        let error = loop {
            if let Err(error) = link.read() {
                break error;
            }
        };
        assert_eq!(error, Error::AlertReceived(AlertDescription::BadRecordMac));
        gateway.wait("it is counted", |shard| {
            shard.sessions_closed.of(CloseReason::Tls).value() == closed + 1
        });
    }
}

#[test]
fn keys_are_updated_both_ways_under_data() {
    let gateway = Gateway::start();
    let mut link = Link::open(&gateway, None);
    for id in 0..100 {
        // It asks for ours as well; two pings are under way around it.
        link.write_ping(2 * id);
        link.tls.refresh_traffic_keys().expect("TLS 1.3");
        link.write_ping(2 * id + 1);
        link.send();
        link.hear_pong(2 * id);
        link.hear_pong(2 * id + 1);
    }
    // Nothing else to say: the answer goes all the same.
    let before = gateway.shard().tls_bytes_sent.value();
    link.tls.refresh_traffic_keys().expect("TLS 1.3");
    link.send();
    gateway.wait("the answer", |shard| shard.tls_bytes_sent.value() > before);
    link.exchange(1000);
}

#[test]
fn what_a_full_socket_did_not_take_goes_first_and_whole() {
    const PINGS: u64 = 60_000;
    let gateway = Gateway::start();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("an option");
    let address: SocketAddr = gateway.address;
    socket.connect(&address.into()).expect("connected");
    let mut link = Link::over(socket.into(), &gateway, None);
    link.upgrade();
    link.tls.set_buffer_limit(None);
    let blocked = |shard: &gateway::metrics::ShardMetrics| shard.sends_blocked.value();
    for id in 0..PINGS {
        link.write_ping(id);
        if id % 1000 == 0 {
            // Its answer waits behind what the socket did not take.
            link.tls.refresh_traffic_keys().expect("TLS 1.3");
        }
        if id % 100 == 0 {
            link.send();
        }
    }
    link.send();
    gateway.wait("the socket is full", |shard| blocked(shard) > 0);
    for id in 0..PINGS {
        link.hear_pong(id);
    }
    link.exchange(PINGS);
    assert!(blocked(gateway.shard()) > 0);
}
