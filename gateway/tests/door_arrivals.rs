//! What comes before a good handshake: silence, trickles, floods, what is no TLS, and leaving
//! early.

mod door_support;
#[path = "support/hiccups.rs"]
mod hiccups;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use door_support::{HEADERS, PATIENCE, Rig};
use gateway::config;
use gateway::metrics::{ArrivalRefusal, HandshakeFailure};
use hiccups::Hiccups;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

const SHORT: Duration = Duration::from_millis(300);
/// For others meanwhile, on a busy machine.
const SOON: Duration = Duration::from_secs(3);
const TIME: &[u8] = b"GET /0/public/Time HTTP/1.1\r\nHost: x\r\n\r\n";
const NO_RATE: config::Crowd = config::Crowd {
    arriving_per_address_max: 100_000,
    handshakes_per_second_max: 0,
    handshakes_per_address_per_second_max: 0,
};

/// All that comes until the other side closes.
fn to_the_end(mut socket: impl Read) -> Vec<u8> {
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return heard,
            Ok(count) => heard.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return heard,
            Err(error) => panic!("still open: {error}"),
        }
    }
}

fn failures(rig: &Rig, kind: HandshakeFailure) -> u64 {
    rig.metrics.door.handshake_failures.of(kind).value()
}

fn refused(rig: &Rig, reason: ArrivalRefusal) -> u64 {
    rig.metrics.door.arriving_refused.of(reason).value()
}

/// A `ClientHello` that says these extensions and nothing else.
fn hello(version: u8, extensions: &[u8]) -> Vec<u8> {
    let mut body = vec![3, version];
    body.extend([7; 32]);
    body.extend([0, 0, 4, 0x13, 0x01, 0xc0, 0x2b, 1, 0]);
    if !extensions.is_empty() {
        body.extend(u16::try_from(extensions.len()).expect("short").to_be_bytes());
        body.extend(extensions);
    }
    let mut message = vec![1, 0];
    message.extend(u16::try_from(body.len()).expect("short").to_be_bytes());
    message.extend(body);
    let mut hello = Vec::new();
    for piece in message.chunks(16_000) {
        hello.extend([0x16, 3, 1]);
        hello.extend((piece.len() as u16).to_be_bytes());
        hello.extend(piece);
    }
    hello
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut extension = kind.to_be_bytes().to_vec();
    extension.extend((body.len() as u16).to_be_bytes());
    extension.extend(body);
    extension
}

/// What a good dashboard says first.
fn good_hello(rig: &Rig) -> (ClientConnection, Vec<u8>) {
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let mut tls = ClientConnection::new(Arc::clone(&rig.tls), name).expect("a client");
    let mut hello = Vec::new();
    tls.write_tls(&mut hello).expect("memory takes all");
    (tls, hello)
}

#[test]
fn hundreds_of_silent_connections_are_closed_in_time_and_keep_nobody_out() {
    const SILENT: u64 = 400;
    let rig = Rig::with(|door| {
        door.arriving_max = 1000;
        door.crowd = NO_RATE;
        door.handshake_timeout = SOON;
    });
    let silent: Vec<TcpStream> = (0..SILENT).map(|_| rig.plain_from(2)).collect();
    let begun = Instant::now();
    assert_eq!(rig.get("/0/public/Time").status, 200);
    assert!(begun.elapsed() < SOON, "others waited for the silent ones");
    for socket in &silent {
        assert!(to_the_end(socket).is_empty());
    }
    rig.wait("all are counted", |m| {
        m.door.handshake_failures.of(HandshakeFailure::Timeout).value() == SILENT
            && m.door.arriving.value() == 0
    });
}

