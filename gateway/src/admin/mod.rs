//! The admin thread: health, metrics and latency for operators, and their hand on the gateway, over
//! plain HTTP.
//!
//! It also takes in, once a second, what the latency stations hand over, and looks at the
//! certificate's files. **Invariant:** every connection has one deadline and carries one request,
//! and only so many exist at once (`visitors`); what inspects or changes is behind the token.
//! Deliberately absent: TLS; its port is not for the public.

mod api;
mod latency_report;
mod pages;
mod query;
mod sessions;
mod token;
mod view;
mod visitors;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::Request;
use hyper::body::Incoming;
use hyper::http::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::{Method, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use self::api::Problem;
use self::pages::Answer;
use self::query::Query;
use self::token::Token;
use self::visitors::{Room, Steers, Visitors};
use crate::catalogue::Catalogue;
use crate::clock;
use crate::config;
use crate::listen;
use crate::logs::Logs;
use crate::metrics::{AdminCut, Metrics};
use crate::reload::Reloader;
use crate::shard::Desk;
use crate::stop::Stopper;

/// From accept to the end of the answer.
const VISIT_MAX: Duration = Duration::from_secs(10);
/// From accept to the end of the request head.
const HEAD_MAX: Duration = Duration::from_secs(5);
/// Bytes of a request head, and the fields in it; hyper answers 431 beyond.
const HEAD_BYTES_MAX: usize = 16_384;
const HEADERS_MAX: usize = 64;
/// Connections the kernel holds until they are accepted.
const BACKLOG: i32 = 64;
/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 65_536;
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
    /// The file of the token cannot be used.
    #[error("admin.token_file {}: {source}", file.display())]
    Token {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An address of the network, and no token.
    #[error("admin.listen {0}: is open to the network: a token_file is needed")]
    Open(SocketAddr),
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
    /// What it can do.
    pub control: Control,
}

/// An operator's hand on the gateway.
#[derive(Clone, Debug)]
pub struct Control {
    /// Where shards are asked, in their order.
    pub desks: Vec<Desk>,
    /// What ends the gateway.
    pub stopper: Stopper,
    /// What reads the config again.
    pub reloader: Option<Reloader>,
    /// The log.
    pub logs: Logs,
}

/// A port that listens and does not answer yet.
#[derive(Debug)]
pub struct Admin {
    listener: std::net::TcpListener,
    address: SocketAddr,
    token: Token,
}

impl Admin {
    /// Reads the token and takes the port, so that what is wrong with them is told at start.
    pub fn bind(settings: &config::Admin) -> Result<Self, AdminError> {
        let file = settings.token_file.as_deref();
        let token = Token::read(file).map_err(|source| AdminError::Token {
            file: settings.token_file.clone().unwrap_or_default(),
            source,
        })?;
        if token::is_needed(settings.listen) && file.is_none() {
            return Err(AdminError::Open(settings.listen));
        }
        let at_address = |source| AdminError::Listen { address: settings.listen, source };
        let listener = listen::bind(settings.listen)
            .and_then(|socket| listen::listen(socket, BACKLOG))
            .map_err(at_address)?;
        let address = listener.local_addr().map_err(at_address)?;
        Ok(Self { listener, address, token })
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
        let office = Arc::new(Office { surroundings, token: self.token });
        runtime.block_on(async {
            let listener = TcpListener::from_std(self.listener).map_err(AdminError::Runtime)?;
            let mut accepting = pin!(accept(listener, Arc::clone(&office)));
            let mut watching = pin!(watch_certificate(Arc::clone(&office)));
            let mut collecting = pin!(collect(office));
            let mut stop = pin!(stop);
            poll_fn(|cx| {
                if stop.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                // None ever completes.
                let _ = watching.as_mut().poll(cx);
                let _ = collecting.as_mut().poll(cx);
                let _ = accepting.as_mut().poll(cx);
                Poll::Pending
            })
            .await;
            Ok(())
        })
    }
}

/// What all connections share.
struct Office {
    surroundings: Surroundings,
    token: Token,
}

async fn collect(office: Arc<Office>) {
    let mut seconds = interval(COLLECT_EVERY);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let Surroundings { metrics, control, .. } = &office.surroundings;
    loop {
        seconds.tick().await;
        metrics.latency.collect(clock::now());
        metrics.control.log_lines_dropped.set(control.logs.dropped());
    }
}

async fn watch_certificate(office: Arc<Office>) {
    // Where looking is switched off, a reload may switch it on.
    const LOOK_EVERY: Duration = Duration::from_secs(5);
    loop {
        let reloader = office.surroundings.control.reloader.as_ref();
        let wait = reloader.and_then(Reloader::look_at_certificate);
        sleep(wait.unwrap_or(LOOK_EVERY)).await;
    }
}

async fn accept(listener: TcpListener, office: Arc<Office>) {
    let mut visitors = Visitors::default();
    let cut = &office.surroundings.metrics.control.admin_cut;
    loop {
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(error) => {
                tracing::debug!(%error, "accept failed");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match visitors.make_room() {
            Room::Free => {}
            Room::Made => cut.of(AdminCut::MadeRoom).inc(),
            Room::None => {
                // The socket is dropped here, which closes it.
                cut.of(AdminCut::NoRoom).inc();
                continue;
            }
        }
        let (steers, office) = (Steers::default(), Arc::clone(&office));
        let visit = visit(socket, office, steers.clone());
        visitors.add(tokio::spawn(visit).abort_handle(), steers);
    }
}

/// Serves one connection for as long as a visit may last.
async fn visit(socket: TcpStream, office: Arc<Office>, steers: Steers) {
    if timeout(VISIT_MAX, serve(socket, Arc::clone(&office), steers)).await.is_err() {
        office.surroundings.metrics.control.admin_cut.of(AdminCut::Timeout).inc();
    }
}

async fn serve(socket: TcpStream, office: Arc<Office>, steers: Steers) {
    let service = service_fn(move |request| {
        let (office, steers) = (Arc::clone(&office), steers.clone());
        async move { Ok::<_, Infallible>(answer(request, &office, &steers).await) }
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

async fn answer(request: Request<Incoming>, office: &Office, steers: &Steers) -> Answer {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let Some(methods) = api::methods(path) else {
        return pages::answer(&head.method, path, &office.surroundings);
    };
    let outcome = if !methods.split(", ").any(|method| method == head.method.as_str()) {
        let words = format!("only {methods} here");
        Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", words))
    } else if office.token.admits(&head.headers) {
        steers.set();
        control(&head, body, &office.surroundings).await
    } else {
        let words = "show the token of admin.token_file; without one, ask from this machine by its \
                     address, and not from a web page";
        Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorised", words))
    };
    pages::json(&outcome, methods)
}

async fn control(
    head: &Parts,
    body: Incoming,
    surroundings: &Surroundings,
) -> Result<Value, Problem> {
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Err(Problem::bad("the body is cut off, or above 65536 bytes")),
    };
    let is_json = |value: &HeaderValue| value.as_bytes().starts_with(b"application/json");
    // A form of a web page cannot say so without asking first.
    let changes = head.method != Method::GET && head.method != Method::HEAD;
    if changes && !head.headers.get(CONTENT_TYPE).is_some_and(is_json) {
        let words = "say content-type: application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", words));
    }
    let query = Query::parse(head.uri.query().unwrap_or_default())?;
    api::answer(&head.method, head.uri.path(), query, &body, surroundings).await
}
