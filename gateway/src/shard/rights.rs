//! What passes between a shard and those who know who may have what: tokens out, verdicts in,
//! rights that have changed, usage.
//!
//! Each call is bounded: by the desk, by the answers that wait, by what a cycle began and ended.

use fanout::Verdict;
use market::Nanos;
use tokio::sync::mpsc::error::TrySendError;

use super::run::Shard;
use crate::clock;
use crate::hearing::{Answer, Hearing};

impl Shard {
    /// Hands tokens to the door, and its verdicts to their sessions.
    pub(super) fn pass_tokens(&mut self, now: Nanos) {
        while let Ok(Answer { ticket, verdict, seat }) = self.parts.answers.try_recv() {
            let goes_on = self.fanout.handle_verdict(ticket, verdict, now);
            if let Some(seat) = seat.filter(|_| goes_on) {
                self.parts.connections.seat(ticket.session, seat);
            }
        }
        while let Some(petition) = self.fanout.poll_petition() {
            let ticket = petition.ticket;
            let Some(peer) = self.parts.connections.peer(ticket.session) else { continue };
            let reply = self.parts.reply.clone();
            let sent = self.parts.desk.try_send(Hearing { petition, peer, reply });
            // A door that is gone hears nobody; the whole gateway is stopping then.
            if let Err(TrySendError::Full(_) | TrySendError::Closed(_)) = sent {
                self.fanout.handle_verdict(ticket, Verdict::Busy, now);
            }
        }
    }

    /// Fetches what is in force where that has changed.
    pub(super) fn look_at_access(&mut self) {
        let version = self.parts.access.version();
        if version != self.access_version {
            self.access_version = version;
            self.fanout.handle_permits(self.parts.access.current(), clock::wall());
        }
    }

    /// Hands on what was recorded of usage.
    pub(super) fn pass_usage(&mut self) {
        let Some(usage) = &self.parts.usage else { return };
        for record in self.fanout.drain_usage() {
            usage.send(record);
        }
        if self.parts.index == 0 {
            self.parts.metrics.usage.lost.set(usage.lost());
        }
    }
}
