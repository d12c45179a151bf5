//! One HTTP request to the admin port, its answer read to the end.
//!
//! A client of its own because it needs so little: no TLS, one request a connection, a whole
//! answer.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde_json::Value;

use crate::cli::Failure;

const CONNECT_MAX: Duration = Duration::from_secs(5);
/// The gateway ends a request after ten seconds.
const ANSWER_MAX: Duration = Duration::from_secs(15);
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Where to ask, and as whom.
pub(super) struct Client {
    address: String,
    token: Option<String>,
}

impl Client {
    pub(super) const fn new(address: String, token: Option<String>) -> Self {
        Self { address, token }
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.ask("GET", path, None)
    }

    pub(super) fn change(&self, method: &str, path: &str, body: &Value) -> Result<Value, Failure> {
        self.ask(method, path, Some(body.to_string()))
    }

    fn ask(&self, method: &str, path: &str, body: Option<String>) -> Result<Value, Failure> {
        let answer = self
            .exchange(method, path, body)
            .with_context(|| format!("the gateway's admin port, {}", self.address))
            .map_err(|error| Failure::Runtime(hinted(error)))?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).unwrap_or_default();
        let value: Value = serde_json::from_str(body).unwrap_or_default();
        if status == "200" {
            return Ok(value);
        }
        let words = value["detail"].as_str().unwrap_or(body).trim().to_owned();
        match status {
            "404" => Err(Failure::Absent(words)),
            "400" => Err(Failure::Usage(anyhow!(words))),
            _ => Err(Failure::Runtime(anyhow!("{status}: {words}"))),
        }
    }

    fn exchange(&self, method: &str, path: &str, body: Option<String>) -> anyhow::Result<String> {
        let address = self.address.to_socket_addrs()?.next().context("it has no address")?;
        let mut socket = TcpStream::connect_timeout(&address, CONNECT_MAX)?;
        socket.set_read_timeout(Some(ANSWER_MAX))?;
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n");
        if let Some(token) = &self.token {
            write!(request, "authorization: Bearer {token}\r\n")?;
        }
        if let Some(body) = &body {
            let bytes = body.len();
            write!(request, "content-type: application/json\r\ncontent-length: {bytes}\r\n")?;
        }
        write!(request, "connection: close\r\n\r\n{}", body.unwrap_or_default())?;
        socket.write_all(request.as_bytes())?;
        let mut answer = String::new();
        socket.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
        if answer.is_empty() {
            return Err(anyhow!("it closed the connection without an answer"));
        }
        Ok(answer)
    }
}

/// Where nobody listens, the next thing to look at.
fn hinted(error: anyhow::Error) -> anyhow::Error {
    let io = error.root_cause().downcast_ref::<io::Error>();
    if io.is_some_and(|io| io.kind() == ErrorKind::ConnectionRefused) {
        return anyhow!("{error:#}; is it running? --admin or --config name another port");
    }
    error
}

/// A text as it may stand in a path or a query.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_for_a_path() {
        assert_eq!(escaped("BTC/USD é"), "BTC%2FUSD%20%C3%A9");
    }
}
