//! Key updates both ways, under data, and where they are not to be had.

use std::io::{Read, Write};

use rustls::ClientConnection;

use super::{Opened, SUITES, TLS12, TLS13, open, open_more, pair, plain, seal, with_client};
use crate::{Exhausted, Records};

/// One exchange: the client says `bytes`, we say them back.
fn exchange(server: &mut Records, client: &mut ClientConnection, bytes: &[u8]) {
    client.writer().write_all(bytes).expect("room");
    let mut up = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut up).expect("memory takes all");
    }
    let opened = open(server, &up);
    assert_eq!(opened, Opened { data: bytes.to_vec(), is_closed: false, violation: None });
    let mut down = Vec::new();
    seal(server, &opened.data, &mut down);
    client.read_tls(&mut down.as_slice()).expect("memory gives all");
    client.process_new_packets().expect("good records");
    let mut heard = vec![0; bytes.len()];
    client.reader().read_exact(&mut heard).expect("it came back");
    assert_eq!(heard, bytes);
}

#[test]
fn the_peer_may_update_its_key_and_have_ours_updated() {
    for suite in &SUITES[..3] {
        let (mut server, mut client) = with_client(*suite);
        for round in 1..100 {
            client.refresh_traffic_keys().expect("TLS 1.3");
            exchange(&mut server, &mut client, &plain(round));
            assert!(!server.owes_update(), "answered with the first record behind it");
            exchange(&mut server, &mut client, &plain(round));
        }
    }
}

#[test]
fn our_key_is_renewed_before_it_is_worn_out() {
    for suite in &SUITES[..3] {
        let (mut server, mut client) = with_client(*suite);
        server.sealed_max = 3;
        for round in 1..100 {
            exchange(&mut server, &mut client, &plain(round));
            assert!(server.sealer.sequence() <= 3);
        }
    }
    let (server, _) = pair(TLS13);
    assert_eq!(server.sealed_max, 1 << 23, "AES-GCM bears 2^24");
}

#[test]
fn updates_cross_each_other_under_data() {
    let (mut server, mut client) = pair(TLS13);
    (server.sealed_max, client.sealed_max) = (2, 3);
    let (mut at_server, mut at_client) = (Opened::default(), Opened::default());
    let (mut from_server, mut from_client) = (Vec::new(), Vec::new());
    for round in 0..200_u8 {
        let (mut down, mut up) = (Vec::new(), Vec::new());
        seal(&mut server, &[round], &mut down);
        seal(&mut client, &[round, round], &mut up);
        // Each is read only after the other was sealed.
        open_more(&mut client, &down, &mut at_client);
        open_more(&mut server, &up, &mut at_server);
        from_server.push(round);
        from_client.extend([round, round]);
    }
    assert_eq!((at_client.data, at_client.violation), (from_server, None));
    assert_eq!((at_server.data, at_server.violation), (from_client, None));
}

#[test]
fn several_requests_to_a_silent_side_are_answered_once() {
    let (mut server, mut client) = pair(TLS13);
    for _ in 0..5 {
        let asked = super::rules::message(&mut client, crate::content::HANDSHAKE, ASK);
        client.renew_sealing();
        assert_eq!(open(&mut server, &asked).violation, None);
        assert!(server.owes_update());
    }
    let mut out = Vec::new();
    seal(&mut server, b"", &mut out);
    assert!(!server.owes_update());
    assert_eq!(out.len(), 5 + 5 + 1 + 16, "one key update and no data");
    seal(&mut server, b"on", &mut out);
    assert_eq!(open(&mut client, &out).data, b"on");
}

const ASK: &[u8] = &[24, 0, 0, 1, 1];

#[test]
fn a_key_of_tls_1_2_ends_the_connection_when_worn_out() {
    let (mut server, mut client) = pair(TLS12);
    server.sealed_max = 3;
    let mut out = Vec::new();
    seal(&mut server, b"a", &mut out);
    seal(&mut server, b"b", &mut out);
    assert_eq!(open(&mut client, &out).data, b"ab");
    assert_eq!(server.begin(&mut Vec::new()), Err(Exhausted));
}

#[test]
#[expect(clippy::print_stdout, reason = "the sizes are what one wants to see")]
fn what_is_kept_for_each_connection_is_small() {
    use rustls::kernel::KernelConnection;
    use rustls::server::ServerConnectionData;

    use crate::opener::Opener;
    use crate::sealer::Sealer;

    let sizes = [
        ("records", size_of::<Records>(), 224),
        ("sealer", size_of::<Sealer>(), 64),
        ("opener", size_of::<Opener>(), 128),
        ("rustls' keys, boxed", size_of::<KernelConnection<ServerConnectionData>>(), 640),
    ];
    for (what, bytes, bytes_max) in sizes {
        println!("{what}: {bytes} bytes");
        assert!(bytes <= bytes_max, "{what}: {bytes} bytes");
    }
}
