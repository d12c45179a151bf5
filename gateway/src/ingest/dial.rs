//! Reaching a venue: TCP, TLS where the address says so, and the WebSocket upgrade.
//!
//! Nothing here has a time-out of its own; the caller bounds the whole of it. The socket notes when
//! bytes were last read from it, because a message's receive time is that of its bytes, not of the
//! moment its turn came behind others of the same read.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use fastwebsockets::{Role, WebSocket, handshake::generate_key};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use market::Nanos;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sha1::{Digest, Sha1};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::clock;

/// Why a venue could not be reached.
#[derive(Debug, Error)]
pub(super) enum DialError {
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    /// Connected, and the certificate or the handshake is bad.
    #[error("TLS handshake failed: {0}")]
    Tls(#[source] io::Error),
    /// The request could not be made, or the answer is not HTTP.
    #[error("HTTP: {0}")]
    Http(#[from] hyper::Error),
    /// The request is not one that can be sent.
    #[error("bad request: {0}")]
    Request(#[from] hyper::http::Error),
    /// The venue answered with something else.
    #[error("answered with status {0}")]
    Status(StatusCode),
    /// It says that it upgrades, and does not prove that it understood.
    #[error("no WebSocket: the answer to the key is missing or wrong")]
    Accept,
    /// The answer is larger than the limit.
    #[error("answer is larger than {0} bytes")]
    TooLarge(usize),
}

/// Why an address is of no use.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("address {address:?} is not of the form {expected}HOST[:PORT][/PATH]")]
pub struct BadAddress {
    address: String,
    expected: &'static str,
}

/// Where to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    host: String,
    port: u16,
    secure: bool,
    /// Without a slash at its end.
    pub(super) path: String,
}

impl Address {
    /// Reads `ws://` or `wss://`.
    pub(super) fn websocket(address: &str) -> Result<Self, BadAddress> {
        Self::parse(address, ["ws", "wss"], "ws[s]://")
    }

    /// Reads `http://` or `https://`.
    pub(super) fn http(address: &str) -> Result<Self, BadAddress> {
        Self::parse(address, ["http", "https"], "http[s]://")
    }

    fn parse(
        address: &str,
        schemes: [&str; 2],
        expected: &'static str,
    ) -> Result<Self, BadAddress> {
        let bad = || BadAddress { address: address.to_owned(), expected };
        let uri: Uri = address.parse().map_err(|_| bad())?;
        let scheme = uri.scheme_str().ok_or_else(bad)?;
        let secure = schemes.iter().position(|known| *known == scheme).ok_or_else(bad)? == 1;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(bad)?;
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let path = uri.path_and_query().map_or("", |path| path.as_str());
        let path = path.trim_end_matches('/').to_owned();
        Ok(Self { host: host.to_owned(), port, secure, path })
    }

    /// The target of a request; never empty, which HTTP does not allow.
    pub(super) fn with(&self, path: &str) -> String {
        let joined = format!("{}{path}", self.path);
        if joined.is_empty() { "/".to_owned() } else { joined }
    }

    pub(super) fn authority(&self) -> String {
        let default = if self.secure { 443 } else { 80 };
        if self.port == default {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// The TLS settings towards one venue; `ca_file` replaces the public authorities.
pub(super) fn tls_config(ca_file: Option<&Path>) -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = ca_file {
        for certificate in CertificateDer::pem_file_iter(file).map_err(io::Error::other)? {
            roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
        }
        if roots.is_empty() {
            return Err(io::Error::other("it holds no certificate"));
        }
    } else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Bytes both ways.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// When bytes were last read from a socket.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadAt(Arc<AtomicU64>);

impl ReadAt {
    /// That time.
    pub(super) fn nanos(&self) -> Nanos {
        // Relaxed: written and read on the ingest thread; atomic only because hyper asks for
        // `Send`.
        Nanos(self.0.load(Ordering::Relaxed))
    }
}

struct Stamped {
    socket: TcpStream,
    read_at: ReadAt,
}

impl AsyncRead for Stamped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.socket).poll_read(cx, buf);
        if outcome.is_ready() {
            self.read_at.0.store(clock::now().0, Ordering::Relaxed);
        }
        outcome
    }
}

impl AsyncWrite for Stamped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// Connects, and shakes hands where the address is a secure one.
pub(super) async fn connect(
    address: &Address,
    tls: &Arc<ClientConfig>,
) -> Result<(Box<dyn Duplex>, ReadAt), DialError> {
    let host = address.host.trim_matches(['[', ']']);
    let socket = TcpStream::connect((host, address.port)).await.map_err(DialError::Connect)?;
    socket.set_nodelay(true).map_err(DialError::Connect)?;
    let read_at = ReadAt::default();
    let stamped = Stamped { socket, read_at: read_at.clone() };
    if !address.secure {
        return Ok((Box::new(stamped), read_at));
    }
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| DialError::Tls(io::Error::other(error)))?;
    let connector = TlsConnector::from(Arc::clone(tls));
    let stream = connector.connect(name, stamped).await.map_err(DialError::Tls)?;
    Ok((Box::new(stream), read_at))
}

/// Connects and upgrades to a WebSocket at `path` below the address.
pub(super) async fn upgrade(
    address: &Address,
    path: &str,
    headers: &[(String, String)],
    tls: &Arc<ClientConfig>,
) -> Result<(WebSocket<TokioIo<Upgraded>>, ReadAt), DialError> {
    let (stream, read_at) = connect(address, tls).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let key = generate_key();
    // Ends by itself when the upgrade is done or the request is dropped; its errors come out there.
    tokio::task::spawn_local(async move { drop(connection.with_upgrades().await) });
    let mut request = Request::builder()
        .uri(address.with(path))
        .header(HOST, address.authority())
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header("Sec-WebSocket-Key", &key)
        .header("Sec-WebSocket-Version", "13");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(DialError::Status(response.status()));
    }
    let accepted = response.headers().get("Sec-WebSocket-Accept");
    if accepted.is_none_or(|found| found.as_bytes() != accept_of(&key).as_bytes()) {
        return Err(DialError::Accept);
    }
    let upgraded = hyper::upgrade::on(&mut response).await?;
    Ok((WebSocket::after_handshake(TokioIo::new(upgraded), Role::Client), read_at))
}

/// What a server answers to a key (RFC 6455, section 4.2.2).
fn accept_of(key: &str) -> String {
    const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    BASE64.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_key_is_the_one_of_the_rfc() {
        assert_eq!(accept_of("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn addresses_are_read_with_their_default_ports() {
        let parsed = Address::websocket("wss://ws.kraken.com/v2").expect("an address");
        assert_eq!((parsed.port, parsed.secure, &*parsed.path), (443, true, "/v2"));
        assert_eq!(parsed.authority(), "ws.kraken.com");
        let parsed = Address::http("http://127.0.0.1:9001/spot/").expect("an address");
        assert_eq!((parsed.port, parsed.secure, &*parsed.path), (9001, false, "/spot"));
        assert_eq!(parsed.authority(), "127.0.0.1:9001");
        for bad in ["", "ws://", "http://x", "kraken.com", "ws:///v2"] {
            assert!(Address::websocket(bad).is_err(), "{bad}");
        }
    }
}
