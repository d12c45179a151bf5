//! The dashboards of one load thread in a scenario: how late every delivery of the window was, and
//! whether each session got what the others got.
//!
//! Ticks belong to the window in which they were *due*. With sequences, loss is what is missing and
//! unannounced; without (so that all servers carry the same payload), a session has lost what
//! another session of the same symbol got. Unruly sessions are counted apart.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::dialect::{Dialect, Parted};
use super::quick::Stamps;
use super::unruly::Mob;
use super::window::Window;
use crate::fleet::latency::Latency;
use crate::fleet::meter::{Counts, delivered_of};
use crate::load::clock::{now_ns, rfc3339_ns};
use crate::load::dashboard::{Dashboard, Ending, SessionId, Turn, Wish};
use crate::load::frame::Requests;
use crate::load::watch::{Extras, Place, Watch};
use crate::scan::items::{gaps, head};
use crate::scan::message::{Channel, DataFrame, Message, Reply, message};
use crate::verify::sequence::{Sequence, Step};
use crate::verify::stream::StreamKey;

/// One session's view of one symbol and channel.
#[derive(Debug, Default)]
struct Seen {
    due_ns: u64,
    counted: u32,
    /// It hung up here and asks to go on.
    returning: bool,
    /// The life of its numbering, of sessions that may come back.
    epoch: Option<u64>,
    sequence: Sequence,
}

/// Where a session of the mob stood when it hung up.
struct Places<'a>(&'a FxHashMap<StreamKey, Seen>, SessionId);

impl Extras for Places<'_> {
    fn place(&self, symbol: u32, channel: Channel, interval: u64) -> Option<Place> {
        let seen = self.0.get(&StreamKey::new(self.1, symbol, channel, interval))?;
        let epoch = seen.epoch.filter(|_| seen.returning)?;
        Some(Place { epoch, seq: seen.sequence.last()? })
    }
}

/// Everything one load thread sees.
#[derive(Debug)]
pub struct Crowd {
    watch: Watch,
    dialect: Dialect,
    window: Arc<Window>,
    symbols: FxHashMap<Box<[u8]>, u32>,
    seen: FxHashMap<StreamKey, Seen>,
    answers: FxHashMap<SessionId, (u64, u64)>,
    stamps: Stamps,
    parted: Parted,
    /// Refusals still to come of sessions that were refused to go on where they were.
    pardons: FxHashMap<SessionId, u64>,
    /// Lateness by the slice in which ticks were due.
    pub slices: Vec<Latency>,
    /// Deliveries by the slice in which they were read.
    pub arrived: Vec<u64>,
    /// How late the unruly sessions' deliveries were.
    pub unruly: Latency,
    /// How long the loop's turns took.
    pub turns: Latency,
    /// What was counted.
    pub counts: Counts,
    /// The same of the unruly sessions.
    pub unruly_counts: Counts,
    /// The misbehaving part.
    pub mob: Option<Mob>,
    /// The first reason for a session not to come up, or to end.
    pub trouble: Option<String>,
}

/// How often sessions got a symbol's updates, for comparison.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Share {
    /// The one that got most of them.
    pub most: u64,
    /// All together.
    pub sum: u64,
    /// Sessions.
    pub sessions: u64,
}

impl Share {
    /// Adds what other sessions got.
    pub fn add(&mut self, other: &Self) {
        self.most = self.most.max(other.most);
        self.sum += other.sum;
        self.sessions += other.sessions;
    }

    /// What all together lack of what one got.
    pub fn missing(&self) -> u64 {
        (self.most * self.sessions).saturating_sub(self.sum)
    }
}

/// By symbol, channel and bar minutes.
pub type Shares = FxHashMap<(u32, Channel, u64), Share>;

