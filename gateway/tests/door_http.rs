//! Page, REST, limits and deadlines, over real sockets.

mod door_support;
#[path = "support/hiccups.rs"]
mod hiccups;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use door_support::{Dashboard, HEADERS, PATIENCE, Rig, settings};
use gateway::catalogue::{FeedStatus, Listing};
use gateway::config;
use gateway::door::{Door, DoorError};
use gateway::metrics::{ArrivalRefusal, HandshakeFailure, HttpStatus};
use hiccups::Hiccups;
use market::{Instrument, Price, Size, Trading};
use rustls::HandshakeKind;
use socket2::{Domain, Socket, Type};

const SHORT: Duration = Duration::from_millis(150);

fn listing() -> Listing {
    let instrument = Instrument {
        symbol: "BTC/USD".into(),
        venue: "kraken".into(),
        venue_symbol: "BTC/USD".into(),
        base: "BTC".into(),
        quote: "USD".into(),
        price_precision: 1,
        size_precision: 8,
        price_increment: Price(1),
        size_increment: Size(1),
        size_min: Size(5_000),
        book_levels_max: 1000,
        trading: Trading::Online,
    };
    let feed = FeedStatus { name: "kraken".into(), live: true, ..FeedStatus::default() };
    Listing { instruments: vec![instrument], feeds: vec![feed] }
}

/// Milliseconds until the door closes a connection on which nothing more is said.
fn closed_after(mut socket: impl Read) -> Duration {
    let start = Instant::now();
    let mut rest = Vec::new();
    let ended = socket.read_to_end(&mut rest);
    let timed_out = ended.is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock);
    assert!(!timed_out, "still open after {PATIENCE:?}");
    start.elapsed()
}

fn plain(rig: &Rig) -> TcpStream {
    let socket = TcpStream::connect(rig.address).expect("connected");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    socket
}

#[test]
fn the_rest_answers_follow_the_catalogue() {
    let rig = Rig::new();
    let empty = rig.get("/0/public/AssetPairs").json();
    assert_eq!(empty["result"], serde_json::json!({}));
    rig.catalogue.publish(listing());
    let reply = rig.get("/0/public/AssetPairs");
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    let pair = &reply.json()["result"]["BTCUSD"];
    assert_eq!((pair["pair_decimals"].as_u64(), pair["lot_decimals"].as_u64()), (Some(1), Some(8)));
    assert_eq!(pair["ordermin"], "0.00005000");
    let one = rig.get("/0/public/AssetPairs?pair=BTC%2FUSD").json();
    assert_eq!(one["result"]["BTC/USD"]["wsname"], "BTC/USD");
    assert_eq!(rig.get("/0/public/Assets").json()["result"]["USD"]["decimals"], 1);
    assert_eq!(rig.get("/0/public/SystemStatus").json()["result"]["status"], "online");
    assert!(rig.get("/0/public/Time").json()["result"]["unixtime"].as_u64() > Some(1_700_000_000));
    assert_eq!(rig.get("/0/public/Ticker").status, 404);
}

