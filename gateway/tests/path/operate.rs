//! Operators look into a running gateway: sessions, symbols, feeds, and who may ask.

use super::dashboard::Dashboard;
use super::program::{Program, TOKEN};
use super::rig::{PATIENCE, any_port, kraken_feed, wish};
use super::venue::{DEPTH, SYMBOLS, market};
use super::view::End;

#[test]
fn an_operator_finds_a_session_sees_what_it_holds_and_closes_it_alone() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let program = Program::start("", &kraken_feed(simulator.addr(), DEPTH));
    let all = wish(true, DEPTH, &["ticker", "book"], &["*"]);
    let dashboards = [program.dashboard("one", &all), program.dashboard("two", &all)];
    for dashboard in &dashboards {
        dashboard.wait("the market is there", PATIENCE, |view| view.books.len() == SYMBOLS);
    }
    let page = program.get("/sessions?limit=1");
    let first = &page["sessions"][0];
    assert!(first["address"].as_str().is_some_and(|a| a.starts_with("127.0.0.1:")), "{page}");
    let next = page["next"].as_str().expect("there is another page");
    let rest = program.get(&format!("/sessions?from={next}"));
    assert_eq!(rest["sessions"].as_array().map(Vec::len), Some(1), "{rest}");
    assert_ne!(rest["sessions"][0]["id"], first["id"]);

    let name = some_symbol(&dashboards[0]);
    let holders = program.get(&format!("/sessions?symbol={}", name.replace('/', "%2F")));
    assert_eq!(holders["sessions"].as_array().map(Vec::len), Some(2), "{holders}");
    for none in ["/sessions?symbol=NO%2FSUCH", "/sessions?address=10.1.2.3", "/sessions?slow=1"] {
        assert_eq!(program.get(none)["sessions"].as_array().map(Vec::len), Some(0), "{none}");
    }

    let id = first["id"].as_u64().expect("a number");
    let shown = program.get(&format!("/sessions/{id}?limit=5"));
    assert_eq!(shown["subscriptions"], 2 * SYMBOLS, "{shown}");
    assert_eq!(shown["holds"].as_array().map(Vec::len), Some(5), "{shown}");
    assert_eq!((&shown["next"], &shown["holds"][0]["standing"]), (&5.into(), &"current".into()));
    program.wait("latencies of the shard", |program| {
        let shown = program.get(&format!("/sessions/{id}"));
        shown["shard_latency_ns"]["recv_to_sent"]["p99"].as_u64().is_some_and(|p99| p99 > 0)
    });

    let words = r#"{"code": 4504, "reason": "another screen"}"#;
    let (status, kicked) = program.ask("POST", &format!("/sessions/{id}/kick"), words);
    assert_eq!((status, &kicked["kicked"]), (200, &id.into()), "{kicked}");
    let is_closed =
        || dashboards.iter().filter(|d| d.view().end == Some(End::Closed(4504))).count();
    program.wait("one of the two is closed", |_| is_closed() == 1);
    let (status, problem) = program.ask("POST", "/sessions/999/kick", "{}");
    assert_eq!((status, &problem["error"]), (404, &"not_found".into()));
    let (status, problem) = program.ask("POST", &format!("/sessions/{id}/kick"), r#"{"code":7}"#);
    assert_eq!((status, &problem["error"]), (400, &"bad_request".into()), "{problem}");
    program.wait("the other goes on", |program| {
        program.get("/sessions")["sessions"].as_array().map(Vec::len) == Some(1)
    });
}

fn some_symbol(dashboard: &Dashboard) -> String {
    dashboard.view().books.keys().next().expect("a book").clone()
}