impl Crowd {
    /// A crowd that watches `watch`.
    pub fn new(watch: Watch, dialect: Dialect, window: Arc<Window>, mob: Option<Mob>) -> Self {
        let symbols = watch.symbols.iter().enumerate();
        let slices = window.slices();
        Self {
            symbols: symbols.map(|(at, name)| (name.as_bytes().into(), at as u32)).collect(),
            watch,
            dialect,
            window,
            seen: FxHashMap::default(),
            answers: FxHashMap::default(),
            stamps: Stamps::default(),
            parted: Parted::default(),
            pardons: FxHashMap::default(),
            slices: (0..slices).map(|_| Latency::new()).collect(),
            arrived: vec![0; slices],
            unruly: Latency::new(),
            turns: Latency::new(),
            counts: Counts::default(),
            unruly_counts: Counts::default(),
            mob,
            trouble: None,
        }
    }

    /// Adds up how often each well-behaved session got each stream; counts the open gaps as lost.
    pub fn close(&mut self, shares: &mut Shares) {
        for (key, seen) in &self.seen {
            let lost = seen.sequence.gaps().iter().map(|gap| gap.count()).sum::<u64>();
            if self.mob.as_ref().is_some_and(|mob| mob.has(key.session())) {
                self.unruly_counts.lost += lost;
                continue;
            }
            self.counts.lost += lost;
            if self.watch.seq {
                // One frame may stand for several numbers: counts differ rightly.
                continue;
            }
            let share = shares.entry((key.symbol(), key.channel(), key.interval())).or_default();
            let counted = u64::from(seen.counted);
            share.add(&Share { most: counted, sum: counted, sessions: 1 });
        }
    }

    fn is_unruly(&self, session: SessionId) -> bool {
        self.mob.as_ref().is_some_and(|mob| mob.has(session))
    }

    fn firsts(watch: &Watch, session: SessionId) -> u64 {
        (watch.by_session[session as usize].len() * watch.topics().count()) as u64
    }

    /// One update, due at `due_ns`, that stands for `merged` others as well.
    fn delivered(&mut self, key: StreamKey, due_ns: u64, merged: u64, received_ns: u64) {
        let session = key.session();
        let slice = self.window.slice_of(due_ns);
        self.counts.ahead_of_time += u64::from(due_ns > received_ns);
        let late_ns = received_ns.saturating_sub(due_ns);
        if self.is_unruly(session) {
            if slice.is_some() {
                self.unruly.record(late_ns);
                self.unruly_counts.deliveries += 1;
                self.unruly_counts.merged += merged;
                self.unruly_counts.ticks += 1 + merged;
            }
            return;
        }
        if let Some(at) = self.window.slice_of(received_ns) {
            self.arrived[at] += 1;
        }
        let seen = self.seen.entry(key).or_default();
        if slice.is_some() && due_ns < seen.due_ns {
            self.counts.out_of_order += 1;
        }
        seen.due_ns = due_ns;
        let Some(slice) = slice else { return };
        seen.counted += 1;
        self.slices[slice].record(late_ns);
        self.counts.deliveries += 1;
        self.counts.merged += merged;
        self.counts.ticks += 1 + merged;
    }

    fn text(&mut self, session: SessionId, text: &[u8], received_ns: u64) -> bool {
        if let Some(quick) = self.stamps.quick(text) {
            if let Some(symbol) = self.symbols.get(quick.symbol).copied() {
                let key = StreamKey::new(session, symbol, Channel::Ticker, 0);
                self.delivered(key, quick.due_ns, 0, received_ns);
            }
            return false;
        }
        match message(text) {
            Ok(Message::Data(frame)) => self.data(session, &frame, received_ns),
            Ok(Message::Notice(data)) => self.notice(session, data),
            Ok(Message::Heartbeat) => self.counts.heartbeats += 1,
            Ok(Message::Reply(reply)) => {
                if let Some(granted) = reply.success.filter(|_| reply.method != b"pong") {
                    if granted && self.is_unruly(session) {
                        self.granted(session, &reply, received_ns);
                    } else if !granted && !self.refused_to_go_on(session) {
                        self.counts.refused += 1;
                    }
                    let (answers, wanted) = self.answers.entry(session).or_default();
                    *answers += 1;
                    return answers == wanted;
                }
            }
            Ok(Message::Other) => {}
            Err(_) => self.counts.unreadable += 1,
        }
        false
    }