#[test]
fn files_are_served_with_their_type_and_policy() {
    let rig = Rig::new();
    let reply = rig.get("/decimal.js");
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("text/javascript; charset=utf-8"))
    );
    assert!(
        reply.header("content-security-policy").is_some_and(|p| p.contains("default-src 'self'"))
    );
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.header("cache-control"), Some("no-cache"));
    assert!(!reply.body.is_empty());
    let tag = reply.header("etag").expect("a tag");
    let again = format!("GET /decimal.js HTTP/1.1\r\nHost: x\r\nIf-None-Match: {tag}\r\n\r\n");
    let again = rig.ask(&again);
    assert_eq!((again.status, again.header("etag")), (304, Some(tag)));
    let head = rig.ask("HEAD /decimal.js HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(head.header("content-length"), reply.header("content-length"));
    let other = rig.ask("DELETE /decimal.js HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!((other.status, other.header("allow")), (405, Some("GET, HEAD")));
    let body = rig.ask("GET /decimal.js HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(body.status, 413);
    assert_eq!(rig.get("/package.json").status, 404);
    assert_eq!(rig.get("/../Cargo.toml").status, 404);
}

#[test]
fn one_connection_serves_many_requests() {
    let rig = Rig::new();
    let mut dashboard = rig.connect();
    for _ in 0..5 {
        dashboard.say(b"GET /0/public/Time HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(dashboard.reply(false).status, 200);
    }
    assert_eq!(rig.metrics.door.accepted.value(), 1);
    assert_eq!(rig.metrics.door.http_requests.of(HttpStatus::Ok).value(), 5);
}

#[test]
fn a_silent_connection_is_closed_at_the_handshake_deadline() {
    let rig = Rig::with(|door| door.handshake_timeout = SHORT);
    let silent = plain(&rig);
    assert!(closed_after(&silent) >= SHORT / 2);
    let mut dribbling = plain(&rig);
    dribbling.write_all(b"\x16\x03\x01").expect("sent");
    closed_after(&dribbling);
    rig.wait("both counted", |m| {
        m.door.handshake_failures.of(HandshakeFailure::Timeout).value() == 2
    });
}

#[test]
fn what_is_not_tls_is_counted_as_such() {
    let rig = Rig::new();
    let mut socket = plain(&rig);
    socket.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
    closed_after(&socket);
    drop(plain(&rig));
    let failures = |m: &gateway::metrics::Metrics, kind| m.door.handshake_failures.of(kind).value();
    rig.wait("both counted", |m| {
        failures(m, HandshakeFailure::PlainHttp) == 1 && failures(m, HandshakeFailure::Closed) == 1
    });
}

#[test]
fn a_slow_request_head_and_an_idle_connection_are_closed_at_the_header_deadline() {
    let rig = Rig::with(|door| door.header_timeout = SHORT);
    let mut silent = rig.connect();
    silent.0.conn.complete_io(&mut silent.0.sock).expect("TLS");
    assert!(silent.is_closed());
    let mut slow = rig.connect();
    slow.say(b"GET / HTTP/1.1\r\nHo");
    assert!(slow.is_closed());
    let mut idle = rig.connect();
    idle.say(b"GET /0/public/Time HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(idle.reply(false).status, 200);
    assert!(idle.is_closed());
    let timeouts =
        |m: &gateway::metrics::Metrics| m.door.http_requests.of(HttpStatus::RequestTimeout).value();
    rig.wait("all counted", |m| timeouts(m) >= 1 && m.door.arriving.value() == 0);
}

#[test]
fn a_request_head_too_large_is_refused() {
    let rig = Rig::with(|door| door.header_bytes_max = 1000);
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(2000));
    assert_eq!(rig.ask(&long).status, 431);
    let many = "a: 1\r\n".repeat(70);
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n");
    assert_eq!(rig.ask(&many).status, 431);
    assert_eq!(rig.ask("nonsense\r\n\r\n").status, 400);
    let counted = |m: &gateway::metrics::Metrics, label| m.door.http_requests.of(label).value();
    rig.wait("counted", |m| {
        counted(m, HttpStatus::HeadersTooLarge) == 2 && counted(m, HttpStatus::BadRequest) == 1
    });
}

#[test]
fn more_arrivals_than_allowed_are_closed_at_once() {
    let rig = Rig::with(|door| door.arriving_max = 2);
    let waiting = [plain(&rig), plain(&rig)];
    rig.wait("two arrive", |m| m.door.arriving.value() == 2);
    assert!(closed_after(plain(&rig)) < PATIENCE);
    assert_eq!(rig.metrics.door.arriving_refused.of(ArrivalRefusal::Full).value(), 1);
    drop(waiting);
    rig.wait("the slots are free", |m| m.door.arriving.value() == 0);
    assert_eq!(rig.get("/0/public/Time").status, 200);
}

#[test]
fn a_session_is_resumed_and_the_cheapest_cipher_is_chosen() {
    let rig = Rig::new();
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let mut dashboard = rig.connect();
        dashboard.say(b"GET /0/public/Time HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(dashboard.reply(false).status, 200);
        let tls = &dashboard.0.conn;
        let suite = tls.negotiated_cipher_suite().map(|s| s.suite());
        assert_eq!(suite, Some(rustls::CipherSuite::TLS13_AES_128_GCM_SHA256));
        kinds.push(tls.handshake_kind());
    }
    assert_eq!(kinds, [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)]);
}

#[test]
fn a_dashboard_that_never_reads_its_answers_is_cut() {
    let rig = Rig::with(|door| door.header_timeout = Duration::from_millis(30));
    rig.catalogue.publish(listing());
    let mut dashboard = rig.connect();
    let request = b"GET /0/public/AssetPairs HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
    dashboard.0.sock.set_write_timeout(Some(Duration::from_millis(20))).expect("a time-out");
    // Until the answers fill every buffer on the way, and the door takes no more requests.
    while dashboard.0.write_all(&request).is_ok() {}
    rig.wait("the slot is given back", |m| m.door.arriving.value() == 0);
}

/// A connection on which so many answers, and then a 101, are asked for and none is read.
fn deaf(rig: &Rig, answers: usize) -> Dashboard {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(2048).expect("an option");
    socket.connect(&rig.address.into()).expect("connected");
    let mut dashboard = rig.connect_over(socket.into());
    let before = "GET /0/public/Time HTTP/1.1\r\nHost: x\r\n\r\n".repeat(answers);
    dashboard.say(format!("{before}GET /v2 HTTP/1.1\r\n{HEADERS}\r\n").as_bytes());
    dashboard
}

/// How many answers fill every buffer on the way, so that a 101 cannot go, is found by trying.
#[test]
fn a_101_that_nobody_reads_gives_its_places_back_at_the_header_deadline() {
    const DEADLINE: Duration = Duration::from_secs(1);
    const LOOK: Duration = Duration::from_millis(200);
    const TRIES_MAX: usize = 200;
    let rig = Rig::with(|door| {
        door.header_timeout = DEADLINE;
        door.sessions_max = 1;
        door.sockets.send_buffer_bytes = 4608;
    });
    let switched = || rig.metrics.door.http_requests.of(HttpStatus::SwitchingProtocols).value();
    let (mut answers, mut tries) = (0, 0);
    let (stuck, begun) = loop {
        tries += 1;
        assert!(tries < TRIES_MAX, "no answer is the last that goes; {answers} at the end");
        let (switched_before, handed_before) = (switched(), rig.metrics.door.handed_over.value());
        let begun = Instant::now();
        let dashboard = deaf(&rig, answers);
        while rig.metrics.door.handed_over.value() == handed_before && begun.elapsed() < LOOK {
            std::thread::sleep(Duration::from_millis(1));
        }
        if rig.metrics.door.handed_over.value() > handed_before {
            drop(rig.arrival());
            answers += 1;
        } else if switched() > switched_before {
            break (dashboard, begun);
        } else {
            answers -= 1;
        }
    };
    let hiccups = Hiccups::start();
    let handed_over = rig.metrics.door.handed_over.value();
    let upgrade = format!("GET /v2 HTTP/1.1\r\n{HEADERS}\r\n");
    assert_eq!(rig.ask(&upgrade).status, 503, "the only place is held");
    rig.wait("the place at the door is given back", |m| m.door.arriving.value() == 0);
    let (took, allowed) = (begun.elapsed(), hiccups.allow(DEADLINE + LOOK));
    eprintln!("{answers} answers before it; given back after {took:.2?}");
    assert!(took < allowed, "{took:?} of {allowed:?}");
    assert_eq!(rig.metrics.door.handed_over.value(), handed_over);
    assert_eq!(rig.ask(&upgrade).status, 101, "so is the place of a session");
    drop(stuck);
}

/// Set in the process whose memory is looked at: see the next two.
const MEMORY: &str = "DOOR_TEST_MEMORY";

/// A number of this process, in bytes.
fn status_bytes(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("it is there");
    let kib = line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<u64>();
    kib.expect("a number") * 1024
}

/// The body of the next test, in the process it starts. Both ends lie in this process.
#[test]
fn with_a_hundred_endless_heads() {
    const COUNT: u64 = 100;
    const ENDLESS: usize = 1 << 20;
    /// A head as long as the limit, the TLS of both ends, and what hyper keeps beside it.
    const EACH_BYTES_MAX: u64 = 160 * 1024;
    if std::env::var_os(MEMORY).is_none() {
        return;
    }
    let rig = Rig::with(|door| {
        door.header_bytes_max = 16_384;
        door.crowd.handshakes_per_second_max = 0;
        door.crowd.handshakes_per_address_per_second_max = 0;
    });
    assert_eq!(rig.get("/0/public/Time").status, 200);
    let before = status_bytes("VmRSS");
    let line = b"GET / HTTP/1.1\r\nHost: x\r\nX-Large: ";
    let fields = b"X-Many: 1\r\n".repeat(2000);
    let large = vec![b'x'; ENDLESS];
    let mut held = Vec::new();
    for at in 0..COUNT {
        let mut dashboard = rig.connect();
        // Below the limit, and without an end: it is kept.
        dashboard.say(&[&line[..], &large[..12_000]].concat());
        held.push((at, dashboard));
    }
    for (at, dashboard) in &mut held {
        let more = if at.is_multiple_of(2) { &large } else { &fields };
        // It is closed long before all is sent.
        let _ = dashboard.0.write_all(more).and_then(|()| dashboard.0.flush());
    }
    rig.wait("all are refused", |m| {
        m.door.http_requests.of(HttpStatus::HeadersTooLarge).value() == COUNT
    });
    let each = (status_bytes("VmHWM") - before) / COUNT;
    eprintln!("{each} bytes for each of {COUNT} heads of {ENDLESS} bytes");
    assert!(each < EACH_BYTES_MAX, "{each} bytes each");
}

#[test]
fn endless_heads_cost_memory_up_to_the_limit_of_a_head_and_no_more() {
    let output = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "with_a_hundred_endless_heads", "--nocapture"])
        .env(MEMORY, "1")
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("bytes for each"), "{said}");
    eprintln!("{said}");
}

