//! A graceful stop of the program: every session is told, and the process ends in time.

use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::dashboard::{Dashboard, Target};
use super::rig::{PATIENCE, Papers, any_port, free_port, kraken_feed, wish};
use super::venue::{DEPTH, SYMBOLS, market, signal};
use super::view::End;

const SESSIONS: usize = 50;
/// The default of `shard.stop_timeout_ms`, after which the process ends in any case.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// The code of a restart.
const RESTARTING: u16 = 1012;

/// The program; killed when the test ends, however it ends.
struct Program(Child);

impl Program {
    fn start(papers: &Papers, door: SocketAddr, rest: &str) -> Self {
        let file = papers.folder.path().join("gateway.toml");
        std::fs::write(&file, papers.config(door, rest)).expect("a file");
        let program = Command::new(env!("CARGO_BIN_EXE_gateway"))
            .arg("run")
            .arg("--config")
            .arg(&file)
            .stderr(Stdio::null())
            .spawn();
        let program = Self(program.expect("the program starts"));
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(door).is_err() {
            assert!(Instant::now() < deadline, "the door does not open");
            std::thread::sleep(Duration::from_millis(5));
        }
        program
    }

    fn wait(&mut self, limit: Duration) -> Option<i32> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.0.try_wait().expect("it can be waited for") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end within {limit:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_program_that_is_terminated_tells_every_session_and_ends_in_time() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let (papers, door) = (Papers::new(), free_port());
    let mut program = Program::start(&papers, door, &kraken_feed(simulator.addr(), DEPTH));
    let target = Target { address: door, tls: Some(papers.tls.clone()) };
    let wish = wish(true, DEPTH, &["ticker", "trade", "book"], &["*"]);
    let dashboards: Vec<Dashboard> = (0..SESSIONS)
        .map(|number| Dashboard::start(&format!("session {number}"), target.clone(), &wish))
        .collect();
    for dashboard in &dashboards {
        dashboard.wait("the market is there", PATIENCE, |view| {
            view.books.len() == SYMBOLS && view.book_updates > 100
        });
    }
    let asked = Instant::now();
    signal(&program.0, "TERM");
    for dashboard in &dashboards {
        dashboard.wait("it is closed", STOP_WITHIN, |view| view.end.is_some());
        let view = dashboard.view();
        assert_eq!(view.end, Some(End::Closed(RESTARTING)));
        assert_eq!(view.announced, 0);
    }
    assert_eq!(program.wait(STOP_WITHIN.saturating_sub(asked.elapsed())), Some(0));
    eprintln!("{SESSIONS} sessions were told, ended after {:.2?}", asked.elapsed());
}
