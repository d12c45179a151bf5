//! The gateway as a program, so that limits and signals meet it alone.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::link::Target;
use super::rig::{PATIENCE, Papers, any_port, counted, kraken_feed, trust};

/// Killed when the test ends, however it ends.
pub struct Program {
    child: Child,
    pub target: Target,
    admin: SocketAddr,
    pub papers: Papers,
}

impl Program {
    /// `before` is run in the shell that becomes the program.
    pub fn start(venue: SocketAddr, before: &str, door: &str, rest: &str) -> Self {
        let papers = Papers::new();
        let (listen, admin) = (free_port(), free_port());
        let file = papers.folder.path().join("gateway.toml");
        let rest = format!("{rest}\n{}", kraken_feed(venue));
        std::fs::write(&file, papers.config([listen, admin], door, &rest)).expect("a file");
        let child = Command::new("sh")
            .args(["-c", &format!("{before}\nexec \"$0\" run --config \"$1\"")])
            .arg(binary())
            .arg(&file)
            .stderr(Stdio::null())
            .spawn();
        let child = child.expect("the program starts");
        let target = Target { address: listen, tls: trust(&papers.cert_file) };
        let program = Self { child, target, admin, papers };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(program.admin).is_err() {
            assert!(Instant::now() < deadline, "it does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
        program
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("it can be waited for").is_none()
    }

    pub fn metrics(&self) -> String {
        let mut socket = TcpStream::connect(self.admin).expect("operators are answered");
        let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        socket.write_all(request).expect("sent");
        let mut text = String::new();
        socket.read_to_string(&mut text).expect("an answer");
        text
    }

    pub fn counted(&self, name: &str) -> u64 {
        counted(&self.metrics(), name)
    }

    pub fn wait(&self, what: &str, mut met: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !met(self) {
            assert!(Instant::now() < deadline, "not in time: {what}\n{}", self.metrics());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Number of a thread, by its name.
    pub fn thread(&self, name: &str) -> u32 {
        let folder = format!("/proc/{}/task", self.id());
        let tasks = std::fs::read_dir(folder).expect("it has threads").flatten();
        let named = |task: &std::fs::DirEntry| {
            std::fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
        };
        let task = tasks.into_iter().find(named).expect("a thread of this name");
        task.file_name().to_string_lossy().parse().expect("a number")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The one built with this test, or the one that `SOAK_GATEWAY` names.
fn binary() -> OsString {
    std::env::var_os("SOAK_GATEWAY").unwrap_or_else(|| env!("CARGO_BIN_EXE_gateway").into())
}

fn free_port() -> SocketAddr {
    let listener = TcpListener::bind(any_port()).expect("a free port");
    listener.local_addr().expect("it is bound")
}
