//! The program as operators run it: a config file, an admin port, signals, `gateway ctl`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::dashboard::{Dashboard, Target, Wish};
use super::rig::{PATIENCE, Papers, free_port};
use super::venue::signal;

pub const TOKEN: &str = "a-token-of-the-tests-0123456789";

/// A running program; killed when the test ends, however it ends.
pub struct Program {
    pub child: Child,
    pub papers: Papers,
    pub door: SocketAddr,
    pub admin: SocketAddr,
    pub file: PathBuf,
}

impl Program {
    /// Starts with `door` and `rest` in the config, beside what every test needs.
    pub fn start(door: &str, rest: &str) -> Self {
        Self::start_with(door, rest, &[], Stdio::null())
    }

    pub fn start_with(door_keys: &str, rest: &str, args: &[&str], stderr: Stdio) -> Self {
        let papers = Papers::new();
        let (door, admin) = (free_port(), free_port());
        let file = papers.folder.path().join("gateway.toml");
        std::fs::write(papers.folder.path().join("token"), TOKEN).expect("a file");
        std::fs::write(&file, config(&papers, door, admin, door_keys, rest)).expect("a file");
        let child = spawn(&file, args, stderr);
        let mut program = Self { child, papers, door, admin, file };
        program.wait_until_ready();
        program
    }

    pub fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.try_get("/readyz").is_some_and(|answer| answer.contains(" 200 ")) {
            assert!(Instant::now() < deadline, "it is not ready");
            let ended = self.child.try_wait().expect("it can be waited for");
            assert!(ended.is_none(), "it ended: {ended:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts the same again.
    pub fn restart(&mut self) {
        self.child = spawn(&self.file, &[], Stdio::null());
    }

    /// Exchanges something in the config file.
    pub fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(&self.file).expect("it is there");
        assert!(text.contains(from), "no {from} in\n{text}");
        std::fs::write(&self.file, text.replace(from, to)).expect("a file");
    }

    pub fn target(&self) -> Target {
        Target { address: self.door, tls: Some(self.papers.tls.clone()) }
    }

    pub fn dashboard(&self, name: &str, wish: &Wish) -> Dashboard {
        Dashboard::start(name, self.target(), wish)
    }

    /// A whole answer of the admin port; none where nobody listens.
    pub fn try_get(&self, path: &str) -> Option<String> {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"))
    }

    pub fn exchange(&self, request: &str) -> Option<String> {
        let mut socket = TcpStream::connect(self.admin).ok()?;
        socket.set_read_timeout(Some(PATIENCE)).ok()?;
        socket.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Status and JSON of an answer to who shows the token.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let answer = self.exchange(&format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ));
        let answer = answer.expect("admin answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        (status.expect("a status"), serde_json::from_str(body).unwrap_or_default())
    }

    pub fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, "");
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// A whole number among the metrics, as operators see it.
    pub fn counted(&self, series: &str) -> i64 {
        let text = self.try_get("/metrics").expect("admin answers");
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().expect("a number")
    }

    pub fn wait(&self, what: &str, mut met: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !met(self) {
            assert!(Instant::now() < deadline, "not in time: {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn ctl(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.arg("ctl").args(args).arg("--config").arg(&self.file);
        command.output().expect("the program starts")
    }

    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Its exit code, within `limit`.
    pub fn end(&mut self, limit: Duration) -> Option<i32> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
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
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(file: &std::path::Path, args: &[&str], stderr: Stdio) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.args(args).arg("run").arg("--config").arg(file).stderr(stderr).env_remove("RUST_LOG");
    command.spawn().expect("the program starts")
}

fn config(
    papers: &Papers,
    door: SocketAddr,
    admin: SocketAddr,
    door_keys: &str,
    rest: &str,
) -> String {
    format!(
        "[door]\nlisten = \"{door}\"\ncert_file = \"{}\"\nkey_file = \"{}\"\n{door_keys}\n\
         [admin]\nlisten = \"{admin}\"\ntoken_file = \"token\"\n{rest}",
        papers.cert_file.display(),
        papers.key_file.display(),
    )
}
