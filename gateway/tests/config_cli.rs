//! `gateway check` as a program: what it prints, where, and its exit code.

use std::path::Path;
use std::process::{Command, Output};

use gateway::config::{KEPT_BYTES, SESSION_BYTES, SOCKET_BYTES, STOPPED_BYTES, SUBSCRIPTION_BYTES};
use gateway::door::certificate::ensure_self_signed;
use market::Nanos;
use rights::{Authenticator, Credentials, Register, Secret, Wall};

const CONFIG: &str = "\
[door]
listen = '127.0.0.1:8443'
cert_file = 'cert.pem'
key_file = 'key.pem'

[[ingest.feeds]]
name = 'kraken'
dialect = 'kraken'
url = 'wss://ws.kraken.com/v2'
headers = { X-Key = 'secret' }
symbols = ['BTC/USD']
";

fn gateway(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .output()
        .expect("the program can be started")
}

fn folder_with(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    std::fs::write(folder.path().join("g.toml"), config).expect("a file can be written");
    ensure_self_signed(folder.path()).expect("a certificate can be made");
    folder
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it prints text")
}

#[test]
fn a_config_that_can_be_used_is_told_in_words_or_json_without_its_secrets() {
    let folder = folder_with(CONFIG);
    let words = gateway(folder.path(), &["check", "--config", "g.toml"]);
    let (printed, errors) = (text(&words.stdout), text(&words.stderr));
    assert_eq!((words.status.code(), errors.as_str()), (Some(0), ""));
    assert!(printed.starts_with("g.toml can be used."), "{printed}");
    assert!(printed.contains("take BTC/USD from kraken, kraken"), "{printed}");
    assert!(printed.contains("bytes each, and"), "the memory formula: {printed}");
    let json = gateway(folder.path(), &["check", "--json", "--config", "g.toml"]);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json.status.code(), Some(0));
    let memory = &report["memory"];
    assert_eq!(
        memory["sessions_bytes_max"].as_u64(),
        memory["session_bytes"].as_u64().map(|bytes| bytes * 10_000)
    );
    assert_eq!(report["usable"], true);
    assert_eq!(report["ingest"]["feeds"][0]["headers"][0], "X-Key");
    assert!(!printed.contains("secret") && !text(&json.stdout).contains("secret"));
}

#[test]
fn what_a_population_needs_is_what_its_parts_add_up_to() {
    let small = "sessions_max = 3000\nsend_buffer_bytes = 65536\nnotsent_bytes_max = 32768\n";
    let rest = "[shard]\ncount = 1\nrecord_bytes_max = 16384\n[ring]\nbytes = 4194304\n";
    let config = CONFIG.replace("\n\n[[", &format!("\n{small}{rest}[["));
    let folder = folder_with(&config.replace("symbols =", "book_depth = 25\nsymbols ="));
    let reckon = |asked: &[&str]| -> serde_json::Value {
        let json = [&["check", "--json", "--config", "g.toml"], asked].concat();
        let json = gateway(folder.path(), &json);
        assert_eq!(json.status.code(), Some(0), "{}", text(&json.stderr));
        serde_json::from_slice::<serde_json::Value>(&json.stdout).expect("JSON")["memory"].take()
    };
    let of = |memory: &serde_json::Value, key: &str| memory["reckoned"][key].as_u64().expect(key);
    let none = reckon(&["--subscriptions", "0", "--stopped", "0"]);
    let some = reckon(&["--subscriptions", "20", "--stopped", "300"]);
    // One symbol, two sides of 25 levels, in ingest and in the one shard.
    assert_eq!(none["books_bytes_max"], 2 * 25 * 2 * 48);
    let more = of(&some, "own_bytes") - of(&none, "own_bytes");
    assert_eq!(more, 3000 * 20 * SUBSCRIPTION_BYTES + 300 * (STOPPED_BYTES + 20 * KEPT_BYTES));
    let least = 3000 * SESSION_BYTES + none["fixed_bytes"].as_u64().expect("a number");
    assert!(of(&none, "own_bytes") > least && of(&none, "unread_bytes") == 0, "{none}");
    assert_eq!(of(&some, "sockets_bytes"), 3000 * SOCKET_BYTES);
    // What is not sent, and one record, twice; the buffer is larger.
    assert_eq!(of(&some, "unread_bytes"), 300 * 2 * (32_768 + 16_384));
    let parts = ["own_bytes", "sockets_bytes", "unread_bytes"].map(|part| of(&some, part));
    assert_eq!(of(&some, "bytes"), parts.iter().sum::<u64>());
    // Without being told, a tenth of the sessions does not read.
    assert_eq!(reckon(&[])["reckoned"]["stopped"], 300);
}

