//! What passes with time alone: heartbeats to quiet sessions, pings to silent dashboards.

use wire::close::CloseCode;
use wire::{frame, notice};

use crate::fanout::Fanout;
use crate::session::SessionKey;

/// What is due for one session.
enum Due {
    Heartbeat,
    Ping,
    Goodbye,
}

impl Fanout {
    /// Looks at every session: call it some ten times per heartbeat. O(sessions).
    pub fn handle_time(&mut self, now: u64) {
        let limits = self.limits;
        let mut due: Vec<(SessionKey, Due)> = Vec::new();
        for (key, session) in self.outboxes.sessions_mut() {
            if session.closing.is_some() {
                continue;
            }
            match session.pinged_at {
                Some(at) if now.saturating_sub(at) >= limits.pong_timeout_ns => {
                    due.push((key, Due::Goodbye));
                }
                None if now.saturating_sub(session.heard_at) >= limits.ping_ns => {
                    session.pinged_at = Some(now);
                    due.push((key, Due::Ping));
                }
                _ => {}
            }
            if now.saturating_sub(session.sent_at) >= limits.heartbeat_ns
                && session.outbox.is_empty()
            {
                due.push((key, Due::Heartbeat));
            }
        }
        let mut heartbeat = None;
        for (key, due) in due {
            match due {
                Due::Goodbye => {
                    let sentence = "a ping went unanswered";
                    self.outboxes.close(key, CloseCode::HeartbeatMissed, sentence);
                }
                Due::Ping => {
                    self.outboxes.control(key, |out| {
                        frame::write_control(frame::Kind::Ping, b"", out);
                    });
                }
                Due::Heartbeat => {
                    let frame = *heartbeat
                        .get_or_insert_with(|| self.outboxes.encode(None, notice::write_heartbeat));
                    self.counters.heartbeats += 1;
                    self.outboxes.push(key, frame);
                }
            }
        }
    }
}
