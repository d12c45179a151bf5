//! Pings and pongs of dashboards, which are paid for like requests.
//!
//! While more come than may, only the latest ping is answered, when time is looked at next: RFC
//! 6455 (5.5.3) allows that, and a flood then costs its sender more than it costs us. Owned by the
//! shard's thread. Deliberately absent: our own pings, which are `timing`'s.

use wire::close::CloseCode;
use wire::frame;

use crate::fanout::Fanout;
use crate::session::{Payment, SessionKey};

const TOO_MANY: &str = "too many pings and pongs";

impl Fanout {
    /// A ping of a dashboard. The pong goes before data; what is not read counts towards the limit.
    pub fn handle_ping(&mut self, key: SessionKey, payload: &[u8], now: u64) {
        self.heard(key, now);
        let Some(session) = self.outboxes.session_mut(key) else { return };
        match session.pay_for(&self.limits, 1, now) {
            Payment::Paid => {
                session.unanswered = None;
                self.answer_ping(key, payload);
            }
            Payment::Refused => session.unanswered = Some(payload.into()),
            Payment::Excessive => {
                self.outboxes.close(key, CloseCode::TooManyRequests, TOO_MANY);
            }
        }
    }

    /// A pong of a dashboard: free where it was asked for.
    pub fn handle_pong(&mut self, key: SessionKey, now: u64) {
        let Some(session) = self.outboxes.session_mut(key) else { return };
        let is_free = session.pinged_at.is_some();
        if !is_free && session.pay_for(&self.limits, 1, now) == Payment::Excessive {
            self.outboxes.close(key, CloseCode::TooManyRequests, TOO_MANY);
        }
        self.heard(key, now);
    }

    pub(crate) fn answer_ping(&mut self, key: SessionKey, payload: &[u8]) {
        self.outboxes.control(key, |out| frame::write_control(frame::Kind::Pong, payload, out));
    }
}
