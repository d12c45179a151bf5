//! What a fault of ours, a log that nobody reads, and a scraper that does not read cost the others.

use std::io::Write;
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

#[cfg(debug_assertions)]
use gateway::{config, faults, threads::ThreadError};

use super::program::Program;
use super::rig::{PATIENCE, any_port, kraken_feed, wish};
use super::venue::{DEPTH, SYMBOLS, market};

#[cfg(debug_assertions)]
#[test]
fn a_panic_while_one_session_is_served_closes_that_one_and_the_others_live() {
    use super::rig::Gateway;
    use super::view::End;
    faults::arm();
    let simulator = market().start_thread(any_port()).expect("it starts");
    let gateway = Gateway::start(&kraken_feed(simulator.addr(), DEPTH));
    let other = gateway.dashboard("other", &wish(true, DEPTH, &["book"], &["*"]));
    other.wait("the market is there", PATIENCE, |view| view.books.len() == SYMBOLS);
    let words = [faults::Place::Session.words()];
    let unlucky = gateway.dashboard("unlucky", &wish(true, DEPTH, &["book"], &words));
    unlucky.wait("it is closed", PATIENCE, |view| view.end == Some(End::Closed(1011)));
    let before = other.view().book_updates;
    other.wait("the other goes on", PATIENCE, |view| view.book_updates > before + 100);
    other.is_content();
    gateway.wait("it is counted", PATIENCE, |gateway| {
        gateway.metrics.exposition().contains("reason=\"internal_error\"} 1")
    });
}

#[cfg(debug_assertions)]
#[test]
fn a_panic_in_what_all_sessions_share_ends_the_gateway_and_names_the_thread() {
    use super::dashboard::{Dashboard, Target};
    use super::rig::Papers;
    faults::arm();
    let simulator = market().start_thread(any_port()).expect("it starts");
    let papers = Papers::new();
    let text = papers.config(any_port(), &kraken_feed(simulator.addr(), DEPTH));
    let loaded = config::parse(&text, std::path::Path::new("test.toml")).expect("a good config");
    let running = gateway::start(loaded.config).expect("it starts");
    let address = running.door_address();
    let words = [faults::Place::Shard.words()];
    let wish = wish(true, DEPTH, &["book"], &words);
    let target = Target { address, tls: Some(papers.tls.clone()) };
    let _unlucky = Dashboard::start("unlucky", target, &wish);
    let ended = running.join();
    assert!(
        matches!(&ended, Err(ThreadError::Panicked { thread, .. }) if thread == "shard-0"),
        "{ended:?}"
    );
    assert!(TcpStream::connect(address).is_err(), "nothing is half alive");
}

#[test]
fn a_log_that_nobody_reads_loses_lines_and_holds_up_nobody() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let rest = kraken_feed(simulator.addr(), DEPTH);
    let args = ["--log", "trace"];
    let mut program = Program::start_with("", &rest, &args, Stdio::piped());
    let pipe = program.child.stderr.take();
    let dashboard = program.dashboard("one", &wish(true, DEPTH, &["book"], &["*"]));
    program.wait("lines are dropped", |program| {
        for _ in 0..500 {
            assert_eq!(program.ask("PUT", "/log", r#"{"level": "trace"}"#).0, 200);
        }
        program.counted("gateway_log_lines_dropped_total") > 0
    });
    let before = dashboard.view().book_updates;
    dashboard.wait("it goes on", PATIENCE, |view| view.book_updates > before + 200);
    dashboard.is_content();
    program.signal("TERM");
    assert_eq!(program.end(Duration::from_secs(9)), Some(0));
    drop(pipe);
}

#[test]
fn scrapers_that_do_not_read_and_a_hundred_scrapes_a_second_cost_no_session_anything() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let program = Program::start("", &kraken_feed(simulator.addr(), DEPTH));
    let dashboard = program.dashboard("one", &wish(true, DEPTH, &["book"], &["*"]));
    dashboard.wait("the market is there", PATIENCE, |view| view.books.len() == SYMBOLS);
    let slow: Vec<_> = (0..20)
        .map(|_| {
            let mut socket = TcpStream::connect(program.admin).expect("admin listens");
            socket.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").expect("it reads");
            socket
        })
        .collect();
    for _ in 0..100 {
        let answer = program.try_get("/metrics").expect("admin answers");
        assert!(answer.contains(" 200 "), "{answer}");
    }
    let before = dashboard.view().book_updates;
    dashboard.wait("it goes on", PATIENCE, |view| view.book_updates > before + 100);
    dashboard.is_content();
    assert_eq!(dashboard.view().announced, 0);
    drop(slow);
}
