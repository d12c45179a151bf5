//! The dashboards of one load thread, as auditors: every frame is held against what came before.
//!
//! Judging needs nothing of the gateway but what it sends. What is left over when the run ends
//! (holes nobody announced, requests nobody answered) is counted by `close`.

use std::time::Duration;

use rustc_hash::FxHashMap;

use super::stream::{Stream, StreamKey};
use super::tape::Tapes;
use super::violation::{Kind, Violations};
use crate::load::clock::now_ns;
use crate::load::dashboard::{Dashboard, Ending, SessionId, Turn};
use crate::load::frame::Requests;
use crate::load::watch::Watch;
use crate::scan::items::gaps;
use crate::scan::message::{Channel, Message, Reply, message};

/// What was seen, good or bad.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Seen {
    /// Sessions upgraded.
    pub sessions_opened: u64,
    /// Text messages.
    pub messages: u64,
    /// First values.
    pub snapshots: u64,
    /// Later values.
    pub updates: u64,
    /// Updates that stand for more than one sequence.
    pub merged: u64,
    /// Numbers announced as missing.
    pub announced_missing: u64,
    /// Book checksums computed and compared.
    pub checksums: u64,
    /// Trades of updates.
    pub trades: u64,
    /// Heartbeats.
    pub heartbeats: u64,
    /// Subscriptions granted.
    pub granted: u64,
    /// Subscriptions refused.
    pub refused: u64,
    /// Streams that never sent anything.
    pub streams_silent: u64,
}

impl Seen {
    /// Adds what another thread saw.
    pub fn add(&mut self, other: &Self) {
        self.sessions_opened += other.sessions_opened;
        self.messages += other.messages;
        self.snapshots += other.snapshots;
        self.updates += other.updates;
        self.merged += other.merged;
        self.announced_missing += other.announced_missing;
        self.checksums += other.checksums;
        self.trades += other.trades;
        self.heartbeats += other.heartbeats;
        self.granted += other.granted;
        self.refused += other.refused;
        self.streams_silent += other.streams_silent;
    }
}

/// One session, beside its streams.
#[derive(Clone, Copy, Debug, Default)]
struct Attendance {
    open: bool,
    answers_wanted: u64,
    answers: u64,
    heard_ns: u64,
    silent: bool,
}

/// How often silence is looked for, and how much later than that excuses it: then we were late.
const SILENCE_LOOK_EVERY_NS: u64 = 500_000_000;
const OWN_LATENESS_MAX: Duration = Duration::from_millis(500);

/// Everything one load thread knows.
#[derive(Debug)]
pub struct Auditor {
    pub(super) watch: Watch,
    pub(super) symbols: FxHashMap<Box<[u8]>, u32>,
    pub(super) streams: FxHashMap<StreamKey, Stream>,
    pub(super) tapes: Option<Tapes>,
    pub(super) seen: Seen,
    pub(super) violations: Violations,
    /// Sessions that never came up, and why: no violation, but no proof either.
    pub(super) not_connected: Vec<String>,
    pub(super) not_connected_count: u64,
    sessions: FxHashMap<SessionId, Attendance>,
    silence_max_ns: u64,
    looked_ns: u64,
}

/// Reasons for not connecting that are kept.
const REASONS_MAX: usize = 10;

impl Auditor {
    /// An auditor of `watch`. With `keep_trades`, trades are kept to be held against the truth.
    pub fn new(
        watch: Watch,
        silence_max: Duration,
        keep_trades: bool,
        described_max: usize,
    ) -> Self {
        let symbols = watch.symbols.iter().enumerate();
        Self {
            symbols: symbols.map(|(at, name)| (name.as_bytes().into(), at as u32)).collect(),
            watch,
            streams: FxHashMap::default(),
            tapes: keep_trades.then(Tapes::default),
            seen: Seen::default(),
            violations: Violations::new(described_max),
            not_connected: Vec::new(),
            not_connected_count: 0,
            sessions: FxHashMap::default(),
            silence_max_ns: silence_max.as_nanos() as u64,
            looked_ns: 0,
        }
    }

