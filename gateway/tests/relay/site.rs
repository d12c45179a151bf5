//! A venue, a hub and edges, each gateway a program with a config file of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use feed_sim::{Generate, Handle};
use rustix::process::{Pid, Signal, kill_process};

use super::link::Target;
use super::rig::{PATIENCE, Papers, any_port, counted, kraken_feed, trust};

/// Sockets deep enough that nobody who reads is slow.
const DOOR: &str = "send_buffer_bytes = 0\nnotsent_bytes_max = 0\n";
const QUICK: &str = "backoff_min_ms = 10\nbackoff_max_ms = 100\n";

/// What all gateways of a test have in common.
pub struct Site {
    pub venue: Handle,
    papers: Papers,
    pub relay: PathBuf,
}

impl Site {
    pub fn new(market: Generate) -> Self {
        let venue = market.start_thread(any_port()).expect("it starts");
        let papers = Papers::new();
        let relay = papers.folder.path().join("relay.sock");
        Self { venue, papers, relay }
    }

    /// The gateway with the venue. `relay`, `ingest` and `rest` are lines of tables, and tables.
    pub fn hub(&self, relay: &str, ingest: &str, rest: &str) -> Program {
        let listen = self.relay.display();
        self.program(&format!(
            "[relay]\nlisten = \"unix:{listen}\"\n{relay}\n[ingest]\n{QUICK}{ingest}\n\
             {}\n{rest}",
            kraken_feed(self.venue.addr())
        ))
    }

    /// A gateway that follows it.
    pub fn edge(&self, ingest: &str, rest: &str) -> Program {
        self.follower(&format!("unix:{}", self.relay.display()), ingest, rest)
    }

    /// One that follows whoever listens there.
    pub fn follower(&self, address: &str, ingest: &str, rest: &str) -> Program {
        self.program(&format!(
            "[follow]\naddress = \"{address}\"\n[ingest]\n{QUICK}{ingest}\n{rest}"
        ))
    }

    pub fn program(&self, rest: &str) -> Program {
        let (door, admin) = (free_port(), free_port());
        let file = self.papers.folder.path().join(format!("{}.toml", door.port()));
        let text = self.papers.config([door, admin], DOOR, rest);
        std::fs::write(&file, text).expect("a file");
        let target = Target { address: door, tls: trust(&self.papers.cert_file) };
        let child = spawn(&file);
        Program { child, file, admin, target }
    }
}

/// A gateway; killed when the test ends, however it ends.
pub struct Program {
    child: Child,
    file: PathBuf,
    admin: SocketAddr,
    pub target: Target,
}

impl Program {
    pub fn start_again(&mut self) {
        self.child = spawn(&self.file);
    }

    pub fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.child);
        kill_process(id, signal).expect("it is there");
    }

    /// Waits for its end and returns the exit code; none where a signal ended it.
    pub fn ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("it can be waited for").is_none()
    }

    /// What operators are answered; none where nobody listens.
    pub fn get(&self, path: &str) -> Option<String> {
        let mut socket = TcpStream::connect(self.admin).ok()?;
        socket.set_read_timeout(Some(PATIENCE)).ok()?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).ok()?;
        let mut text = String::new();
        socket.read_to_string(&mut text).ok()?;
        Some(text)
    }

    pub fn is_ready(&self) -> bool {
        self.get("/readyz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    pub fn until_ready(&self) {
        self.wait("it is ready", Self::is_ready);
    }

    pub fn counted(&self, name: &str) -> u64 {
        counted(&self.get("/metrics").expect("operators are answered"), name)
    }

    /// One sample, by its name and labels.
    pub fn sample(&self, series: &str) -> u64 {
        let text = self.get("/metrics").expect("operators are answered");
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok())
            .unwrap_or_else(|| panic!("no {series} in\n{text}"))
    }

    pub fn wait(&self, what: &str, mut met: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !met(self) {
            let metrics = || self.get("/metrics").unwrap_or_default();
            assert!(Instant::now() < deadline, "not in time: {what}\n{}", metrics());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // An error means that it has ended already. A stopped one is killed all the same.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(file: &PathBuf) -> Child {
    // For who looks into a failure: GATEWAY_TEST_LOG=1 shows what the gateways say.
    let shown = std::env::var_os("GATEWAY_TEST_LOG").is_some();
    let stderr = if shown { Stdio::inherit() } else { Stdio::null() };
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.arg("run").arg("--config").arg(file).stderr(stderr).env_remove("RUST_LOG");
    command.spawn().expect("the program starts")
}

pub fn free_port() -> SocketAddr {
    let listener = TcpListener::bind(any_port()).expect("a free port");
    listener.local_addr().expect("it is bound")
}
