//! Broken frames, floods, and what comes behind a close.

use std::time::{Duration, Instant};

use gateway::metrics::CloseReason;
use wire::close::CloseCode;

use super::hiccups::Hiccups;
use super::peer::{Peer, frame, text};
use super::rig::Gateway;

type Leave = fn(&mut Peer);

const PING: &str = r#"{"method":"ping","req_id":7}"#;

/// What breaks which rule, and the code that says so.
fn broken() -> Vec<(&'static str, Vec<u8>, u16)> {
    let head = |first: u8, second: u8, rest: &[u8]| [&[first, second], rest].concat();
    let mut unmasked = frame(0x81, b"");
    unmasked[1] = 0;
    let pieces = |count: usize| {
        let more = frame(0x00, b"").repeat(count);
        [frame(0x01, b""), more].concat()
    };
    vec![
        ("unmasked", unmasked, 1002),
        ("RSV1", frame(0xc1, b"x"), 1002),
        ("RSV2", frame(0xa1, b"x"), 1002),
        ("RSV3", frame(0x91, b"x"), 1002),
        ("reserved opcode 3", frame(0x83, b""), 1002),
        ("reserved opcode 11", frame(0x8b, b""), 1002),
        ("16-bit length of 5", head(0x81, 0xfe, &[0, 5, 0, 0, 0, 0]), 1002),
        ("64-bit length of 5", head(0x81, 0xff, &[0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0]), 1002),
        ("a ping of 126 bytes", frame(0x89, &[b'x'; 126]), 1002),
        ("a ping in fragments", frame(0x09, b""), 1002),
        ("continuation of nothing", frame(0x80, b""), 1002),
        ("a text within a text", [frame(0x01, b"a"), frame(0x81, b"b")].concat(), 1002),
        ("a close of one byte", frame(0x88, &[3]), 1002),
        ("close code 1005", frame(0x88, &1005_u16.to_be_bytes()), 1002),
        ("close code 999", frame(0x88, &999_u16.to_be_bytes()), 1002),
        ("close code 5000", frame(0x88, &5000_u16.to_be_bytes()), 1002),
        ("a close reason that is no UTF-8", frame(0x88, &[3, 0xe8, 0xff]), 1007),
        ("a text that is no UTF-8", frame(0x81, b"\xc0\x80"), 1007),
        ("a surrogate", frame(0x81, b"\xed\xa0\x80"), 1007),
        (
            "a code point cut by the end",
            [frame(0x01, b"\xe2\x82"), frame(0x80, b"")].concat(),
            1007,
        ),
        ("a binary message", frame(0x82, b"x"), 1003),
        (
            "a length of 2^63-1",
            head(0x81, 0xff, &[0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0]),
            1009,
        ),
        (
            "one byte more than the limit",
            head(0x81, 0xff, &[0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0]),
            1009,
        ),
        (
            "fragments that pass the limit together",
            [frame(0x01, &[b'x'; 60_000]), frame(0x00, &[b'x'; 6000])].concat(),
            1009,
        ),
        ("endless empty fragments", pieces(1024), 1008),
    ]
}

/// The dashboard goes on sending, and still reads why it was closed: the connection ends in order.
#[test]
fn a_broken_rule_is_told_by_its_code_although_more_bytes_come() {
    let gateway = Gateway::start();
    for (what, bytes, code) in broken() {
        let mut peer = Peer::open(&gateway);
        peer.say(&[bytes, vec![b'z'; 200_000]].concat());
        assert_eq!(peer.close_code(), code, "{what}");
        assert_eq!(peer.next(), None, "{what}: the close is the last word");
    }
    gateway.wait("all are gone", |shard| shard.sessions.value() == 0);
    let broken = CloseReason::Code(CloseCode::ProtocolError);
    assert_eq!(gateway.shard().sessions_closed.of(broken).value(), 16);
}

#[test]
fn who_broke_a_rule_hears_the_end_of_tcp_with_the_close_and_is_gone_when_he_leaves() {
    let gateway = Gateway::start();
    let mut peer = Peer::open(&gateway);
    let begun = Instant::now();
    peer.say(&frame(0x83, b""));
    assert_eq!(peer.close_code(), 1002);
    assert_eq!(peer.next(), None);
    assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
    drop(peer);
    gateway.wait("it is gone", |shard| shard.sessions.value() == 0);
    assert!(begun.elapsed() < Duration::from_millis(1900), "{:?}", begun.elapsed());
}

