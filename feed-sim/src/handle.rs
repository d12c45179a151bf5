//! A running simulator as its owner sees it, and the thread it runs on.
//!
//! The handle lives on any thread; everything else on the sim thread, reached by a bounded queue
//! of commands. Invariant: dropping the handle stops the simulator; `stop` also waits for it.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::LocalSet;

use crate::error::SimError;
use crate::net::frame::FrameBuilder;
use crate::net::hub::{CLOSE_GOING_AWAY, Hub, Progress, Venue};
use crate::net::server::serve;
use crate::net::tls::Tls;
use crate::summary::{Run, Summary};

/// Commands on their way to the sim thread at once.
const COMMANDS_MAX: usize = 256;
/// Longest wait for connections to take their last bytes when the simulator ends.
const CLOSE_MAX: Duration = Duration::from_secs(3);

/// What every simulator can be told about its sockets.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Serve wss and https with this certificate; ws and http otherwise.
    pub tls: Option<Tls>,
    /// Bytes that may wait for one connection before it is closed as too slow.
    pub outbox_bytes_max: usize,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { tls: None, outbox_bytes_max: 64 << 20 }
    }
}

enum Command {
    DisconnectAll,
    Pause(bool),
    CorruptNextChecksum(String),
    SkipNextUpdate(String),
    SendRaw(String),
    Stop,
}

/// A running simulator. Dropping it stops the simulator without waiting.
#[derive(Debug)]
pub struct Handle {
    addr: SocketAddr,
    secure: bool,
    commands: mpsc::Sender<Command>,
    progress: Arc<Progress>,
    thread: Option<JoinHandle<Summary>>,
}

impl Handle {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base of its WebSocket addresses, such as `ws://127.0.0.1:9001`.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.secure { "wss" } else { "ws" }, self.addr)
    }

    /// Market events played so far.
    pub fn ticks(&self) -> u64 {
        self.progress.ticks.load(Ordering::Relaxed)
    }

    /// Messages queued so far, counted once for each connection.
    pub fn messages(&self) -> u64 {
        self.progress.messages.load(Ordering::Relaxed)
    }

    /// WebSocket connections now.
    pub fn connections(&self) -> u64 {
        self.progress.connections.load(Ordering::Relaxed)
    }

    /// The latest that a tick has been so far, in nanoseconds.
    pub fn late_ns_max(&self) -> u64 {
        self.progress.late_ns_max.load(Ordering::Relaxed)
    }

    /// Whether everything there was to play has been played.
    pub fn is_done(&self) -> bool {
        self.progress.done.load(Ordering::Relaxed) != 0
    }

    /// Whether the simulator has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Drops every connection at once, without a close frame.
    pub fn disconnect_all(&self) {
        self.tell(Command::DisconnectAll);
    }

    /// Falls silent while TCP lives: no ticks, heartbeats or replies. The market stands still, so
    /// nothing is late afterwards.
    pub fn pause(&self) {
        self.tell(Command::Pause(true));
    }

    /// Ends the silence.
    pub fn resume(&self) {
        self.tell(Command::Pause(false));
    }

    /// The next book update of `symbol` carries a wrong checksum (Kraken dialect only).
    pub fn corrupt_next_checksum(&self, symbol: &str) {
        self.tell(Command::CorruptNextChecksum(symbol.to_owned()));
    }

    /// The next book update of `symbol` is not sent: a gap. The truth file still has it. A
    /// generated market picks an update near the top of the book, so that the gap shows; it keeps
    /// one gap at a time.
    pub fn skip_next_update(&self, symbol: &str) {
        self.tell(Command::SkipNextUpdate(symbol.to_owned()));
    }

    /// Sends `text` to every connection as it is, well-formed or not.
    pub fn send_raw(&self, text: &str) {
        self.tell(Command::SendRaw(text.to_owned()));
    }

    /// Closes all connections and waits for the simulator to end.
    pub fn stop(mut self) -> Summary {
        self.tell(Command::Stop);
        self.join()
    }

    /// As [`Handle::stop`], without blocking the caller's runtime meanwhile.
    pub async fn stop_async(self) -> Summary {
        let stopped = tokio::task::spawn_blocking(move || self.stop()).await;
        stopped.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// Waits until the simulator ends by itself.
    pub fn wait(mut self) -> Summary {
        self.join()
    }

    /// Begins the stop without waiting for it.
    pub fn begin_stop(&self) {
        self.tell(Command::Stop);
    }

    fn join(&mut self) -> Summary {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(summary)) => summary,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Summary::default(),
        }
    }

    fn tell(&self, mut command: Command) {
        // The sim thread empties the queue at every turn, so a full one is a matter of moments.
        while let Err(TrySendError::Full(unsent)) = self.commands.try_send(command) {
            command = unsent;
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.thread.is_some() {
            let _ = self.commands.try_send(Command::Stop);
        }
    }
}

