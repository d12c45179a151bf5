//! Accepts, shakes hands, upgrades; then a reading task and a writing task for each connection.
//!
//! Runs on the sim thread. Invariant: only the writing task touches a socket's sending side, and
//! it sends everything that waits in one write; pongs and close replies go through the outbox.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use fastwebsockets::{OpCode, Role, WebSocket, upgrade};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, ReadHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::hub::{Connection, Hub, Venue, bump};
use super::outbox::Standing;
use super::rest::{RestAnswer, RestReply};

/// Longest wait for a TLS handshake or a request's headers.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Longest a REST request is held before the recording reaches its answer.
const HOLD_MAX: Duration = Duration::from_secs(60);
/// Longest message a client may send, all its fragments together; 10,000 symbols in one
/// subscription fit. A longer one ends the connection.
const INBOUND_SIZE_MAX: usize = 1 << 20;
/// Connections at once.
const CONNECTIONS_MAX: usize = 10_000;
/// Pause after a failed accept (out of descriptors, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Longest wait for a peer to take the last bytes of a closed connection.
const SHUTDOWN_MAX: Duration = Duration::from_secs(1);

type Reply = Response<Full<Bytes>>;

/// Serves until the hub is told to stop.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    hub: Rc<Hub>,
    venue: Rc<dyn Venue>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = hub.stopped() => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (hub, venue, tls) = (Rc::clone(&hub), Rc::clone(&venue), tls.clone());
        tokio::task::spawn_local(async move { welcome(stream, tls, hub, venue).await });
    }
}

async fn welcome(stream: TcpStream, tls: Option<TlsAcceptor>, hub: Rc<Hub>, venue: Rc<dyn Venue>) {
    // Small messages must leave at once; without it Nagle would add up to 40 ms.
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve_http(stream, hub, venue).await,
        Some(acceptor) => {
            match tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => serve_http(stream, hub, venue).await,
                _ => bump(&hub.upgrades_failed),
            }
        }
    }
}

async fn serve_http<S>(stream: S, hub: Rc<Hub>, venue: Rc<dyn Venue>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(|request| {
        let (hub, venue) = (Rc::clone(&hub), Rc::clone(&venue));
        async move { Ok::<_, Infallible>(answer(request, hub, venue).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HANDSHAKE_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::select! {
        // A client that speaks broken HTTP has had its 400 from hyper.
        _ = served => {}
        () = hub.stopped() => {}
    }
}

async fn answer(mut request: Request<Incoming>, hub: Rc<Hub>, venue: Rc<dyn Venue>) -> Reply {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or("").to_owned();
    if request.method() != Method::GET {
        return reply(RestReply::error(405, -1000, "only GET is served here"));
    }
    if !upgrade::is_upgrade_request(&request) {
        return match venue.rest(&path, &query) {
            RestAnswer::Now(answer) => reply(answer),
            RestAnswer::Held(held) => match tokio::time::timeout(HOLD_MAX, held).await {
                Ok(Ok(answer)) => reply(answer),
                _ => reply(RestReply::error(503, -1001, "the recording has no snapshot yet")),
            },
        };
    }
    if !venue.accepts(&path) {
        return reply(RestReply::error(404, -1000, "no venue is played at this path"));
    }
    if hub.connection_count() >= CONNECTIONS_MAX {
        return reply(RestReply::error(503, -1003, "too many connections"));
    }
    let Ok((response, upgraded)) = upgrade::upgrade(&mut request) else {
        bump(&hub.upgrades_failed);
        return reply(RestReply::error(400, -1000, "not a WebSocket version 13 handshake"));
    };
    tokio::task::spawn_local(async move {
        match upgraded.await {
            Ok(socket) => converse(socket.into_inner(), &path, &query, hub, venue).await,
            Err(_) => bump(&hub.upgrades_failed),
        }
    });
    response.map(|_| Full::default())
}

fn reply(answer: RestReply) -> Reply {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn converse<S>(stream: S, path: &str, query: &str, hub: Rc<Hub>, venue: Rc<dyn Venue>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (reading, writing) = tokio::io::split(stream);
    let connection = hub.open(path);
    venue.opened(&connection, query);
    let mut writer =
        tokio::task::spawn_local(write(writing, Rc::clone(&connection), Rc::clone(&hub)));
    let mut reader = pin!(read(reading, &connection, &*venue));
    tokio::select! {
        () = &mut reader => {
            // The peer's side ended: what still waits (a close reply) leaves, nothing new enters.
            connection.outbox.close_after(b"");
            let _ = tokio::time::timeout(SHUTDOWN_MAX, &mut writer).await;
        }
        _ = &mut writer => {
            // Dropping a socket with unread bytes resets it, and the peer could lose our last.
            if connection.outbox.standing() == Standing::Draining {
                let _ = tokio::time::timeout(SHUTDOWN_MAX, &mut reader).await;
            }
        }
    }
    connection.outbox.condemn();
    venue.closed(&connection);
    hub.close(&connection);
}

async fn read<S>(reading: ReadHalf<S>, connection: &Rc<Connection>, venue: &dyn Venue)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let side = ReadSide { reading, connection };
    let mut socket = WebSocket::after_handshake(side, Role::Server);
    socket.set_writev(false);
    socket.set_max_message_size(INBOUND_SIZE_MAX);
    let mut message = Vec::new();
    while let Ok(frame) = socket.read_frame().await {
        match frame.opcode {
            OpCode::Text | OpCode::Continuation => message.extend_from_slice(&frame.payload),
            OpCode::Close => return,
            _ => continue,
        }
        if message.len() > INBOUND_SIZE_MAX {
            return;
        }
        if frame.fin {
            venue.heard(connection, &message);
            message.clear();
        }
    }
}

async fn write<W: AsyncWrite + Unpin>(mut socket: W, connection: Rc<Connection>, hub: Rc<Hub>) {
    let mut batch = Vec::new();
    while connection.outbox.take(&mut batch).await {
        tokio::select! {
            _ = hub.while_paused() => {}
            () = connection.outbox.condemned() => return,
        }
        let sent = tokio::select! {
            sent = async { socket.write_all(&batch).await?; socket.flush().await } => sent,
            () = connection.outbox.condemned() => return,
        };
        if sent.is_err() {
            connection.outbox.condemn();
            return;
        }
        batch.clear();
    }
    if connection.outbox.standing() == Standing::Draining {
        let _ = tokio::time::timeout(SHUTDOWN_MAX, socket.shutdown()).await;
    }
}

/// The reading side as fastwebsockets wants it: what it writes by itself (pongs, close replies)
/// joins the outbox, whole frames at a time.
struct ReadSide<'a, S> {
    reading: ReadHalf<S>,
    connection: &'a Connection,
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadSide<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reading).poll_read(context, buffer)
    }
}

impl<S: Unpin> AsyncWrite for ReadSide<'_, S> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.connection.outbox.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
