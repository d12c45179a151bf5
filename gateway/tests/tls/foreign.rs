//! OpenSSL's own client and Python's `ssl`; left out, loudly, where they are not installed.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::link::ping;
use super::rig::{Gateway, PATIENCE};
use super::websocket::UPGRADE;

/// Each way of talking that Python's `ssl` is put through: version and ciphers.
const PYTHON: &str = r#"
import socket, ssl, sys
port, cert, version, ciphers = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
context = ssl.create_default_context(cafile=cert)
context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
if ciphers:
    context.set_ciphers(ciphers)
plain = socket.create_connection(("127.0.0.1", port), timeout=20)
tls = context.wrap_socket(plain, server_hostname="localhost")
tls.sendall(sys.stdin.buffer.read(int(sys.argv[5])))
heard = b""
while b"\r\n\r\n" not in heard:
    heard += tls.recv(1)
assert heard.startswith(b"HTTP/1.1 101 "), heard
frame = sys.stdin.buffer.read()
heard = b""
for size in (1, 2, 3, 7, len(frame)):
    for at in range(0, len(frame), size):
        tls.sendall(frame[at:at + size])
while heard.count(b'"pong"') < 5:
    got = tls.recv(4096)
    assert got, heard
    heard += got
tls.unwrap()
print("content with", tls.version(), tls.cipher() if tls.cipher() else "")
"#;

fn is_installed(program: &str, version: &str) -> bool {
    let asked = Command::new(program).arg(version).stdout(Stdio::null()).status();
    let is_there = asked.is_ok_and(|status| status.success());
    if !is_there {
        println!("SKIPPED: {program} is not installed");
    }
    is_there
}

#[test]
fn python_s_ssl_is_content_with_either_version() {
    if !is_installed("python3", "--version") {
        return;
    }
    let gateway = Gateway::start();
    for (version, ciphers) in [
        ("TLSv1_3", ""),
        ("TLSv1_2", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("TLSv1_2", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        ("TLSv1_2", "ECDHE-ECDSA-CHACHA20-POLY1305"),
    ] {
        let mut python = Command::new("python3")
            .args(["-c", PYTHON, &gateway.address.port().to_string()])
            .arg(&gateway.cert_file)
            .args([version, ciphers, &UPGRADE.len().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut input = python.stdin.take().expect("piped");
        input.write_all(UPGRADE.as_bytes()).and_then(|()| input.write_all(&ping(1, 0))).expect("");
        drop(input);
        let output = python.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{version} {ciphers}: {said}");
    }
}

/// `openssl s_client`, talked to as a person would; killed when the test ends.
struct OpenSsl {
    child: Child,
    heard: Receiver<Vec<u8>>,
    said: Vec<u8>,
}

impl OpenSsl {
    fn start(gateway: &Gateway, arguments: &[&str]) -> Self {
        let mut child = Command::new("openssl")
            .args(["s_client", "-connect", &gateway.address.to_string()])
            .args(["-servername", "localhost", "-verify_return_error", "-CAfile"])
            .arg(&gateway.cert_file)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let (send, heard) = channel();
        // What it hears goes to one, what it does on a command to the other.
        pass_on(child.stdout.take().expect("piped"), send.clone());
        pass_on(child.stderr.take().expect("piped"), send);
        Self { child, heard, said: Vec::new() }
    }

    fn say(&mut self, bytes: &[u8]) {
        let input = self.child.stdin.as_mut().expect("piped");
        input.write_all(bytes).and_then(|()| input.flush()).expect("said");
    }

    /// Waits until it has printed this, and forgets what it printed up to there.
    fn wait(&mut self, text: &str) {
        loop {
            let at = self.said.windows(text.len()).position(|part| part == text.as_bytes());
            if let Some(at) = at {
                self.said.drain(..at + text.len());
                return;
            }
            let more = self.heard.recv_timeout(PATIENCE);
            let so_far = String::from_utf8_lossy(&self.said);
            self.said.extend(more.unwrap_or_else(|_| panic!("no {text} in {so_far}")));
        }
    }
}

fn pass_on(mut output: impl Read + Send + 'static, send: Sender<Vec<u8>>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(bytes @ 1..) = output.read(&mut buffer) {
            if send.send(buffer[..bytes].to_vec()).is_err() {
                return;
            }
        }
    });
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn openssl_updates_keys_both_ways_under_data() {
    if !is_installed("openssl", "version") {
        return;
    }
    let gateway = Gateway::start();
    for suite in
        ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
    {
        let mut openssl = OpenSsl::start(&gateway, &["-tls1_3", "-ciphersuites", suite]);
        openssl.say(UPGRADE.as_bytes());
        openssl.wait("HTTP/1.1 101 ");
        let mut id = 0;
        let mut exchange = |openssl: &mut OpenSsl| {
            id += 1;
            openssl.say(&ping(id, 0));
            openssl.wait(&format!("\"method\":\"pong\",\"req_id\":{id},"));
        };
        for _ in 0..5 {
            exchange(&mut openssl);
            // Updates its own key.
            openssl.say(b"k\n");
            openssl.wait("KEYUPDATE");
            exchange(&mut openssl);
            // And asks for ours.
            openssl.say(b"K\n");
            openssl.wait("KEYUPDATE");
            exchange(&mut openssl);
        }
    }
}

#[test]
fn openssl_speaks_tls_1_2_and_is_refused_a_renegotiation() {
    if !is_installed("openssl", "version") {
        return;
    }
    let gateway = Gateway::start();
    let mut openssl = OpenSsl::start(&gateway, &["-tls1_2"]);
    openssl.say(UPGRADE.as_bytes());
    openssl.wait("HTTP/1.1 101 ");
    openssl.say(&ping(1, 0));
    openssl.wait("\"method\":\"pong\",\"req_id\":1,");
    openssl.say(b"R\n");
    let tls = gateway::metrics::CloseReason::Tls;
    gateway.wait("it is refused", |shard| shard.sessions_closed.of(tls).value() == 1);
}
