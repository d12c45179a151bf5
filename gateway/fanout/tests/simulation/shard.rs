//! A shard as the gateway runs it, with simulated sockets: the order of work of its loop, and the
//! rules by which a connection is written.

use std::collections::BTreeMap;

use fanout::{Fanout, HistoryLimits, Limits, SessionKey};
use market::{Nanos, Tick};
use wire::close::CloseCode;
use wire::inbound::{self, Event, Inbound, Input};

use crate::followed::Leave;
use crate::link::{Link, Quality};
use crate::timeline::Timeline;

pub(crate) const EPOCH: u64 = 77;
const OUTBOX_BYTES_MAX: usize = 200_000;
const WRITE_TIMEOUT_NS: u64 = 2_000_000_000;
const LOOK_NS: u64 = 50_000_000;
/// From our close frame to the end of the connection.
const CLOSE_TIMEOUT_NS: u64 = 1_000_000_000;
/// A session whose socket takes bytes hears something at least so often.
const HUNGER_NS_MAX: u64 = 1_500_000_000;
/// A turn that comes later than this was kept from running.
const TURN_NS_MAX: u64 = 100_000_000;

/// One connection, both its ends' sockets between them.
pub(crate) struct Line {
    pub(crate) down: Link,
    pub(crate) up: Link,
    pub(crate) opens_at: u64,
    /// The way is cut: the shard finds out then.
    pub(crate) lost_at: Option<u64>,
    /// The shard let go of it; what is under way still arrives.
    pub(crate) is_ended: bool,
    pub(crate) leave: Leave,
    /// It subscribed to what no gap can be told of.
    pub(crate) is_fragile: bool,
    key: Option<SessionKey>,
    inbound: Inbound,
    unsent: Vec<u8>,
    is_blocked: bool,
    is_dashboard_done: bool,
    close_by: Option<u64>,
    /// When its socket last took bytes.
    took_at: u64,
    /// As `took_at`, or when it could last not be written.
    fed_at: u64,
}

impl Line {
    pub(crate) fn new(quality: Quality, opens_at: u64) -> Self {
        let limits = inbound::Limits {
            message_bytes_max: 65_536,
            fragments_max: 64,
            is_binary_taken: false,
        };
        let up = Quality { buffer_bytes_max: 1 << 20, ..quality };
        Self {
            down: Link::new(quality),
            up: Link::new(up),
            opens_at,
            lost_at: None,
            is_ended: false,
            leave: Leave::default(),
            is_fragile: false,
            key: None,
            inbound: Inbound::new(limits),
            unsent: Vec::new(),
            is_blocked: false,
            is_dashboard_done: false,
            close_by: None,
            took_at: opens_at,
            fed_at: opens_at,
        }
    }
}

/// What a shard found out that the world counts.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) laps: u64,
    pub(crate) too_slow: u64,
    pub(crate) resync_needed: u64,
    pub(crate) windows: u64,
}

/// One shard.
pub(crate) struct Shard {
    pub(crate) fanout: Fanout,
    pub(crate) lines: BTreeMap<u64, Line>,
    pub(crate) tally: Tally,
    /// Records of the ring that it has folded.
    position: usize,
    /// Lapped: when the replica it asked for comes.
    replica_at: Option<u64>,
    look_at: u64,
    turned_at: u64,
    /// Its history is short.
    pub(crate) is_forgetful: bool,
    /// There is not room for every book that somebody slow or paced holds.
    pub(crate) is_tight: bool,
    /// This life has flush windows: a lap may find frames that wait.
    pub(crate) has_windows: bool,
    arena: Vec<u8>,
}

