//! What passes with time alone: heartbeats to quiet sessions, pings to silent dashboards, a look at
//! the slow ones.

use market::{Interval, Nanos, State};
use wire::close::CloseCode;
use wire::topic::Topic;
use wire::{frame, notice};

use crate::fanout::Fanout;
use crate::session::SessionKey;
use crate::who::RightsEvent;

/// What is due for one session.
enum Due {
    Heartbeat,
    Ping,
    Goodbye,
    Pong(Box<[u8]>),
    Rights(RightsEvent),
    LookAtSlow,
}

impl Fanout {
    /// Looks at every session: call it some ten times per heartbeat. O(sessions).
    pub fn handle_time(&mut self, now: u64) {
        self.now = now;
        let limits = self.limits;
        let mut due: Vec<(SessionKey, Due)> = Vec::new();
        for (key, session) in self.outboxes.sessions_mut() {
            if session.closing.is_some() {
                continue;
            }
            if let Some(event) = session.who.poll(session.asking_since, &limits, now) {
                due.push((key, Due::Rights(event)));
            }
            if let Some(payload) = session.unanswered.take() {
                due.push((key, Due::Pong(payload)));
            }
            if session.who.is_unknown() {
                // Not one byte that it has not asked for; its time is short anyway.
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
            let is_held_up = session.blocked_since.is_some() || session.is_warned;
            if session.behind_count > 0 || is_held_up {
                due.push((key, Due::LookAtSlow));
            } else if now.saturating_sub(session.sent_at) >= limits.heartbeat_ns
                && session.outbox.is_empty()
                && !session.is_echo
            {
                due.push((key, Due::Heartbeat));
            }
        }
        let mut heartbeat = None;
        self.counters.sessions_behind = 0;
        for (key, due) in due {
            match due {
                Due::Rights(event) => self.handle_rights_event(key, event, now),
                Due::Goodbye => {
                    let sentence = "a ping went unanswered";
                    self.outboxes.close(key, CloseCode::HeartbeatMissed, sentence);
                }
                Due::Ping => {
                    self.outboxes.control(key, |out| {
                        frame::write_control(frame::Kind::Ping, b"", out);
                    });
                }
                Due::Pong(payload) => self.answer_ping(key, &payload),
                Due::LookAtSlow => {
                    let is_behind = self.look_at_slow(key, now);
                    self.counters.sessions_behind += u64::from(is_behind);
                }
                Due::Heartbeat => {
                    self.counters.heartbeats += 1;
                    if self.outboxes.session(key).is_some_and(|session| session.is_detailed) {
                        self.detailed_heartbeat(key, now);
                        continue;
                    }
                    let frame = *heartbeat
                        .get_or_insert_with(|| self.outboxes.encode(notice::write_heartbeat));
                    self.outboxes.push(key, frame);
                }
            }
        }
    }

    /// A heartbeat that says how the feed does and up to where the session was told everything.
    fn detailed_heartbeat(&mut self, key: SessionKey, now: u64) {
        let feed = if self.is_online() { State::Ok } else { State::Stale };
        let Self { ledger, outboxes, .. } = self;
        let Some(session) = outboxes.session(key) else { return };
        let mut last: Vec<(&str, &str, u64)> = session
            .held
            .iter()
            .filter_map(|held| {
                let symbol = ledger.symbol(held.symbol)?;
                let shown = ledger.shown_to(held)?;
                Some((numbering(held.topic), &*symbol.instrument.symbol, shown))
            })
            .collect();
        // Two depths of a book are one numbering.
        last.sort_unstable();
        last.dedup_by_key(|(channel, symbol, _)| (*channel, *symbol));
        let mut frame = Vec::new();
        notice::write_heartbeat_detailed(Nanos(now), feed, last, &mut frame);
        let frame = outboxes.encode(|out| out.extend_from_slice(&frame));
        outboxes.push(key, frame);
    }
}

/// The name of a topic's numbering: its channel's, and what tells it from others of the channel
/// that are numbered apart.
const fn numbering(topic: Topic) -> &'static str {
    match topic {
        Topic::TickerOnQuote => "ticker:bbo",
        Topic::Bars(Interval::Second1) => "ohlc:1s",
        Topic::Bars(_) => "ohlc",
        _ => topic.channel_name(),
    }
}
