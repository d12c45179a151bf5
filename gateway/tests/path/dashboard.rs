//! A dashboard on a thread of its own: connects over TLS (or plainly, to a venue), subscribes,
//! reads.
//!
//! All requests are sent before the first read, so that no read is ever given up half-way. What is
//! heard goes into a [`View`]; who waits for something in it is woken by each message.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, handshake};
use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

use super::view::{End, Rules, View};

type Socket = FragmentCollector<TokioIo<Upgraded>>;

/// Where a dashboard connects.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    /// None speaks plainly.
    pub tls: Option<Arc<ClientConfig>>,
}

/// What it asks for.
#[derive(Clone, Debug)]
pub struct Wish {
    pub rules: Rules,
    pub channels: Vec<&'static str>,
    pub symbols: Vec<String>,
    /// Where to go on, if anywhere.
    pub resume: Option<Positions>,
}

/// What a session had when it ended: the epoch, and the numbers by channel and symbol.
#[derive(Clone, Debug, Default)]
pub struct Positions {
    pub epoch: String,
    pub numbers: HashMap<(String, String), u64>,
}

impl Wish {
    pub fn requests(&self) -> Vec<Value> {
        let request = |channel: &&str| {
            let mut params = json!({ "channel": channel, "symbol": self.symbols });
            match *channel {
                "book" => params["depth"] = self.rules.depth.into(),
                "ticker" => params["event_trigger"] = "bbo".into(),
                _ => {}
            }
            if self.rules.sequenced {
                params["x"] = json!({ "seq": true });
            }
            if let Some(Positions { epoch, numbers }) = &self.resume {
                let of_channel = numbers.iter().filter(|(key, _)| key.0 == *channel);
                let at = of_channel.map(|((_, symbol), seq)| {
                    (symbol.clone(), json!({ "epoch": epoch, "seq": seq }))
                });
                params["x"]["resume"] = at.collect::<serde_json::Map<_, _>>().into();
            }
            json!({ "method": "subscribe", "params": params })
        };
        self.channels.iter().map(request).collect()
    }
}

/// What a dashboard heard, and who waits for it.
pub struct Shared {
    view: Mutex<View>,
    changed: Condvar,
    reading: Reading,
}

/// For how long a dashboard reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    ToTheEnd,
    /// Until it has a book; then it stands still.
    UntilServed,
}

impl Shared {
    pub fn new(rules: Rules, reading: Reading) -> Self {
        Self { view: Mutex::new(View::new(rules)), changed: Condvar::new(), reading }
    }

    /// Takes one message; true when it wants no more.
    fn hear(&self, text: &str) -> bool {
        let mut view = self.lock();
        view.hear(text);
        self.reading == Reading::UntilServed && !view.books.is_empty()
    }

    /// A test that fails while it looks leaves nothing half done.
    pub fn lock(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running dashboard; dropping it ends the connection.
pub struct Dashboard {
    shared: Arc<Shared>,
    name: String,
    leave: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Dashboard {
    pub fn start(name: &str, target: Target, wish: &Wish) -> Self {
        let shared = Arc::new(Shared::new(wish.rules, Reading::ToTheEnd));
        let (leave, left) = oneshot::channel();
        let (told, requests) = (Arc::clone(&shared), wish.requests());
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let end = either(serve(&target, &requests, &told), left).await;
                told.lock().end = end;
                told.changed.notify_all();
            });
        });
        let thread = Some(thread.expect("a thread"));
        Self { shared, name: name.to_owned(), leave: Some(leave), thread }
    }

    /// What is known now; nothing is heard while it is looked at, so look once at a time.
    pub fn view(&self) -> MutexGuard<'_, View> {
        self.shared.lock()
    }

    /// Waits until `met`; fails on a broken promise, an end that is not awaited, or the deadline.
    pub fn wait(&self, what: &str, limit: Duration, mut met: impl FnMut(&View) -> bool) {
        let deadline = Instant::now() + limit;
        let mut view = self.view();
        loop {
            assert!(view.violations.is_empty(), "{}: {:#?}", self.name, view.violations);
            if met(&view) {
                return;
            }
            assert!(view.end.is_none(), "{}: ended before {what}: {:?}", self.name, view.end);
            let left = deadline.saturating_duration_since(Instant::now());
            let sum = || view.summary();
            assert!(!left.is_zero(), "{}: not within {limit:?}: {what}; {}", self.name, sum());
            let woken = self.shared.changed.wait_timeout(view, left);
            view = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Nothing it heard broke a promise, and it is still connected.
    pub fn is_content(&self) {
        let view = self.view();
        assert!(view.violations.is_empty(), "{}: {:#?}", self.name, view.violations);
        assert_eq!(view.end, None, "{}", self.name);
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        drop(self.leave.take());
        let joined = self.thread.take().map(JoinHandle::join);
        let is_well = matches!(joined, Some(Ok(())));
        assert!(is_well || std::thread::panicking(), "{}: the dashboard panicked", self.name);
    }
}

/// What the connection came to; none when it was left.
async fn either(
    serving: impl Future<Output = End>,
    mut left: oneshot::Receiver<()>,
) -> Option<End> {
    let mut serving = std::pin::pin!(serving);
    std::future::poll_fn(|cx| {
        if let std::task::Poll::Ready(end) = serving.as_mut().poll(cx) {
            return std::task::Poll::Ready(Some(end));
        }
        std::pin::Pin::new(&mut left).poll(cx).map(|_| None)
    })
    .await
}

/// Connects, asks and reads to the end.
pub async fn serve(target: &Target, requests: &[Value], shared: &Shared) -> End {
    let mut socket = match connect(target).await {
        Ok(socket) => socket,
        Err(reason) => return End::Lost(format!("no connection: {reason}")),
    };
    for request in requests {
        let frame = Frame::text(Payload::Owned(request.to_string().into_bytes()));
        if let Err(error) = socket.write_frame(frame).await {
            return End::Lost(error.to_string());
        }
    }
    loop {
        let frame = match socket.read_frame().await {
            Ok(frame) => frame,
            Err(error) => return End::Lost(error.to_string()),
        };
        match (frame.opcode, std::str::from_utf8(&frame.payload)) {
            (OpCode::Text, Ok(text)) => {
                let has_enough = shared.hear(text);
                shared.changed.notify_all();
                if has_enough {
                    std::future::pending::<()>().await;
                }
            }
            (OpCode::Close, _) => {
                let code =
                    frame.payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                return End::Closed(code);
            }
            (OpCode::Ping | OpCode::Pong, _) => {}
            (opcode, _) => return End::Lost(format!("an unexpected {opcode:?}")),
        }
    }
}

async fn connect(target: &Target) -> Result<Socket, String> {
    let stream = TcpStream::connect(target.address).await.map_err(|error| error.to_string())?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    match &target.tls {
        None => upgrade(stream).await,
        Some(tls) => {
            let name = ServerName::try_from("127.0.0.1").expect("a name");
            let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
            upgrade(stream.map_err(|error| error.to_string())?).await
        }
    }
}

async fn upgrade<S>(stream: S) -> Result<Socket, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let request = Request::get("/v2")
        .header("Host", "127.0.0.1")
        .header("Upgrade", "websocket")
        .header("Connection", "upgrade")
        .header("Sec-WebSocket-Key", handshake::generate_key())
        .header("Sec-WebSocket-Version", "13")
        .body(Empty::<Bytes>::new())
        .expect("a request");
    let upgraded = handshake::client(&TokioExecutor::new(), request, stream).await;
    let (socket, _) = upgraded.map_err(|error| error.to_string())?;
    Ok(FragmentCollector::new(socket))
}
