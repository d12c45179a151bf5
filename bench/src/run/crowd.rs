//! The dashboards of one load thread in a scenario: how late every delivery of the window was, and
//! whether each session got what the others got.
//!
//! Ticks belong to the window in which they were *due*. With sequences, loss is what is missing and
//! unannounced; without (so that all servers carry the same payload), a session has lost what
//! another session of the same symbol got. Unruly sessions are counted apart.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::dialect::{Dialect, Parted};
use super::quick::Stamps;
use super::unruly::Mob;
use super::window::Window;
use crate::fleet::latency::Latency;
use crate::fleet::meter::Counts;
use crate::load::clock::rfc3339_ns;
use crate::load::dashboard::{Dashboard, Ending, SessionId, Turn, Wish};
use crate::load::frame::Requests;
use crate::load::watch::Watch;
use crate::scan::items::{gaps, head};
use crate::scan::message::{Channel, DataFrame, Message, message};
use crate::verify::sequence::{Sequence, Step};
use crate::verify::stream::StreamKey;

/// One session's view of one symbol and channel.
#[derive(Debug, Default)]
struct Seen {
    due_ns: u64,
    counted: u32,
    sequence: Sequence,
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
    /// The misbehaving part.
    pub mob: Option<Mob>,
    /// The first reason for a session not to come up, or to end.
    pub trouble: Option<String>,
}

/// How often each session got a symbol's updates, for comparison: most, sum and sessions.
pub type Shares = FxHashMap<(u32, Channel, u64), (u64, u64, u64)>;

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
            slices: (0..slices).map(|_| Latency::new()).collect(),
            arrived: vec![0; slices],
            unruly: Latency::new(),
            turns: Latency::new(),
            counts: Counts::default(),
            mob,
            trouble: None,
        }
    }

    /// Adds up how often each well-behaved session got each stream; counts the open holes as lost.
    pub fn close(&mut self, shares: &mut Shares) {
        for (key, seen) in &self.seen {
            if self.is_unruly(key.session()) {
                continue;
            }
            self.counts.lost += seen.sequence.holes().iter().map(|hole| hole.count()).sum::<u64>();
            if self.watch.seq {
                // One frame may stand for several numbers: counts differ rightly.
                continue;
            }
            let share = shares.entry((key.symbol(), key.channel(), key.interval())).or_default();
            share.0 = share.0.max(u64::from(seen.counted));
            share.1 += u64::from(seen.counted);
            share.2 += 1;
        }
    }

    fn is_unruly(&self, session: SessionId) -> bool {
        self.mob.as_ref().is_some_and(|mob| mob.has(session))
    }

    fn firsts(watch: &Watch, session: SessionId) -> u64 {
        let intervals = |channel: &Channel| {
            if *channel == Channel::Ohlc { watch.intervals.len() } else { 1 }
        };
        let streams: usize = watch.channels.iter().map(intervals).sum();
        (watch.by_session[session as usize].len() * streams) as u64
    }

    /// One update, due at `due_ns`.
    fn delivered(&mut self, key: StreamKey, due_ns: u64, received_ns: u64) {
        let session = key.session();
        let slice = self.window.slice_of(due_ns);
        self.counts.ahead_of_time += u64::from(due_ns > received_ns);
        let late_ns = received_ns.saturating_sub(due_ns);
        if self.is_unruly(session) {
            if slice.is_some() {
                self.unruly.record(late_ns);
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
    }

    fn text(&mut self, session: SessionId, text: &[u8], received_ns: u64) -> bool {
        if let Some(quick) = self.stamps.quick(text) {
            if let Some(symbol) = self.symbols.get(quick.symbol).copied() {
                let key = StreamKey::new(session, symbol, Channel::Ticker, 0);
                self.delivered(key, quick.due_ns, received_ns);
            }
            return false;
        }
        match message(text) {
            Ok(Message::Data(frame)) => self.data(session, &frame, received_ns),
            Ok(Message::Notice(data)) => self.notice(session, data),
            Ok(Message::Heartbeat) => self.counts.heartbeats += 1,
            Ok(Message::Reply(reply)) => {
                if let Some(granted) = reply.success.filter(|_| reply.method != b"pong") {
                    self.counts.refused += u64::from(!granted);
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
                Some(due_ns) => self.delivered(key, due_ns, received_ns),
            }
        }
        let Some(numbering) = frame.numbering else { return };
        let sequence = &mut self.seen.entry(key).or_default().sequence;
        let step = if frame.snapshot {
            sequence.snapshot(numbering.seq)
        } else {
            self.counts.ticks += (numbering.seq + 1).saturating_sub(numbering.first_seq);
            sequence.update(numbering.first_seq, numbering.seq)
        };
        if matches!(step, Step::Late | Step::Again) && !self.is_unruly(session) {
            self.counts.out_of_order += 1;
        }
    }

    fn notice(&mut self, session: SessionId, data: &[u8]) {
        let Self { watch, symbols, seen, counts, .. } = self;
        let read = gaps(data, |gap| {
            let Some(symbol) = symbols.get(gap.symbol) else { return };
            let interval = watch.interval_of(gap.channel, gap.interval);
            let key = StreamKey::new(session, *symbol, gap.channel, interval);
            let sequence = &mut seen.entry(key).or_default().sequence;
            counts.announced_missing += sequence.announced(gap.from_seq, gap.to_seq);
        });
        self.counts.unreadable += u64::from(read.is_err());
    }

    /// Numbers begin anew with the next first value.
    fn forget(&mut self, session: SessionId) {
        for symbol in &self.watch.by_session[session as usize] {
            for channel in &self.watch.channels {
                for interval in [0].iter().chain(&self.watch.intervals) {
                    self.seen.remove(&StreamKey::new(session, *symbol, *channel, *interval));
                }
            }
        }
    }
}

impl Dashboard for Crowd {
    fn opened(&mut self, session: SessionId, requests: &mut Requests) -> bool {
        let wanted = self.dialect.subscribe(&self.watch, session, requests);
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
        let Self { mob, watch, .. } = self;
        let wish = mob.as_mut()?.wish(|session| Self::firsts(watch, session));
        if let Some(Wish::Reconnect(session)) = wish {
            self.forget(session);
        }
        wish
    }

    fn asked(&mut self, session: SessionId, requests: &mut Requests) {
        let firsts = Self::firsts(&self.watch, session);
        let Some(mob) = &mut self.mob else { return };
        if mob.subscribes() {
            mob.asked(session, firsts);
            self.forget(session);
            self.watch.subscribe(session, requests);
        } else {
            self.watch.unsubscribe(session, requests);
        }
    }

    fn ended(&mut self, session: SessionId, ending: &Ending) {
        if self.is_unruly(session) && !matches!(ending, Ending::NotConnected(_)) {
            return;
        }
        match ending {
            Ending::NotConnected(_) => self.counts.not_connected += 1,
            _ => self.counts.ended += 1,
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
