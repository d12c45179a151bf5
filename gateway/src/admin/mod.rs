//! The admin thread: health, readiness, metrics and latency for operators, over plain HTTP.
//!
//! It also takes in, once a second, what the latency stations hand over. **Invariant:** every
//! connection has one deadline and carries one request, and at most 64 exist at once. Deliberately
//! absent: anything that changes the gateway, and authentication; its port is not for the public.

mod latency_report;
mod pages;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::catalogue::Catalogue;
use crate::clock;
use crate::config;
use crate::listen;
use crate::metrics::Metrics;

/// Connections at once; one more is closed at accept.
const CONNECTIONS_MAX: usize = 64;
/// From accept to the end of the answer.
const VISIT_MAX: Duration = Duration::from_secs(10);
/// From accept to the end of the request head.
const HEAD_MAX: Duration = Duration::from_secs(5);
/// Bytes of a request head, and the fields in it; hyper answers 431 beyond.
const HEAD_BYTES_MAX: usize = 16_384;
const HEADERS_MAX: usize = 64;
/// Connections the kernel holds until they are accepted.
const BACKLOG: i32 = 64;
/// How often stations are emptied.
const COLLECT_EVERY: Duration = Duration::from_secs(1);
/// Wait after accept failed for want of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why there is no admin thread.
#[derive(Debug, Error)]
pub enum AdminError {
    /// The address is taken, not ours, or not allowed.
    #[error("admin.listen {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The thread's runtime could not start.
    #[error("admin: {0}")]
    Runtime(#[source] io::Error),
}

/// What admin reads of the other threads.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Instruments and feeds.
    pub catalogue: Arc<Catalogue>,
    /// All counts, and the stations.
    pub metrics: Arc<Metrics>,
}

/// A port that listens and does not answer yet.
#[derive(Debug)]
pub struct Admin {
    listener: std::net::TcpListener,
    address: SocketAddr,
}

impl Admin {
    /// Takes the port, so that a busy one is told at start.
    pub fn bind(settings: &config::Admin) -> Result<Self, AdminError> {
        let at_address = |source| AdminError::Listen { address: settings.listen, source };
        let listener = listen::bind(settings.listen)
            .and_then(|socket| listen::listen(socket, BACKLOG))
            .map_err(at_address)?;
        let address = listener.local_addr().map_err(at_address)?;
        Ok(Self { listener, address })
    }

    /// Where it listens; the port is a real one even where port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves on the calling thread until `stop` completes; answers under way are cut.
    pub fn run(
        self,
        surroundings: Surroundings,
        stop: impl Future<Output = ()>,
    ) -> Result<(), AdminError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(AdminError::Runtime)?;
        let surroundings = Arc::new(surroundings);
        runtime.block_on(async {
            let listener = TcpListener::from_std(self.listener).map_err(AdminError::Runtime)?;
            let mut accepting = pin!(accept(listener, Arc::clone(&surroundings)));
            let mut collecting = pin!(collect(surroundings));
            let mut stop = pin!(stop);
            poll_fn(|cx| {
                if stop.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                // Neither ever completes.
                let _ = collecting.as_mut().poll(cx);
                let _ = accepting.as_mut().poll(cx);
                Poll::Pending
            })
            .await;
            Ok(())
        })
    }
}

async fn collect(surroundings: Arc<Surroundings>) {
    let mut seconds = interval(COLLECT_EVERY);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        seconds.tick().await;
        surroundings.metrics.latency.collect(clock::now());
    }
}

async fn accept(listener: TcpListener, surroundings: Arc<Surroundings>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(error) => {
                tracing::debug!(%error, "accept failed");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Without a slot the socket is dropped here, which closes it.
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { continue };
        let surroundings = Arc::clone(&surroundings);
        tokio::spawn(async move {
            // A visit that takes too long is cut; the slot is free again either way.
            let _ = timeout(VISIT_MAX, serve(socket, surroundings)).await;
            drop(slot);
        });
    }
}

async fn serve(socket: TcpStream, surroundings: Arc<Surroundings>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = pages::answer(request.method(), request.uri().path(), &surroundings);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(socket), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "an admin connection ended early");
    }
}
