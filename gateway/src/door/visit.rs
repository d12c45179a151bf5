//! One connection on its way: handshake, requests, and perhaps an upgrade.
//!
//! **Invariant:** a visit ends by itself. The handshake has a deadline, each request head has one,
//! and so has a 101; the whole visit has one too, so that a dashboard that reads its answer byte by
//! byte holds no slot for ever.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::http::{StatusCode, request};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use rights::Subject;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::Hall;
use super::answer::{self, Answer};
use super::gate::{Pass, Visitor};
use super::hand_over::{self, Reservation};
use super::handshake::Refused;
use super::stream::TlsStream;
use super::upgrade::{Origins, Refusal};
use super::{handshake, upgrade};
use crate::clock;
use crate::faults;
use crate::metrics::{ArrivalRefusal, HandshakeFailure, HttpStatus};

/// How many times the header deadline a visit may last before it is asked to end.
const HEADER_TIMEOUTS_MAX: u32 = 10;
/// Header fields of one request.
const HEADERS_MAX: usize = 64;
/// hyper's smallest read buffer; a shorter head limit is kept by its own setting.
const BUFFER_BYTES_MIN: usize = 8192;

/// The right to be between accept and upgrade; given back when dropped.
pub(super) struct Slot {
    hall: Arc<Hall>,
    address: IpAddr,
}

impl Slot {
    /// A slot for one of `address`, unless too many are here or came of late.
    pub(super) fn take(hall: &Arc<Hall>, address: IpAddr) -> Result<Self, ArrivalRefusal> {
        let mut crowd = hall.crowd.lock().unwrap_or_else(PoisonError::into_inner);
        crowd.admit(address, clock::now().0)?;
        hall.metrics().arriving.inc();
        Ok(Self { hall: Arc::clone(hall), address })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.hall.crowd.lock().unwrap_or_else(PoisonError::into_inner).left(self.address);
        self.hall.metrics().arriving.dec();
    }
}

/// An upgrade that was answered 101.
struct Granted {
    on_upgrade: OnUpgrade,
    is_echo: bool,
    reservation: Reservation,
    pass: Pass,
    /// When the answer has to have gone, and the connection is a shard's.
    until: Instant,
}

/// Serves one connection to its end, or until it is a shard's.
pub(super) async fn serve(socket: TcpStream, peer: SocketAddr, slot: Slot) {
    let hall = &slot.hall;
    let Some((tls, subject)) = shake_hands(socket, peer, hall).await else { return };
    let granted = Mutex::new(None);
    let visitor = Visitor { peer: peer.ip(), subject };
    converse(tls, hall, &visitor, &granted).await;
    let granted = granted.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(Granted { on_upgrade, is_echo, reservation, pass, until }) = granted {
        let finished = hand_over::finish(on_upgrade, is_echo, peer, reservation, pass);
        match timeout_at(until, finished).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%peer, %error, "upgrade not finished"),
            Err(_) => tracing::debug!(%peer, "upgrade not finished in time"),
        }
    }
}

/// Answers the requests of a connection that has no TLS and no session behind it.
#[cfg(fuzzing)]
pub(super) async fn rehearse<S>(stream: S, hall: &Arc<Hall>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let visitor = Visitor { peer: std::net::Ipv4Addr::LOCALHOST.into(), subject: None };
    converse(stream, hall, &visitor, &Mutex::new(None)).await;
}

async fn shake_hands(
    socket: TcpStream,
    peer: SocketAddr,
    hall: &Hall,
) -> Option<(TlsStream, Option<Subject>)> {
    let failed = |kind: HandshakeFailure, words: &dyn std::fmt::Display| {
        hall.metrics().handshake_failures.of(kind).inc();
        if let Some(left_out) = hall.handshake_lines.pass(clock::now()) {
            tracing::info!(%peer, reason = %words, left_out, "TLS handshake failed");
        }
        None
    };
    if let Err(error) = socket.set_nodelay(true) {
        return failed(HandshakeFailure::Io, &error);
    }
    let accepting = handshake::accept(socket, Arc::clone(&hall.tls));
    match timeout(hall.settings().handshake_timeout, accepting).await {
        Ok(Ok(tls)) => Some(tls),
        Ok(Err(error)) => failed(kind_of(&error), &error),
        Err(_) => failed(HandshakeFailure::Timeout, &"not done in time"),
    }
}