#[test]
fn what_follows_our_close_is_ignored_and_without_an_answer_tcp_ends_after_two_seconds() {
    let gateway = Gateway::with("bad_requests_max = 1\n");
    let mut peer = Peer::open(&gateway);
    peer.say(&text("nonsense").repeat(2));
    assert_eq!(peer.close_code(), 4505);
    let begun = Instant::now();
    peer.say(&text(PING).repeat(10));
    assert_eq!(peer.next(), None, "nothing is answered behind the close");
    let waited = begun.elapsed();
    let (least, most) = (Duration::from_millis(1500), Duration::from_secs(4));
    assert!((least..most).contains(&waited), "{waited:?}");
    gateway.wait("it is gone", |shard| shard.sessions.value() == 0);
}

#[test]
fn who_answers_our_close_is_gone_at_once() {
    let gateway = Gateway::with("bad_requests_max = 1\n");
    let mut peer = Peer::open(&gateway);
    peer.say(&text("nonsense").repeat(2));
    assert_eq!(peer.close_code(), 4505);
    let begun = Instant::now();
    peer.say(&frame(0x88, &4505_u16.to_be_bytes()));
    assert_eq!(peer.next(), None);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[test]
fn a_dashboards_close_is_repeated_and_nothing_behind_it_is_heard() {
    let gateway = Gateway::start();
    for code in [1000_u16, 1001, 3000, 4999] {
        let mut peer = Peer::open(&gateway);
        peer.say(&[frame(0x88, &code.to_be_bytes()), text(PING)].concat());
        assert_eq!(peer.close_code(), code);
        peer.lives_on_for();
    }
}

#[test]
fn a_flood_of_pings_is_answered_by_its_latest_and_then_ended() {
    let gateway = Gateway::with("requests_per_second_max = 10\n");
    let mut peer = Peer::open(&gateway);
    let pings: Vec<u8> = (0..190).flat_map(|at| frame(0x89, format!("{at}").as_bytes())).collect();
    peer.say(&pings);
    let mut pongs = 0;
    loop {
        let (first, payload) = peer.next().expect("a frame");
        if first == 0x8a {
            pongs += 1;
            if payload == b"189" {
                break;
            }
        }
    }
    assert!((100..150).contains(&pongs), "{pongs} pongs");
    peer.say(&frame(0x89, b"").repeat(300));
    assert_eq!(peer.close_code(), 4004);

    let mut peer = Peer::open(&gateway);
    peer.say(&frame(0x8a, b"").repeat(300));
    assert_eq!(peer.close_code(), 4004, "pongs nobody asked for are a flood, too");
}

#[test]
fn every_way_to_leave_ends_the_session_within_a_second() {
    use std::net::Shutdown;

    let gateway = Gateway::start();
    let ways: [(&str, Leave); 4] = [
        ("FIN without close_notify", |peer| {
            peer.stream.sock.shutdown(Shutdown::Write).expect("FIN");
        }),
        ("RST", |peer| {
            let linger = Some(Duration::ZERO);
            socket2::SockRef::from(&peer.stream.sock).set_linger(linger).expect("an option");
            peer.stream.sock.shutdown(Shutdown::Both).expect("closed");
        }),
        ("close_notify without FIN", |peer| {
            peer.stream.conn.send_close_notify();
            peer.stream.conn.write_tls(&mut peer.stream.sock).expect("sent");
        }),
        ("data after close_notify", |peer| {
            use std::io::Write;
            peer.stream.conn.send_close_notify();
            peer.stream.conn.write_tls(&mut peer.stream.sock).expect("sent");
            let mut record = vec![0x17, 3, 3, 0, 40];
            record.extend([9; 40]);
            peer.stream.sock.write_all(&record).expect("sent");
        }),
    ];
    let hiccups = Hiccups::start();
    for (what, leave) in ways {
        let mut peer = Peer::open(&gateway);
        gateway.wait("it is there", |shard| shard.sessions.value() == 1);
        let begun = Instant::now();
        leave(&mut peer);
        gateway.wait(what, |shard| shard.sessions.value() == 0);
        let (took, allowed) = (begun.elapsed(), hiccups.allow(Duration::from_secs(1)));
        assert!(took < allowed, "{what}: {took:?} of {allowed:?}");
    }
}