    fn data(&mut self, session: SessionId, frame: &DataFrame<'_>, received_ns: u64) {
        let Ok(head) = head(frame.data) else {
            self.counts.unreadable += 1;
            return;
        };
        if frame.snapshot {
            self.counts.snapshots += 1;
            if let Some(mob) = &mut self.mob {
                mob.first(session, received_ns);
            }
        }
        let symbol = head.symbol.and_then(|name| self.symbols.get(name)).copied();
        let Some(symbol) = symbol else { return };
        let interval = self.watch.interval_of(frame.channel, head.interval);
        let key = StreamKey::new(session, symbol, frame.channel, interval);
        if !frame.snapshot {
            let stamped = frame.numbering.map(|one| one.ts_event).filter(|ns| *ns > 0);
            match stamped.or_else(|| rfc3339_ns(head.timestamp)) {
                None => self.counts.untimed += 1,
                Some(due_ns) => {
                    let own = delivered_of(frame.channel, &head);
                    let stands_for = frame.numbering.map_or(own, |one| one.count());
                    self.delivered(key, due_ns, stands_for.saturating_sub(own), received_ns);
                }
            }
        }
        let Some(numbering) = frame.numbering else { return };
        let sequence = &mut self.seen.entry(key).or_default().sequence;
        let step = if frame.snapshot {
            sequence.snapshot(numbering.seq)
        } else {
            sequence.update(numbering.first_seq, numbering.seq)
        };
        if matches!(step, Step::Late | Step::Again) {
            self.counts_of(session).out_of_order += 1;
        }
    }

    fn counts_of(&mut self, session: SessionId) -> &mut Counts {
        if self.is_unruly(session) { &mut self.unruly_counts } else { &mut self.counts }
    }

    /// The ack of a stream of a session that may have come back: told that nothing is missing, it
    /// has its data; otherwise a first value follows.
    fn granted(&mut self, session: SessionId, reply: &Reply<'_>, received_ns: u64) {
        let symbol = reply.symbol.and_then(|name| self.symbols.get(name)).copied();
        let (Some(symbol), Some(channel)) = (symbol, reply.channel) else { return };
        let interval = self.watch.interval_of(channel, reply.interval);
        let seen = self.seen.entry(StreamKey::new(session, symbol, channel, interval)).or_default();
        let returning = std::mem::take(&mut seen.returning);
        let recovered = returning && reply.recovered == Some(true);
        if returning && !recovered {
            *seen = Seen::default();
        }
        seen.epoch = reply.epoch;
        if let Some(mob) = self.mob.as_mut().filter(|_| returning) {
            mob.resumes += 1;
            mob.recovered += u64::from(recovered);
            if recovered {
                mob.first(session, received_ns);
            }
        }
    }

    /// Whether `session` was refused because it asked to go on where it was: a server without such
    /// a thing. Then it asks again, for everything anew.
    fn refused_to_go_on(&mut self, session: SessionId) -> bool {
        let Self { watch, seen, mob, pardons, .. } = self;
        let returning = |symbol: &u32| {
            watch.topics().any(|(channel, interval)| {
                let key = StreamKey::new(session, *symbol, channel, interval);
                seen.get(&key).is_some_and(|one| one.returning)
            })
        };
        let Some(mob) = mob.as_mut().filter(|mob| mob.has(session)) else { return false };
        if !watch.by_session[session as usize].iter().any(returning) {
            // The other requests that were sent together with the first refused one.
            let left = pardons.get_mut(&session).filter(|left| **left > 0);
            return left.map(|left| *left -= 1).is_some();
        }
        pardons.insert(session, Self::firsts(watch, session) - 1);
        mob.resumes += 1;
        mob.refused(session);
        true
    }

