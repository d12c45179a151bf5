//! From request to arrival: who is let in, who is not, and that no byte is lost on the way.

mod door_support;

use std::io::{Read, Write};
use std::sync::atomic::Ordering;

use door_support::{Dashboard, HEADERS, PATIENCE, Rig};
use gateway::metrics::{HttpStatus, UpgradeRefusal};
use gateway::shard::Arrival;
use record::{Event, Input};

fn check(rig: &Rig, request: &str, status: u16) -> door_support::Reply {
    let reply = rig.ask(request);
    assert_eq!(reply.status, status, "{request}\n{}", reply.head);
    assert!(status == 101 || reply.body.len() > 10, "it says why: {request}\n{}", reply.head);
    reply
}

/// Reads `count` plain bytes as a shard would, the early ones first.
fn read_plain(arrival: &mut Arrival, count: usize) -> Vec<u8> {
    let mut plain = std::mem::take(&mut arrival.early);
    arrival.socket.set_nonblocking(false).expect("blocking");
    arrival.socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut buffer = [0; 1000];
    while plain.len() < count {
        let bytes = arrival.socket.read(&mut buffer).expect("bytes");
        let mut input = Input::new(&mut buffer[..bytes]);
        while let Some(event) = arrival.records.next(&mut input).expect("records") {
            match event {
                Event::Data(data) => plain.extend_from_slice(data),
                Event::Closed => return plain,
            }
        }
    }
    plain
}

fn write_plain(arrival: &mut Arrival, bytes: &[u8]) {
    let mut sealed = Vec::new();
    let begin = arrival.records.begin(&mut sealed).expect("a fresh key");
    sealed.extend_from_slice(bytes);
    arrival.records.seal(&mut sealed, begin);
    arrival.socket.write_all(&sealed).expect("sent");
}

#[test]
fn bad_upgrades_are_refused_each_with_its_status() {
    let rig = Rig::with(|door| door.origins = vec!["https://desk.example".to_owned()]);
    let upgrade = |line: &str, without: &str, with: &str| {
        let kept: String = HEADERS
            .split_inclusive("\r\n")
            .filter(|header| without.is_empty() || !header.starts_with(without))
            .collect();
        format!("{line}\r\n{kept}{with}\r\n")
    };
    let get = "GET /v2 HTTP/1.1";
    let reply = check(&rig, &upgrade("POST /v2 HTTP/1.1", "", ""), 405);
    assert_eq!(reply.header("allow"), Some("GET"));
    check(&rig, &upgrade("GET /v2 HTTP/1.0", "", ""), 400);
    check(&rig, &upgrade(get, "Connection", ""), 400);
    check(&rig, &upgrade(get, "Connection", "Connection: keep-alive\r\n"), 400);
    check(&rig, &upgrade(get, "Upgrade", "Upgrade: h2c\r\n"), 400);
    let reply = check(&rig, &upgrade(get, "Upgrade", ""), 426);
    assert_eq!(reply.header("upgrade"), Some("websocket"));
    let reply = check(&rig, &upgrade(get, "Sec-WebSocket-Version", ""), 426);
    assert_eq!(reply.header("sec-websocket-version"), Some("13"));
    check(&rig, &upgrade(get, "Sec-WebSocket-V", "Sec-WebSocket-Version: 8\r\n"), 426);
    check(&rig, &upgrade(get, "Sec-WebSocket-K", ""), 400);
    check(&rig, &upgrade(get, "Sec-WebSocket-K", "Sec-WebSocket-Key: short\r\n"), 400);
    let second_key = "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n";
    check(&rig, &upgrade(get, "", second_key), 400);
    check(&rig, &upgrade(get, "", "Content-Length: 0\r\n"), 400);
    check(&rig, &upgrade(get, "", "Transfer-Encoding: chunked\r\n"), 400);
    check(&rig, &upgrade(get, "Host", ""), 400);
    check(&rig, &upgrade(get, "", "Origin: https://evil.example\r\n"), 403);
    check(&rig, &upgrade(get, "", "Origin: http://127.0.0.1\r\n"), 403);
    check(&rig, &upgrade("GET /v1 HTTP/1.1", "", ""), 404);
    let refused = |reason| rig.metrics.door.upgrades_refused.of(reason).value();
    assert_eq!(refused(UpgradeRefusal::Origin), 2);
    assert_eq!(refused(UpgradeRefusal::Key), 3);
    assert_eq!(refused(UpgradeRefusal::Method), 1);
    assert!(rig.arrivals.as_ref().is_some_and(crossbeam::channel::Receiver::is_empty));
}

