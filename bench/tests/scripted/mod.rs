//! A gateway that says exactly what it is told to say, right or wrong: TLS 1.3 over real sockets,
//! one thread a session. It grants every subscription, plays its script, then sends heartbeats. The
//! last grant comes behind the script: a run that waits for it has heard everything, however slow
//! the machine.

#![allow(dead_code, reason = "each test file uses its own part")]

pub mod contest;
pub mod living;
pub mod market;

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use bench::load::clock::now_ns;
use bench::load::upgrade::accept_of;
use clap::{Args, Parser};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::PrivateKeyDer;

/// One thing the gateway does once everything is subscribed.
#[derive(Clone, Debug)]
pub enum Step {
    /// A text message.
    Text(String),
    /// These bytes, frames or not.
    Raw(Vec<u8>),
    /// A close frame, and the end.
    Close(u16, &'static str),
    /// Nothing more, not even heartbeats.
    Silence,
    /// Quotes of the named symbol, `rate` a second, each stamped with when it is due; in the first
    /// `stall` of each second none is sent, and all that were due go out at its end.
    Live { symbol: &'static str, rate: u64, stall: Duration },
}

/// How the gateway behaves.
#[derive(Clone)]
pub struct Script {
    /// Subscribe requests to wait for.
    pub requests: usize,
    /// A symbol to be refused.
    pub refused: Option<&'static str>,
    /// Said to every session.
    pub steps: Arc<Vec<Step>>,
}

/// A listening gateway. Its threads end with their sessions.
pub struct Gateway {
    pub url: String,
    pub ca: PathBuf,
    /// Where dashboards came from.
    pub peers: Arc<Mutex<BTreeSet<IpAddr>>>,
    _directory: tempfile::TempDir,
}

impl Gateway {
    pub fn start(script: Script) -> Self {
        Self::start_full(script, 0)
    }

    /// One that turns away so many first, in turn before TLS and by a 503.
    pub fn start_full(script: Script, turned_away: usize) -> Self {
        let (ca, config, directory) = certified();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("wss://{}/v2", listener.local_addr().unwrap());
        let peers: Arc<Mutex<BTreeSet<IpAddr>>> = Arc::default();
        let seen = Arc::clone(&peers);
        thread::spawn(move || {
            for (at, socket) in listener.incoming().flatten().enumerate() {
                if at < turned_away && at % 2 == 0 {
                    continue;
                }
                let is_full = at < turned_away;
                seen.lock().unwrap().extend(socket.peer_addr().map(|peer| peer.ip()));
                let (config, script) = (Arc::clone(&config), script.clone());
                // A session that the test ends is an error here, and none of the test's.
                thread::spawn(move || serve(socket, config, &script, is_full));
            }
        });
        Self { url, ca, peers, _directory: directory }
    }

    /// The options of a command that is aimed at it, as they are read from a command line.
    pub fn options<O: Args>(&self, line: &[&str]) -> O {
        let aimed = ["bench", "--url", &self.url, "--ca", self.ca.to_str().unwrap()];
        Line::try_parse_from([&aimed, line].concat()).unwrap().options
    }
}

#[derive(Parser)]
struct Line<O: Args> {
    #[command(flatten)]
    options: O,
}

/// A certificate of its own: its file, what a server does with it, and the folder it lies in.
fn certified() -> (PathBuf, Arc<ServerConfig>, tempfile::TempDir) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("cert.pem");
    std::fs::write(&ca, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (ca, Arc::new(config), directory)
}

type Tls = StreamOwned<ServerConnection, TcpStream>;

fn serve(
    socket: TcpStream,
    config: Arc<ServerConfig>,
    script: &Script,
    is_full: bool,
) -> io::Result<()> {
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut tls = StreamOwned::new(connection, socket);
    if is_full {
        return tls.write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
    }
    upgrade(&mut tls)?;
    say(&mut tls, r#"{"channel":"status","type":"update","data":[{"system":"online"}]}"#)?;
    let mut to_say = Vec::new();
    for _ in 0..script.requests {
        let request = read_frame(&mut tls)?.1;
        let request: serde_json::Value = serde_json::from_slice(&request)?;
        to_say.extend(answers(&request, script.refused));
    }
    let last = to_say.pop().unwrap_or_default();
    for answer in to_say {
        say(&mut tls, &answer)?;
    }
    for step in script.steps.iter() {
        match step {
            Step::Text(text) => say(&mut tls, text)?,
            Step::Raw(bytes) => tls.write_all(bytes)?,
            Step::Close(code, reason) => {
                let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
                return tls.write_all(&frame(0x88, &payload));
            }
            Step::Silence => {
                say(&mut tls, &last)?;
                return wait(&mut tls, false);
            }
            Step::Live { symbol, rate, stall } => {
                say(&mut tls, &last)?;
                return live(&mut tls, symbol, *rate, *stall);
            }
        }
    }
    say(&mut tls, &last)?;
    wait(&mut tls, true)
}

const SECOND_NS: u64 = 1_000_000_000;

/// Until a write fails, because the dashboard has gone away.
fn live(tls: &mut Tls, symbol: &str, rate: u64, stall: Duration) -> io::Result<()> {
    let (every_ns, stall_ns) = (SECOND_NS / rate, stall.as_nanos() as u64);
    let mut due_ns = now_ns() / every_ns * every_ns;
    loop {
        due_ns += every_ns;
        let since_second = due_ns % SECOND_NS;
        let send_ns =
            if since_second < stall_ns { due_ns - since_second + stall_ns } else { due_ns };
        thread::sleep(Duration::from_nanos(send_ns.saturating_sub(now_ns())));
        let at = rfc3339(due_ns);
        say(
            tls,
            &format!(
                r#"{{"channel":"ticker","type":"update","data":[{{"symbol":"{symbol}","bid":1.0,
                    "timestamp":"{at}"}}]}}"#
            ),
        )?;
    }
}

