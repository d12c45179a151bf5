//! The end of a gateway: told, spread, in time.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use feed_sim::Generate;

use super::crowd::Crowd;
use super::dashboard::{Dashboard, Positions, Reading, Wish};
use super::faults::same_books;
use super::hiccups::Hiccups;
use super::program::Program;
use super::rig::{PATIENCE, any_port, kraken_feed, wish};
use super::venue::{self, DEPTH, SYMBOLS, market};
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
    let waits: BTreeSet<_> = dashboards.iter().filter_map(|d| Some(d.view().drain?.0)).collect();
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
fn a_thousand_sessions_some_of_them_stopped_are_sent_away_in_the_window_and_the_end_is_in_time() {
    const CROWD: usize = 960;
    const STOPPED: usize = 40;
    /// The defaults of `shard.drain_window_ms` and `stop_timeout_ms`.
    const WINDOW: Duration = Duration::from_secs(2);
    const DEADLINE: Duration = Duration::from_secs(5);
    let market = Generate { rate: 200.0, ..market() };
    let simulator = market.start_thread(any_port()).expect("it starts");
    // Shallow, so that who stops is blocked soon.
    let shallow = "send_buffer_bytes = 32768\nnotsent_bytes_max = 32768";
    let mut program = Program::start(shallow, &kraken_feed(simulator.addr(), DEPTH));
    let all = wish(true, DEPTH, &["book", "ticker", "trade"], &["*"]);
    let first = program.dashboard("first", &all);
    first.wait("the market is there", PATIENCE, |view| view.books.len() == SYMBOLS);
    let symbol = first.view().books.keys().next().cloned().expect("a symbol");
    drop(first);
    let stopped = Crowd::start(STOPPED, &program.target(), &all, Reading::UntilServed);
    let one = wish(true, DEPTH, &["book"], &[&symbol]);
    let crowd = Crowd::start(CROWD, &program.target(), &one, Reading::ToTheEnd);
    crowd.wait("all are served", PATIENCE, |view| !view.books.is_empty());
    let behind = "gateway_shard_sessions_behind{shard=\"0\"}";
    program.wait("who stopped is blocked", |program| {
        program.counted(behind) >= i64::try_from(STOPPED).expect("few") / 2
    });
    let hiccups = Hiccups::start();
    let asked = Instant::now();
    program.signal("TERM");
    while TcpStream::connect(program.door).is_ok() {
        assert!(asked.elapsed() < DEADLINE, "the door stays open");
        sleep(Duration::from_millis(1));
    }
    let shut = asked.elapsed();
    crowd.wait("all are closed", DEADLINE, |view| view.end.is_some());
    assert_eq!(program.end(DEADLINE), Some(0));
    let ended = asked.elapsed();
    let mut waits = BTreeSet::new();
    for view in crowd.views() {
        assert_eq!(view.end, Some(End::Closed(1012)));
        assert!(view.violations.is_empty(), "{:?}", view.violations);
        assert_eq!(view.announced, 0);
        waits.insert(view.drain.expect("it is told").0);
    }
    assert!(waits.len() > CROWD / 4, "they are to come back at different times: {}", waits.len());
    let closed: Vec<Duration> = crowd.ended_at().map(|at| at - asked).collect();
    let last = closed.iter().max().copied().unwrap_or_default();
    let late = hiccups.allow(Duration::ZERO);
    let closed_by = |at: Duration| closed.iter().filter(|closed| **closed < at).count();
    let quarters: Vec<usize> = (1..=4).map(|quarter| closed_by(quarter * WINDOW / 4)).collect();
    eprintln!(
        "shut after {shut:.2?}; closed by quarters of the window: {quarters:?} of {CROWD}, the \
         last after {last:.2?}; ended after {ended:.2?}; hiccups of {:.2?}",
        hiccups.worst()
    );
    assert!(shut < hiccups.allow(Duration::from_millis(100)), "shut after {shut:?}");
    assert!(last < hiccups.allow(WINDOW), "the last is closed after {last:?}");
    for quarter in 1..4_u32 {
        let (at, due) = (quarter * WINDOW / 4, CROWD * quarter as usize / 4);
        assert!(closed_by(at) <= due + CROWD / 8, "too soon, by quarter {quarter}: {quarters:?}");
        assert!(closed_by(at + late) >= due / 2, "too late, by quarter {quarter}: {quarters:?}");
    }
    assert!(ended < hiccups.allow(DEADLINE), "ended after {ended:?}");
    drop(stopped);
}

#[test]
fn after_a_kill_and_a_restart_it_is_ready_within_a_second_and_who_resumes_begins_anew_and_right() {
    const CHANNELS: [&str; 3] = ["ticker", "trade", "book"];
    const SESSIONS: usize = 20;
    let simulator = market().start_thread(any_port()).expect("it starts");
    let mut program = Program::start("", &kraken_feed(simulator.addr(), DEPTH));
    let all = wish(true, DEPTH, &CHANNELS, &["*"]);
    let names = (0..SESSIONS).map(|number| format!("session {number}"));
    let before: Vec<_> = names.map(|name| program.dashboard(&name, &all)).collect();
    for dashboard in &before {
        dashboard.wait("the market is there", PATIENCE, |view| {
            view.books.len() == SYMBOLS && CHANNELS.iter().all(|name| view.numbered(name) > 50)
        });
    }
    let hiccups = Hiccups::start();
    program.signal("KILL");
    assert_eq!(program.end(PATIENCE), None, "a signal ended it");
    let begun = Instant::now();
    program.restart();
    program.wait_until_ready();
    let took = begun.elapsed();
    let again: Vec<_> = before
        .iter()
        .map(|dashboard| {
            dashboard.wait("it is lost", PATIENCE, |view| view.end.is_some());
            let view = dashboard.view();
            assert!(matches!(view.end, Some(End::Lost(_))), "{:?}", view.end);
            let epoch = view.epoch.clone().expect("it was told");
            let symbols = view.books.keys().cloned().collect();
            let resume = Some(Positions { epoch, numbers: view.numbers().clone() });
            program.dashboard("again", &Wish { symbols, resume, ..all.clone() })
        })
        .collect();
    let recovered = begun.elapsed();
    let witness = venue::witness(simulator.addr(), &symbols_of(&before[0]));
    witness.wait("the venue shows its books", PATIENCE, |view| view.books.len() == SYMBOLS);
    let old = before[0].view().epoch.clone();
    for dashboard in &again {
        // Were an old number taken for one of this life, an update would come before a snapshot.
        dashboard.wait("every symbol is granted and told", PATIENCE, |view| {
            view.recovered.len() == CHANNELS.len() * SYMBOLS
                && view.books.len() == SYMBOLS
                && CHANNELS.iter().all(|name| view.numbered(name) > 50)
        });
        dashboard
            .wait("the books are the venue's", PATIENCE, |view| same_books(view, &witness.view()));
        let view = dashboard.view();
        assert_eq!(view.recovered, vec![false; CHANNELS.len() * SYMBOLS]);
        assert!(view.epoch.is_some() && view.epoch != old, "a new life of the numbering");
        assert_eq!(view.announced, 0);
    }
    for dashboard in &again {
        dashboard.is_content();
    }
    eprintln!("ready after {took:.2?}, {SESSIONS} asked again by {recovered:.2?}");
    assert!(took < hiccups.allow(Duration::from_secs(1)), "{took:?}");
}

fn symbols_of(dashboard: &Dashboard) -> Vec<String> {
    dashboard.view().books.keys().cloned().collect()
}