fn kind_of(error: &io::Error) -> HandshakeFailure {
    match error.kind() {
        io::ErrorKind::InvalidData => {
            let refused = error.get_ref().and_then(|inner| inner.downcast_ref::<Refused>());
            refused.map_or(HandshakeFailure::Tls, |refused| refused.kind)
        }
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => HandshakeFailure::Closed,
        _ => HandshakeFailure::Io,
    }
}

async fn converse<S>(
    stream: S,
    hall: &Arc<Hall>,
    visitor: &Visitor,
    granted: &Mutex<Option<Granted>>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let settings = hall.settings();
    let hsts = settings.hsts;
    let service = service_fn(|request| async {
        let mut answer = answer_to(request, hall, visitor, granted).await;
        answer::harden(&mut answer, hsts);
        hall.metrics().http_requests.of(answer::label(answer.status())).inc();
        Ok::<_, Infallible>(answer)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_header_size(settings.header_bytes_max)
        .max_headers(HEADERS_MAX)
        .max_buf_size(settings.header_bytes_max.max(BUFFER_BYTES_MIN))
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let life = Instant::now() + settings.header_timeout * HEADER_TIMEOUTS_MAX;
    let mut due = pin!(sleep_until(life));
    let end = poll_fn(|cx| {
        if let Poll::Ready(end) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(end));
        }
        // A 101 that nobody reads holds a session's place: it has less time than a page.
        if let Some(until) = deadline_of(granted)
            && until < due.deadline()
        {
            due.as_mut().reset(until);
        }
        due.as_mut().poll(cx).map(|()| None)
    })
    .await;
    let end = match end {
        Some(end) => end,
        None if deadline_of(granted).is_some() => Ok(()),
        None => {
            connection.as_mut().graceful_shutdown();
            timeout(settings.header_timeout, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = end {
        count_error(&error, hall);
    }
}

fn deadline_of(granted: &Mutex<Option<Granted>>) -> Option<Instant> {
    let granted = granted.lock().unwrap_or_else(PoisonError::into_inner);
    granted.as_ref().map(|granted| granted.until)
}

/// Requests hyper has answered or dropped by itself.
fn count_error(error: &hyper::Error, hall: &Hall) {
    let label = if error.is_timeout() {
        HttpStatus::RequestTimeout
    } else if error.is_parse_too_large() {
        HttpStatus::HeadersTooLarge
    } else if error.is_parse() {
        HttpStatus::BadRequest
    } else {
        return;
    };
    hall.metrics().http_requests.of(label).inc();
}

async fn answer_to(
    mut request: Request<Incoming>,
    hall: &Arc<Hall>,
    visitor: &Visitor,
    granted: &Mutex<Option<Granted>>,
) -> Answer {
    faults::trip_by_agent(faults::Place::Visit, request.headers());
    let path = request.uri().path();
    let is_echo = hall.settings().conformance_echo && path == answer::ECHO;
    let wants_session =
        path == answer::SESSIONS || is_echo || path == "/" && upgrade::is_asked(request.headers());
    if !wants_session {
        if !request.body().is_end_stream() {
            let words = "no request here has a body";
            return answer::sentence(StatusCode::PAYLOAD_TOO_LARGE, words);
        }
        let (head, _) = request.into_parts();
        let answer = answer::to(&head, &hall.page, &hall.rest);
        if answer.status() == StatusCode::NOT_FOUND && upgrade::is_asked(&head.headers) {
            return refused(upgrade::NOWHERE, hall);
        }
        return answer;
    }
    let on_upgrade = hyper::upgrade::on(&mut request);
    let (head, _) = request.into_parts();
    match let_in(head, hall, visitor).await {
        Ok((reservation, pass, answer)) => {
            let until = Instant::now() + hall.settings().header_timeout;
            *granted.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Granted { on_upgrade, is_echo, reservation, pass, until });
            answer
        }
        Err(refusal) => refused(refusal, hall),
    }
}

fn refused(refusal: Refusal, hall: &Hall) -> Answer {
    hall.metrics().upgrades_refused.of(refusal.reason).inc();
    answer::refused(refusal)
}

async fn let_in(
    head: request::Parts,
    hall: &Arc<Hall>,
    visitor: &Visitor,
) -> Result<(Reservation, Pass, Answer), Refusal> {
    let settings = hall.settings();
    let origins = Origins { list: &settings.origins, is_required: settings.origin_required };
    upgrade::check(&head, origins)?;
    let reservation = Reservation::take(hall).await?;
    let pass = hall.gate.pass(&head, visitor, hall.metrics())?;
    Ok((reservation, pass, upgrade::switch(head)?))
}
