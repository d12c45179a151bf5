//! The venue of the fault tests: a generated market, in this process or in one of its own.
//!
//! A process can be killed and stopped by signals, as an operator's or a kernel's doing. It is this
//! test program again, running the one test that plays the venue when it is told an address, until
//! its standard input closes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use feed_sim::Generate;

use super::dashboard::{Dashboard, Target};
use super::rig::{any_port, wish};

/// Levels a side: all that is asked for, so nothing lies beyond what a dashboard sees.
pub const DEPTH: usize = 10;
pub const SYMBOLS: usize = 12;
const ADDRESS: &str = "PATH_VENUE";

/// A quiet market that every fault shows in.
pub fn market() -> Generate {
    Generate { symbols: SYMBOLS, rate: 300.0, levels: DEPTH, zipf: 0.5, ..Generate::default() }
}

/// A dashboard of the venue itself, which sees what the gateway is to tell.
pub fn witness(venue: SocketAddr, symbols: &[String]) -> Dashboard {
    let mut wish = wish(false, DEPTH, &["book"], &[]);
    symbols.clone_into(&mut wish.symbols);
    Dashboard::start("witness", Target { address: venue, tls: None }, &wish)
}

/// A venue that can be killed; dropping it kills it.
pub struct Process {
    child: Child,
    pub address: SocketAddr,
}

impl Process {
    /// Starts at an address; port 0 takes a free one.
    pub fn start(address: SocketAddr) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut child = Command::new(program)
            .args(["--exact", "venue::plays_the_venue", "--nocapture"])
            .env(ADDRESS, address.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts again");
        let printed = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut lines = printed.lines().map_while(Result::ok);
        let address = lines.find_map(|line| line.strip_prefix("venue at ")?.parse().ok());
        Self { child, address: address.expect("it says where it listens") }
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status();
    assert!(sent.expect("kill can be started").success(), "{name} can be sent");
}

#[test]
fn plays_the_venue() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    let address = address.parse().unwrap_or_else(|_| any_port());
    let simulator = market().start_thread(address).expect("the port is free");
    let mut out = std::io::stdout();
    // What stands in the line already belongs to the test harness.
    writeln!(out, "\nvenue at {}", simulator.addr()).and_then(|()| out.flush()).expect("a pipe");
    let mut nothing = String::new();
    let _ = std::io::stdin().read_to_string(&mut nothing);
}
