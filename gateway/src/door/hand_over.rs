//! From upgraded connection to a shard's arrival.
//!
//! hyper and tokio give everything back: the bare socket, the bare TLS state, and every byte that
//! was read ahead. What TLS had still to write (the 101, session tickets) is flushed here, not left
//! to the shard.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hyper::http::StatusCode;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use rustls::ServerConnection;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use wire::close::CloseCode;

use super::Hall;
use super::upgrade::Refusal;
use crate::metrics::UpgradeRefusal;
use crate::shard::{Arrival, Mailbox};

/// A place among the sessions, held from the 101 until a shard counts the session itself.
pub(super) struct Reservation {
    hall: Arc<Hall>,
}

impl Reservation {
    /// A place, unless the gateway is full.
    pub(super) fn take(hall: &Arc<Hall>) -> Result<Self, Refusal> {
        let full =
            |reason, words| Refusal { reason, status: StatusCode::SERVICE_UNAVAILABLE, words };
        // Relaxed: the door's thread alone changes `handing`; the shards' loads are plain counts.
        let handing = hall.handing.load(Ordering::Relaxed);
        let sessions: usize = hall.mailboxes.iter().map(Mailbox::load).sum();
        if sessions + handing >= hall.settings.sessions_max {
            return Err(full(UpgradeRefusal::SessionLimit, "all sessions are taken"));
        }
        if !hall.mailboxes.iter().any(Mailbox::has_room) {
            return Err(full(UpgradeRefusal::MailboxFull, "too many arrive at once"));
        }
        hall.handing.fetch_add(1, Ordering::Relaxed);
        Ok(Self { hall: Arc::clone(hall) })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.hall.handing.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Takes the connection apart and gives it to the shard with the fewest sessions. Not cancel-safe:
/// an upgrade dropped half-way is a closed connection.
pub(super) async fn finish(
    on_upgrade: OnUpgrade,
    peer: SocketAddr,
    reservation: Reservation,
) -> io::Result<()> {
    let upgraded = on_upgrade.await.map_err(io::Error::other)?;
    let parts = upgraded
        .downcast::<TokioIo<TlsStream<TcpStream>>>()
        .expect("the door serves no other kind of connection");
    let mut stream = parts.io.into_inner();
    stream.flush().await?;
    let (socket, mut tls) = stream.into_inner();
    let mut early = parts.read_buf.to_vec();
    drain(&mut tls, &mut early)?;
    let arrival = Arrival { socket: socket.into_std()?, tls, early, peer };
    offer(arrival, &reservation.hall);
    Ok(())
}

/// Decrypted bytes that nobody has read yet.
fn drain(tls: &mut ServerConnection, early: &mut Vec<u8>) -> io::Result<()> {
    match tls.reader().read_to_end(early) {
        // The dashboard has already said good-bye; the shard will read that too.
        Ok(_) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::UnexpectedEof) => {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn offer(mut arrival: Arrival, hall: &Hall) {
    let mut by_load: Vec<&Mailbox> = hall.mailboxes.iter().collect();
    by_load.sort_by_key(|mailbox| mailbox.load());
    for mailbox in by_load {
        match mailbox.offer(arrival) {
            Ok(()) => {
                hall.metrics().handed_over.inc();
                return;
            }
            Err(back) => arrival = *back,
        }
    }
    // There was room when 101 was said, and others took it since.
    hall.metrics().upgrades_refused.of(UpgradeRefusal::MailboxFull).inc();
    turn_away(arrival);
}

/// Says why, as far as the socket takes it without waiting, and closes.
fn turn_away(mut arrival: Arrival) {
    let mut frame = Vec::new();
    CloseCode::Overloaded.write_frame("too many arrive at once", &mut frame);
    let said = arrival.tls.writer().write_all(&frame);
    arrival.tls.send_close_notify();
    if let Err(error) = said.and_then(|()| arrival.tls.write_tls(&mut arrival.socket)) {
        tracing::debug!(peer = %arrival.peer, %error, "turned away without a word");
    }
}
