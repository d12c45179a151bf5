//! Tokens that end while a session runs.

use serde_json::{Value, json};

use super::rig::{ALL, Rig};

fn is_notice(kind: &str) -> impl Fn(&Value) -> bool {
    move |text| text["channel"] == "notice" && text["data"][0]["kind"] == kind
}

#[test]
fn a_session_is_told_that_its_token_ends_and_is_closed_when_it_has() {
    let rig = Rig::new("", ALL);
    let bearer = format!("Bearer {}", rig.issuer.token("alice", 3));
    let mut dashboard = rig.knock("/v2", &[("Authorization", &bearer)]).expect("let in");
    let notice = dashboard.until("the notice", is_notice("token_expires"));
    let left = notice["data"][0]["expires_in_s"].as_u64();
    assert!(left.is_some_and(|left| left <= 3), "{notice}");
    let (code, texts) = dashboard.closed();
    assert_eq!(code, 4003);
    assert_eq!(texts.last().expect("words")["x"]["code"], "TOKEN_EXPIRED");
}

#[test]
fn a_fresh_token_carries_a_session_on_without_a_gap() {
    let rig = Rig::new("", ALL);
    let bearer = format!("Bearer {}", rig.issuer.token("alice", 3));
    let mut dashboard = rig.knock("/v2", &[("Authorization", &bearer)]).expect("let in");
    dashboard.subscribe("book", &["BTC/USD"], &json!({"seq": true}));
    // Of another user, and no token at all: refused, and the session goes on.
    for token in [rig.issuer.token("mallory", 3600), "nonsense".to_owned()] {
        dashboard.auth(&token);
        let answer = dashboard.until("a refusal", |text| text["method"] == "auth");
        assert_eq!(answer["x"]["code"], "AUTH_FAILED");
    }
    dashboard.auth(&rig.issuer.token("alice", 3600));
    let (mut last, mut is_fresh, begun) = (None, false, std::time::Instant::now());
    while begun.elapsed().as_secs() < 5 {
        let text = dashboard.text();
        is_fresh |= text["method"] == "auth" && text["success"] == true;
        if text["channel"] == "book" {
            let sequence = text["x"]["seq"].as_u64().expect("a number");
            let first = text["x"]["first_seq"].as_u64().unwrap_or(sequence);
            assert!(last.is_none_or(|last| first == last + 1), "{last:?}, then {first}");
            last = Some(sequence);
        }
    }
    assert!(is_fresh && last.is_some());
}

#[test]
fn a_session_without_credentials_cannot_be_refreshed_into_another() {
    let rig = Rig::new("", ALL);
    let mut dashboard = rig.stranger();
    dashboard.auth(&rig.issuer.token("alice", 3600));
    assert_eq!(dashboard.text()["result"]["user"], "alice");
    dashboard.is_greeted();
    dashboard.auth(&rig.issuer.token("bob", 3600));
    let answer = dashboard.until("an answer", |text| text["method"] == "auth");
    assert_eq!(answer["x"]["code"], "AUTH_FAILED");
}
