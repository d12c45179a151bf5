//! A door on a port of its own, fake shards behind it, and a plain TLS dashboard in front.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

#[path = "../support/trust.rs"]
mod trust;
#[path = "../support/websocket.rs"]
mod websocket;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::Receiver;
use gateway::access::Access;
use gateway::catalogue::Catalogue;
use gateway::config;
use gateway::door::{Door, Gate, Surroundings, certificate};
use gateway::hearing;
use gateway::metrics::Metrics;
use gateway::shard::{Arrival, Mailbox};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::{Domain, Socket, Type};
use trust::trusting;
pub(crate) use websocket::HEADERS;
use websocket::read_head;

/// Long enough that only a hang exceeds it.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A running door and what surrounds it.
pub struct Rig {
    pub address: SocketAddr,
    pub catalogue: Arc<Catalogue>,
    pub metrics: Arc<Metrics>,
    /// None once the fake shard has gone.
    pub arrivals: Option<Receiver<Arrival>>,
    /// What the fake shard claims to serve.
    pub sessions: Arc<AtomicUsize>,
    pub tls: Arc<ClientConfig>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _poll: mio::Poll,
    _dir: tempfile::TempDir,
}

impl Rig {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut config::Door)) -> Self {
        Self::with_mailbox(16, change)
    }

    pub fn with_mailbox(capacity: usize, change: impl FnOnce(&mut config::Door)) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let mut settings = settings(dir.path());
        let tls = client_config(&settings.cert_file);
        change(&mut settings);
        let poll = mio::Poll::new().expect("a poll");
        let waker = mio::Waker::new(poll.registry(), mio::Token(0)).expect("a waker");
        let sessions = Arc::new(AtomicUsize::new(0));
        let (mailbox, arrivals) = Mailbox::new(capacity, Arc::new(waker), Arc::clone(&sessions));
        let metrics = Arc::new(Metrics::new([], 1));
        let catalogue = Arc::new(Catalogue::default());
        let auth = config::Auth::open();
        let access =
            Arc::new(Access::load(&auth, Duration::ZERO).expect("there is no file to be read"));
        let surroundings = Surroundings {
            catalogue: Arc::clone(&catalogue),
            mailboxes: vec![mailbox],
            gate: Gate::new(&auth, access),
            hearings: hearing::desk().1,
            metrics: Arc::clone(&metrics),
        };
        let door = Door::bind(&settings, None).expect("bound");
        let address = door.address();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let until = async {
                let _ = stopped.await;
            };
            door.run(surroundings, until).expect("served");
        });
        Self {
            address,
            catalogue,
            metrics,
            arrivals: Some(arrivals),
            sessions,
            tls,
            stop: Some(stop),
            thread: Some(thread),
            _poll: poll,
            _dir: dir,
        }
    }

    pub fn connect(&self) -> Dashboard {
        self.connect_over(self.plain_from(1))
    }

    /// TCP without a word, from one of this machine's many loopback addresses.
    pub fn plain_from(&self, last: u8) -> TcpStream {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let own = SocketAddr::from(([127, 0, 0, last], 0));
        socket.bind(&own.into()).expect("a loopback address");
        socket.connect(&self.address.into()).expect("connected");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        socket.into()
    }

    pub fn connect_over(&self, socket: TcpStream) -> Dashboard {
        let name = ServerName::try_from("127.0.0.1").expect("a name");
        let tls = ClientConnection::new(Arc::clone(&self.tls), name).expect("a client");
        Dashboard(StreamOwned::new(tls, socket))
    }

    /// One request on a connection of its own.
    pub fn ask(&self, request: &str) -> Reply {
        let mut dashboard = self.connect();
        dashboard.say(request.as_bytes());
        dashboard.reply(request.starts_with("HEAD"))
    }

    pub fn get(&self, path: &str) -> Reply {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
    }

    pub fn arrival(&self) -> Arrival {
        let arrivals = self.arrivals.as_ref().expect("a shard");
        arrivals.recv_timeout(PATIENCE).expect("an arrival")
    }

    /// Waits until the condition holds.
    pub fn wait(&self, what: &str, mut condition: impl FnMut(&Metrics) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(&self.metrics) {
            assert!(Instant::now() < deadline, "{what}: {:?}", self.metrics.door);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        drop(self.stop.take());
        let joined = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(joined, Some(Ok(()))), "the door panicked");
    }
}

/// Of a door on any port, with a certificate of its own in a folder.
pub fn settings(folder: &Path) -> config::Door {
    let (cert_file, key_file) = certificate::ensure_self_signed(folder).expect("made");
    config::Door {
        listen: "127.0.0.1:0".parse().expect("an address"),
        cert_file,
        key_file,
        cert_watch: Duration::ZERO,
        tls_min: config::TlsMin::default(),
        hsts: Duration::from_secs(60),
        handshake_timeout: PATIENCE,
        header_timeout: PATIENCE,
        header_bytes_max: 8192,
        arriving_max: 100,
        mailbox_wait: Duration::from_millis(100),
        sessions_max: 100,
        memory_bytes_max: 0,
        crowd: config::Crowd::default(),
        sockets: config::Sockets::default(),
        thread: config::Thread::default(),
        origins: Vec::new(),
        origin_required: false,
        conformance_echo: false,
    }
}

pub fn client_config(cert_file: &Path) -> Arc<ClientConfig> {
    let mut config = trusting(cert_file).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

/// A connection as a dashboard has it.
pub struct Dashboard(pub StreamOwned<ClientConnection, TcpStream>);

/// An answer, taken apart.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

impl Dashboard {
    pub fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).and_then(|()| self.0.flush()).expect("sent");
    }

    pub fn reply(&mut self, is_head: bool) -> Reply {
        let head = String::from_utf8(read_head(&mut self.0)).expect("text");
        let status = head[9..12].parse().expect("a status");
        let mut reply = Reply { status, head, body: Vec::new() };
        let length = reply.header("content-length").map_or(0, |l| l.parse().expect("a length"));
        if !is_head && status != 304 {
            reply.body.resize(length, 0);
            self.0.read_exact(&mut reply.body).expect("a body");
        }
        reply
    }

    /// True when the other side closes within the patience.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => !matches!(
                error.kind(),
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
            ),
        }
    }
}
