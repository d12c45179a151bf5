//! fastwebsockets with one task a session: a bounded queue each, one `write_frame` a message.
//!
//! With `--gather`, what waits for a session goes through a `BufWriter`: one record and one send
//! for all of it.
//!
//! The task that follows the feed puts each tick into the queue of every session of its symbol. A
//! session whose queue is full is cut: it cannot keep up, and nothing is dropped unseen.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use clap::Parser as _;
use fastwebsockets::upgrade::{UpgradeFut, is_upgrade_request, upgrade};
use fastwebsockets::{
    FragmentCollectorRead, Frame, OpCode, Payload, WebSocketError, WebSocketWrite,
};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use peer::{Feed, Options, Step, announce, as_snapshot, runtime, status, steps};
use tokio::io::{AsyncWrite, BufWriter};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_rustls::TlsAcceptor;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Messages that may wait for a session; acks and snapshots of some thousand symbols fit.
const WAITING_MAX: usize = 8192;

/// One TLS record's worth.
const GATHERED_BYTES_MAX: usize = 16 << 10;

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    shared: Options,
    /// Gather what waits for a session into one write
    #[arg(long)]
    gather: bool,
}

/// What waits for a session.
enum Outgoing {
    Text(Arc<str>),
    Pong(Vec<u8>),
    Close,
}

/// A session as its topics see it.
struct Session {
    id: u64,
    queue: Sender<Outgoing>,
    too_slow: Notify,
}

/// One symbol.
#[derive(Default)]
struct Topic {
    last: Option<Arc<str>>,
    sessions: Vec<Arc<Session>>,
}

struct Market {
    instruments: String,
    topics: HashMap<String, Mutex<Topic>>,
    next_id: AtomicU64,
    cut: AtomicU64,
    /// Zero lets every frame through at once.
    gathered_bytes_max: usize,
}

impl Session {
    /// Queues a tick; a session without room for it hears no more and ends.
    fn take(&self, text: &Arc<str>) -> bool {
        let room = self.queue.try_send(Outgoing::Text(Arc::clone(text))).is_ok();
        if !room {
            self.too_slow.notify_one();
        }
        room
    }
}

impl Market {
    fn with<T>(&self, symbol: &str, act: impl FnOnce(&mut Topic) -> T) -> Option<T> {
        let topic = self.topics.get(symbol)?;
        Some(act(&mut topic.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn publish(&self, symbol: &str, text: &Arc<str>) {
        self.with(symbol, |topic| {
            topic.last = Some(Arc::clone(text));
            topic.sessions.retain(|session| session.take(text));
        });
    }

    fn leave(&self, symbol: &str, id: u64) {
        self.with(symbol, |topic| topic.sessions.retain(|session| session.id != id));
    }
}

fn main() -> anyhow::Result<()> {
    let Arguments { shared, gather } = Arguments::parse();
    let runtime = runtime(shared.threads)?;
    // Spawned, so that the runtime's own threads do all the work and this one none.
    runtime.block_on(runtime.spawn(run(shared, gather)))?
}

async fn run(options: Options, gather: bool) -> anyhow::Result<()> {
    let mut feed = Feed::open(&options.feed).await?;
    let market = Arc::new(Market {
        instruments: feed.instruments.clone(),
        topics: feed.symbols.iter().map(|symbol| (symbol.clone(), Mutex::default())).collect(),
        next_id: AtomicU64::new(1),
        cut: AtomicU64::new(0),
        gathered_bytes_max: if gather { GATHERED_BYTES_MAX } else { 0 },
    });
    let tls = TlsAcceptor::from(options.tls()?);
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("cannot use {}", options.listen))?;
    let mut term = signal(SignalKind::terminate())?;
    announce(listener.local_addr()?);

    let ended = tokio::select! {
        _ = term.recv() => Ok(()),
        served = accept(listener, tls, Arc::clone(&market)) => served.context("serving"),
        fed = follow(&mut feed, &market) => fed,
    };
    eprintln!("sessions cut as too slow: {}", market.cut.load(Ordering::Relaxed));
    ended
}

async fn follow(feed: &mut Feed, market: &Market) -> anyhow::Result<()> {
    loop {
        let ticker = feed.ticker().await?;
        if let Some(symbol) = ticker.symbol() {
            market.publish(symbol, &Arc::from(ticker.text()));
        }
    }
}

async fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    market: Arc<Market>,
) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let (tls, market) = (tls.clone(), Arc::clone(&market));
        tokio::spawn(async move {
            // How a connection ends is its own affair.
            let _ = serve(stream, tls, market).await;
        });
    }
}