/// Set in the process that has few file descriptors: see the next two.
const FEW_DESCRIPTORS: &str = "DOOR_TEST_FEW_DESCRIPTORS";

/// The body of the next test, in the process it starts.
#[test]
fn with_few_file_descriptors() {
    if std::env::var_os(FEW_DESCRIPTORS).is_none() {
        return;
    }
    let rig = Rig::new();
    assert_eq!(rig.get("/0/public/Time").status, 200);
    let mut held = Vec::new();
    while let Ok(socket) = TcpStream::connect(rig.address) {
        held.push(socket);
    }
    rig.wait("accept fails", |m| m.door.accept_errors.value() > 0);
    drop(held);
    assert_eq!(rig.get("/0/public/Time").status, 200);
}

#[test]
fn the_door_survives_a_machine_without_file_descriptors() {
    let tests = std::env::current_exe().expect("this program");
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 40 && exec \"$0\" --exact with_few_file_descriptors"])
        .env(FEW_DESCRIPTORS, "1")
        .arg(tests)
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn a_busy_port_is_said_at_start() {
    let rig = Rig::new();
    let dir = tempfile::tempdir().expect("a folder");
    let settings = config::Door { listen: rig.address, ..settings(dir.path()) };
    let error = Door::bind(&settings, None).expect_err("busy");
    assert!(matches!(error, DoorError::Listen { .. }));
    assert!(error.to_string().starts_with(&format!("door.listen {}: ", rig.address)), "{error}");
}