    /// Counts what is still open when the run ends.
    pub fn close(&mut self) {
        for (id, session) in &self.sessions {
            let missing = session.answers_wanted.saturating_sub(session.answers);
            if session.open && missing > 0 {
                self.violations.add(Kind::Unanswered, Some(*id), || {
                    ("subscribe".to_owned(), format!("{missing} answers never came"))
                });
            }
        }
        let mut keys: Vec<_> = self.streams.keys().copied().collect();
        keys.sort_unstable();
        for key in keys {
            let stream = &self.streams[&key];
            self.seen.streams_silent += u64::from(stream.sequence.last().is_none());
            for hole in stream.sequence.holes() {
                self.violations.add(Kind::Gap, Some(key.session()), || {
                    let about = about(&self.watch, key);
                    let detail = format!(
                        "sequence {}..={} ({}) neither delivered nor announced as missing",
                        hole.from,
                        hole.to,
                        hole.count()
                    );
                    (about, detail)
                });
            }
        }
    }

    /// Counts a violation of the stream `key`.
    pub(super) fn blame(&mut self, kind: Kind, key: StreamKey, detail: impl FnOnce() -> String) {
        let Self { violations, watch, .. } = self;
        violations.add(kind, Some(key.session()), || (about(watch, key), detail()));
    }

    /// Counts a violation of a session as a whole.
    pub(super) fn blame_session(
        &mut self,
        kind: Kind,
        session: SessionId,
        detail: impl FnOnce() -> String,
    ) {
        self.violations.add(kind, Some(session), || (String::new(), detail()));
    }

    fn reply(&mut self, session: SessionId, reply: &Reply<'_>) -> bool {
        let Some(success) = reply.success.filter(|_| reply.method != b"pong") else {
            return false;
        };
        if success {
            self.seen.granted += 1;
            let symbol = reply.symbol.and_then(|name| self.symbols.get(name));
            if let (Some(channel), Some(symbol), Some(seq)) = (reply.channel, symbol, reply.seq) {
                let interval = self.watch.interval_of(channel, reply.interval);
                let key = StreamKey::new(session, *symbol, channel, interval);
                if let Some(stream) = self.streams.get_mut(&key) {
                    stream.sequence.granted(seq);
                }
            }
        } else {
            self.seen.refused += 1;
            let why = reply.error.as_deref().unwrap_or("no reason given");
            let symbol = String::from_utf8_lossy(reply.symbol.unwrap_or(b"?")).into_owned();
            self.violations.add(Kind::Refused, Some(session), || (symbol, why.to_owned()));
        }
        let attendance = self.sessions.entry(session).or_default();
        attendance.answers += 1;
        attendance.answers == attendance.answers_wanted
    }

    fn notice(&mut self, session: SessionId, data: &[u8], text: &[u8]) {
        let read = gaps(data, |gap| {
            let interval = self.watch.interval_of(gap.channel, gap.interval);
            let symbol = self.symbols.get(gap.symbol).copied();
            let key = symbol.map(|at| StreamKey::new(session, at, gap.channel, interval));
            let Some((key, stream)) = key.and_then(|key| Some((key, self.streams.get_mut(&key)?)))
            else {
                let symbol = String::from_utf8_lossy(gap.symbol).into_owned();
                self.violations.add(Kind::Unasked, Some(session), || {
                    (symbol, "gap notice for something not subscribed".to_owned())
                });
                return;
            };
            let numbers = (gap.to_seq + 1).saturating_sub(gap.from_seq);
            let missing = stream.sequence.announced(gap.from_seq, gap.to_seq);
            stream.announced += missing;
            self.seen.announced_missing += missing;
            if missing < numbers {
                self.blame(Kind::FalseGap, key, || {
                    let (from, to) = (gap.from_seq, gap.to_seq);
                    let had = numbers - missing;
                    format!("{from}..={to} announced as missing, {had} of them delivered")
                });
            }
        });
        if let Err(error) = read {
            self.unreadable(session, text, &error.to_string());
        }
    }

