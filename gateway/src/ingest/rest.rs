//! One HTTP request, one answer, bounded in size; the connection is not kept.
//!
//! Snapshots are rare, so a connection for each costs nothing worth a pool. The caller bounds the
//! time.

use std::sync::Arc;

use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;

use super::dial::{Address, DialError, connect};

/// The body of the answer to a GET of `path` below the address.
pub(super) async fn get(
    address: &Address,
    path: &str,
    headers: &[(String, String)],
    tls: &Arc<ClientConfig>,
    bytes_max: usize,
) -> Result<Bytes, DialError> {
    let (stream, _) = connect(address, tls).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the request; its errors come out there.
    tokio::task::spawn_local(async move { drop(connection.await) });
    let mut request = Request::builder()
        .uri(format!("{}{path}", address.path))
        .header(HOST, address.authority())
        .header(ACCEPT, "application/json")
        .header(CONNECTION, "close");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
    if response.status() != StatusCode::OK {
        return Err(DialError::Status(response.status()));
    }
    match Limited::new(response.into_body(), bytes_max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(DialError::TooLarge(bytes_max)),
        Err(error) => match error.downcast::<hyper::Error>() {
            Ok(error) => Err(DialError::Http(*error)),
            Err(other) => Err(DialError::Connect(std::io::Error::other(other))),
        },
    }
}
