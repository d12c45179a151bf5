//! The door thread: accept, TLS, HTTP, upgrade; then the connection is a shard's.
//!
//! A storm of arrivals costs this thread its time and no tick anything. **Invariant:** every
//! connection here has a deadline at each step, and only so many of them exist at once (`crowd`).
//! A panic in one visit ends that visit (`guard`).
//! Deliberately absent: WebSocket frames, which the shards read and write alone.

mod answer;
mod budget;
pub mod certificate;
mod crowd;
mod gate;
mod guard;
mod hand_over;
mod handshake;
pub mod keyring;
mod origin;
mod page;
mod query;
#[cfg(fuzzing)]
pub mod rehearsal;
mod rest;
mod stream;
mod tables;
mod tls;
mod upgrade;
mod visit;

use std::future::{Future, pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use rustls::ServerConfig;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use self::budget::Budget;
use self::crowd::Crowd;
pub use self::gate::Gate;
use self::guard::Panic;
use self::keyring::{Keyring, Pair};
use self::page::Page;
use self::rest::Rest;
pub use self::tls::TlsError;
use crate::catalogue::Catalogue;
use crate::clock;
use crate::config;
use crate::hearing::Hearing;
use crate::listen;
use crate::live::Live;
use crate::metrics::{DoorMetrics, Metrics};
use crate::shard::Mailbox;
use crate::sockets::{self, SocketError};
use crate::throttle::Throttle;

/// Connections the kernel holds until they are accepted (it cuts this to its own somaxconn).
const BACKLOG: i32 = 4096;
/// First and longest wait after accept failed for want of something.
const BACKOFF_MIN: Duration = Duration::from_millis(10);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// Why there is no door.
#[derive(Debug, Error)]
pub enum DoorError {
    /// Certificate or key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address is taken, not ours, or not allowed.
    #[error("door.listen {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The kernel refuses an option of its sockets.
    #[error("door.{0}")]
    Option(#[from] SocketError),
    /// The thread's runtime could not start.
    #[error("door: {0}")]
    Runtime(#[source] io::Error),
}

/// What the door shares with the other threads.
#[derive(Debug)]
pub struct Surroundings {
    /// What it tells of instruments and feeds.
    pub catalogue: Arc<Catalogue>,
    /// The shards.
    pub mailboxes: Vec<Mailbox>,
    /// Who is let in.
    pub gate: Gate,
    /// Tokens that sessions have sent.
    pub hearings: mpsc::Receiver<Hearing>,
    /// Where it counts; this thread alone writes `door`.
    pub metrics: Arc<Metrics>,
}

/// A door that listens and does not answer yet.
#[derive(Debug)]
pub struct Door {
    settings: Arc<Live<config::Door>>,
    keyring: Arc<Keyring>,
    listener: std::net::TcpListener,
    address: SocketAddr,
    tls: Arc<ServerConfig>,
}

/// What all visits share.
struct Hall {
    settings: Arc<Live<config::Door>>,
    tls: Arc<ServerConfig>,
    page: Page,
    rest: Rest,
    catalogue: Arc<Catalogue>,
    mailboxes: Vec<Mailbox>,
    gate: Gate,
    metrics: Arc<Metrics>,
    /// Connections between accept and upgrade. The door's thread alone locks it.
    crowd: Mutex<Crowd>,
    /// Upgrades answered 101 and not handed over yet.
    handing: AtomicUsize,
    /// Held by who is next to get a place; fair.
    turn: tokio::sync::Mutex<()>,
    budget: Budget,
    handshake_lines: Throttle,
    /// Tells the thread of a panic that it may not survive.
    alarm: mpsc::Sender<Panic>,
}

impl Door {
    /// Reads certificate and key and takes the port, so that what is wrong with them is said at
    /// start.
    pub fn bind(settings: &config::Door, client_ca_file: Option<&Path>) -> Result<Self, DoorError> {
        let pair = Pair::read(&settings.cert_file, &settings.key_file)?;
        if let Err(error) = pair.check_validity(&settings.cert_file) {
            tracing::warn!("{error}; dashboards that look will not come");
        }
        let keyring = Arc::new(Keyring::new(pair));
        let tls = tls::server_config(Arc::clone(&keyring), settings.tls_min, client_ca_file)?;
        let at_address = |source| DoorError::Listen { address: settings.listen, source };
        let socket = listen::bind(settings.listen).map_err(at_address)?;
        sockets::apply(&socket, &settings.sockets)?;
        let listener = listen::listen(socket, BACKLOG).map_err(at_address)?;
        let address = listener.local_addr().map_err(at_address)?;
        let settings = Arc::new(Live::new(settings.clone()));
        Ok(Self { settings, keyring, listener, address, tls })
    }

    /// Its limits, which may be replaced while it is open.
    pub const fn settings(&self) -> &Arc<Live<config::Door>> {
        &self.settings
    }

    /// Certificate and key, which may be exchanged while it is open.
    pub const fn keyring(&self) -> &Arc<Keyring> {
        &self.keyring
    }

    /// Where it listens; the port is a real one even where port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves on the calling thread until `stop` completes; connections that have not become
    /// sessions by then are cut.
    pub fn run(
        self,
        surroundings: Surroundings,
        stop: impl Future<Output = ()>,
    ) -> Result<(), DoorError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(DoorError::Runtime)?;
        let (hall, hearings, mut alarms) = Hall::new(self.settings, self.tls, surroundings);
        let hall = Arc::new(hall);
        runtime.block_on(async {
            let listener = TcpListener::from_std(self.listener).map_err(DoorError::Runtime)?;
            let (mut accepting, mut stop) = (pin!(accept(&listener, &hall)), pin!(stop));
            let mut hearing = pin!(hear(hearings, &hall));
            poll_fn(|cx| {
                if let Poll::Ready(Some(panic)) = alarms.poll_recv(cx) {
                    resume_unwind(panic);
                }
                if stop.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                // Neither ever completes.
                let _ = hearing.as_mut().poll(cx);
                let _ = accepting.as_mut().poll(cx);
                Poll::Pending
            })
            .await;
            Ok(())
        })
    }
}

impl Hall {
    fn new(
        settings: Arc<Live<config::Door>>,
        tls: Arc<ServerConfig>,
        surroundings: Surroundings,
    ) -> (Self, mpsc::Receiver<Hearing>, mpsc::Receiver<Panic>) {
        let (alarm, alarms) = mpsc::channel(1);
        let hall = Self {
            budget: Budget::new(settings.current().memory_bytes_max),
            crowd: Mutex::new(Crowd::new(&settings.current())),
            settings,
            tls,
            page: Page::new(),
            rest: Rest::new(Arc::clone(&surroundings.catalogue)),
            catalogue: surroundings.catalogue,
            mailboxes: surroundings.mailboxes,
            gate: surroundings.gate,
            metrics: surroundings.metrics,
            turn: tokio::sync::Mutex::default(),
            handing: AtomicUsize::new(0),
            handshake_lines: Throttle::new(),
            alarm,
        };
        (hall, surroundings.hearings, alarms)
    }

    /// Whether a panic left something half done that all visits share.
    fn is_poisoned(&self) -> bool {
        self.crowd.is_poisoned() || self.gate.is_poisoned() || self.rest.is_poisoned()
    }

    fn metrics(&self) -> &DoorMetrics {
        &self.metrics.door
    }

    /// As they stand now; whoever needs several of them asks once.
    fn settings(&self) -> Arc<config::Door> {
        self.settings.current()
    }
}

/// Accepts for ever. Each failure of accept is survived: of a connection that left already, or,
/// after a wait, of a machine that has no file descriptor or memory to spare.
async fn accept(listener: &TcpListener, hall: &Arc<Hall>) {
    let mut backoff = BACKOFF_MIN;
    let lines = Throttle::new();
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                backoff = BACKOFF_MIN;
                hall.metrics().accepted.inc();
                admit(socket, peer, hall);
            }
            Err(error) => {
                hall.metrics().accept_errors.inc();
                if let Some(left_out) = lines.pass(clock::now()) {
                    tracing::warn!(%error, left_out, "accept failed");
                }
                if !is_of_one_connection(&error) {
                    tokio::time::sleep(backoff).await;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
    }
}

/// Hears tokens that sessions send. One that has to wait for a seat holds up nobody else.
async fn hear(mut hearings: mpsc::Receiver<Hearing>, hall: &Arc<Hall>) {
    while let Some(hearing) = hearings.recv().await {
        let own = Arc::clone(hall);
        let work = async move { own.gate.hear(hearing, own.metrics()).await };
        drop(tokio::spawn(guard::watched(Arc::clone(hall), work)));
    }
    pending::<()>().await;
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

fn admit(socket: TcpStream, peer: SocketAddr, hall: &Arc<Hall>) {
    match visit::Slot::take(hall, peer.ip()) {
        Ok(slot) => {
            let visit = visit::serve(socket, peer, slot);
            drop(tokio::spawn(guard::watched(Arc::clone(hall), visit)));
        }
        Err(reason) => hall.metrics().arriving_refused.of(reason).inc(),
    }
}
