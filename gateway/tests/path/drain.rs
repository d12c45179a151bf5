//! The end of a gateway: told, spread, in time.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::program::Program;
use super::rig::{PATIENCE, any_port, kraken_feed, wish};
use super::venue::{DEPTH, SYMBOLS, market};
use super::view::End;

const SESSIONS: usize = 20;

#[test]
fn a_drain_tells_every_session_closes_one_after_the_other_and_ends_with_0() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let mut program = Program::start("", &kraken_feed(simulator.addr(), DEPTH));
    let all = wish(true, DEPTH, &["book"], &["*"]);
    let names = (0..SESSIONS).map(|number| format!("session {number}"));
    let dashboards: Vec<_> = names.map(|name| program.dashboard(&name, &all)).collect();
    for dashboard in &dashboards {
        dashboard.wait("the market is there", PATIENCE, |view| view.books.len() == SYMBOLS);
    }
    let begun = Instant::now();
    let (status, answer) =
        program.ask("POST", "/drain", r#"{"closes_per_second": 10, "deadline_ms": 8000}"#);
    assert_eq!((status, &answer["draining"]), (200, &SESSIONS.into()), "{answer}");
    let ready = program.try_get("/readyz").expect("admin goes on");
    assert!(ready.contains(" 503 ") && ready.contains("draining"), "{ready}");
    while TcpStream::connect(program.door).is_ok() {
        assert!(begun.elapsed() < PATIENCE, "the door stays open");
    }
    let shut_after = begun.elapsed();
    let mut at_half = 0;
    for dashboard in &dashboards {
        dashboard.wait("it is told", PATIENCE, |view| view.drain.is_some());
    }
    program.wait("half of the time", |_| {
        at_half = dashboards.iter().filter(|d| d.view().end.is_some()).count();
        begun.elapsed() > Duration::from_secs(1)
    });
    assert!((1..SESSIONS).contains(&at_half), "{at_half} of {SESSIONS} were closed after 1 s of 2");
    for dashboard in &dashboards {
        dashboard.wait("it is closed", PATIENCE, |view| view.end.is_some());
        let view = dashboard.view();
        assert_eq!(view.end, Some(End::Closed(1012)));
        assert!(view.violations.is_empty(), "{:?}", view.violations);
        assert_eq!(view.announced, 0);
    }
    let waits: std::collections::BTreeSet<_> =
        dashboards.iter().filter_map(|d| Some(d.view().drain?.0)).collect();
    assert!(waits.len() > SESSIONS / 2, "they are to come back at different times: {waits:?}");
    assert_eq!(program.end(Duration::from_secs(8)), Some(0));
    eprintln!("shut after {shut_after:.2?}, {at_half} of {SESSIONS} closed at half of the time");
}

#[test]
fn a_dashboard_that_is_stopped_does_not_hold_up_the_end() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let rest = format!(
        "[shard]\nstop_timeout_ms = 1500\ndrain_window_ms = 500\n{}",
        kraken_feed(simulator.addr(), DEPTH)
    );
    let mut program = Program::start("", &rest);
    let all = wish(true, DEPTH, &["book"], &["*"]);
    let stopped = program.dashboard("stopped", &all);
    stopped.wait("the market is there", PATIENCE, |view| view.books.len() == SYMBOLS);
    // Nothing is read while somebody looks.
    let view = stopped.view();
    let begun = Instant::now();
    program.signal("TERM");
    assert_eq!(program.end(Duration::from_millis(2500)), Some(0));
    eprintln!("ended after {:.2?} of 1.5 s", begun.elapsed());
    drop(view);
}

#[test]
fn a_killed_gateway_is_ready_again_within_a_second() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let mut program = Program::start("", &kraken_feed(simulator.addr(), DEPTH));
    program.signal("KILL");
    assert_eq!(program.end(PATIENCE), None, "a signal ended it");
    let begun = Instant::now();
    program.restart();
    program.wait_until_ready();
    let took = begun.elapsed();
    eprintln!("ready after {took:.2?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    let again = program.dashboard("again", &wish(true, DEPTH, &["book"], &["*"]));
    again.wait("the market is there", PATIENCE, |view| view.books.len() == SYMBOLS);
    again.is_content();
}