impl Shard {
    pub(crate) fn new(rng: &mut fastrand::Rng) -> Self {
        let history_bytes_max = [20_000, 90_000, 1 << 20][rng.usize(..3)];
        let bases_bytes_max = [1 << 20, 1 << 20, 3000][rng.usize(..3)];
        let limits = Limits {
            outbox_bytes_max: OUTBOX_BYTES_MAX,
            slow_warning_bytes: 4000,
            slow_cleared_bytes: 1000,
            write_timeout_ns: WRITE_TIMEOUT_NS,
            trades_behind_max: 25,
            bases_bytes_max,
            slice_bytes_max: 3000,
            slice_symbols_max: 3,
            history: HistoryLimits { bytes_max: history_bytes_max, age_ns_max: 20_000_000_000 },
            subscriptions_max: 1000,
            requests_per_second_max: 1_000_000,
            bad_requests_max: 3,
            credentials_timeout_ns: u64::MAX,
            heartbeat_ns: 1_000_000_000,
            ping_ns: 3_000_000_000,
            pong_timeout_ns: 2_000_000_000,
        };
        Self {
            fanout: Fanout::new(limits, EPOCH),
            lines: BTreeMap::new(),
            tally: Tally::default(),
            position: 0,
            replica_at: None,
            look_at: 0,
            turned_at: 0,
            is_forgetful: history_bytes_max < 1 << 20,
            is_tight: bases_bytes_max < 1 << 20,
            has_windows: rng.u32(..3) == 0,
            arena: Vec::new(),
        }
    }

    /// One turn of the loop. `ring_records_max` is how far it may lag.
    pub(crate) fn turn(
        &mut self,
        timeline: &Timeline,
        ring_records_max: usize,
        rng: &mut fastrand::Rng,
        now: u64,
    ) {
        self.take_replica(timeline, now);
        self.drain_ring(timeline, ring_records_max, rng, now);
        for line in self.lines.values_mut() {
            if line.key.is_none() && !line.is_ended && line.opens_at <= now {
                line.key = Some(self.fanout.handle_open(1, now));
                (line.took_at, line.fed_at) = (now, now);
            }
            if line.is_blocked && line.down.is_writable() {
                line.is_blocked = false;
                line.fed_at = now;
                line.key.into_iter().for_each(|key| self.fanout.mark_dirty(key));
            }
        }
        self.read(now);
        if now >= self.look_at {
            self.look_at = now + LOOK_NS;
            self.fanout.handle_time(now);
            self.look(now);
        }
        self.fanout.handle_work(Nanos(now));
        self.fanout.handle_pace(now);
        if self.has_windows && rng.bool() {
            self.tally.windows += 1;
            return;
        }
        self.write_all(timeline, ring_records_max, rng, now);
        self.fanout.end_cycle();
        self.check(now);
        self.turned_at = now;
    }

    fn take_replica(&mut self, timeline: &Timeline, now: u64) {
        if self.replica_at.is_some_and(|at| at <= now) {
            self.replica_at = None;
            self.position = timeline.records.len();
            self.lines.values_mut().for_each(|line| line.leave.to_merge = true);
            self.fanout.handle_truth(timeline.venue.truth().clone());
        }
    }

    fn drain_ring(
        &mut self,
        timeline: &Timeline,
        ring_records_max: usize,
        rng: &mut fastrand::Rng,
        now: u64,
    ) {
        if self.replica_at.is_some() {
            return;
        }
        if timeline.records.len() - self.position > ring_records_max {
            self.tally.laps += 1;
            self.replica_at = Some(now + rng.u64(..50_000_000));
            return;
        }
        let count = rng.usize(1..200).min(timeline.records.len() - self.position);
        for record in &timeline.records[self.position..self.position + count] {
            let tick = Tick::decode(record).expect("a whole record");
            self.fanout.handle_tick(&tick).expect("in step");
        }
        self.position += count;
    }

    fn read(&mut self, now: u64) {
        let mut gone = Vec::new();
        for (id, line) in &mut self.lines {
            let Some(key) = line.key else { continue };
            let mut bytes = line.up.read(now);
            let mut input = Input::new(&mut bytes);
            loop {
                match line.inbound.next(&mut input).expect("dashboards keep the rules") {
                    None => break,
                    Some(Event::Text(text)) => {
                        let mut text = text.as_bytes().to_vec();
                        self.fanout.handle_text(key, &mut text, Nanos(now));
                    }
                    Some(Event::Ping(payload)) => self.fanout.handle_ping(key, payload, now),
                    Some(Event::Pong) => self.fanout.heard(key, now),
                    Some(Event::Binary(_)) => unreachable!("the guard takes texts alone"),
                    Some(Event::Close(code)) => {
                        line.is_dashboard_done = true;
                        self.fanout.handle_close(key, code);
                        self.fanout.mark_dirty(key);
                    }
                }
            }
            if line.lost_at.is_some_and(|at| at <= now) {
                gone.push(*id);
            }
        }
        for id in gone {
            self.forget(id);
        }
    }

