//! One feed's life: connect, subscribe, read until it ends, mark it stale, wait, again.
//!
//! A task of the ingest thread. A read is never given up half-way: the library's reads lose bytes
//! when they are dropped, so every time-out here ends the whole connection. Writing happens between
//! reads; what is due later is looked at when the next message comes, at the latest a venue's
//! heartbeat away. Nothing is borrowed across an await.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use fastwebsockets::{Frame, OpCode, WebSocket, WebSocketError};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use market::Nanos;
use rustls::ClientConfig;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout, timeout_at};

use super::Limits;
use super::backoff::{Backoff, Pace};
use super::board::Board;
use super::dial::{Address, DialError};
use super::pipeline::Pipeline;
use super::publisher::Publisher;
use super::resync::Resyncs;
use super::reveal::Hidden;
use super::spin::Spin;
use crate::clock;
use crate::config::Feed;
use crate::faults;
use crate::metrics::{FeedMetrics, Metrics};

pub(super) type Socket = WebSocket<TokioIo<Upgraded>>;

/// How a connection ended.
#[derive(Debug, Error)]
pub(super) enum Ended {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("no message within the connect time-out")]
    ConnectTimeout,
    #[error("silent for too long")]
    Silent,
    #[error("a request of ours was not taken in time")]
    Stalled,
    #[error("closed by the venue")]
    Closed,
    #[error("message larger than {0} bytes")]
    TooLarge(usize),
    #[error("websocket: {0}")]
    WebSocket(#[from] WebSocketError),
}

/// What a feed needs to know, checked at start.
pub(super) struct Route {
    pub(super) feed: Feed,
    pub(super) index: usize,
    pub(super) address: Address,
    pub(super) rest: Option<Address>,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) limits: Limits,
}

/// One feed.
pub(super) struct FeedTask {
    pub(super) route: Route,
    pub(super) pipeline: RefCell<Pipeline>,
    pub(super) publisher: Rc<RefCell<Publisher>>,
    pub(super) metrics: Arc<Metrics>,
    board: Rc<Board>,
    /// It was connected before: the next connection is a reconnect.
    connected_once: Cell<bool>,
    /// Grows with each connection; what belongs to an older one is dropped.
    pub(super) epoch: Cell<u64>,
    pub(super) resyncs: RefCell<Resyncs>,
    /// Snapshot requests at once.
    pub(super) permits: Rc<Semaphore>,
    /// Snapshot requests under way; housekeeping looks after them.
    pub(super) fetches: Rc<RefCell<JoinSet<()>>>,
    spin: Rc<Spin>,
    hidden: RefCell<Hidden>,
}

impl FeedTask {
    pub(super) fn new(
        route: Route,
        publisher: Rc<RefCell<Publisher>>,
        metrics: Arc<Metrics>,
        board: Rc<Board>,
        fetches: Rc<RefCell<JoinSet<()>>>,
        spin: Rc<Spin>,
    ) -> Self {
        let pipeline = Pipeline::new(&route.feed, route.index, route.limits, Arc::clone(&metrics));
        let hidden = RefCell::new(Hidden::new(&route.limits));
        Self {
            spin,
            hidden,
            route,
            pipeline: RefCell::new(pipeline),
            publisher,
            metrics,
            board,
            connected_once: Cell::new(false),
            epoch: Cell::new(0),
            resyncs: RefCell::default(),
            permits: Rc::new(Semaphore::new(super::resync::FETCHES_MAX)),
            fetches,
        }
    }

    /// Never returns.
    pub(super) async fn run(self: Rc<Self>) {
        self.pipeline
            .borrow_mut()
            .normaliser
            .define_configured(clock::now(), &mut self.publisher.borrow_mut());
        let mut backoff = Backoff::default();
        loop {
            let Err(ended) = self.connection().await;
            let wait = backoff.next(self.pace(), clock::now());
            self.lost(&ended, wait);
            sleep(wait).await;
        }
    }

    pub(super) fn pace(&self) -> Pace {
        Pace { min: self.route.limits.backoff_min, max: self.route.limits.backoff_max }
    }

    pub(super) fn feed_metrics(&self) -> &FeedMetrics {
        &self.metrics.ingest.feeds[self.route.index]
    }

