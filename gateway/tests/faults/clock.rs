//! Steps of the wall clock, in the running program: libfaketime stands between it and the kernel.
//!
//! Needs libfaketime (Debian: `faketime`); says so where it is not there.
#![allow(clippy::print_stdout, reason = "a test that skips says so")]

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::link::Link;
use super::program::Program;
use super::rig::{CHANNELS, SYMBOLS, any_port, market, subscribe};

const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];
const HOUR_S: i64 = 3600;

/// Seconds that the certificate has left: by the wall clock, as the program sees it.
fn certificate_left_s(program: &Program) -> i64 {
    let metrics = program.metrics();
    let name = "gateway_certificate_expires_seconds ";
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|value| value.parse().ok()).expect("it is told")
}

#[test]
fn steps_of_the_wall_clock_end_no_session_and_turn_no_latency_negative() {
    let Some(library) = LIBRARIES.into_iter().find(|path| Path::new(path).exists()) else {
        println!("SKIPPED: there is no libfaketime here");
        return;
    };
    let venue = market(300.0).start_thread(any_port()).expect("it starts");
    let folder = tempfile::tempdir().expect("a folder");
    let offset = folder.path().join("offset");
    let step = |seconds: i64| {
        let fresh = folder.path().join("fresh");
        std::fs::write(&fresh, format!("{seconds:+}\n")).expect("a file");
        std::fs::rename(&fresh, &offset).expect("a file");
    };
    step(0);
    let before = format!(
        "export LD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE={} FAKETIME_NO_CACHE=1 \
         FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 FAKETIME_DISABLE_SHM=1",
        offset.display()
    );
    let rest = "[shard]\nping_ms = 1000\npong_timeout_ms = 1000\nheartbeat_ms = 200\n";
    let mut program = Program::start(venue.addr(), &before, "", rest);
    let mut link = Link::open(&program.target);
    for channel in CHANNELS {
        link.say(&subscribe(channel, &["*"], &json!({})));
    }
    link.until("it is served", |link| link.view.books.len() == SYMBOLS);
    let mut now_s = 0;
    for to_s in [HOUR_S, -HOUR_S, 400 * 24 * HOUR_S, -40 * 365 * 24 * HOUR_S, 0] {
        let left_s = certificate_left_s(&program);
        step(to_s);
        program.wait("the program sees the step", |program| {
            link.listen(Duration::from_millis(1));
            (left_s - certificate_left_s(program) - (to_s - now_s)).abs() < 60
        });
        now_s = to_s;
        let known = link.view.book_updates;
        // Longer than a ping and its deadline.
        link.listen_for(Duration::from_millis(2200));
        link.is_content();
        assert!(link.view.book_updates > known + 50, "ticks flow at {to_s}");
        assert_eq!(link.view.announced, 0);
        let mut late = Link::open(&program.target);
        late.say(&subscribe("book", &["*"], &json!({})));
        late.until("who comes now is served", |link| link.view.books.len() == SYMBOLS);
        assert!(program.is_alive());
    }
    assert_eq!(program.counted("gateway_latency_negative_total"), 0, "one clock, anchored once");
    assert_eq!(program.counted("gateway_feed_reconnects_total"), 0, "nor is the feed lost");
}
