//! From upgraded connection to a shard's arrival.
//!
//! hyper and the TLS stream give everything back: the bare socket, the keys, and every byte that
//! was read ahead. What is sealed (the 101) is flushed here, not left to the shard.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::http::StatusCode;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use rustls::AlertDescription;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use wire::close::CloseCode;

use super::Hall;
use super::gate::Pass;
use super::stream::TlsStream;
use super::upgrade::Refusal;
use crate::metrics::UpgradeRefusal;
use crate::shard::{Arrival, Mailbox, Place};

/// How often whoever is next looks whether a mailbox has a place again: shards take some at a time.
const MAILBOX_LOOK: Duration = Duration::from_millis(2);

/// A place among the sessions, held from the 101 until a shard counts the session itself.
pub(super) struct Reservation {
    hall: Arc<Hall>,
}

impl Reservation {
    /// A place, unless the gateway is full. Where it is only the mailboxes that are, because the
    /// shards are busy with those who came before, it is waited for, first come, first served.
    /// Cancel-safe.
    pub(super) async fn take(hall: &Arc<Hall>) -> Result<Self, Refusal> {
        let in_turn = async {
            let _turn = hall.turn.lock().await;
            loop {
                if let Some(reservation) = Self::try_take(hall)? {
                    return Ok(reservation);
                }
                tokio::time::sleep(MAILBOX_LOOK).await;
            }
        };
        timeout(hall.settings().mailbox_wait, in_turn)
            .await
            .unwrap_or_else(|_| Err(full(UpgradeRefusal::MailboxFull, "too many arrive at once")))
    }

    /// None where the mailboxes are full.
    fn try_take(hall: &Arc<Hall>) -> Result<Option<Self>, Refusal> {
        if hall.catalogue.is_awaited() {
            return Err(full(UpgradeRefusal::NoMarket, "the market has not come yet"));
        }
        // Relaxed: the door's thread alone changes `handing`; the shards' loads are plain counts.
        let handing = hall.handing.load(Ordering::Relaxed);
        let sessions: usize = hall.mailboxes.iter().map(Mailbox::load).sum();
        if sessions + handing >= hall.settings().sessions_max {
            return Err(full(UpgradeRefusal::SessionLimit, "all sessions are taken"));
        }
        if !hall.budget.has_room(sessions + handing) {
            return Err(full(UpgradeRefusal::MemoryBudget, "no memory is left for a session"));
        }
        // Those on their way find a place as well: what is said with a 101 holds.
        if hall.mailboxes.iter().map(Mailbox::room).sum::<usize>() <= handing {
            return Ok(None);
        }
        hall.handing.fetch_add(1, Ordering::Relaxed);
        Ok(Some(Self { hall: Arc::clone(hall) }))
    }
}

const fn full(reason: UpgradeRefusal, words: &'static str) -> Refusal {
    Refusal { reason, status: StatusCode::SERVICE_UNAVAILABLE, words }
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
    is_echo: bool,
    peer: SocketAddr,
    reservation: Reservation,
    pass: Pass,
) -> io::Result<()> {
    let upgraded = on_upgrade.await.map_err(io::Error::other)?;
    let parts = upgraded
        .downcast::<TokioIo<TlsStream>>()
        .expect("the door serves no other kind of connection");
    let mut stream = parts.io.into_inner();
    stream.flush().await?;
    let (socket, records, unread) = stream.into_parts()?;
    let mut early = parts.read_buf.to_vec();
    early.extend_from_slice(&unread);
    let hall = &reservation.hall;
    let may_enter = match (&pass.admission, &pass.user) {
        (Some(admission), Some(seat)) => hall.gate.settle(admission.identity(), seat).await,
        _ => true,
    };
    let Pass { admission, user, address } = pass;
    let place = Box::new(Place { peer: peer.ip(), user, address: Some(address) });
    let socket = socket.into_std()?;
    let arrival = Arrival { socket, records, early, is_echo, peer, admission, place };
    if may_enter {
        offer(arrival, hall);
    } else {
        hall.metrics().upgrades_refused.of(UpgradeRefusal::UserLimit).inc();
        turn_away(arrival, CloseCode::Displaced, "as many sessions as allowed");
    }
    Ok(())
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
    // There was a place when 101 was said: the shard has stopped since.
    hall.metrics().upgrades_refused.of(UpgradeRefusal::MailboxFull).inc();
    turn_away(arrival, CloseCode::Overloaded, "too many arrive at once");
}

/// Says why, as far as the socket takes it without waiting, and closes.
fn turn_away(mut arrival: Arrival, code: CloseCode, words: &str) {
    let mut sealed = Vec::new();
    if let Ok(begin) = arrival.records.begin(&mut sealed) {
        code.write_frame(words, &mut sealed);
        arrival.records.seal(&mut sealed, begin);
    }
    arrival.records.alert(AlertDescription::CloseNotify, &mut sealed);
    if let Err(error) = arrival.socket.write_all(&sealed) {
        tracing::debug!(peer = %arrival.peer, %error, "turned away without a word");
    }
}
