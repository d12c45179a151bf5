//! Names that strangers choose: in logs, in metrics, in maps.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::peer::{Peer, text};
use super::rig::Gateway;

/// Set in the process whose log is looked at: see the next two.
const LOGGING: &str = "SESSION_TEST_LOGGING";
/// What a forged line would look like.
const FORGED: &str = "FORGED";

/// Every kind of name and text that could do harm where it is shown.
fn say_harm(gateway: &Gateway) {
    let mut peer = Peer::open(gateway);
    let harm = r"A\r\n2030-01-01T00:00:00Z ERROR FORGED\u001b[31mred\u001b]0;title\u0007\u202e%s{}";
    for channel in ["ticker", harm] {
        peer.say(&text(&format!(
            r#"{{"method":"subscribe","req_id":5,"params":{{"channel":"{channel}",
                "symbol":["{harm}"]}}}}"#
        )));
        assert_eq!(peer.answer()["success"], false);
    }
    peer.say(&text(&format!(r#"{{"method":"{harm}","req_id":5}}"#)));
    assert_eq!(peer.answer()["success"], false);
    peer.say(&super::peer::frame(0x88, b"\x03\xe8\r\nFORGED\x1b[31m"));
    peer.close_code();
}

#[test]
fn names_of_strangers_never_become_metrics() {
    let gateway = Gateway::start();
    say_harm(&gateway);
    let exposition = gateway.exposition();
    assert!(!exposition.contains(FORGED) && !exposition.contains('\u{1b}'));
}

/// The body of the next test, in the process it starts.
#[test]
fn with_every_log_line() {
    if std::env::var_os(LOGGING).is_none() {
        return;
    }
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    say_harm(&Gateway::start());
}

#[test]
fn names_of_strangers_forge_no_log_line() {
    let mut tests = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "names::with_every_log_line", "--nocapture"])
        .env(LOGGING, "1")
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut log = String::new();
    tests.stderr.take().expect("piped").read_to_string(&mut log).expect("text");
    assert!(tests.wait().expect("it ends").success(), "{log}");
    assert!(log.contains("shard"), "it logs: {log}");
    assert!(!log.contains('\u{1b}') && !log.contains('\u{202e}'), "{log:?}");
    assert!(log.lines().all(|line| !line.starts_with("2030")), "{log}");
}

/// Maps that strangers' names are looked up in hold keys of venues alone, so that those names
/// cannot meet one another there, whatever they hash to: thousands cost what any others cost, and
/// leave nothing.
#[test]
fn names_nobody_knows_cost_alike_however_they_look_and_leave_nothing() {
    let gateway = Gateway::with(
        "message_bytes_max = 1000000\nrequests_per_second_max = 100000\n\
         outbox_bytes_max = 67108864\n",
    );
    let mut peer = Peer::open(&gateway);
    let mut timed = |name: &dyn Fn(usize) -> String| {
        let names: Vec<String> = (0..9000).map(|at| format!("\"{}\"", name(at))).collect();
        let request = format!(
            r#"{{"method":"subscribe","params":{{"channel":"ticker","symbol":[{}]}}}}"#,
            names.join(",")
        );
        let begun = Instant::now();
        peer.say(&text(&request));
        (0..9000).for_each(|_| assert_eq!(peer.answer()["success"], false));
        begun.elapsed()
    };
    let alike = timed(&|at| format!("ALIKE/{at:050b}"));
    let unlike = timed(&|at| format!("{:056b}", at.wrapping_mul(0x9e37_79b9)));
    assert!(alike < 20 * unlike && unlike < 20 * alike, "{alike:?}, {unlike:?}");
    assert_eq!(gateway.shard().subscriptions.value(), 0);
}
