//! The command as an operator runs it.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

fn feed_sim(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_feed-sim"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A child that does not outlive its test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// SIGINT (2) and SIGTERM (15), as bits of a mask of signals.
const INTERRUPT_AND_TERMINATE: u64 = 1 << 1 | 1 << 14;

/// The signals a process has handlers for, as its mask.
fn caught(pid: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap()
}

#[test]
fn the_first_line_is_the_address_and_sigterm_ends_with_a_summary() {
    let child = feed_sim(&["generate", "--addr", "127.0.0.1:0", "--json"]).spawn().unwrap();
    let mut child = Guard(child);
    let mut stdout = BufReader::new(child.0.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    assert!(first.starts_with("listening on ws://127.0.0.1:"), "{first}");
    let pid = child.0.id().to_string();
    assert_eq!(caught(&pid) & INTERRUPT_AND_TERMINATE, INTERRUPT_AND_TERMINATE);
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert!(child.0.wait().unwrap().success());
    let summary: serde_json::Value = serde_json::from_str(&rest).unwrap();
    assert!(summary["lateness"]["max_us"].is_u64());
}

fn check_refusal(arguments: &[&str], expected: &str) {
    let output = feed_sim(arguments).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(expected), "{said}");
}

#[test]
fn bad_options_and_files_are_refused_with_exit_code_2() {
    check_refusal(&["generate", "--rate", "300000"], "--rate: must be above 0");
    check_refusal(&["generate", "--symbols", "0"], "--symbols: must be 1 to 10000");
    check_refusal(&["generate", "--mix", "1,2"], "three whole numbers");
    check_refusal(&["replay"], "name a file");
    check_refusal(&["replay", "--speed=-3"], "above 0");
    check_refusal(&["replay", "--kraken", "/nowhere/at/all"], "/nowhere/at/all: ");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bad.jsonl");
    std::fs::write(&path, "\n{\"channel\":\"book\"}\n").unwrap();
    check_refusal(&["replay", "--kraken", path.to_str().unwrap()], "bad.jsonl:2: missing field");
}