/// A venue and the loop that drives it.
pub(crate) struct Play {
    pub(crate) venue: Rc<dyn Venue>,
    pub(crate) run: Pin<Box<dyn Future<Output = Run>>>,
}

/// Listens, then runs what `make` makes on a thread named `sim`.
pub(crate) fn launch(
    addr: SocketAddr,
    options: &ServerOptions,
    make: impl FnOnce(Rc<Hub>) -> Play + Send + 'static,
) -> Result<Handle, SimError> {
    let failed = |error: std::io::Error| SimError::Listen { addr, reason: error.to_string() };
    let acceptor = options.tls.as_ref().map(Tls::acceptor).transpose()?;
    let listener = TcpListener::bind(addr).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let (commands, orders) = mpsc::channel(COMMANDS_MAX);
    let progress = Arc::new(Progress::default());
    let (seen, size_max) = (Arc::clone(&progress), options.outbox_bytes_max);
    let secure = acceptor.is_some();
    let main = move || {
        let body = async move {
            let listener = tokio::net::TcpListener::from_std(listener)
                .expect("a bound non-blocking listener can be registered");
            let hub = Hub::new(size_max, seen);
            let Play { venue, run } = make(Rc::clone(&hub));
            let served = serve(listener, acceptor, Rc::clone(&hub), Rc::clone(&venue));
            tokio::task::spawn_local(served);
            tokio::task::spawn_local(obey(orders, Rc::clone(&hub), Rc::clone(&venue)));
            tokio::task::spawn_local(tell_seconds(Rc::clone(&hub), venue));
            conclude(run, &hub).await
        };
        LocalSet::new().block_on(&runtime, body)
    };
    let thread = std::thread::Builder::new().name("sim".to_owned()).spawn(main).map_err(failed)?;
    Ok(Handle { addr: bound, secure, commands, progress, thread: Some(thread) })
}

async fn conclude(run: Pin<Box<dyn Future<Output = Run>>>, hub: &Hub) -> Summary {
    let run = run.await;
    hub.set_paused(false);
    hub.close_all(CLOSE_GOING_AWAY, "venue closes");
    hub.wait_for_close(CLOSE_MAX).await;
    hub.begin_stop();
    hub.publish_progress(hub.progress.late_ns_max.load(Ordering::Relaxed));
    Summary::of(hub, run)
}

async fn obey(mut orders: mpsc::Receiver<Command>, hub: Rc<Hub>, venue: Rc<dyn Venue>) {
    let mut frames = FrameBuilder::default();
    while let Some(command) = orders.recv().await {
        match command {
            Command::DisconnectAll => hub.disconnect_all(),
            Command::Pause(paused) => hub.set_paused(paused),
            Command::CorruptNextChecksum(symbol) => venue.corrupt_next_checksum(&symbol),
            Command::SkipNextUpdate(symbol) => venue.skip_next_update(&symbol),
            Command::SendRaw(text) => {
                let frame = frames.text(text.as_bytes());
                hub.connections().iter().for_each(|connection| hub.send(connection, frame));
            }
            Command::Stop => hub.begin_stop(),
        }
    }
    hub.begin_stop();
}

async fn tell_seconds(hub: Rc<Hub>, venue: Rc<dyn Venue>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    // The first tick of an interval is immediate.
    seconds.tick().await;
    loop {
        seconds.tick().await;
        if !hub.is_paused() {
            venue.second_passed();
        }
    }
}