    fn look(&mut self, now: u64) {
        let mut overdue = Vec::new();
        for (id, line) in &mut self.lines {
            let Some(key) = line.key else { continue };
            let Some(code) = self.fanout.closing(key) else { continue };
            if line.close_by.is_none() {
                line.close_by = Some(now + CLOSE_TIMEOUT_NS);
                let stood_still_ns = now - line.took_at;
                match code {
                    CloseCode::TooSlow => {
                        self.tally.too_slow += 1;
                        assert!(stood_still_ns >= WRITE_TIMEOUT_NS - 2 * LOOK_NS, "it did read");
                    }
                    CloseCode::ResyncNeeded => {
                        self.tally.resync_needed += 1;
                        let is_fair = line.is_fragile || self.has_windows;
                        let is_slow = line.leave.to_merge || line.leave.is_tight;
                        assert!(is_fair && is_slow, "closed without need");
                    }
                    CloseCode::Restarting | CloseCode::Normal | CloseCode::HeartbeatMissed => {}
                    other => panic!("closed with {other:?}"),
                }
            }
            if line.close_by.is_some_and(|by| by <= now) {
                overdue.push(*id);
            }
        }
        for id in overdue {
            self.forget(id);
        }
    }

    /// Writes everybody; between two sessions the ring is looked at now and then.
    fn write_all(
        &mut self,
        timeline: &Timeline,
        ring_records_max: usize,
        rng: &mut fastrand::Rng,
        now: u64,
    ) {
        let mut looks_left = if self.has_windows { 0 } else { rng.u32(..4) };
        while let Some(key) = self.fanout.poll_dirty() {
            self.write(key, rng, now);
            if looks_left > 0 && rng.bool() {
                looks_left -= 1;
                self.drain_ring(timeline, ring_records_max, rng, now);
            }
        }
    }

    fn write(&mut self, key: SessionKey, rng: &mut fastrand::Rng, now: u64) {
        if let Some((id, line)) = self.lines.iter_mut().find(|(_, line)| line.key == Some(key)) {
            let id = *id;
            if !line.is_blocked && !line.unsent.is_empty() {
                let count = line.down.write(&line.unsent);
                line.unsent.drain(..count);
                line.is_blocked = !line.unsent.is_empty();
                if count > 0 {
                    (line.took_at, line.fed_at) = (now, now);
                    self.fanout.handle_progress(key, now);
                }
            }
            let mut is_more = true;
            while is_more && !line.is_blocked {
                self.arena.clear();
                let bytes_max = rng.usize(1..4000);
                is_more = self.fanout.take(key, bytes_max, &mut self.arena, |_| {}, now);
                let count = line.down.write(&self.arena);
                line.unsent.extend_from_slice(&self.arena[count..]);
                line.is_blocked = count < self.arena.len();
                if count > 0 {
                    (line.took_at, line.fed_at) = (now, now);
                }
            }
            if is_more {
                line.leave.to_merge = true;
                self.fanout.keep(key);
            }
            let is_over = line.is_dashboard_done && !line.is_blocked;
            if is_over && self.fanout.closing(key).is_some() {
                self.forget(id);
            }
        }
    }

    /// Nobody who can be written goes without; nobody slow holds more than may be.
    fn check(&mut self, now: u64) {
        let was_kept_from_it = now - self.turned_at > TURN_NS_MAX;
        for line in self.lines.values_mut() {
            let Some(key) = line.key else { continue };
            assert!(self.fanout.backlog_bytes(key) <= OUTBOX_BYTES_MAX + 256);
            if line.is_blocked || was_kept_from_it || self.fanout.closing(key).is_some() {
                line.fed_at = now;
            }
            assert!(now - line.fed_at <= HUNGER_NS_MAX, "a session was forgotten");
        }
    }

    fn forget(&mut self, id: u64) {
        if let Some(line) = self.lines.get_mut(&id)
            && let Some(key) = line.key.take()
        {
            line.is_ended = true;
            self.fanout.handle_gone(key);
        }
    }

    /// Every session is told to come back elsewhere.
    pub(crate) fn drain(&mut self) {
        for key in self.fanout.session_keys() {
            self.fanout.close(key, CloseCode::Restarting, "drained");
        }
    }
}
