//! What a log that nobody reads, and scrapers that do not read, cost the others.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::hiccups::Hiccups;
use super::program::Program;
use super::rig::{PATIENCE, any_port, kraken_feed, wish};
use super::venue::{DEPTH, SYMBOLS, market};
use super::view::End;

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
fn a_hundred_scrapes_a_second_and_stuck_ones_keep_no_operator_waiting_and_cost_no_session_a_tick() {
    const KICKS: usize = 20;
    /// What ADMIN.md says.
    const ANSWERED_WITHIN: Duration = Duration::from_secs(1);
    let simulator = market().start_thread(any_port()).expect("it starts");
    let mut program = Program::start("", &kraken_feed(simulator.addr(), DEPTH));
    let all = wish(true, DEPTH, &["book"], &["*"]);
    let stays = program.dashboard("stays", &all);
    stays.wait("the market is there", PATIENCE, |view| view.books.len() == SYMBOLS);
    let kicked: Vec<_> = (0..KICKS).map(|_| program.dashboard("kicked", &all)).collect();
    for dashboard in &kicked {
        dashboard.wait("the market is there", PATIENCE, |view| view.books.len() == SYMBOLS);
    }
    let hiccups = Hiccups::start();
    // More than are answered at once, of either kind: who says nothing, and who does not read.
    let mut stuck: Vec<_> = (0..80).map(|_| TcpStream::connect(program.admin)).collect();
    stuck.extend((0..80).map(|_| stuck_scrape(program.admin)));
    let (is_ending, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let scraped = AtomicUsize::new(0);
    let mut worst = Duration::ZERO;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut stuck = Vec::new();
            let deadline = Instant::now() + 2 * PATIENCE;
            while !is_over.load(Ordering::Relaxed) && Instant::now() < deadline {
                stuck.push(stuck_scrape(program.admin));
                let answer = program.try_get("/metrics").unwrap_or_default();
                let is_well = answer.contains(" 200 ") || is_ending.load(Ordering::Relaxed);
                assert!(is_well, "{answer:?}");
                scraped.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(9));
            }
        });
        let mut timed = |method: &str, path: &str, body: &str| {
            let begun = Instant::now();
            let (status, answer) = program.ask(method, path, body);
            worst = worst.max(begun.elapsed());
            assert_eq!(status, 200, "{path}: {answer}");
            answer
        };
        let sessions = timed("GET", "/sessions?limit=100", "");
        let sessions = sessions["sessions"].as_array().expect("a list").clone();
        assert_eq!(sessions.len(), KICKS + 1);
        let mut ids: Vec<u64> = sessions.iter().filter_map(|one| one["id"].as_u64()).collect();
        ids.sort_unstable();
        for id in &ids[1..] {
            timed("POST", &format!("/sessions/{id}/kick"), "{}");
            std::thread::sleep(Duration::from_millis(50));
        }
        for dashboard in &kicked {
            dashboard.wait("it is closed", PATIENCE, |view| view.end == Some(End::Closed(1008)));
        }
        let before = stays.view().book_updates;
        stays.wait("who is not kicked goes on", PATIENCE, |view| view.book_updates > before + 50);
        stays.is_content();
        assert_eq!(stays.view().announced, 0);
        is_ending.store(true, Ordering::Relaxed);
        timed("POST", "/drain", r#"{"deadline_ms": 3000}"#);
        is_over.store(true, Ordering::Relaxed);
    });
    drop(stuck);
    assert_eq!(program.end(Duration::from_secs(9)), Some(0));
    let scraped = scraped.into_inner();
    eprintln!("{scraped} scrapes meanwhile; an operator waited {worst:.2?} at most");
    assert!(scraped > KICKS, "they were scrapes meanwhile: {scraped}");
    assert!(worst < hiccups.allow(ANSWERED_WITHIN), "an operator waited {worst:?}");
}

/// Asks for the metrics, and does not read them.
fn stuck_scrape(admin: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_recv_buffer_size(2048)?;
    socket.connect(&admin.into())?;
    let mut socket = TcpStream::from(socket);
    socket.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")?;
    Ok(socket)
}