    fn notice(&mut self, session: SessionId, data: &[u8]) {
        let Self { watch, symbols, seen, .. } = self;
        let mut missing = 0;
        let read = gaps(data, |gap| {
            let Some(symbol) = symbols.get(gap.symbol) else { return };
            let interval = watch.interval_of(gap.channel, gap.interval);
            let key = StreamKey::new(session, *symbol, gap.channel, interval);
            let sequence = &mut seen.entry(key).or_default().sequence;
            missing += sequence.announced(gap.from_seq, gap.to_seq);
        });
        self.counts.unreadable += u64::from(read.is_err());
        self.counts_of(session).announced_missing += missing;
    }

    /// Numbers begin anew with the next first value, or go on where they are with `resume`.
    fn forget(&mut self, session: SessionId, resume: bool) {
        let Self { watch, seen, .. } = self;
        for symbol in &watch.by_session[session as usize] {
            for (channel, interval) in watch.topics() {
                let key = StreamKey::new(session, *symbol, channel, interval);
                let Some(one) = seen.get_mut(&key) else { continue };
                one.returning = resume && one.epoch.is_some() && one.sequence.last().is_some();
                if !one.returning {
                    seen.remove(&key);
                }
            }
        }
    }
}

impl Dashboard for Crowd {
    fn opened(&mut self, session: SessionId, requests: &mut Requests) -> bool {
        let places = Places(&self.seen, session);
        let wanted = self.dialect.subscribe(&self.watch, session, requests, &places);
        self.answers.insert(session, (0, wanted));
        wanted == 0
    }

    fn message(&mut self, session: SessionId, text: &[u8], received_ns: u64) -> bool {
        self.text(session, text, received_ns)
    }

    fn binary(
        &mut self,
        session: SessionId,
        bytes: &[u8],
        received_ns: u64,
        requests: &mut Requests,
    ) -> bool {
        let mut parted = std::mem::take(&mut self.parted);
        let dialect = self.dialect;
        let ready = dialect.parts(&mut parted, session, bytes, requests, |text| {
            self.text(session, text, received_ns);
        });
        self.parted = parted;
        ready
    }

    fn wish(&mut self) -> Option<Wish> {
        let Self { mob, watch, window, .. } = self;
        let over = window.is_over(now_ns());
        let wish = mob.as_mut()?.wish(|session| Self::firsts(watch, session), over);
        if let Some(Wish::Reconnect(session)) = wish {
            let resume = self.mob.as_ref().is_some_and(Mob::resumes);
            self.forget(session, resume);
        }
        wish
    }

    fn asked(&mut self, session: SessionId, requests: &mut Requests) {
        let firsts = Self::firsts(&self.watch, session);
        let Some(mob) = &mut self.mob else { return };
        if mob.asks_anew(session) {
            self.forget(session, false);
            self.watch.subscribe(session, requests);
        } else if mob.subscribes() {
            mob.asked(session, firsts);
            self.forget(session, false);
            self.watch.subscribe(session, requests);
        } else {
            self.watch.unsubscribe(session, requests);
        }
    }

    fn turned_away(&mut self, _: SessionId) {
        self.counts.turned_away += 1;
    }

    fn ended(&mut self, session: SessionId, ending: &Ending) {
        if self.is_unruly(session) && !ending.is_before_it_began() {
            return;
        }
        if ending.is_before_it_began() {
            self.counts.not_connected += 1;
        } else {
            self.counts.ended += 1;
        }
        self.trouble.get_or_insert_with(|| ending.to_string());
    }

    fn turned(&mut self, turn: Turn) {
        self.turns.record(turn.busy.as_nanos() as u64);
    }

    fn measuring(&mut self) {
        self.turns.clear();
    }
}
