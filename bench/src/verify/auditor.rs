//! The dashboards of one load thread, as auditors: every frame is held against what came before.
//!
//! Judging needs nothing of the gateway but what it sends. What is left over when the run ends
//! (gaps nobody announced, requests nobody answered) is counted by `close`.

use std::time::Duration;

use rustc_hash::FxHashMap;

use super::conduct::{Conduct, Manners, Standing};
use super::newest::Newest;
use super::pace::Paces;
use super::seen::Seen;
use super::stream::{Stream, StreamKey};
use super::tape::Tapes;
use super::violation::{Kind, Violations};
use crate::load::clock::now_ns;
use crate::load::dashboard::{Dashboard, Ending, SessionId, Turn, Wish};
use crate::load::frame::Requests;
use crate::load::watch::Watch;
use crate::scan::items::gaps;
use crate::scan::message::{Channel, Message, Reply, message};

/// One session, beside its streams.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attendance {
    pub(super) open: bool,
    /// It has hung up and is on its way back.
    pub(super) away: bool,
    answers_wanted: u64,
    answers: u64,
    heard_ns: u64,
    silent: bool,
}

/// How often silence is looked for, and how much later than that excuses it: then we were late.
const SILENCE_LOOK_EVERY_NS: u64 = 500_000_000;
const OWN_LATENESS_MAX: Duration = Duration::from_millis(500);

/// What an auditor goes by.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Without any message for so long, a session is silent.
    pub silence_max: Duration,
    /// Whether trades are kept to be held against the truth.
    pub keep_trades: bool,
    /// Violations that are described.
    pub described_max: usize,
    /// How the sessions act badly.
    pub manners: Manners,
    /// How early a paced frame may look.
    pub pace_slack: Duration,
}

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
    pub(super) conduct: Conduct,
    pub(super) paces: Paces,
    pub(super) newest: Newest,
    pub(super) sessions: FxHashMap<SessionId, Attendance>,
    rules: Rules,
    looked_ns: u64,
    /// When the last turn of the load thread ended.
    pub(super) turned_ns: u64,
}

/// The close code of a session that was too slow.
const TOO_SLOW: u16 = 4001;
/// Reasons for not connecting that are kept.
const REASONS_MAX: usize = 10;

impl Auditor {
    /// An auditor of `watch`.
    pub fn new(watch: Watch, rules: Rules) -> Self {
        let symbols = watch.symbols.iter().enumerate();
        Self {
            symbols: symbols.map(|(at, name)| (name.as_bytes().into(), at as u32)).collect(),
            watch,
            streams: FxHashMap::default(),
            tapes: rules.keep_trades.then(Tapes::default),
            seen: Seen::default(),
            violations: Violations::new(rules.described_max),
            not_connected: Vec::new(),
            not_connected_count: 0,
            conduct: Conduct::new(rules.manners),
            paces: Paces::new(rules.pace_slack.as_nanos() as u64),
            newest: Newest::default(),
            sessions: FxHashMap::default(),
            rules,
            looked_ns: 0,
            turned_ns: u64::MAX,
        }
    }

    /// Counts what is still open when the run ends. What somebody was shown by `due_ns`, all must
    /// have been shown.
    pub fn close(&mut self, due_ns: u64) {
        self.condemn_early(u64::MAX);
        for (id, session) in &self.sessions {
            let missing = session.answers_wanted.saturating_sub(session.answers);
            if session.away || session.open && missing > 0 {
                let away = session.away;
                self.violations.add(Kind::Unanswered, Some(*id), || {
                    let detail = if away {
                        "it hung up and did not get back".to_owned()
                    } else {
                        format!("{missing} answers never came")
                    };
                    ("subscribe".to_owned(), detail)
                });
            }
        }
        let mut keys: Vec<_> = self.streams.keys().copied().collect();
        keys.sort_unstable();
        for key in keys {
            let stream = &self.streams[&key];
            self.seen.streams_silent += u64::from(stream.sequence.last().is_none());
            let open = self.sessions.get(&key.session()).is_some_and(|session| session.open);
            let last = stream.sequence.last().filter(|_| open && stream.returning.is_none());
            let missed = last.and_then(|last| Some((last, self.newest.missed(key, last, due_ns)?)));
            if let Some((last, missed)) = missed {
                self.blame(Kind::Behind, key, || {
                    format!("ends at {last}; another session was shown {missed} long before")
                });
            }
            self.settle(key);
        }
    }

    /// Adds the balance of `key` to the sums; what is missing and was not announced is blamed.
    pub(super) fn settle(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.get(&key) else { return };
        let (balance, odd) = (stream.balance(), stream.odd);
        let gaps = stream.sequence.gaps().to_vec();
        self.seen.balance.add(&balance);
        for gap in gaps {
            self.blame(Kind::Gap, key, || {
                format!(
                    "sequence {}..={} ({}) neither delivered nor announced as missing",
                    gap.from,
                    gap.to,
                    gap.count()
                )
            });
        }
        if !odd && !balance.is_even() {
            self.blame(Kind::Balance, key, || format!("does not add up: {balance:?}"));
        }
    }

    /// Counts the early frames that no trade explains, and blames those that no lateness explains.
    fn condemn_early(&mut self, now_ns: u64) {
        for early in self.paces.condemned(now_ns) {
            if early.behind_late {
                self.seen.paced_behind_late += 1;
                continue;
            }
            self.blame(Kind::Pace, early.key, || {
                format!("a frame {} ms before its pace allows it", early.by_ns / 1_000_000)
            });
        }
    }

    /// Whether the load thread itself was away before it read at `received_ns`: what came in
    /// between comes in a heap, at no fault of the gateway's.
    pub(super) fn was_away(&self, received_ns: u64) -> bool {
        received_ns.saturating_sub(self.turned_ns) > self.rules.pace_slack.as_nanos() as u64
    }

