//! axum with tokio's broadcast: one channel a symbol, one task a session that selects over a
//! `StreamMap`.
//!
//! What is ready for a session is fed to its WebSocket before one flush, as `StreamExt::forward`
//! does it. A session that falls more than `TICKS_MAX` behind on a symbol loses the oldest; they
//! are counted.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::routing::any;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use clap::Parser as _;
use futures_util::{FutureExt as _, SinkExt as _};
use peer::{Feed, Options, Step, announce, as_snapshot, runtime, status, steps};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use tokio_stream::{StreamExt as _, StreamMap};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Ticks of a symbol that are kept for the slowest session.
const TICKS_MAX: usize = 4096;

/// One symbol: the join of snapshot and stream is exact because both happen under the lock.
struct Topic {
    last: Mutex<Option<Utf8Bytes>>,
    updates: broadcast::Sender<Utf8Bytes>,
}

struct Market {
    instruments: String,
    topics: HashMap<String, Topic>,
    lost: AtomicU64,
}

type Updates = StreamMap<String, BroadcastStream<Utf8Bytes>>;

impl Topic {
    fn publish(&self, text: Utf8Bytes) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(text.clone());
        // Nobody listens to most symbols most of the time; that is no error.
        let _ = self.updates.send(text);
    }

    fn join(&self) -> (Option<Utf8Bytes>, BroadcastStream<Utf8Bytes>) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        (last.clone(), BroadcastStream::new(self.updates.subscribe()))
    }
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let runtime = runtime(options.threads)?;
    // Spawned, so that the runtime's own threads do all the work and this one none.
    runtime.block_on(runtime.spawn(run(options)))?
}

async fn run(options: Options) -> anyhow::Result<()> {
    let mut feed = Feed::open(&options.feed).await?;
    let topic = || Topic { last: Mutex::default(), updates: broadcast::Sender::new(TICKS_MAX) };
    let market = Arc::new(Market {
        instruments: feed.instruments.clone(),
        topics: feed.symbols.iter().map(|symbol| (symbol.clone(), topic())).collect(),
        lost: AtomicU64::new(0),
    });
    let app = Router::new().route("/v2", any(upgrade)).with_state(Arc::clone(&market));
    let tls = RustlsAcceptor::new(RustlsConfig::from_config(options.tls()?));
    let handle = axum_server::Handle::new();
    let server = axum_server::bind(options.listen)
        .acceptor(tls.acceptor(NoDelayAcceptor::new()))
        .handle(handle.clone())
        .serve(app.into_make_service());
    let server = tokio::spawn(server);
    let mut term = signal(SignalKind::terminate())?;
    announce(handle.listening().await.with_context(|| format!("cannot use {}", options.listen))?);

    let ended = tokio::select! {
        _ = term.recv() => Ok(()),
        served = server => served?.context("serving"),
        fed = follow(&mut feed, &market) => fed,
    };
    eprintln!("lost to slow sessions: {}", market.lost.load(Ordering::Relaxed));
    ended
}

async fn follow(feed: &mut Feed, market: &Market) -> anyhow::Result<()> {
    loop {
        let ticker = feed.ticker().await?;
        if let Some(topic) = ticker.symbol().and_then(|symbol| market.topics.get(symbol)) {
            topic.publish(Utf8Bytes::from(ticker.text()));
        }
    }
}

async fn upgrade(
    upgrade: WebSocketUpgrade,
    State(market): State<Arc<Market>>,
) -> axum::response::Response {
    upgrade.on_upgrade(async move |socket| {
        // How a session ends is its own affair.
        let _ = session(socket, &market).await;
    })
}

async fn session(mut socket: WebSocket, market: &Market) -> Result<(), axum::Error> {
    let mut updates = Updates::new();
    socket.send(Message::text(status(concat!("axum-peer-", env!("CARGO_PKG_VERSION"))))).await?;
    loop {
        tokio::select! {
            heard = socket.recv() => match heard {
                Some(Ok(Message::Text(text))) => {
                    answer(&mut socket, &mut updates, market, &text).await?;
                }
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(heard) => drop(heard?),
            },
            Some((_, tick)) = updates.next() => {
                feed_tick(&mut socket, market, tick).await?;
                while let Some(Some((_, tick))) = pin!(updates.next()).now_or_never() {
                    feed_tick(&mut socket, market, tick).await?;
                }
                socket.flush().await?;
            }
        }
    }
}

async fn feed_tick(
    socket: &mut WebSocket,
    market: &Market,
    tick: Result<Utf8Bytes, BroadcastStreamRecvError>,
) -> Result<(), axum::Error> {
    match tick {
        Ok(text) => socket.feed(Message::Text(text)).await,
        Err(BroadcastStreamRecvError::Lagged(count)) => {
            market.lost.fetch_add(count, Ordering::Relaxed);
            Ok(())
        }
    }
}

async fn answer(
    socket: &mut WebSocket,
    updates: &mut Updates,
    market: &Market,
    text: &str,
) -> Result<(), axum::Error> {
    let knows = |symbol: &str| market.topics.contains_key(symbol);
    for step in steps(text, knows, &market.instruments) {
        match step {
            Step::Say(text) => socket.feed(Message::text(text)).await?,
            Step::Leave { symbol } => drop(updates.remove(&symbol)),
            Step::Join { symbol, snapshot } => {
                let (last, stream) = market.topics[&symbol].join();
                if let (Some(last), true) = (last, snapshot) {
                    socket.feed(Message::text(as_snapshot(&last))).await?;
                }
                updates.insert(symbol, stream);
            }
        }
    }
    socket.flush().await
}