async fn serve(stream: TcpStream, tls: TlsAcceptor, market: Arc<Market>) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let stream = tls.accept(stream).await?;
    let service = service_fn(|mut request: Request<Incoming>| {
        let market = Arc::clone(&market);
        async move { Ok::<_, Infallible>(greet(&mut request, market)) }
    });
    let http = hyper::server::conn::http1::Builder::new();
    http.serve_connection(TokioIo::new(stream), service).with_upgrades().await?;
    Ok(())
}

fn greet(request: &mut Request<Incoming>, market: Arc<Market>) -> Response<Empty<Bytes>> {
    let refused = |status| {
        let mut response = Response::new(Empty::new());
        *response.status_mut() = status;
        response
    };
    if request.uri().path() != "/v2" || !is_upgrade_request(request) {
        return refused(StatusCode::NOT_FOUND);
    }
    let Ok((response, upgraded)) = upgrade(request) else {
        return refused(StatusCode::BAD_REQUEST);
    };
    tokio::spawn(async move {
        let id = market.next_id.fetch_add(1, Ordering::Relaxed);
        let (queue, waiting) = channel(WAITING_MAX);
        let session = Arc::new(Session { id, queue, too_slow: Notify::new() });
        let mut joined = Vec::new();
        let _ = converse(upgraded, &market, &session, waiting, &mut joined).await;
        for symbol in joined {
            market.leave(&symbol, id);
        }
    });
    response
}

/// Reads and writes in one task; both run to the session's end, so that neither is cancelled
/// halfway.
async fn converse(
    upgraded: UpgradeFut,
    market: &Market,
    session: &Arc<Session>,
    waiting: Receiver<Outgoing>,
    joined: &mut Vec<String>,
) -> Result<(), WebSocketError> {
    let (mut reading, writing) = upgraded.await?.split(|stream| {
        let (reading, writing) = tokio::io::split(stream);
        (reading, BufWriter::with_capacity(market.gathered_bytes_max, writing))
    });
    // Both go through the queue instead: one writer alone keeps frames whole.
    reading.set_auto_pong(false);
    reading.set_auto_close(false);
    let mut reading = FragmentCollectorRead::new(reading);
    let greeting = status(concat!("fastwebsockets-peer-", env!("CARGO_PKG_VERSION")));
    let _ = session.queue.try_send(Outgoing::Text(greeting.into()));
    let read = async {
        loop {
            let mut nothing = async |_: Frame<'_>| Ok::<_, WebSocketError>(());
            let frame = reading.read_frame(&mut nothing).await?;
            let kept = match frame.opcode {
                OpCode::Ping => session.queue.try_send(Outgoing::Pong(frame.payload.to_vec())),
                OpCode::Close => session.queue.try_send(Outgoing::Close),
                OpCode::Text => {
                    let text = String::from_utf8_lossy(&frame.payload);
                    answer(market, &text, session, joined);
                    Ok(())
                }
                _ => Ok(()),
            };
            if kept.is_err() {
                return Err(WebSocketError::ConnectionClosed);
            }
        }
    };
    tokio::select! {
        ended = read => ended,
        ended = write(writing, waiting) => ended,
        () = session.too_slow.notified() => {
            market.cut.fetch_add(1, Ordering::Relaxed);
            Err(WebSocketError::ConnectionClosed)
        }
    }
}

async fn write<W: AsyncWrite + Unpin>(
    mut socket: WebSocketWrite<W>,
    mut waiting: Receiver<Outgoing>,
) -> Result<(), WebSocketError> {
    while let Some(outgoing) = waiting.recv().await {
        match &outgoing {
            Outgoing::Text(text) => {
                socket.write_frame(Frame::text(Payload::Borrowed(text.as_bytes()))).await?;
            }
            Outgoing::Pong(payload) => {
                socket.write_frame(Frame::pong(Payload::Borrowed(payload))).await?;
            }
            Outgoing::Close => {
                socket.write_frame(Frame::close(1000, b"")).await?;
                return socket.flush().await;
            }
        }
        if waiting.is_empty() {
            // What a full socket left in the TLS buffer would otherwise wait for the next tick.
            socket.flush().await?;
        }
    }
    Ok(())
}

fn answer(market: &Market, text: &str, session: &Arc<Session>, joined: &mut Vec<String>) {
    let knows = |symbol: &str| market.topics.contains_key(symbol);
    for step in steps(text, knows, &market.instruments) {
        match step {
            Step::Say(text) => drop(session.take(&text.into())),
            Step::Leave { symbol } => {
                market.leave(&symbol, session.id);
                joined.retain(|listed| *listed != symbol);
            }
            Step::Join { symbol, .. } if joined.contains(&symbol) => {}
            Step::Join { symbol, snapshot } => {
                market.with(&symbol, |topic| {
                    if let (Some(last), true) = (&topic.last, snapshot) {
                        session.take(&as_snapshot(last).into());
                    }
                    topic.sessions.push(Arc::clone(session));
                });
                joined.push(symbol);
            }
        }
    }
}