    fn lost(&self, ended: &Ended, wait: Duration) {
        let feed = &*self.route.feed.name;
        tracing::warn!(feed, reason = %ended, wait_ms = wait.as_millis() as u64, "not connected");
        self.epoch.set(self.epoch.get() + 1);
        self.resyncs.borrow_mut().clear();
        let metrics = self.feed_metrics();
        metrics.live.set(0);
        if matches!(ended, Ended::Silent) {
            metrics.silences.inc();
        }
        let mut publisher = self.publisher.borrow_mut();
        self.pipeline.borrow_mut().normaliser.disconnected(clock::now(), &mut publisher);
        publisher.flush();
        self.board.set(self.route.index, false, ended.to_string());
    }

    async fn connection(self: &Rc<Self>) -> Result<Infallible, Ended> {
        let limits = self.route.limits;
        let deadline = Instant::now() + limits.connect_timeout;
        let opened = timeout_at(deadline, self.open()).await;
        let (mut socket, read_at) = opened.map_err(|_| Ended::ConnectTimeout)??;
        let mut alarm = Alarm { due: deadline, sleep: Box::pin(sleep_until(deadline)) };
        let mut partial = Vec::new();
        loop {
            let frame = match read(&mut socket, &mut alarm, || self.show()).await {
                Err(Ended::Silent) if !self.pipeline.borrow().normaliser.is_live() => {
                    return Err(Ended::ConnectTimeout);
                }
                outcome => outcome?,
            };
            let whole = match (frame.opcode, frame.fin) {
                (OpCode::Close, _) => return Err(Ended::Closed),
                (OpCode::Ping | OpCode::Pong, _) => None,
                (OpCode::Text | OpCode::Binary, true) => Some(&*frame.payload),
                (opcode, fin) => {
                    if opcode != OpCode::Continuation {
                        partial.clear();
                    }
                    if partial.len() + frame.payload.len() > limits.message_bytes_max {
                        return Err(Ended::TooLarge(limits.message_bytes_max));
                    }
                    partial.extend_from_slice(&frame.payload);
                    fin.then_some(&*partial)
                }
            };
            if let Some(message) = whole {
                alarm.set(Instant::now() + limits.silence_timeout);
                self.message(message, read_at.nanos());
                if self.has_answers() {
                    self.show();
                    let answered = timeout(limits.silence_timeout, self.answer(&mut socket)).await;
                    answered.map_err(|_| Ended::Stalled)??;
                }
            }
        }
    }

    fn message(self: &Rc<Self>, message: &[u8], recv: Nanos) {
        faults::trip(faults::Place::Ingest, message);
        let mut pipeline = self.pipeline.borrow_mut();
        let mut publisher = self.publisher.borrow_mut();
        if !pipeline.normaliser.is_live() {
            self.feed_metrics().live.set(1);
            if self.connected_once.replace(true) {
                self.feed_metrics().reconnects.inc();
            }
            self.board.set(self.route.index, true, "connected".to_owned());
            tracing::info!(feed = self.route.feed.name, "connected");
            pipeline.normaliser.connected(recv, &mut publisher);
        }
        pipeline.message(message, recv, &mut publisher);
        drop(publisher);
        self.feed_metrics().heard_at_ns.set(recv.0);
        self.spin.heard(recv);
        if self.hidden.borrow_mut().add(message.len()) {
            self.show();
        }
    }

    /// Shows the shards what was decoded since the last time.
    fn show(&self) {
        self.hidden.borrow_mut().clear();
        self.publisher.borrow_mut().flush();
    }
}

/// Rings when nothing was read for too long. `due` moves with every message, which costs nothing;
/// the timer is only moved when it would ring too late, or rang too early.
struct Alarm {
    due: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Alarm {
    fn set(&mut self, due: Instant) {
        self.due = due;
        if due < self.sleep.deadline() {
            self.sleep.as_mut().reset(due);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.sleep.as_mut().poll(cx).is_ready() {
            if self.due <= Instant::now() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(self.due);
        }
        Poll::Pending
    }
}

/// The next frame, or the end of the connection. `dry` is called when no whole frame is there and
/// the socket has to be waited for.
async fn read<'a>(
    socket: &mut Socket,
    alarm: &mut Alarm,
    dry: impl Fn(),
) -> Result<Frame<'a>, Ended> {
    let mut reading = pin!(socket.read_frame());
    poll_fn(|cx| match reading.as_mut().poll(cx) {
        Poll::Ready(frame) => Poll::Ready(frame.map_err(|error| match error {
            WebSocketError::UnexpectedEOF | WebSocketError::ConnectionClosed => Ended::Closed,
            other => Ended::WebSocket(other),
        })),
        Poll::Pending => {
            dry();
            alarm.poll(cx).map(|()| Err(Ended::Silent))
        }
    })
    .await
}