/// A moment, to the nanosecond.
fn rfc3339(ns: u64) -> String {
    let moment = SystemTime::UNIX_EPOCH + Duration::from_nanos(ns);
    let second = bench::run::utc(moment);
    format!("{}.{:09}Z", second.trim_end_matches('Z'), ns % SECOND_NS)
}

/// Until the dashboard goes away.
fn wait(tls: &mut Tls, heartbeats: bool) -> io::Result<()> {
    tls.sock.set_read_timeout(Some(Duration::from_millis(100)))?;
    let mut spoken = Instant::now();
    loop {
        let mut some = [0; 1024];
        match tls.read(&mut some) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
        if heartbeats && spoken.elapsed() > Duration::from_millis(200) {
            spoken = Instant::now();
            say(tls, r#"{"channel":"heartbeat"}"#)?;
        }
    }
}

fn upgrade(tls: &mut Tls) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        tls.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = accept_of(key.ok_or(io::ErrorKind::InvalidData)?);
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    tls.write_all(answer.as_bytes())
}

fn answers(request: &serde_json::Value, refused: Option<&str>) -> Vec<String> {
    let params = &request["params"];
    let channel = params["channel"].as_str().unwrap();
    if channel == "instrument" {
        return vec![
            r#"{"method":"subscribe","result":{"channel":"instrument"},"success":true}"#.to_owned(),
            r#"{"channel":"instrument","type":"snapshot","data":{"assets":[{"id":"BTC"}],
                "pairs":[{"symbol":"BTC/USD"},{"symbol":"ETH/USD"}]}}"#
                .to_owned(),
        ];
    }
    let symbols = params["symbol"].as_array().unwrap().iter().map(|one| one.as_str().unwrap());
    symbols
        .map(|symbol| {
            if refused == Some(symbol) {
                return format!(
                    r#"{{"method":"subscribe","success":false,"symbol":"{symbol}","error":"no"}}"#
                );
            }
            format!(
                r#"{{"method":"subscribe","result":{{"channel":"{channel}","symbol":"{symbol}"}},
                    "success":true,"time_in":"t","time_out":"t"}}"#
            )
        })
        .collect()
}

/// One unmasked frame.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(length as u8),
        length @ 126..=0xffff => {
            bytes.push(126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}

fn say(tls: &mut Tls, text: &str) -> io::Result<()> {
    tls.write_all(&frame(0x81, text.as_bytes()))
}

/// First byte and payload of a client's frame, which must be masked.
fn read_frame(tls: &mut Tls) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    tls.read_exact(&mut head)?;
    assert_eq!(head[1] & 0x80, 0x80, "client frames are masked");
    let length = match head[1] & 0x7f {
        126 => {
            let mut more = [0; 2];
            tls.read_exact(&mut more)?;
            usize::from(u16::from_be_bytes(more))
        }
        short => usize::from(short),
    };
    let mut mask = [0; 4];
    tls.read_exact(&mut mask)?;
    let mut payload = vec![0; length];
    tls.read_exact(&mut payload)?;
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    Ok((head[0], payload))
}