#[test]
fn a_config_that_cannot_be_used_ends_with_2_and_every_reason() {
    let folder = folder_with(&CONFIG.replace("8443'", "x'").replace("'wss:", "'ftp:"));
    let words = gateway(folder.path(), &["check", "--config", "g.toml"]);
    let errors = text(&words.stderr);
    assert_eq!((words.status.code(), text(&words.stdout).as_str()), (Some(2), ""));
    assert!(errors.contains("g.toml:2: door.listen = "), "{errors}");
    assert!(errors.contains("g.toml:9: ingest.feeds.url = "), "{errors}");
    assert!(!errors.contains('\x1b'), "no colour where there is no terminal");
    let json = gateway(folder.path(), &["check", "--json", "--config", "g.toml"]);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!((json.status.code(), &report["refusals"][1]["line"]), (Some(2), &9.into()));
    let run = gateway(folder.path(), &["run", "--config", "g.toml"]);
    assert_eq!(run.status.code(), Some(2));
}

#[test]
fn a_key_of_another_certificate_is_told_once_and_before_the_start() {
    let folder = folder_with(CONFIG);
    let other = folder_with(CONFIG);
    std::fs::copy(other.path().join("key.pem"), folder.path().join("key.pem")).expect("copied");
    for command in ["check", "run"] {
        let refused = gateway(folder.path(), &[command, "--config", "g.toml"]);
        let errors = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{command}: {errors}");
        assert_eq!(errors.matches("KeyMismatch").count(), 1, "{command}: {errors}");
        assert!(errors.contains("door.key_file"), "{command}: {errors}");
    }
    let json = gateway(folder.path(), &["check", "--json", "--config", "g.toml"]);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!((json.status.code(), &report["usable"]), (Some(2), &false.into()));
}

#[test]
fn usage_errors_end_with_2_and_help_with_0_and_examples() {
    let folder = folder_with(CONFIG);
    for wrong in [
        &["run"][..],
        &["check", "--config", "absent.toml"],
        &["run", "--config", "g.toml", "--log", "x=y=z"],
        &["demo", "--listen", "0.0.0.0:0"],
        &["demo", "--rate", "0", "--data-dir", "."],
        &["key"],
        &["key", "anonymous"],
        &["key", "robot", "--expires", "tomorrow"],
    ] {
        assert_eq!(gateway(folder.path(), wrong).status.code(), Some(2), "{wrong:?}");
    }
    for command in ["run", "check", "demo", "key"] {
        let help = gateway(folder.path(), &[command, "--help"]);
        assert_eq!(help.status.code(), Some(0));
        assert!(text(&help.stdout).contains(&format!("  gateway {command}")), "{command}");
    }
}

#[test]
fn a_key_is_shown_once_and_its_lines_let_its_owner_in() {
    let folder = folder_with(CONFIG);
    let line = ["key", "risk \"engine\"", "--group", "desk", "--expires", "2100-01-01T00:00:00Z"];
    let made = gateway(folder.path(), &line);
    assert_eq!(made.status.code(), Some(0));
    let (lines, shown) = (text(&made.stdout), text(&made.stderr));
    let key = shown.trim().strip_prefix("key: ").expect("it is shown");
    let secret = key.rsplit('_').next().expect("a key has three parts");
    assert!(!lines.contains(secret), "the lines are no secret: {lines}");
    let register = Register::parse(&lines, Path::new("c.toml")).expect("it can be read");
    let credentials = Credentials::ApiKey(Secret::new(key));
    let identity = Authenticator::new(register, None).authenticate(&credentials, Wall(Nanos(1)));
    let identity = identity.expect("its owner is let in");
    assert_eq!(identity.user(), "risk \"engine\"");
    assert_eq!(identity.expires_at(), Some(Wall::from_seconds(4_102_444_800)));
}

#[test]
fn the_echo_for_suites_of_tests_never_leaves_this_machine() {
    for open in ["0.0.0.0:8443", "[::]:8443", "192.0.2.1:8443"] {
        let config = CONFIG.replace("127.0.0.1:8443", open);
        let folder = folder_with(&format!("{config}\n[auth]\nopen = true\n"));
        let run = gateway(folder.path(), &["run", "--config", "g.toml", "--conformance-echo"]);
        let errors = text(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{errors}");
        assert!(errors.contains("--conformance-echo") && errors.contains(open), "{errors}");
    }
    let help = gateway(Path::new("."), &["run", "--help"]);
    assert!(!text(&help.stdout).contains("conformance"), "it is for tests, not for operators");
}