#[test]
fn one_address_holds_only_so_many_half_open_connections() {
    let rig = Rig::with(|door| {
        door.crowd = config::Crowd { arriving_per_address_max: 3, ..NO_RATE };
    });
    let held = [2, 2, 2].map(|last| rig.plain_from(last));
    rig.wait("three arrive", |m| m.door.arriving.value() == 3);
    to_the_end(rig.plain_from(2));
    assert_eq!(refused(&rig, ArrivalRefusal::AddressFull), 1);
    assert_eq!(rig.get("/0/public/Time").status, 200, "another address is served");
    drop(held);
    rig.wait("they are gone", |m| m.door.arriving.value() == 0);
    let mut again = rig.connect_over(rig.plain_from(2));
    again.say(TIME);
    assert_eq!(again.reply(false).status, 200);
}

#[test]
fn bytes_that_trickle_do_not_move_the_handshake_deadline() {
    let rig = Rig::with(|door| door.handshake_timeout = SHORT);
    let (_, hello) = good_hello(&rig);
    let mut socket = rig.plain_from(1);
    let begun = Instant::now();
    let mut sent = 0;
    for byte in &hello[..hello.len() - 1] {
        if socket.write_all(&[*byte]).is_err() || begun.elapsed() > 10 * SHORT {
            break;
        }
        sent += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(sent > 2 && sent < hello.len() / 2, "{sent} bytes were taken");
    assert!(begun.elapsed() >= SHORT);
    assert_eq!(failures(&rig, HandshakeFailure::Timeout), 1);
}

#[test]
fn what_is_no_tls_or_too_old_gets_an_alert_and_is_counted_by_kind() {
    let rig = Rig::new();
    let random: Vec<u8> =
        (0..500_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let ssl2 = b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x02\x00\x80\x03\x00\x80";
    let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let cases: [(&[u8], HandshakeFailure); 7] = [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", HandshakeFailure::PlainHttp),
        (http2, HandshakeFailure::PlainHttp),
        (ssl2, HandshakeFailure::NotTls),
        (&random, HandshakeFailure::NotTls),
        (&[0; 100], HandshakeFailure::NotTls),
        (&hello(1, &[]), HandshakeFailure::Version),
        (&hello(2, &[]), HandshakeFailure::Version),
    ];
    for (bytes, kind) in cases {
        let before = failures(&rig, kind);
        let mut socket = rig.plain_from(1);
        socket.write_all(bytes).expect("sent");
        let heard = to_the_end(&socket);
        assert_eq!(heard.first(), Some(&0x15), "{kind:?}: an alert, not {heard:?}");
        rig.wait("it is counted", |m| m.door.handshake_failures.of(kind).value() == before + 1);
    }
}

#[test]
fn a_flood_of_handshakes_is_refused_before_tls_and_leaves_the_others_theirs() {
    let crowd = config::Crowd { handshakes_per_address_per_second_max: 10, ..NO_RATE };
    let rig = Rig::with(|door| door.crowd = crowd);
    let begun = Instant::now();
    let mut served = 0;
    let mut refusals = 0;
    // Full the first time, resumed from then on.
    for _ in 0..60 {
        let mut dashboard = rig.connect_over(rig.plain_from(2));
        match dashboard.0.write_all(TIME).and_then(|()| dashboard.0.flush()) {
            Ok(()) => served += 1,
            Err(_) => refusals += 1,
        }
    }
    let most = 21 + begun.elapsed().as_millis() as u64 / 100;
    assert!((20..=most).contains(&served), "{served} were served, {refusals} refused");
    assert_eq!(refused(&rig, ArrivalRefusal::AddressRate), refusals);
    let all: u64 = [HandshakeFailure::Tls, HandshakeFailure::NotTls, HandshakeFailure::Io]
        .into_iter()
        .map(|kind| failures(&rig, kind))
        .sum();
    assert_eq!(all, 0, "who is refused costs no handshake");
    assert_eq!(rig.get("/0/public/Time").status, 200, "another address is served");
}

#[test]
fn all_together_begin_only_so_many_handshakes_a_second() {
    let crowd = config::Crowd { handshakes_per_second_max: 5, ..NO_RATE };
    let rig = Rig::with(|door| door.crowd = crowd);
    let begun = Instant::now();
    let sockets: Vec<TcpStream> = (0..40).map(|at| rig.plain_from(1 + at % 20)).collect();
    rig.wait("all are judged", |m| m.door.accepted.value() == 40);
    let refusals = refused(&rig, ArrivalRefusal::Rate);
    let paid = begun.elapsed().as_millis() as u64 / 200;
    assert!((29_u64.saturating_sub(paid)..=30).contains(&refusals), "{refusals} were refused");
    assert_eq!(rig.metrics.door.arriving.value(), 40 - refusals);
    drop(sockets);
    let begun = Instant::now();
    loop {
        let mut dashboard = rig.connect();
        if dashboard.0.write_all(TIME).is_ok() && dashboard.0.read(&mut [0]).is_ok_and(|n| n > 0) {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the bucket never fills again");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn odd_names_and_extensions_are_answered_by_a_fatal_alert() {
    let rig = Rig::new();
    let name = |bytes: &[u8]| {
        let mut list = vec![0];
        list.extend((bytes.len() as u16).to_be_bytes());
        list.extend(bytes);
        let mut body = (list.len() as u16).to_be_bytes().to_vec();
        body.extend(list);
        extension(0, &body)
    };
    let supported = extension(43, &[2, 3, 4]);
    let cases = [
        ("an empty name", name(b"")),
        ("a name with a NUL", name(b"a\0b")),
        ("a name of an octet string", name(&[0xff; 300])),
        ("a name with a space", name(b"a b")),
        ("a list cut short", extension(0, &[0, 9, 0])),
        ("the same extension twice", [supported.clone(), supported.clone()].concat()),
        ("no protocol of ours", extension(16, b"\0\x03\x02h2")),
        ("an empty protocol", extension(16, b"\0\x01\0")),
        ("nothing of use in sixty kilobytes", extension(21, &vec![0; 60_000])),
    ];
    for (what, mut extensions) in cases {
        extensions.extend(&supported);
        let mut socket = rig.plain_from(1);
        socket.write_all(&hello(3, &extensions)).expect("sent");
        let heard = to_the_end(&socket);
        assert!(heard.len() == 7 && heard[0] == 0x15 && heard[5] == 2, "{what}: {heard:?}");
    }
    rig.wait("all are counted", |m| m.door.arriving.value() == 0);
}

#[test]
fn only_our_protocol_is_agreed_on_and_any_name_is_served() {
    let rig = Rig::new();
    let with_protocols = |protocols: Vec<Vec<u8>>| {
        let mut config = (*rig.tls).clone();
        config.alpn_protocols = protocols;
        let name = ServerName::try_from("localhost").expect("a name");
        let tls = ClientConnection::new(Arc::new(config), name).expect("a client");
        StreamOwned::new(tls, rig.plain_from(1))
    };
    let mut stream = with_protocols(vec![b"h2".to_vec()]);
    let error = stream.write_all(TIME).and_then(|()| stream.flush()).expect_err("refused");
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
    // Fifty kilobytes of what nobody speaks, in several records, and ours at the end.
    let mut many: Vec<Vec<u8>> = (0..5000).map(|n| format!("no-{n:06}").into_bytes()).collect();
    many.push(b"http/1.1".to_vec());
    let mut stream = with_protocols(many);
    stream.write_all(TIME).expect("sent");
    let mut head = [0; 12];
    stream.read_exact(&mut head).expect("an answer");
    assert_eq!(&head, b"HTTP/1.1 200");
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[test]
fn a_client_hello_in_many_small_records_is_read_and_empty_records_are_not_borne() {
    let rig = Rig::new();
    let (tls, hello) = good_hello(&rig);
    let mut socket = rig.plain_from(1);
    for piece in hello[5..].chunks(16) {
        socket.write_all(&[0x16, 3, 1, 0, piece.len() as u8]).expect("sent");
        socket.write_all(piece).expect("sent");
    }
    let mut stream = StreamOwned::new(tls, socket);
    stream.write_all(TIME).expect("sent");
    let mut head = [0; 12];
    stream.read_exact(&mut head).expect("an answer");
    assert_eq!(&head, b"HTTP/1.1 200");

    let mut socket = rig.plain_from(1);
    // It is closed on the way, so the last of them may find nobody.
    let _ = socket.write_all(&[0x16, 3, 1, 0, 0].repeat(10_000));
    to_the_end(&socket);
    rig.wait("it is counted", |m| m.door.handshake_failures.of(HandshakeFailure::Tls).value() == 1);
}

#[test]
fn every_way_to_leave_frees_the_place_within_a_second() {
    let rig = Rig::new();
    let reset = |socket: &TcpStream| {
        let linger = Some(Duration::ZERO);
        socket2::SockRef::from(socket).set_linger(linger).expect("an option");
    };
    let shaken = || {
        let mut dashboard = rig.connect();
        let (tls, socket) = (&mut dashboard.0.conn, &mut dashboard.0.sock);
        while tls.is_handshaking() {
            tls.complete_io(socket).expect("a handshake");
        }
        dashboard
    };
    let arrive = |count: u64| {
        rig.wait("it arrives", |m| m.door.accepted.value() == count);
        rig.wait("it is let in", |m| m.door.arriving.value() == 1);
    };
    let hiccups = Hiccups::start();
    let gone = |what: &str| {
        let begun = Instant::now();
        rig.wait(what, |m| m.door.arriving.value() == 0);
        let (took, allowed) = (begun.elapsed(), hiccups.allow(Duration::from_secs(1)));
        assert!(took < allowed, "{what}: {took:?} of {allowed:?}");
    };
    let (_, hello) = good_hello(&rig);

    let socket = rig.plain_from(1);
    arrive(1);
    socket.shutdown(Shutdown::Write).expect("FIN");
    gone("FIN before a word");

    let mut socket = rig.plain_from(1);
    socket.write_all(&hello[..20]).expect("sent");
    arrive(2);
    reset(&socket);
    drop(socket);
    gone("RST within the hello");

    let mut socket = rig.plain_from(1);
    socket.write_all(&hello).expect("sent");
    socket.read_exact(&mut [0; 5]).expect("the server's flight");
    arrive(3);
    reset(&socket);
    drop(socket);
    gone("RST within the handshake");

    let dashboard = shaken();
    arrive(4);
    dashboard.0.sock.shutdown(Shutdown::Write).expect("FIN");
    gone("FIN without close_notify");

    let mut dashboard = shaken();
    arrive(5);
    dashboard.0.conn.send_close_notify();
    dashboard.0.conn.complete_io(&mut dashboard.0.sock).expect("sent");
    gone("close_notify without FIN");

    let mut dashboard = shaken();
    arrive(6);
    dashboard.0.conn.send_close_notify();
    let mut last = Vec::new();
    dashboard.0.conn.write_tls(&mut last).expect("memory takes all");
    last.extend([0x17, 3, 3, 0, 40].iter().chain(&[9; 40]));
    dashboard.0.sock.write_all(&last).expect("sent");
    gone("data after close_notify");
}

#[test]
fn a_request_that_trickles_does_not_move_its_deadline() {
    let rig = Rig::with(|door| door.header_timeout = SHORT);
    let mut dashboard = rig.connect();
    let request = format!("GET /v2 HTTP/1.1\r\n{HEADERS}\r\n");
    let begun = Instant::now();
    let mut sent = 0;
    for byte in request.bytes() {
        let is_sent = dashboard.0.write_all(&[byte]).and_then(|()| dashboard.0.flush());
        if is_sent.is_err() || begun.elapsed() > 10 * SHORT {
            break;
        }
        sent += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(sent > 2 && sent < request.len() / 2, "{sent} bytes were taken");
    assert!(begun.elapsed() >= SHORT);
    rig.wait("the place is free", |m| m.door.arriving.value() == 0);
}

/// Where the door listens is where the tests above come from.
#[test]
fn loopback_has_more_than_one_address() {
    let rig = Rig::new();
    let own = rig.plain_from(77).local_addr().expect("an address");
    assert_eq!(own, SocketAddr::from(([127, 0, 0, 77], own.port())));
}
