//! `gateway demo` as a program: it becomes ready by itself, and ends in order when asked to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(20);

/// A demo that is killed when the test ends, however it ends.
struct Demo(Child);

impl Demo {
    fn start(folder: &Path, listen: &str) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_gateway"))
            .args(["demo", "--symbols", "5", "--rate", "100", "--admin", "127.0.0.1:0"])
            .args(["--listen", listen, "--data-dir"])
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self(child.expect("the program can be started"))
    }

    /// The admin address, from what is printed.
    fn admin(&mut self) -> String {
        let printed = self.0.stdout.take().expect("it is piped");
        let lines = BufReader::new(printed).lines().map_while(Result::ok);
        let mut found = lines.filter_map(|line| {
            let (_, rest) = line.split_once("metrics    http://")?;
            rest.strip_suffix("/metrics").map(str::to_owned)
        });
        found.next().expect("the address is printed")
    }

    fn terminate(&self) {
        let pid = self.0.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.expect("kill can be started").success());
    }

    fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().expect("it can be waited for") {
                return status;
            }
            assert!(begun.elapsed() < DEADLINE, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(address: &str, path: &str) -> String {
    let mut socket = TcpStream::connect(address).expect("admin listens");
    write!(socket, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").expect("admin reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("admin answers");
    answer
}

#[test]
fn the_demo_becomes_ready_keeps_its_certificate_and_ends_in_order() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut demo = Demo::start(folder.path(), "127.0.0.1:0");
    let admin = demo.admin();
    let begun = Instant::now();
    loop {
        let answer = get(&admin, "/readyz");
        if answer.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(begun.elapsed() < DEADLINE, "{answer}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let metrics = get(&admin, "/metrics");
    assert!(metrics.contains("gateway_feed_live{feed=\"sim\"} 1"), "{metrics}");
    let cert = std::fs::read(folder.path().join("cert.pem")).expect("it was made");
    demo.terminate();
    assert_eq!(demo.wait().code(), Some(0));

    let mut again = Demo::start(folder.path(), "127.0.0.1:0");
    again.admin();
    assert_eq!(std::fs::read(folder.path().join("cert.pem")).expect("it is there"), cert);
}

#[test]
fn a_port_that_is_taken_ends_the_program_with_1_and_the_address() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port exists");
    let listen = taken.local_addr().expect("it is bound").to_string();
    let mut demo = Demo::start(folder.path(), &listen);
    let status = demo.wait();
    let mut errors = String::new();
    let mut stderr = demo.0.stderr.take().expect("it is piped");
    stderr.read_to_string(&mut errors).expect("it prints text");
    assert_eq!(status.code(), Some(1), "{errors}");
    assert!(errors.contains(&listen), "{errors}");
}