#[test]
fn good_upgrades_are_answered_and_handed_over() {
    let rig = Rig::with(|door| door.origins = vec!["https://desk.example".to_owned()]);
    for (path, with) in [
        ("/v2", ""),
        ("/", ""),
        ("/", "Upgrade: h2c\r\n"),
        ("/v2?from=here", ""),
        ("/v2", "Origin: https://127.0.0.1\r\n"),
        ("/v2", "Origin: https://desk.example\r\n"),
        ("/v2", "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: v9\r\n"),
    ] {
        let mut dashboard = rig.connect();
        dashboard.say(format!("GET {path} HTTP/1.1\r\n{HEADERS}{with}\r\n").as_bytes());
        let reply = dashboard.reply(false);
        assert_eq!(reply.status, 101, "{path} {with}");
        // The example of RFC 6455, section 1.3.
        let accept = reply.header("sec-websocket-accept");
        assert_eq!(accept, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(reply.header("sec-websocket-extensions"), None);
        assert_eq!(reply.header("sec-websocket-protocol"), None);
        let mut arrival = rig.arrival();
        assert_eq!(arrival.peer, dashboard.0.sock.local_addr().expect("an address"));
        assert!(arrival.socket.nodelay().expect("an option"));
        assert_eq!(dashboard.0.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        talk(&mut dashboard, &mut arrival);
    }
    rig.wait("all are counted", |m| m.door.handed_over.value() == 7);
    let switched = rig.metrics.door.http_requests.of(HttpStatus::SwitchingProtocols);
    assert_eq!(switched.value(), 7);
    rig.wait("every slot is given back", |m| m.door.arriving.value() == 0);
}

/// Both directions work on the bare parts.
fn talk(dashboard: &mut Dashboard, arrival: &mut Arrival) {
    dashboard.say(b"hello shard");
    assert_eq!(read_plain(arrival, 11), b"hello shard");
    write_plain(arrival, b"hello dashboard");
    let mut heard = [0; 15];
    dashboard.0.read_exact(&mut heard).expect("heard");
    assert_eq!(&heard, b"hello dashboard");
}

#[test]
fn the_arriving_socket_does_not_block() {
    let rig = Rig::new();
    let mut dashboard = rig.connect();
    dashboard.say(format!("GET /v2 HTTP/1.1\r\n{HEADERS}\r\n").as_bytes());
    let arrival = rig.arrival();
    let mut byte = [0];
    let error = (&arrival.socket).read(&mut byte).expect_err("nothing to read");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn bytes_sent_with_the_request_arrive_with_it() {
    let rig = Rig::new();
    for size in [1, 11, 5_000, 40_000] {
        let mut dashboard = rig.connect();
        let early: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
        let mut bytes = format!("GET /v2 HTTP/1.1\r\n{HEADERS}\r\n").into_bytes();
        bytes.extend_from_slice(&early);
        dashboard.say(&bytes);
        assert_eq!(dashboard.reply(false).status, 101);
        let mut arrival = rig.arrival();
        assert!(!arrival.early.is_empty());
        assert!(read_plain(&mut arrival, size) == early, "{size} bytes");
    }
}

#[test]
fn a_full_gateway_says_503_and_when_to_come_back() {
    let rig = Rig::with_mailbox(2, |door| door.sessions_max = 3);
    let request = format!("GET /v2 HTTP/1.1\r\n{HEADERS}\r\n");
    let mut inside = Vec::new();
    for waiting in 1..=2 {
        let mut dashboard = rig.connect();
        dashboard.say(request.as_bytes());
        assert_eq!(dashboard.reply(false).status, 101);
        rig.wait("handed over", |m| m.door.handed_over.value() == waiting);
        inside.push(dashboard);
    }
    let reply = check(&rig, &request, 503);
    assert_eq!(reply.header("retry-after"), Some("5"));
    let refused = |reason| rig.metrics.door.upgrades_refused.of(reason).value();
    assert_eq!(refused(UpgradeRefusal::MailboxFull), 1);

    drop((rig.arrival(), rig.arrival()));
    rig.sessions.store(3, Ordering::Relaxed);
    check(&rig, &request, 503);
    assert_eq!(refused(UpgradeRefusal::SessionLimit), 1);

    rig.sessions.store(2, Ordering::Relaxed);
    check(&rig, &request, 101);
}

#[test]
fn whoever_comes_while_the_shards_are_busy_waits_for_a_place_and_none_is_promised_twice() {
    let rig = Rig::with_mailbox(2, |door| door.mailbox_wait = PATIENCE);
    let mut dashboards: Vec<_> = (0..8).map(|_| rig.connect()).collect();
    for dashboard in &mut dashboards {
        dashboard.say(format!("GET /v2 HTTP/1.1\r\n{HEADERS}\r\n").as_bytes());
    }
    // One of those who wait leaves: it keeps nobody's place.
    drop(dashboards.pop());
    rig.wait("two are in", |m| m.door.handed_over.value() == 2);
    let mut count = 0;
    while count < dashboards.len() {
        let arrivals = rig.arrivals.as_ref().expect("the shard is there");
        assert!(arrivals.len() <= 2);
        drop(rig.arrival());
        count += 1;
        assert_eq!(rig.metrics.door.upgrades_refused.total(), 0);
    }
    for mut dashboard in dashboards {
        assert_eq!(dashboard.reply(false).status, 101);
    }
}

#[test]
fn who_was_let_in_and_finds_no_shard_is_told_to_come_back() {
    let mut rig = Rig::new();
    rig.arrivals = None;
    let mut dashboard = rig.connect();
    dashboard.say(format!("GET /v2 HTTP/1.1\r\n{HEADERS}\r\n").as_bytes());
    assert_eq!(dashboard.reply(false).status, 101);
    let mut heard = Vec::new();
    dashboard.0.read_to_end(&mut heard).expect("an orderly end");
    assert_eq!(heard[..4], [0x88, heard.len() as u8 - 2, 0x03, 0xf5], "1013");
    let refused = rig.metrics.door.upgrades_refused.of(UpgradeRefusal::MailboxFull);
    assert_eq!(refused.value(), 1);
}

#[test]
fn a_client_nobody_here_wrote_upgrades() {
    use http_body_util::Empty;
    use hyper::body::Bytes;

    struct Spawn;
    impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawn {
        fn execute(&self, task: F) {
            tokio::spawn(task);
        }
    }

    let rig = Rig::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("one");
    runtime.block_on(async {
        let socket = tokio::net::TcpStream::connect(rig.address).await.expect("connected");
        let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::clone(&rig.tls));
        let tls = connector.connect(name, socket).await.expect("TLS");
        let request = hyper::Request::get("/v2")
            .header("Host", "localhost")
            .header("Upgrade", "websocket")
            .header("Connection", "upgrade")
            .header("Sec-WebSocket-Key", fastwebsockets::handshake::generate_key())
            .header("Sec-WebSocket-Version", "13")
            .body(Empty::<Bytes>::new())
            .expect("a request");
        let (mut socket, _) =
            fastwebsockets::handshake::client(&Spawn, request, tls).await.expect("upgraded");
        let frame = fastwebsockets::Frame::text(b"hello"[..].into());
        socket.write_frame(frame).await.expect("sent");
        let mut arrival = rig.arrival();
        let bytes = read_plain(&mut arrival, 11);
        assert_eq!(bytes[..2], [0x81, 0x85]);
    });
}