#[test]
fn a_symbol_is_shown_as_exact_text_and_feeds_with_the_age_of_their_last_message() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let program = Program::start("", &kraken_feed(simulator.addr(), DEPTH));
    let dashboard = program.dashboard("one", &wish(true, DEPTH, &["book"], &["*"]));
    dashboard.wait("the market is there", PATIENCE, |view| view.books.len() == SYMBOLS);
    let name = some_symbol(&dashboard);
    let path = format!("/symbols/{}?depth=3", name.replace('/', "%2F"));
    let shown = program.get(&path);
    assert_eq!((&shown["symbol"], &shown["state"]), (&name.as_str().into(), &"ok".into()));
    let bids = shown["book"]["bids"].as_array().expect("bids");
    assert_eq!(bids.len(), 3, "{shown}");
    assert!(bids[0]["price"].is_string() && bids[0]["qty"].is_string(), "{shown}");
    assert!(shown["sequences"]["book"].as_u64() > Some(0), "{shown}");
    assert_eq!(program.ask("GET", "/symbols/NO%2FSUCH", "").0, 404);

    let feeds = program.get("/feeds");
    let feed = &feeds["feeds"][0];
    assert_eq!((&feed["feed"], &feed["state"]), (&"venue".into(), &"live".into()));
    assert!(feed["last_message_ms_ago"].as_u64() < Some(5000), "{feeds}");
    assert!(feed["messages"].as_u64() > Some(0), "{feeds}");
    drop(simulator.stop());
    program.wait("the feed is down, and readiness says why", |program| {
        let ready = program.try_get("/readyz").unwrap_or_default();
        program.get("/feeds")["feeds"][0]["state"] == "down"
            && ready.contains(" 503 ")
            && ready.contains("no feed is live; down: venue (")
            && program.try_get("/healthz").is_some_and(|answer| answer.contains(" 200 "))
    });
}

#[test]
fn only_who_shows_the_token_may_ask_and_health_is_for_everybody() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let mut program = Program::start("", &kraken_feed(simulator.addr(), DEPTH));
    for path in ["/sessions", "/feeds", "/log", "/sessions/1", "/symbols/A"] {
        let answer = program.try_get(path).expect("an answer");
        assert!(answer.contains(" 401 ") && answer.contains("www-authenticate"), "{path} {answer}");
    }
    for wrong in [&TOKEN[1..], "", &format!("{TOKEN}x")] {
        let request = format!(
            "POST /drain HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {wrong}\r\n\
             content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
        );
        assert!(program.exchange(&request).expect("an answer").contains(" 401 "));
    }
    for open in ["/healthz", "/readyz", "/metrics", "/latency"] {
        assert!(program.try_get(open).expect("an answer").contains(" 200 "), "{open}");
    }
    let form = format!(
        "POST /drain HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: text/plain\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    assert!(program.exchange(&form).expect("an answer").contains(" 415 "));
    assert_eq!(program.ask("POST", "/sessions", "").0, 405);
    assert!(program.child.try_wait().expect("it can be asked").is_none(), "nothing ended it");
}

#[test]
fn the_command_line_speaks_to_people_and_to_programs() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let program = Program::start("", &kraken_feed(simulator.addr(), DEPTH));
    let dashboard = program.dashboard("one", &wish(true, DEPTH, &["book"], &["*"]));
    dashboard.wait("the market is there", PATIENCE, |view| view.books.len() == SYMBOLS);
    let name = some_symbol(&dashboard);
    let said = |args: &[&str]| {
        let output = program.ctl(args);
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        assert!(!words.contains('\x1b'), "no colour where there is no terminal");
        words
    };
    assert!(said(&["sessions"]).contains("127.0.0.1:"));
    let list: serde_json::Value =
        serde_json::from_str(&said(&["sessions", "--json"])).expect("JSON");
    let id = list["sessions"][0]["id"].to_string();
    assert!(said(&["session", &id]).contains(&name));
    assert!(said(&["symbol", &name]).contains("bid qty"));
    assert!(said(&["feeds"]).contains("venue"));
    assert!(said(&["latency"]).contains("recv_to_sent"));
    assert!(said(&["log"]).contains("info"));
    said(&["log", "debug"]);
    assert!(said(&["log"]).contains("debug"));
    assert_eq!(program.ctl(&["log", "x=y=z"]).status.code(), Some(2));
    assert!(said(&["kick", &id, "--code", "1012"]).contains("1012"));
    assert_eq!(program.ctl(&["session", "999"]).status.code(), Some(4));
    assert_eq!(program.ctl(&["sessions", "--admin", "127.0.0.1:1"]).status.code(), Some(1));
    dashboard.wait("it is closed", PATIENCE, |view| view.end == Some(End::Closed(1012)));
}
