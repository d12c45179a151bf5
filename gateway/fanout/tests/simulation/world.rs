//! The world of one run: who acts when, and what time does to it.

use crate::dashboard::{Dashboard, End, Name, masked};
use crate::link::Quality;
use crate::said::Terms;
use crate::shard::{Line, Shard};
use crate::timeline::Timeline;

const MILLI: u64 = 1_000_000;
/// Steps in which anything may happen.
const STEPS: usize = 200;
/// From healing to the truth everywhere: deadlines of dead connections, backoff, the slowest pace.
const HEALING_NS_MAX: u64 = 8_000 * MILLI;
/// Records by which a shard may lag.
const RING_RECORDS_MAX: usize = 300;

const CHANNELS: [(&str, [&str; 3]); 4] = [
    (
        "ticker",
        [r#","event_trigger":"bbo""#, r#","event_trigger":"trades""#, r#","event_trigger":"bbo""#],
    ),
    ("trade", [""; 3]),
    ("book", [r#","depth":10"#, r#","depth":25"#, r#","depth":100"#]),
    ("ohlc", [r#","interval":1"#, r#","interval":5"#, r#","interval":1"#]),
];

/// What happened, so that runs in which nothing did are noticed.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    resumed: u64,
    not_resumed: u64,
    gaps: u64,
    begun_anew: u64,
    merged: u64,
    laps: u64,
    too_slow: u64,
    resync_needed: u64,
    windows: u64,
    drains: u64,
    resets: u64,
    fallen_behind: u64,
    connections: u64,
}

impl Seen {
    const fn counts(&self) -> [u64; 13] {
        [
            self.resumed,
            self.not_resumed,
            self.gaps,
            self.begun_anew,
            self.merged,
            self.laps,
            self.too_slow,
            self.resync_needed,
            self.windows,
            self.drains,
            self.resets,
            self.fallen_behind,
            self.connections,
        ]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.resumed += other.resumed;
        self.not_resumed += other.not_resumed;
        self.gaps += other.gaps;
        self.begun_anew += other.begun_anew;
        self.merged += other.merged;
        self.laps += other.laps;
        self.too_slow += other.too_slow;
        self.resync_needed += other.resync_needed;
        self.windows += other.windows;
        self.drains += other.drains;
        self.resets += other.resets;
        self.fallen_behind += other.fallen_behind;
        self.connections += other.connections;
    }

    pub(crate) fn has_all(&self) -> bool {
        self.counts().into_iter().all(|count| count > 0)
    }
}

/// The world.
pub(crate) struct World {
    rng: fastrand::Rng,
    now: u64,
    timeline: Timeline,
    shards: [Shard; 2],
    /// Until when each shard's thread is kept from running.
    held_up_until: [u64; 2],
    dashboards: Vec<Dashboard>,
    is_healed: bool,
    line_count: u64,
    seen: Seen,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let now = 1_700_000_000_000_000_000;
        let mut timeline = Timeline::default();
        (0..rng.usize(1..5)).for_each(|_| timeline.define(now));
        let shards = std::array::from_fn(|_| Shard::new(&mut rng));
        let dashboards = (0..rng.usize(1..7)).map(|_| dashboard(&mut rng)).collect();
        Self {
            rng,
            now,
            timeline,
            shards,
            held_up_until: [0; 2],
            dashboards,
            is_healed: false,
            line_count: 0,
            seen: Seen::default(),
        }
    }

    pub(crate) fn run(mut self) -> Seen {
        // The definitions go round before anybody comes.
        (0..2).for_each(|_| self.turn_shards());
        for _ in 0..STEPS {
            let step = [5, 10, 20, 60][self.rng.usize(..4)] * MILLI;
            let burst = [0, 1, 3, 40][self.rng.usize(..4)];
            (0..burst).for_each(|_| self.timeline.tick(&mut self.rng, self.now));
            self.fate();
            self.step(step);
        }
        self.heal();
        let deadline = self.now + HEALING_NS_MAX;
        loop {
            self.step(20 * MILLI);
            let mut lacking = self.dashboards.iter().enumerate();
            let lack = lacking.find_map(|(at, d)| d.lacks(&self.timeline).map(|what| (at, what)));
            match lack {
                None => break,
                Some((at, what)) => assert!(self.now < deadline, "dashboard {at}: {what}"),
            }
        }
        self.end()
    }

    /// What chance does between two steps.
    fn fate(&mut self) {
        let at = self.rng.usize(..self.dashboards.len());
        match self.rng.u32(..40) {
            0..=5 => self.subscribe(at),
            6 => self.unsubscribe(at),
            7..=9 => self.reconfigure(at),
            10..=11 => {
                let stall_ns = [100, 1000, 4000][self.rng.usize(..3)] * MILLI;
                self.dashboards[at].stalls_until = self.now + stall_ns;
            }
            12 => self.reset(at),
            13 => {
                let shard = self.rng.usize(..2);
                let hold_ns = [50, 300, 1500][self.rng.usize(..3)] * MILLI;
                self.held_up_until[shard] = self.now + hold_ns;
            }
            14 if self.rng.u32(..5) == 0 => {
                self.seen.drains += 1;
                self.shards[self.rng.usize(..2)].drain();
            }
            15 => self.leave(at),
            16..=17 => {
                let quality = Quality::random(&mut self.rng);
                if let Some(line) = self.line_of(at) {
                    line.down.quality = quality;
                }
            }
            _ => {}
        }
    }

    fn line_of(&mut self, at: usize) -> Option<&mut Line> {
        let id = self.dashboards[at].line?;
        self.shards.iter_mut().find_map(|shard| shard.lines.get_mut(&id))
    }

    fn random_terms(&mut self, channel: &str) -> Terms {
        let sequenced = self.rng.u32(..3) > 0;
        let is_paced = channel != "trade" && self.rng.u32(..3) == 0;
        let pace_ms = if is_paced { [100, 1000][self.rng.usize(..2)] } else { 0 };
        Terms { sequenced, pace_ms, skip: sequenced && self.rng.u32(..4) == 0 }
    }

    fn subscribe(&mut self, at: usize) {
        let channel = CHANNELS[self.rng.usize(..CHANNELS.len())].0;
        let terms = self.random_terms(channel);
        let symbols = self.timeline.venue.symbols.iter();
        let mut names: Vec<Name> = symbols.map(|s| (s.name.clone(), channel)).collect();
        if self.rng.bool() {
            names = vec![names.swap_remove(self.rng.usize(..names.len()))];
        }
        let dashboard = &mut self.dashboards[at];
        // To ask for the same once more brings nothing, and would be told so.
        names.retain(|name| dashboard.wants.get(name) != Some(&terms));
        if names.is_empty() || dashboard.line.is_none() {
            return;
        }
        dashboard.subscribe(names, terms, None);
        if let Some(line) = self.line_of(at) {
            line.is_fragile |= is_fragile(channel, terms, line.leave.is_tight);
        }
    }

    fn random_want(&mut self, at: usize) -> Option<Name> {
        let dashboard = &self.dashboards[at];
        let index = self.rng.usize(..dashboard.wants.len().max(1));
        dashboard.wants.keys().nth(index).filter(|_| dashboard.line.is_some()).cloned()
    }

    fn unsubscribe(&mut self, at: usize) {
        if let Some(name) = self.random_want(at) {
            self.dashboards[at].unsubscribe(name);
        }
    }

    fn reconfigure(&mut self, at: usize) {
        let pace_ms = [0, 100, 1000][self.rng.usize(..3)];
        if let Some(name) = self.random_want(at).filter(|name| name.1 != "trade") {
            self.dashboards[at].reconfigure(name, pace_ms);
        }
    }

    /// The way is cut: each end finds out in its own time.
    fn reset(&mut self, at: usize) {
        let (mut rng, now) = (self.rng.fork(), self.now);
        let Some(line) = self.line_of(at).filter(|line| line.lost_at.is_none()) else { return };
        line.down.cut(&mut rng);
        line.up.cut(&mut rng);
        line.lost_at = Some(now + rng.u64(..1000) * MILLI);
        self.seen.resets += 1;
    }

    fn leave(&mut self, at: usize) {
        let Some(line) = self.line_of(at).filter(|line| line.lost_at.is_none()) else { return };
        line.up.write(&masked(0x8, &1000_u16.to_be_bytes()));
        self.dashboards[at].is_leaving = true;
    }

    fn step(&mut self, step_ns: u64) {
        self.now += step_ns;
        let now = self.now;
        self.turn_shards();
        for line in self.shards.iter_mut().flat_map(|shard| shard.lines.values_mut()) {
            if line.lost_at.is_none() {
                line.down.pass(now, step_ns);
                line.up.pass(now, step_ns);
            }
        }
        for at in 0..self.dashboards.len() {
            self.act(at);
        }
        for shard in &mut self.shards {
            let dashboards = &self.dashboards;
            shard.lines.retain(|id, line| {
                !line.is_ended || dashboards.iter().any(|dashboard| dashboard.line == Some(*id))
            });
        }
    }

    fn turn_shards(&mut self) {
        for (shard, held_up_until) in self.shards.iter_mut().zip(self.held_up_until) {
            if held_up_until <= self.now {
                shard.turn(&self.timeline, RING_RECORDS_MAX, &mut self.rng, self.now);
            }
        }
    }

    /// One dashboard reads, answers, asks; or comes back.
    fn act(&mut self, at: usize) {
        let now = self.now;
        let dashboard = &mut self.dashboards[at];
        let Some(id) = dashboard.line else {
            if dashboard.returns_at <= now {
                self.connect(at);
            }
            return;
        };
        if dashboard.stalls_until > now {
            return;
        }
        let mut lines = self.shards.iter_mut();
        let line = lines.find_map(|shard| shard.lines.get_mut(&id)).expect("kept while in use");
        let mut answer = Vec::new();
        let bytes = line.down.read(now);
        let mut end = dashboard.receive(&bytes, &self.timeline, line.leave, &mut answer);
        line.up.write(&answer);
        let is_lost = line.lost_at.is_some_and(|at| at <= now);
        if end.is_none() && (is_lost || line.is_ended && line.down.is_empty()) {
            end = Some(End::Lost);
        }
        if let Some(end) = end {
            if let End::Closed(code) = end {
                assert!([1000, 1012, 4001, 4002, 4005].contains(&code), "closed with {code}");
            }
            dashboard.disconnect();
            dashboard.returns_at = now + self.rng.u64(..500) * MILLI;
        } else if let Some(request) = dashboard.poll_request() {
            line.up.write(&masked(0x1, request.as_bytes()));
        }
    }

    fn connect(&mut self, at: usize) {
        self.line_count += 1;
        let id = self.line_count;
        let is_good = self.is_healed || self.rng.u32(..3) == 0;
        let quality = if is_good { Quality::GOOD } else { Quality::random(&mut self.rng) };
        let mut line = Line::new(quality, self.now + quality.latency_ns);
        let dashboard = &mut self.dashboards[at];
        let shard = &mut self.shards[self.rng.usize(..2)];
        line.leave.is_late = shard.is_forgetful;
        line.leave.is_tight = shard.is_tight;
        let mut wants = dashboard.wants.iter();
        line.is_fragile =
            wants.any(|(name, terms)| is_fragile(name.1, *terms, line.leave.is_tight));
        shard.lines.insert(id, line);
        dashboard.connect(id, &mut self.rng);
    }

    fn heal(&mut self) {
        self.is_healed = true;
        self.held_up_until = [0; 2];
        self.dashboards.iter_mut().for_each(|dashboard| dashboard.stalls_until = 0);
        for line in self.shards.iter_mut().flat_map(|shard| shard.lines.values_mut()) {
            line.down.quality = Quality::GOOD;
            line.up.quality = Quality { buffer_bytes_max: 1 << 20, ..Quality::GOOD };
        }
    }

    fn end(mut self) -> Seen {
        self.seen.connections = self.line_count;
        for dashboard in &self.dashboards {
            self.seen.resumed += dashboard.resumed;
            self.seen.not_resumed += dashboard.not_resumed;
            self.seen.gaps += dashboard.gaps;
            self.seen.begun_anew += dashboard.begun_anew;
            self.seen.merged += dashboard.merged;
        }
        for shard in &mut self.shards {
            self.seen.laps += shard.tally.laps;
            self.seen.too_slow += shard.tally.too_slow;
            self.seen.resync_needed += shard.tally.resync_needed;
            self.seen.windows += shard.tally.windows;
            self.seen.fallen_behind += shard.fanout.counters().fallen_behind;
            for key in shard.fanout.session_keys() {
                shard.fanout.handle_gone(key);
            }
            while shard.fanout.poll_dirty().is_some() {}
            shard.fanout.end_cycle();
            let counters = shard.fanout.counters();
            assert_eq!(counters.subscriptions, 0, "one outlived its session");
            assert_eq!(counters.bases_bytes, 0, "a book outlived who held it");
        }
        self.seen
    }
}

/// Whoever uses no numbers cannot be told of missing trades, or of a book that begins anew.
fn is_fragile(channel: &str, terms: Terms, is_tight: bool) -> bool {
    !terms.sequenced && (channel == "trade" || (channel == "book" && is_tight))
}

fn dashboard(rng: &mut fastrand::Rng) -> Dashboard {
    let habit = rng.usize(..3);
    let habits = CHANNELS.iter().map(|(channel, all)| (*channel, all[habit])).collect();
    let mut dashboard = Dashboard::default();
    dashboard.habits = habits;
    dashboard
}