    /// Counts a violation of the stream `key`.
    pub(super) fn blame(&mut self, kind: Kind, key: StreamKey, detail: impl FnOnce() -> String) {
        let Self { violations, watch, .. } = self;
        violations.add(kind, Some(key.session()), || (about(watch, key), detail()));
    }

    /// As `blame`, for what spoils the stream's balance as well.
    pub(super) fn blame_number(
        &mut self,
        kind: Kind,
        key: StreamKey,
        detail: impl FnOnce() -> String,
    ) {
        if let Some(stream) = self.streams.get_mut(&key) {
            stream.odd = true;
        }
        self.blame(kind, key, detail);
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

    fn reply(&mut self, session: SessionId, reply: &Reply<'_>, received_ns: u64) -> bool {
        let Some(success) = reply.success.filter(|_| reply.method != b"pong") else {
            return false;
        };
        if success {
            self.seen.granted += 1;
            let symbol = reply.symbol.and_then(|name| self.symbols.get(name));
            if let (Some(channel), Some(symbol)) = (reply.channel, symbol) {
                let interval = self.watch.interval_of(channel, reply.interval);
                let key = StreamKey::new(session, *symbol, channel, interval);
                if reply.method == b"unsubscribe" {
                    self.unsubscribed(key, received_ns);
                } else {
                    self.granted(key, reply, received_ns);
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
            let stream = key.and_then(|key| Some((key, self.streams.get_mut(&key)?)));
            let Some((key, stream)) = stream.filter(|(_, stream)| !stream.left) else {
                let symbol = String::from_utf8_lossy(gap.symbol).into_owned();
                self.violations.add(Kind::Unasked, Some(session), || {
                    (symbol, "gap notice for something not subscribed".to_owned())
                });
                return;
            };
            let numbers = (gap.to_seq + 1).saturating_sub(gap.from_seq);
            if stream.sequence.last().is_none() {
                stream.begin = gap.from_seq.saturating_sub(1);
            }
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
        let answers_wanted = self.enter(session, requests);
        let (open, heard_ns) = (true, now_ns());
        let attendance = Attendance { open, answers_wanted, heard_ns, ..Attendance::default() };
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
                if let Err(error) = self.data(session, &frame, received_ns) {
                    self.unreadable(session, text, &error.to_string());
                }
            }
            Ok(Message::Reply(reply)) => return self.reply(session, &reply, received_ns),
            Ok(Message::Notice(data)) => self.notice(session, data, text),
            Ok(Message::Heartbeat) => self.seen.heartbeats += 1,
            Ok(Message::Other) => {}
            Err(error) => self.unreadable(session, text, &error.to_string()),
        }
        false
    }

    fn ended(&mut self, session: SessionId, ending: &Ending) {
        if let Ending::NotConnected(cause) | Ending::TurnedAway(cause) = ending {
            self.not_connected_count += 1;
            if self.not_connected.len() < REASONS_MAX && !self.not_connected.contains(cause) {
                self.not_connected.push(cause.clone());
            }
            return;
        }
        if let Some(attendance) = self.sessions.get_mut(&session) {
            attendance.open = false;
        }
        let slow = self.conduct.manners().is_slow(session);
        let shut_out = matches!(ending, Ending::Closed { code: TOO_SLOW, .. } | Ending::Lost(_));
        if slow && shut_out {
            self.seen.closed_slow += 1;
            self.conduct.shut_out(session, now_ns());
            return;
        }
        self.blame_session(Kind::Ended, session, || ending.to_string());
    }

    fn wish(&mut self) -> Option<Wish> {
        let now = now_ns();
        let sessions = &self.sessions;
        let standing = |id: SessionId| match sessions.get(&id) {
            Some(session) if !session.open && !session.away => Standing::Over,
            Some(session) if session.answers < session.answers_wanted => Standing::Waiting,
            _ => Standing::Settled,
        };
        let wish = self.conduct.act(now, standing)?;
        match wish {
            Wish::Reconnect(session) => self.leave(session, now),
            Wish::StopReading(_) => self.seen.stopped_reading += 1,
            Wish::Read(session) => {
                if let Some(attendance) = self.sessions.get_mut(&session) {
                    attendance.heard_ns = now;
                }
            }
            Wish::Ask(_) => {}
        }
        Some(wish)
    }

    fn asked(&mut self, session: SessionId, requests: &mut Requests) {
        let answers = self.churn(session, requests);
        if let Some(attendance) = self.sessions.get_mut(&session) {
            attendance.answers_wanted += answers;
        }
    }

    fn measuring(&mut self) {
        let sessions = self.sessions.iter().filter(|(_, one)| one.open).map(|(id, _)| *id);
        self.conduct.begin(sessions, now_ns());
    }

    fn turned(&mut self, turn: Turn) {
        let now = now_ns();
        self.turned_ns = now;
        if now.saturating_sub(self.looked_ns) < SILENCE_LOOK_EVERY_NS {
            return;
        }
        self.looked_ns = now;
        self.condemn_early(now);
        if turn.since_last > OWN_LATENESS_MAX {
            return;
        }
        let Self { sessions, violations, conduct, rules, .. } = self;
        for (id, session) in sessions.iter_mut().filter(|(_, one)| one.open && !one.silent) {
            let quiet_ns = now.saturating_sub(session.heard_ns);
            if quiet_ns > rules.silence_max.as_nanos() as u64 && !conduct.is_deaf(*id) {
                session.silent = true;
                violations.add(Kind::Silent, Some(*id), || {
                    let detail = format!("nothing heard for {} ms", quiet_ns / 1_000_000);
                    (String::new(), detail)
                });
            }
        }
    }
}
