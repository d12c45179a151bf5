//! Credentials that are not good: one answer for all, a wait for who goes on, and not a trace of
//! what was presented.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use super::dashboard::Dashboard;
use super::issuer::{Issuer, claims, header, now_s};
use super::rig::{ALL, Rig};

/// Everything that this process logs, at every level.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("whole").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn log() -> &'static Lines {
    static LOG: OnceLock<Lines> = OnceLock::new();
    LOG.get_or_init(|| {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(lines.clone())
            .finish();
        tracing::subscriber::set_global_default(subscriber).expect("the first");
        lines
    })
}

/// Bad texts of all kinds, each with the reason that is counted.
fn bad(rig: &Rig) -> Vec<(String, &'static str)> {
    let sign = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut claims = claims("alice", 3600);
        change(&mut claims);
        rig.issuer.sign(&header(), &claims)
    };
    let good = rig.issuer.token("alice", 3600);
    let unsigned = Issuer::new().sign(&json!({"alg": "none", "kid": "k"}), &claims("alice", 60));
    let (body, _) = good.rsplit_once('.').expect("a signature");
    let key = rig.key.text().expose();
    let wrong_key = format!("{}{}", &key[..key.len() - 4], "0000");
    vec![
        ("no-token".to_owned(), "malformed"),
        (sign(&|claims| claims["exp"] = (now_s() - 5).into()), "expired"),
        (sign(&|claims| claims["nbf"] = (now_s() + 600).into()), "not_yet_valid"),
        (sign(&|claims| claims["aud"] = "elsewhere".into()), "audience"),
        (sign(&|claims| claims["iss"] = "https://evil.test/".into()), "issuer"),
        (unsigned, "algorithm"),
        (Issuer::new().token("alice", 3600), "signature"),
        (format!("{body}."), "signature"),
        (format!("mdg_{}_{}", "0".repeat(16), "0".repeat(64)), "unknown_key"),
        (wrong_key, "wrong_secret"),
        ("x".repeat(9000), "malformed"),
    ]
}

fn is_nowhere_in_the_log(secret: &str) {
    let lines = log().0.lock().expect("whole");
    let text = String::from_utf8_lossy(&lines);
    let part = &secret[secret.len() / 2..secret.len().min(secret.len() / 2 + 40)];
    let line = text.lines().find(|line| line.contains(part));
    assert!(line.is_none(), "{line:?} holds {part}");
}

#[test]
fn whatever_is_wrong_with_credentials_the_answer_is_the_same_and_no_log_has_them() {
    let _ = log();
    let rig = Rig::new("failures_free = 1000\nquery_key = 'token'", ALL);
    let mut replies = Vec::new();
    for (text, reason) in bad(&rig) {
        let label = format!("gateway_door_auth_failures_total{{reason=\"{reason}\"}}");
        let before = rig.counted(&label);
        let bearer = format!("Bearer {text}");
        let reply = rig.knock("/v2", &[("Authorization", &bearer)]).err();
        replies.push(reply.unwrap_or_else(|| panic!("{reason} was let in")));
        assert_eq!(rig.counted(&label), before + 1, "{reason}: {text}");
        replies.extend(rig.knock(&format!("/v2?token={text}"), &[]).err());
    }
    let twice = [("Authorization", "Bearer a"), ("Authorization", "Bearer b")];
    replies.extend(rig.knock("/v2", &twice).err());
    assert_eq!(replies[0].status, 401);
    assert_eq!(replies.len(), 2 * bad(&rig).len() + 1);
    for reply in &replies {
        assert_eq!(reply, &replies[0]);
    }
    for (text, _) in bad(&rig).iter().filter(|(text, _)| text.len() > 40) {
        is_nowhere_in_the_log(text);
    }
    assert!(!log().0.lock().expect("whole").is_empty(), "the log is captured");
}

#[test]
fn a_bad_first_message_is_closed_with_the_same_words_whatever_it_is() {
    let _ = log();
    let rig = Rig::new("failures_free = 1000", ALL);
    let mut tokens: Vec<String> = bad(&rig).into_iter().map(|(text, _)| text).collect();
    tokens.push("x".repeat(16 * 1024));
    tokens.push("x".repeat(16 * 1024 + 1));
    tokens.push(String::new());
    for token in tokens {
        let mut dashboard = rig.stranger();
        dashboard.auth(&token);
        let (code, mut texts) = dashboard.closed();
        assert_eq!((code, texts.len()), (4501, 1), "{texts:?}");
        let text = texts[0].as_object_mut().expect("an object");
        text.retain(|key, _| !key.starts_with("time_"));
        let expected = json!({
            "method": "auth", "success": false, "error": "credentials refused",
            "x": {"code": "AUTH_FAILED"}, "req_id": 7,
        });
        assert_eq!(texts[0], expected);
        if token.len() > 40 {
            is_nowhere_in_the_log(&token);
        }
    }
}

#[test]
fn an_address_that_fails_too_often_is_refused_without_a_look_and_forgiven_in_time() {
    let rig = Rig::new("failures_free = 2\nbackoff_first_ms = 1500", ALL);
    let bad = |name: &str| {
        let reply = rig.knock("/v2", &[("Authorization", "Bearer bad")]).err();
        reply.unwrap_or_else(|| panic!("{name} was let in"))
    };
    let first = bad("the first");
    bad("the second");
    assert_eq!(rig.counted("gateway_door_backoff_refusals_total"), 0);
    bad("the third");
    let good = format!("Bearer {}", rig.issuer.token("alice", 3600));
    let refused = rig.knock("/v2", &[("Authorization", &good)]).err().expect("it has to wait");
    assert_eq!(refused, first, "nobody can tell that it was not looked at");
    assert_eq!(rig.counted("gateway_door_auth_failures_total"), 3);
    assert_eq!(rig.counted("gateway_door_backoff_refusals_total"), 1);
    let mut dashboard: Option<Dashboard> = None;
    rig.wait("the wait is over", || {
        dashboard = rig.knock("/v2", &[("Authorization", &good)]).ok();
        dashboard.is_some()
    });
    dashboard.expect("let in").is_greeted();
}
