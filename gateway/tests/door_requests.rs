//! Requests behind the handshake that are no good upgrades: other protocols, heads of every bad
//! shape.

mod door_support;

use std::io::Write;
use std::time::{Duration, Instant};

use door_support::{Dashboard, HEADERS, Rig};
use gateway::metrics::{HttpStatus, UpgradeRefusal};

/// The status of an answer, to bytes of which some may find the door closed already.
fn status(rig: &Rig, request: &[u8]) -> u16 {
    let mut dashboard: Dashboard = rig.connect();
    // An answer may be given, and the connection closed, before all is sent.
    let _ = dashboard.0.write_all(request).and_then(|()| dashboard.0.flush());
    dashboard.reply(request.starts_with(b"HEAD")).status
}

fn upgrade_with(header: &str) -> String {
    format!("GET /v2 HTTP/1.1\r\n{HEADERS}{header}\r\n")
}

#[test]
fn other_protocols_and_paths_are_refused_each_with_its_status() {
    let rig = Rig::new();
    for (request, expected) in [
        ("GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n", 426),
        ("HEAD /v2 HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        ("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        ("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        ("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        ("GET /latency HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        ("GET //metrics HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        ("GET /v2/../metrics HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        ("CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        ("TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    ] {
        assert_eq!(status(&rig, request.as_bytes()), expected, "{request}");
    }
}

#[test]
fn the_preface_of_http_2_is_the_end_and_is_counted() {
    let rig = Rig::new();
    let mut dashboard = rig.connect();
    dashboard.say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(dashboard.is_closed());
    rig.wait("it is counted", |m| m.door.http_requests.of(HttpStatus::BadRequest).value() == 1);
    rig.wait("the place is free", |m| m.door.arriving.value() == 0);
}

/// Whoever still sends when the answer goes may see a reset in its place: what is sure is the end,
/// and the count.
#[test]
fn heads_beyond_the_limit_are_the_end_and_are_counted_as_431() {
    let rig = Rig::new();
    let many = "X-Many: 1\r\n".repeat(2000);
    let large = format!("X-Large: {}\r\n", "x".repeat(1 << 20));
    for (at, header) in [many, large].into_iter().enumerate() {
        let mut dashboard = rig.connect();
        let _ = dashboard.0.write_all(upgrade_with(&header).as_bytes());
        assert!(dashboard.is_closed());
        rig.wait("it is counted", |m| {
            m.door.http_requests.of(HttpStatus::HeadersTooLarge).value() == at as u64 + 1
        });
    }
    rig.wait("the places are free", |m| m.door.arriving.value() == 0);
    assert!(rig.arrivals.as_ref().is_some_and(crossbeam::channel::Receiver::is_empty));
}

#[test]
fn echoes_for_suites_of_tests_are_served_only_where_they_were_asked_for() {
    let echo = format!("GET /conformance HTTP/1.1\r\n{HEADERS}\r\n");
    let rig = Rig::new();
    assert_eq!(status(&rig, echo.as_bytes()), 404);
    let rig = Rig::with(|door| door.conformance_echo = true);
    assert_eq!(status(&rig, echo.as_bytes()), 101);
    assert!(rig.arrival().is_echo);
    assert_eq!(status(&rig, upgrade_with("").as_bytes()), 101);
    assert!(!rig.arrival().is_echo);
}

#[test]
fn heads_of_bad_shape_are_refused() {
    let rig = Rig::new();
    for (what, header, expected) in [
        ("a folded header", "X-Folded: a\r\n b\r\n", 400),
        ("NUL in a value", "X-Nul: a\0b\r\n", 400),
        ("NUL in a name", "X-N\0l: a\r\n", 400),
        ("a bare CR in a value", "X-Cr: a\rb\r\n", 400),
        ("a space before the colon", "X-Space : a\r\n", 400),
        ("no name", ": a\r\n", 400),
    ] {
        assert_eq!(status(&rig, upgrade_with(header).as_bytes()), expected, "{what}");
    }
    assert!(rig.arrivals.as_ref().is_some_and(crossbeam::channel::Receiver::is_empty));
}

#[test]
fn subprotocols_by_the_thousand_cost_no_time_and_none_is_echoed() {
    let rig = Rig::with(|door| door.header_bytes_max = 1 << 20);
    let header = |entries: usize| {
        let names: Vec<String> = (0..entries).map(|at| format!("p{at}")).collect();
        format!("Sec-WebSocket-Protocol: {}\r\n", names.join(", "))
    };
    let long = format!("Sec-WebSocket-Protocol: {}\r\n", "p".repeat(32 << 10));
    for header in [header(10_000), header(1), long] {
        let mut dashboard = rig.connect();
        let begun = Instant::now();
        dashboard.say(upgrade_with(&header).as_bytes());
        let reply = dashboard.reply(false);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        assert_eq!(reply.status, 101);
        assert_eq!(reply.header("sec-websocket-protocol"), None);
        rig.arrival();
    }
    let token = "Sec-WebSocket-Protocol: bearer.c2VjcmV0LXRva2Vu, unknown\r\n";
    let mut dashboard = rig.connect();
    dashboard.say(upgrade_with(token).as_bytes());
    let reply = dashboard.reply(false);
    assert_eq!(reply.status, 401, "nobody here believes it");
    assert!(!reply.head.contains("c2VjcmV0"), "a token is never said back");
    let rig = Rig::new();
    let long = format!("Sec-WebSocket-Protocol: {}\r\n", "p".repeat(32 << 10));
    let mut dashboard = rig.connect();
    let _ = dashboard.0.write_all(upgrade_with(&long).as_bytes());
    assert!(dashboard.is_closed(), "beyond the limit of a head");
}

#[test]
fn two_lengths_of_one_request_are_refused() {
    let rig = Rig::new();
    for (request, what) in [
        (upgrade_with("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"), "an upgrade"),
        (
            "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n\
             0\r\n\r\n"
                .to_owned(),
            "a page",
        ),
        (
            "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n".into(),
            "two",
        ),
    ] {
        let status = status(&rig, request.as_bytes());
        assert!(matches!(status, 400 | 413), "{what}: {status}");
    }
}

#[test]
fn origins_that_look_alike_are_foreign() {
    let rig = Rig::with(|door| door.origins = vec!["https://desk.example".to_owned()]);
    let foreign = [
        "null",
        "https://desk.example.evil.com",
        "https://evil.com/https://desk.example",
        "https://desk.example:444",
        "http://desk.example",
        "https://desk.example/",
        "https://desk.example\u{2024}com",
        "https://xn--dsk-7na.example",
        "https://127.0.0.1:444",
        "https://127.0.0.1.evil.com",
        "https://127.0.0.1@evil.com",
        "desk.example",
        "*",
        "",
    ];
    for origin in foreign {
        for cookie in ["", "Cookie: session=of-a-victim\r\n"] {
            let request = upgrade_with(&format!("Origin: {origin}\r\n{cookie}"));
            assert_eq!(status(&rig, request.as_bytes()), 403, "{origin} {cookie}");
        }
    }
    let refused = rig.metrics.door.upgrades_refused.of(UpgradeRefusal::Origin).value();
    assert_eq!(refused, 2 * foreign.len() as u64);
    let listed = upgrade_with("Origin: https://desk.example\r\n");
    assert_eq!(status(&rig, listed.as_bytes()), 101);
}

#[test]
fn who_states_no_origin_is_let_in_unless_one_is_required() {
    let bare = upgrade_with("");
    assert_eq!(status(&Rig::new(), bare.as_bytes()), 101);
    let rig = Rig::with(|door| door.origin_required = true);
    let reply = rig.ask(&bare);
    assert_eq!(reply.status, 403);
    assert!(String::from_utf8_lossy(&reply.body).contains("Origin"), "{reply:?}");
    let own = upgrade_with("Origin: https://127.0.0.1\r\n");
    assert_eq!(status(&rig, own.as_bytes()), 101);
    assert_eq!(rig.get("/0/public/Time").status, 200, "of an upgrade alone it is asked");
    assert_eq!(rig.metrics.door.upgrades_refused.of(UpgradeRefusal::Origin).value(), 1);
}

#[test]
fn a_version_of_ours_that_is_not_spoken_is_refused_in_words_and_what_is_not_ours_is_not_echoed() {
    let rig = Rig::new();
    let offered =
        |names: &str| rig.ask(&upgrade_with(&format!("Sec-WebSocket-Protocol: {names}\r\n")));
    for names in ["market.v1", "market.v3, bearer.c2VjcmV0", "MARKET.V9"] {
        let reply = offered(names);
        assert_eq!(reply.status, 400, "{names}");
        let words = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(words.contains("market.v2") && !words.contains("c2VjcmV0"), "{words}");
    }
    assert_eq!(rig.metrics.door.upgrades_refused.of(UpgradeRefusal::Subprotocol).value(), 3);
    let reply = offered("market.v3, market.v2");
    assert_eq!((reply.status, reply.header("sec-websocket-protocol")), (101, Some("market.v2")));
    let reply = offered("graphql-ws");
    assert_eq!((reply.status, reply.header("sec-websocket-protocol")), (101, None));

    let reply = rig.ask(&format!("GET /v3 HTTP/1.1\r\n{HEADERS}\r\n"));
    assert_eq!(reply.status, 404);
    assert!(String::from_utf8_lossy(&reply.body).contains("/v2"), "{reply:?}");
    assert_eq!(rig.metrics.door.upgrades_refused.of(UpgradeRefusal::Path).value(), 1);
}
