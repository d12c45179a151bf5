//! The dashboards of one load thread, as a meter: how late each delivery was, and whether the
//! numbers run on. Books are not rebuilt here; that is what `verify` is for.

use rustc_hash::FxHashMap;

use super::latency::Latency;
use crate::load::clock::rfc3339_ns;
use crate::load::dashboard::{Dashboard, Ending, SessionId, Turn};
use crate::load::frame::Requests;
use crate::load::watch::Watch;
use crate::scan::items::{Head, gaps, head};
use crate::scan::message::{Channel, DataFrame, Message, message};
use crate::verify::sequence::{Sequence, Step};
use crate::verify::stream::StreamKey;

/// What was counted, beside latency.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Updates delivered.
    pub deliveries: u64,
    /// Updates they stand for, merged ones included.
    pub ticks: u64,
    /// Updates that were not delivered themselves, because a later one stands for them.
    pub merged: u64,
    /// First values.
    pub snapshots: u64,
    /// Heartbeats.
    pub heartbeats: u64,
    /// Sequences missing and not announced.
    pub lost: u64,
    /// Updates that came after a later one, or twice.
    pub out_of_order: u64,
    /// Sequences announced as missing.
    pub announced_missing: u64,
    /// Updates without a time to measure from.
    pub untimed: u64,
    /// Updates from the future: the two clocks disagree.
    pub ahead_of_time: u64,
    /// Messages that are not what they should be.
    pub unreadable: u64,
    /// Subscriptions refused.
    pub refused: u64,
    /// Sessions ended by the gateway.
    pub ended: u64,
    /// Sessions that never came up.
    pub not_connected: u64,
    /// Times that a session was turned away at the door and came again.
    #[serde(default)]
    pub turned_away: u64,
}

impl Counts {
    /// Adds what another thread counted.
    pub fn add(&mut self, other: &Self) {
        self.deliveries += other.deliveries;
        self.ticks += other.ticks;
        self.merged += other.merged;
        self.snapshots += other.snapshots;
        self.heartbeats += other.heartbeats;
        self.lost += other.lost;
        self.out_of_order += other.out_of_order;
        self.announced_missing += other.announced_missing;
        self.untimed += other.untimed;
        self.ahead_of_time += other.ahead_of_time;
        self.unreadable += other.unreadable;
        self.refused += other.refused;
        self.ended += other.ended;
        self.not_connected += other.not_connected;
        self.turned_away += other.turned_away;
    }
}

/// How many numbers a frame delivers itself: a trade is never merged away, so each item has one.
pub fn delivered_of(channel: Channel, head: &Head<'_>) -> u64 {
    if channel == Channel::Trade { u64::from(head.count) } else { 1 }
}

/// Everything one load thread measures.
#[derive(Debug)]
pub struct Meter {
    watch: Watch,
    symbols: FxHashMap<Box<[u8]>, u32>,
    streams: FxHashMap<StreamKey, Sequence>,
    answers: FxHashMap<SessionId, (u64, u64)>,
    /// From the tick's own time to when it was read.
    pub(super) latency: Latency,
    /// How long a turn of the loop took: how late the last message of it may have been read.
    pub(super) turns: Latency,
    pub(super) counts: Counts,
    /// The first reason for a session not to come up, or to end.
    pub(super) trouble: Option<String>,
}

impl Meter {
    /// A meter of `watch`.
    pub fn new(watch: Watch) -> Self {
        let symbols = watch.symbols.iter().enumerate();
        Self {
            symbols: symbols.map(|(at, name)| (name.as_bytes().into(), at as u32)).collect(),
            watch,
            streams: FxHashMap::default(),
            answers: FxHashMap::default(),
            latency: Latency::new(),
            turns: Latency::new(),
            counts: Counts::default(),
            trouble: None,
        }
    }

    /// Counts the numbers that are missing at the end.
    pub fn close(&mut self) {
        for sequence in self.streams.values() {
            self.counts.lost += sequence.gaps().iter().map(|gap| gap.count()).sum::<u64>();
        }
    }

    fn data(&mut self, session: SessionId, frame: &DataFrame<'_>, received_ns: u64) {
        let Ok(head) = head(frame.data) else {
            self.counts.unreadable += 1;
            return;
        };
        if frame.snapshot {
            self.counts.snapshots += 1;
        } else {
            self.counts.deliveries += 1;
            let stamped = frame.numbering.map(|one| one.ts_event).filter(|ns| *ns > 0);
            match stamped.or_else(|| rfc3339_ns(head.timestamp)) {
                None => self.counts.untimed += 1,
                Some(due_ns) => {
                    self.counts.ahead_of_time += u64::from(due_ns > received_ns);
                    self.latency.record(received_ns.saturating_sub(due_ns));
                }
            }
        }
        let Some(numbering) = frame.numbering else {
            self.counts.ticks += u64::from(!frame.snapshot);
            return;
        };
        let symbol = head.symbol.and_then(|name| self.symbols.get(name)).copied();
        let interval = self.watch.interval_of(frame.channel, head.interval);
        let Some(symbol) = symbol else { return };
        let key = StreamKey::new(session, symbol, frame.channel, interval);
        let sequence = self.streams.entry(key).or_default();
        let step = if frame.snapshot {
            sequence.snapshot(numbering.seq)
        } else {
            let own = delivered_of(frame.channel, &head);
            self.counts.ticks += numbering.count();
            self.counts.merged += numbering.count().saturating_sub(own);
            sequence.update(numbering.first_seq, numbering.seq)
        };
        if matches!(step, Step::Late | Step::Again) {
            self.counts.out_of_order += 1;
        }
    }

    fn notice(&mut self, session: SessionId, data: &[u8]) {
        let Self { watch, symbols, streams, counts, .. } = self;
        let read = gaps(data, |gap| {
            let Some(symbol) = symbols.get(gap.symbol) else { return };
            let interval = watch.interval_of(gap.channel, gap.interval);
            let key = StreamKey::new(session, *symbol, gap.channel, interval);
            let sequence = streams.entry(key).or_default();
            counts.announced_missing += sequence.announced(gap.from_seq, gap.to_seq);
        });
        self.counts.unreadable += u64::from(read.is_err());
    }
}

impl Dashboard for Meter {
    fn opened(&mut self, session: SessionId, requests: &mut Requests) -> bool {
        let wanted = self.watch.subscribe(session, requests);
        self.answers.insert(session, (0, wanted));
        wanted == 0
    }

    fn message(&mut self, session: SessionId, text: &[u8], received_ns: u64) -> bool {
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

    fn turned_away(&mut self, _: SessionId) {
        self.counts.turned_away += 1;
    }

    fn ended(&mut self, _: SessionId, ending: &Ending) {
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
        self.latency.clear();
        self.turns.clear();
        // What went wrong on the way up is part of the result; what was delivered is not.
        let Counts { lost, out_of_order, refused, ended, not_connected, turned_away, .. } =
            self.counts;
        self.counts = Counts {
            lost,
            out_of_order,
            refused,
            ended,
            not_connected,
            turned_away,
            ..Counts::default()
        };
    }
}
