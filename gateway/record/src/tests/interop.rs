//! What rustls seals we open, what we seal rustls opens, and golden bytes for what both could get
//! wrong alike.

use std::io::{Read, Write};

use rustls::ClientConnection;
use rustls::crypto::cipher::{AeadKey, Iv};
use rustls::{AlertDescription, ConnectionTrafficSecrets, ProtocolVersion};

use super::{Opened, SUITES, TLS13, open, open_more, pair, plain, seal, with_client};
use crate::PLAIN_BYTES_MAX;
use crate::content;
use crate::sealer::Sealer;

const SIZES: [usize; 9] = [1, 2, 180, 4096, 16_383, 16_384, 16_385, 32_768, 70_001];

fn sealed_by(client: &mut ClientConnection, bytes: &[u8]) -> Vec<u8> {
    client.set_buffer_limit(None);
    client.writer().write_all(bytes).expect("no limit is set");
    flushed(client)
}

fn flushed(client: &mut ClientConnection) -> Vec<u8> {
    let mut sealed = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut sealed).expect("memory takes all");
    }
    sealed
}

fn read_by(client: &mut ClientConnection, mut sealed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !sealed.is_empty() {
        client.read_tls(&mut sealed).expect("memory gives all");
        client.process_new_packets().expect("good records");
        // It ends with "would block" where nothing is left.
        let _ = client.reader().read_to_end(&mut bytes);
    }
    bytes
}

#[test]
fn every_suite_carries_every_size_both_ways() {
    for suite in SUITES {
        let (mut server, mut client) = with_client(suite);
        for size in SIZES {
            let bytes = plain(size);
            let mut sealed = Vec::new();
            seal(&mut server, &bytes, &mut sealed);
            assert!(read_by(&mut client, &sealed) == bytes, "{suite:?}: {size} bytes to it");
            let sealed = sealed_by(&mut client, &bytes);
            let opened = open(&mut server, &sealed);
            assert!(opened.data == bytes, "{suite:?}: {size} bytes from it: {opened:?}");
            assert_eq!(server.held_bytes(), 0, "{suite:?}");
        }
    }
}

#[test]
fn records_cut_at_every_point_are_put_together() {
    for suite in [SUITES[0], SUITES[2], SUITES[3]] {
        let (mut server, mut client) = with_client(suite);
        let whole = [plain(3), plain(40), plain(1)];
        let expected = whole.concat();
        for cut in 0.. {
            let sealed = whole.iter().map(|one| sealed_by(&mut client, one));
            let sealed = sealed.collect::<Vec<_>>().concat();
            let (first, second) = sealed.split_at(cut);
            let mut opened = open(&mut server, first);
            open_more(&mut server, second, &mut opened);
            assert_eq!(opened.data, expected, "{suite:?} cut at {cut}");
            assert_eq!(server.held_bytes(), 0, "{suite:?} cut at {cut}");
            if second.is_empty() {
                break;
            }
        }
        let sealed = sealed_by(&mut client, &plain(100));
        let mut opened = Opened::default();
        for byte in &sealed {
            open_more(&mut server, &[*byte], &mut opened);
        }
        assert_eq!(opened.data, plain(100), "{suite:?} byte by byte");
    }
}

#[test]
fn no_more_is_held_than_came() {
    let (mut server, mut client) = pair(TLS13);
    let mut sealed = Vec::new();
    seal(&mut client, &plain(PLAIN_BYTES_MAX), &mut sealed);
    open(&mut server, &sealed[..6]);
    assert!(server.held_bytes() < 64, "the head declares 16 KiB, six bytes came");
    open(&mut server, &sealed[6..12_000]);
    assert!(server.held_bytes() <= 2 * 12_000);
    let opened = open(&mut server, &sealed[12_000..]);
    assert_eq!(opened.data.len(), PLAIN_BYTES_MAX);
    assert_eq!(server.held_bytes(), 0);
}

#[test]
fn a_close_notify_goes_and_comes() {
    for suite in SUITES {
        let (mut server, mut client) = with_client(suite);
        let mut sealed = Vec::new();
        seal(&mut server, b"last words", &mut sealed);
        server.alert(AlertDescription::CloseNotify, &mut sealed);
        client.read_tls(&mut sealed.as_slice()).expect("memory gives all");
        let state = client.process_new_packets().expect("good records");
        assert!(state.peer_has_closed(), "{suite:?}");
        client.writer().write_all(b"mine").expect("room");
        client.send_close_notify();
        let mut sealed = flushed(&mut client);
        sealed.extend_from_slice(b"whatever comes behind is ignored");
        let opened = open(&mut server, &sealed);
        assert_eq!(opened.data, b"mine", "{suite:?}");
        assert!(opened.is_closed && opened.violation.is_none(), "{suite:?}");
        assert_eq!(server.held_bytes(), 0);
    }
}

#[test]
fn what_stands_before_is_left_alone_and_nothing_costs_nothing() {
    let (mut server, mut client) = pair(TLS13);
    let mut out = b"before".to_vec();
    let begin = server.begin(&mut out).expect("a fresh key");
    assert_eq!(server.seal(&mut out, begin), 0);
    assert_eq!(out, b"before");
    let begin = server.begin(&mut out).expect("a fresh key");
    out.extend_from_slice(&plain(2 * PLAIN_BYTES_MAX + 1));
    assert_eq!(server.seal(&mut out, begin), 3);
    assert!(out.starts_with(b"before"));
    assert_eq!(open(&mut client, &out[6..]).data, plain(2 * PLAIN_BYTES_MAX + 1));
}

/// The second record of a key, as computed by another program (the Python package
/// cryptography on OpenSSL) from key 00 01 .. 1f, IV 20 21 .. 2b and the rules of the RFCs.
#[test]
fn a_sealed_record_is_byte_for_byte_what_the_rfcs_say() {
    check(ProtocolVersion::TLSv1_3, GOLDEN_13);
    check(ProtocolVersion::TLSv1_2, GOLDEN_12);
}

const GOLDEN_13: &str = "1703030017657a95eeb8101e15443310eea6cc133c86aac8ef5092b5";
const GOLDEN_12: &str = "170303001e2425262728292a2a657a95eeb81076eafcf18613d3838067cd2e9b996551";

fn check(version: ProtocolVersion, expected: &str) {
    let secrets = ConnectionTrafficSecrets::Aes256Gcm {
        key: AeadKey::from(std::array::from_fn(|at| at as u8)),
        iv: Iv::from(std::array::from_fn(|at| 0x20 + at as u8)),
    };
    let mut sealer = Sealer::new(version, 1, &secrets).expect("known");
    let mut out = Vec::new();
    let begin = sealer.begin(&mut out);
    out.extend_from_slice(b"golden");
    sealer.seal(content::DATA, &mut out, begin);
    let digits = expected.as_bytes().chunks(2).map(|two| str::from_utf8(two).expect("digits"));
    let expected = digits.map(|two| u8::from_str_radix(two, 16).expect("hexadecimal"));
    assert_eq!(out, expected.collect::<Vec<_>>(), "{version:?}");
}