    pub(super) fn unreadable(&mut self, session: SessionId, text: &[u8], error: &str) {
        self.blame_session(Kind::Unreadable, session, || {
            let begin = String::from_utf8_lossy(&text[..text.len().min(200)]);
            format!("{error}; message begins {begin}")
        });
    }
}

/// Symbol and channel, for people.
pub(super) fn about(watch: &Watch, key: StreamKey) -> String {
    let symbol = &watch.symbols[key.symbol() as usize];
    match key.channel() {
        Channel::Ohlc => format!("{symbol} ohlc-{}", key.interval()),
        channel => format!("{symbol} {}", channel.name()),
    }
}

impl Dashboard for Auditor {
    fn opened(&mut self, session: SessionId, requests: &mut Requests) -> bool {
        self.seen.sessions_opened += 1;
        let answers_wanted = self.watch.subscribe(session, requests);
        for symbol in &self.watch.by_session[session as usize] {
            for channel in &self.watch.channels {
                let once = [0];
                let bars = *channel == Channel::Ohlc;
                for interval in if bars { &self.watch.intervals[..] } else { &once } {
                    let key = StreamKey::new(session, *symbol, *channel, *interval);
                    self.streams.insert(key, Stream::default());
                }
            }
        }
        let heard_ns = now_ns();
        let attendance =
            Attendance { open: true, answers_wanted, heard_ns, ..Attendance::default() };
        self.sessions.insert(session, attendance);
        answers_wanted == 0
    }

    fn message(&mut self, session: SessionId, text: &[u8], received_ns: u64) -> bool {
        self.seen.messages += 1;
        if let Some(attendance) = self.sessions.get_mut(&session) {
            attendance.heard_ns = received_ns;
            attendance.silent = false;
        }
        if std::str::from_utf8(text).is_err() {
            self.unreadable(session, text, "text message that is not UTF-8");
            return false;
        }
        match message(text) {
            Ok(Message::Data(frame)) => {
                if let Err(error) = self.data(session, &frame) {
                    self.unreadable(session, text, &error.to_string());
                }
            }
            Ok(Message::Reply(reply)) => return self.reply(session, &reply),
            Ok(Message::Notice(data)) => self.notice(session, data, text),
            Ok(Message::Heartbeat) => self.seen.heartbeats += 1,
            Ok(Message::Other) => {}
            Err(error) => self.unreadable(session, text, &error.to_string()),
        }
        false
    }

    fn ended(&mut self, session: SessionId, ending: &Ending) {
        if let Ending::NotConnected(cause) = ending {
            self.not_connected_count += 1;
            if self.not_connected.len() < REASONS_MAX && !self.not_connected.contains(cause) {
                self.not_connected.push(cause.clone());
            }
            return;
        }
        if let Some(attendance) = self.sessions.get_mut(&session) {
            attendance.open = false;
        }
        self.blame_session(Kind::Ended, session, || ending.to_string());
    }

    fn turned(&mut self, turn: Turn) {
        let now = now_ns();
        if now.saturating_sub(self.looked_ns) < SILENCE_LOOK_EVERY_NS {
            return;
        }
        self.looked_ns = now;
        if turn.since_last > OWN_LATENESS_MAX {
            return;
        }
        let Self { sessions, violations, silence_max_ns, .. } = self;
        for (id, session) in sessions.iter_mut().filter(|(_, one)| one.open && !one.silent) {
            let quiet_ns = now.saturating_sub(session.heard_ns);
            if quiet_ns > *silence_max_ns {
                session.silent = true;
                violations.add(Kind::Silent, Some(*id), || {
                    let detail = format!("nothing heard for {} ms", quiet_ns / 1_000_000);
                    (String::new(), detail)
                });
            }
        }
    }
}
