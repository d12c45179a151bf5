//! Each way in, once; and what happens to who does not say who he is.

use std::time::{Duration, Instant};

use serde_json::json;

use super::dashboard::{Dashboard, Heard};
use super::issuer::b64;
use super::rig::{ALL, Rig};

/// A session that is let in is greeted, and gets what it asks for.
fn is_inside(mut dashboard: Dashboard) {
    dashboard.is_greeted();
    let answers = dashboard.subscribe("book", &["BTC/USD"], &json!({}));
    assert_eq!(answers[0]["success"], true, "{answers:?}");
    dashboard.until("a snapshot", |text| text["channel"] == "book" && text["type"] == "snapshot");
}

#[test]
fn a_token_or_a_key_in_the_header_lets_one_in() {
    let rig = Rig::new("", ALL);
    let bearer = format!("Bearer {}", rig.issuer.token("alice", 60 * 60));
    is_inside(rig.knock("/v2", &[("Authorization", &bearer)]).expect("let in"));
    let key = format!("ApiKey {}", rig.key.text().expose());
    is_inside(rig.knock("/v2", &[("Authorization", &key)]).expect("let in"));
    assert_eq!(rig.counted("gateway_door_authenticated_total"), 2);
}

#[test]
fn operators_see_whose_each_session_is_and_find_it_by_its_user() {
    let rig = Rig::new("", ALL);
    let inside = ["bob", "alice"].map(|user| rig.enter(user));
    let stranger = rig.stranger();
    let users = |query: &str| {
        let answer = rig.asked(&format!("/sessions{query}"));
        let sessions = answer["sessions"].as_array().expect("a list");
        let mut users: Vec<_> = sessions.iter().map(|one| one["user"].to_string()).collect();
        users.sort();
        users
    };
    rig.wait("all are there", || users("").len() == 3);
    assert_eq!(users(""), [r#""alice""#, r#""bob""#, "null"]);
    assert_eq!(users("?user=alice"), [r#""alice""#]);
    assert!(users("?user=carol").is_empty());
    drop((inside, stranger));
}

#[test]
fn a_token_beside_the_subprotocol_lets_one_in_and_is_not_echoed() {
    let rig = Rig::new("", ALL);
    let bearer = b64(rig.issuer.token("alice", 3600));
    let offered = format!("market.v2, bearer.{bearer}");
    let dashboard = rig.knock("/v2", &[("Sec-WebSocket-Protocol", &offered)]).expect("let in");
    assert!(dashboard.head.contains("sec-websocket-protocol: market.v2\r\n"), "{}", dashboard.head);
    assert!(!dashboard.head.contains("bearer"));
    is_inside(dashboard);
    let alone = format!("bearer.{bearer}");
    let dashboard = rig.knock("/v2", &[("Sec-WebSocket-Protocol", &alone)]).expect("let in");
    assert!(!dashboard.head.contains("sec-websocket-protocol"));
    is_inside(dashboard);
}

#[test]
fn a_token_in_the_query_counts_only_where_it_is_configured() {
    let rig = Rig::new("query_key = 'token'", ALL);
    let path = format!("/v2?token={}", rig.issuer.token("alice", 3600));
    is_inside(rig.knock(&path, &[]).expect("let in"));
    drop(rig);
    let rig = Rig::new("deadline_ms = 200", ALL);
    let path = format!("/v2?token={}", rig.issuer.token("alice", 3600));
    let (code, _) = rig.knock(&path, &[]).expect("asked inside").closed();
    assert_eq!(code, 4502);
}

#[test]
fn a_client_certificate_lets_one_in() {
    let rig = Rig::new("", ALL);
    let address = rig.running().door_address();
    for _ in 0..2 {
        // The second connection resumes by ticket, which remembers the certificate.
        is_inside(
            Dashboard::knock(address, &rig.tls_with_certificate, "/v2", &[]).expect("let in"),
        );
    }
    let label = "gateway_door_authenticated_total{kind=\"certificate\"}";
    assert_eq!(rig.counted(label), 2);
}

#[test]
fn a_first_message_lets_one_in_and_nothing_is_said_before() {
    let rig = Rig::new("", ALL);
    let mut dashboard = rig.stranger();
    for request in [
        json!({"method": "subscribe", "params": {"channel": "book", "symbol": ["*"]}}),
        json!({"method": "subscribe", "params": {"channel": "instrument"}}),
        json!({"method": "subscribe", "params": {"channel": "heartbeat"}}),
        json!({"method": "list_subscriptions"}),
    ] {
        dashboard.say(&request);
        let answer = dashboard.text();
        assert_eq!(answer["x"]["code"], "AUTH_REQUIRED", "the first that is heard: {answer}");
    }
    dashboard.say(&json!({"method": "ping"}));
    assert_eq!(dashboard.text()["method"], "pong");
    dashboard.auth(&rig.issuer.token("alice", 3600));
    let answer = dashboard.text();
    assert_eq!(
        (&answer["method"], &answer["success"], &answer["req_id"], &answer["result"]["user"]),
        (&json!("auth"), &json!(true), &json!(7), &json!("alice"))
    );
    assert!(answer["result"]["expires_in_s"].as_u64().is_some_and(|left| left <= 3600));
    is_inside(dashboard);
}

#[test]
fn who_says_nothing_hears_no_byte_of_data_and_is_closed_in_time() {
    let rig = Rig::new("deadline_ms = 500", ALL);
    let begun = Instant::now();
    let mut dashboard = rig.stranger();
    let (code, texts) = dashboard.closed();
    let took = begun.elapsed();
    assert_eq!(code, 4502);
    assert!(took >= Duration::from_millis(400) && took < Duration::from_secs(5), "{took:?}");
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert_eq!(texts[0]["x"]["code"], "AUTH_TIMEOUT");
}

#[test]
fn asking_for_data_again_and_again_wins_no_time() {
    let rig = Rig::new("deadline_ms = 500", ALL);
    let mut dashboard = rig.stranger();
    let code = loop {
        dashboard.say(&json!({"method": "list_subscriptions"}));
        match dashboard.next() {
            Heard::Text(text) if text["x"]["code"] == "AUTH_TIMEOUT" => {}
            Heard::Text(text) => assert_eq!(text["x"]["code"], "AUTH_REQUIRED"),
            Heard::Close(code, _) => break code,
            Heard::Other => {}
        }
        std::thread::sleep(Duration::from_millis(30));
    };
    assert_eq!(code, 4502);
}

#[test]
fn an_open_gateway_has_to_say_so_where_others_can_reach_it() {
    let check = |listen: &str, auth: &str| {
        let text = format!(
            "[door]\nlisten = '{listen}'\ncert_file = 'c'\nkey_file = 'k'\n[auth]\n{auth}\n\
             [[ingest.feeds]]\nname = 'f'\ndialect = 'kraken'\nurl = 'ws://127.0.0.1:1/v2'\n\
             symbols = 'all'\n"
        );
        let parsed = gateway::config::parse(&text, std::path::Path::new("/x/g.toml"));
        parsed.map(drop).map_err(|error| error.to_string())
    };
    let said = check("0.0.0.0:1", "").expect_err("refused");
    assert!(said.starts_with("/x/g.toml:5: auth.credentials_file: is missing"), "{said}");
    assert!(check("[::]:1", "").is_err());
    check("0.0.0.0:1", "open = true").expect("it says so");
    check("0.0.0.0:1", "credentials_file = 'c.toml'").expect("it says who");
    check("127.0.0.1:1", "").expect("nobody else gets there");
    let said = check("127.0.0.1:1", "open = true\ncredentials_file = 'c'").expect_err("refused");
    assert!(said.contains("auth.open: contradicts"), "{said}");
}
