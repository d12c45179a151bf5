//! Random operations on a shard's state, held against a naive model.
//!
//! ```text
//!  Venue (naive books, trades, quotes) --tick--> ingest's Truth --clone after a lap--+
//!                                          \--tick unless lost--> Fanout <-----------+
//!                                                                    | frames, parsed as JSON
//!                                                    Dashboard: strict, of its own code
//! ```
//!
//! After every cycle each dashboard that is not blocked must hold exactly what the venue holds (who
//! is paced: when its bucket has ended), have seen every sequence, one by one unless it was slow,
//! paced or lapped, or been told of the gap, and have got nothing it did not ask for: no second
//! snapshot, no second frame in a bucket, no trade twice. Sessions block, come back, resume where
//! they left off, change their pace; the shard is lapped; large requests are worked off in slices;
//! the history is short enough to be outrun.
#![expect(clippy::print_stdout, reason = "the seed of a failure is to be seen")]

mod book;
mod dashboard;
mod followed;
mod said;
mod venue;

use std::collections::BTreeMap;

use dashboard::Dashboard;
use fanout::{Fanout, HistoryLimits, Limits, SessionKey};
use followed::Followed;
use market::{Nanos, Tick};
use said::Terms;
use venue::Venue;

/// Channels, and for each the parameters a dashboard may make its habit.
const TOPICS: [[(&str, &str); 3]; 5] = [
    [
        ("ticker", r#","event_trigger":"bbo""#),
        ("ticker", r#","event_trigger":"trades""#),
        ("ticker", r#","event_trigger":"bbo""#),
    ],
    [("trade", ""); 3],
    [("book", r#","depth":10"#), ("book", r#","depth":25"#), ("book", r#","depth":100"#)],
    [("ohlc", r#","interval":1"#); 3],
    [("ohlc", r#","interval":5"#); 3],
];

struct World {
    rng: fastrand::Rng,
    venue: Venue,
    fanout: Fanout,
    dashboards: BTreeMap<SessionKey, Dashboard>,
    now: u64,
    /// Not every book that somebody holds can be kept.
    is_tight: bool,
    /// Ticks were lost on the way to the shard since it was last in step.
    is_lapped: bool,
    /// When the venue last said something.
    last_tick_at: u64,
    seen: Seen,
}

/// What happened, so that a run in which nothing did is noticed.
#[derive(Debug, Default)]
struct Seen {
    frames: usize,
    resumed: usize,
    not_resumed: usize,
    closed: usize,
    merged: u64,
    missed: [u64; 5],
    fallen_behind: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        // Now and then there is next to no room for the books of who is slow or paced.
        let bases_bytes_max = [1 << 30, 1 << 30, 3000, 0][rng.usize(..4)];
        let limits = Limits {
            outbox_bytes_max: 1 << 30,
            slow_warning_bytes: 4000,
            slow_cleared_bytes: 1000,
            write_timeout_ns: u64::MAX,
            trades_behind_max: 25,
            bases_bytes_max,
            slice_bytes_max: 3000,
            slice_symbols_max: 3,
            history: HistoryLimits { bytes_max: 90_000, age_ns_max: 200_000_000_000 },
            subscriptions_max: 1000,
            requests_per_second_max: 1_000_000,
            bad_requests_max: 3,
            credentials_timeout_ns: u64::MAX,
            heartbeat_ns: 1_000_000_000,
            ping_ns: u64::MAX,
            pong_timeout_ns: u64::MAX,
        };
        Self {
            rng,
            is_tight: bases_bytes_max < 1 << 30,
            venue: Venue::default(),
            fanout: Fanout::new(limits, 77),
            dashboards: BTreeMap::new(),
            now: 1_700_000_000_000_000_000,
            is_lapped: false,
            last_tick_at: 0,
            seen: Seen::default(),
        }
    }

    fn step(&mut self) {
        self.now += match self.rng.u32(..4) {
            0 => self.rng.u64(..2_000_000_000),
            _ => self.rng.u64(..100_000_000),
        };
        match self.rng.u32(..100) {
            0..=1 if self.venue.symbol_count() < 5 => self.define(),
            2..=5 if self.dashboards.len() < 12 => {
                let key = self.fanout.handle_open(self.now, self.now);
                let (habit, is_tight) = (self.rng.usize(..3), self.is_tight);
                let dashboard = Dashboard { habit, is_tight, ..Dashboard::default() };
                self.dashboards.insert(key, dashboard);
            }
            6..=7 => self.leave(),
            8..=19 => self.subscribe(),
            20..=25 => self.unsubscribe(),
            26 => self.lap(),
            27 => self.reconfigure(),
            28 => self.return_and_resume(),
            29..=33 => self.toggle_blocked(),
            34..=45 => self.flush(),
            _ => self.tick(),
        }
    }

    fn define(&mut self) {
        let tick = self.venue.define(self.now);
        self.deliver(&tick);
        if !self.is_lapped {
            self.follow_patterns(self.venue.symbol_count() - 1);
        }
    }

    fn tick(&mut self) {
        if let Some(tick) = self.venue.random_tick(&mut self.rng, self.now) {
            self.last_tick_at = self.now;
            self.deliver(&tick);
        }
    }

    /// Through the ring's own bytes.
    fn deliver(&mut self, record: &[u8]) {
        if !self.is_lapped {
            let tick = Tick::decode(record).expect("a whole record");
            self.fanout.handle_tick(&tick).expect("in step");
        }
    }

    fn lap(&mut self) {
        self.flush();
        let known_count = self.venue.symbol_count();
        self.is_lapped = true;
        // Now and then more trades are lost than a tape holds.
        let tick_count_max = if self.rng.u32(..4) == 0 { 1500 } else { 150 };
        for _ in 0..self.rng.usize(..tick_count_max) {
            if self.rng.u32(..40) == 0 && self.venue.symbol_count() < 5 {
                self.define();
            } else {
                self.tick();
            }
        }
        for dashboard in self.dashboards.values_mut() {
            dashboard.may_merge();
            // The close waits while it is blocked; until then it may unsubscribe.
            dashboard.was_fatal |= dashboard.has_fatal();
        }
        self.fanout.handle_truth(self.venue.truth().clone());
        self.is_lapped = false;
        self.follow_patterns(known_count);
        self.flush();
    }

    fn pick(&mut self) -> Option<SessionKey> {
        let index = self.rng.usize(..self.dashboards.len().max(1));
        self.dashboards.keys().nth(index).copied()
    }

    fn leave(&mut self) {
        if let Some(key) = self.pick() {
            self.fanout.handle_gone(key);
            self.dashboards.remove(&key);
        }
    }

    fn random_topic(&mut self, key: SessionKey) -> (&'static str, &'static str) {
        TOPICS[self.rng.usize(..TOPICS.len())][self.dashboards[&key].habit]
    }

    fn random_terms(&mut self, channel: &str) -> Terms {
        let sequenced = self.rng.bool();
        let pace_ms = match self.rng.u32(..6) {
            0 if channel != "trade" => 250,
            1 if channel != "trade" => 1000,
            _ => 0,
        };
        Terms { sequenced, pace_ms, skip: sequenced && self.rng.u32(..5) == 0 }
    }

    fn subscribe(&mut self) {
        let Some(key) = self.pick() else { return };
        self.flush_wholly();
        let Some(dashboard) = self.dashboards.get(&key) else { return };
        let (channel, parameter) = TOPICS[self.rng.usize(..TOPICS.len())][dashboard.habit];
        let is_blocked = dashboard.is_blocked;
        let terms = self.random_terms(channel);
        let symbol = self.random_name(is_blocked);
        let names = self.venue.names_matching(&symbol);
        let dashboard = self.dashboards.get_mut(&key).expect("picked");
        let x = terms.ask();
        let text = format!(
            r#"{{"method":"subscribe","params":{{"channel":"{channel}",
                "symbol":["{symbol}"]{parameter},"x":{{{x}}}}}}}"#
        );
        if symbol.ends_with('*') {
            dashboard.patterns.retain(|p| (&*p.0, p.1, p.2) != (&*symbol, channel, parameter));
            dashboard.patterns.push((symbol.clone(), channel, parameter, terms));
        }
        for name in names {
            dashboard.follow(Followed::new(&name, channel, parameter, terms, &self.venue));
        }
        if dashboard.is_blocked {
            dashboard.may_merge();
        }
        self.ask(key, text);
    }

    /// Large requests are worked off at once here; those of a blocked session would wait, so it
    /// asks for one symbol at a time.
    fn ask(&mut self, key: SessionKey, text: String) {
        self.fanout.handle_text(key, &mut text.into_bytes(), Nanos(self.now));
        for _ in 0..100 {
            self.fanout.handle_work(Nanos(self.now));
        }
    }

    fn unsubscribe(&mut self) {
        let Some(key) = self.pick() else { return };
        self.flush_wholly();
        if !self.dashboards.contains_key(&key) {
            return;
        }
        let (channel, parameter) = self.random_topic(key);
        let is_blocked = self.dashboards[&key].is_blocked;
        let symbol = self.random_name(is_blocked);
        let dashboard = self.dashboards.get_mut(&key).expect("picked");
        dashboard.patterns.retain(|p| (&*p.0, p.1, p.2) != (&*symbol, channel, parameter));
        for name in self.venue.names_matching(&symbol) {
            dashboard.unfollow(&name, channel, parameter);
        }
        let text = format!(
            r#"{{"method":"unsubscribe","params":{{"channel":"{channel}",
                "symbol":["{symbol}"]{parameter}}}}}"#
        );
        self.ask(key, text);
    }

    /// A running subscription is served at another pace.
    fn reconfigure(&mut self) {
        let Some(key) = self.pick() else { return };
        self.flush_wholly();
        let pace_ms = [0, 250, 1000][self.rng.usize(..3)];
        let Some(dashboard) = self.dashboards.get_mut(&key) else { return };
        let count = dashboard.followed.len();
        let Some(followed) = dashboard.followed.get_mut(self.rng.usize(..count.max(1))) else {
            return;
        };
        if followed.channel == "trade" {
            return;
        }
        let (symbol, channel, parameter) = (&followed.symbol, followed.channel, followed.parameter);
        let text = format!(
            r#"{{"method":"reconfigure","params":{{"channel":"{channel}",
                "symbol":["{symbol}"]{parameter},"x":{{"conflate_ms":{pace_ms}}}}}}}"#
        );
        followed.terms.pace_ms = pace_ms;
        followed.bucket = None;
        // What waited for the end of a bucket comes as one frame.
        followed.may_merge = true;
        self.ask(key, text);
    }

    /// A dashboard loses its connection, comes back later and asks to go on where it left off.
    fn return_and_resume(&mut self) {
        let Some(key) = self.pick() else { return };
        self.flush_wholly();
        let Some(mut dashboard) = self.dashboards.remove(&key) else { return };
        self.fanout.handle_gone(key);
        dashboard.patterns.clear();
        dashboard.is_blocked = false;
        dashboard.followed.retain(|f| f.terms.sequenced && f.sequence.is_some());
        dashboard.may_merge();
        for _ in 0..self.rng.usize(..120) {
            self.tick();
        }
        self.flush();
        let key = self.fanout.handle_open(self.now, self.now);
        dashboard.asked_to_resume = true;
        let epoch = if self.rng.u32(..10) == 0 { 76 } else { 77 };
        for followed in &dashboard.followed {
            let Followed { symbol, channel, parameter, .. } = followed;
            let (sequence, x) = (followed.sequence.expect("retained"), followed.terms.ask());
            let text = format!(
                r#"{{"method":"subscribe","params":{{"channel":"{channel}",
                    "symbol":["{symbol}"]{parameter},"x":{{{x},
                    "resume":{{"{symbol}":{{"epoch":"{epoch}","seq":{sequence}}}}}}}}}}}"#
            );
            self.fanout.handle_text(key, &mut text.into_bytes(), Nanos(self.now));
        }
        self.dashboards.insert(key, dashboard);
        self.flush_wholly();
        if let Some(dashboard) = self.dashboards.get_mut(&key) {
            dashboard.asked_to_resume = false;
            self.seen.resumed += std::mem::take(&mut dashboard.resumed_count);
            self.seen.not_resumed += std::mem::take(&mut dashboard.not_resumed).len();
        }
    }

    fn random_name(&mut self, is_exact: bool) -> String {
        match self.rng.u32(if is_exact { 2 } else { 0 }..10) {
            0 => "*".to_owned(),
            1 => "S1*".to_owned(),
            _ => format!("S{}/USD", self.rng.usize(..5)),
        }
    }

    /// New symbols join every pattern they match.
    fn follow_patterns(&mut self, first_new: usize) {
        for symbol in &self.venue.symbols[first_new..] {
            for dashboard in self.dashboards.values_mut() {
                dashboard.follow_patterns(&symbol.name, &self.venue);
            }
        }
    }

    fn toggle_blocked(&mut self) {
        self.flush();
        if let Some(key) = self.pick() {
            let dashboard = self.dashboards.get_mut(&key).expect("picked");
            dashboard.is_blocked = !dashboard.is_blocked;
            dashboard.may_merge();
            if !dashboard.is_blocked {
                self.fanout.mark_dirty(key);
            }
        }
        self.flush();
    }

    /// One cycle, in which some sockets may fill up halfway.
    fn flush(&mut self) {
        self.cycle();
        if !self.fanout.has_work() {
            self.check();
        }
    }

    /// Cycles until nothing is left to do.
    fn flush_wholly(&mut self) {
        for _ in 0..1000 {
            self.cycle();
            if !self.fanout.has_work() {
                return self.check();
            }
        }
        panic!("the work never ends");
    }

    /// Writes every dirty session as a shard does.
    fn cycle(&mut self) {
        self.fanout.handle_work(Nanos(self.now));
        self.fanout.handle_pace(self.now);
        let mut closed = Vec::new();
        while let Some(key) = self.fanout.poll_dirty() {
            let Some(dashboard) = self.dashboards.get_mut(&key) else { continue };
            dashboard.now = self.now;
            // A socket that takes some of it and then no more.
            let takes_max = if self.rng.u32(..12) == 0 { self.rng.usize(..4) } else { usize::MAX };
            let mut is_more = true;
            for _ in 0..takes_max {
                if dashboard.is_blocked || !is_more {
                    break;
                }
                let mut bytes = Vec::new();
                let bytes_max = self.rng.usize(1..4000);
                is_more = self.fanout.take(key, bytes_max, &mut bytes, |_| {}, self.now);
                self.seen.frames += 1;
                dashboard.served_at = self.now;
                dashboard.receive(&bytes);
            }
            if dashboard.closed.is_some() {
                closed.push(key);
            } else if is_more {
                dashboard.is_blocked = true;
                dashboard.may_merge();
                self.fanout.keep(key);
            }
        }
        self.fanout.end_cycle();
        for key in closed {
            self.bury(key);
        }
    }

    /// Only who uses no numbers and lost trades, or the book it held, may be closed, because
    /// nothing else can tell it.
    fn bury(&mut self, key: SessionKey) {
        let dashboard = self.dashboards.remove(&key).expect("listed");
        assert_eq!(dashboard.closed, Some(4005));
        assert!(dashboard.has_fatal() || dashboard.was_fatal, "closed without need");
        self.fanout.handle_gone(key);
        self.seen.closed += 1;
    }

    fn check(&mut self) {
        // Both paces in use end their buckets at full seconds; who was given anything since may
        // wait for the next one, and behind one that ended late for one more.
        let second = |ns: u64| ns / 1_000_000_000;
        for dashboard in self.dashboards.values_mut().filter(|d| !d.is_blocked) {
            let last = self.last_tick_at.max(dashboard.served_at);
            dashboard.check(&self.venue, second(last) + 1 < second(self.now));
        }
    }
}

fn run(seed: u64, steps: usize) -> Seen {
    let mut world = World::new(seed);
    for _ in 0..steps {
        world.step();
    }
    let waiting: Vec<_> = world.dashboards.keys().copied().collect();
    for key in waiting {
        world.dashboards.get_mut(&key).expect("listed").is_blocked = false;
        world.fanout.mark_dirty(key);
    }
    world.now += 3_000_000_000;
    for _ in 0..20 {
        // Some of them block again on the way.
        world.flush_wholly();
        for (key, dashboard) in &mut world.dashboards {
            dashboard.is_blocked = false;
            world.fanout.mark_dirty(*key);
        }
        world.now += 3_000_000_000;
    }
    let counters = world.fanout.counters();
    world.seen.merged = counters.updates_merged;
    world.seen.missed = counters.updates_missed;
    world.seen.fallen_behind = counters.fallen_behind;
    for key in world.dashboards.keys() {
        world.fanout.handle_gone(*key);
    }
    while world.fanout.poll_dirty().is_some() {}
    world.fanout.end_cycle();
    assert_eq!(world.fanout.counters().bases_bytes, 0, "a book outlived who held it");
    assert_eq!(world.fanout.counters().subscriptions, 0, "a subscription outlived its session");
    world.seen
}

#[test]
fn every_dashboard_holds_what_the_venue_holds_after_every_cycle() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("SEED");
    let seeds = first.map_or(0..number("SEEDS").unwrap_or(300), |seed| seed..seed + 1);
    let is_one = first.is_some();
    let mut total = Seen::default();
    for seed in seeds {
        // Printed by the harness when an assertion below fails: run again with SEED=<seed>.
        println!("seed {seed}");
        let seen = run(seed, 600);
        total.frames += seen.frames;
        total.resumed += seen.resumed;
        total.not_resumed += seen.not_resumed;
        total.closed += seen.closed;
        total.merged += seen.merged;
        total.fallen_behind += seen.fallen_behind;
        for (sum, missed) in total.missed.iter_mut().zip(seen.missed) {
            *sum += missed;
        }
    }
    println!("{total:?}");
    let counts = [total.frames, total.resumed, total.not_resumed, total.closed];
    let more = [total.merged, total.fallen_behind]
        .into_iter()
        .chain(total.missed[..3].iter().chain(&total.missed[4..]).copied());
    let has_all = counts.iter().all(|count| *count > 0) && more.into_iter().all(|count| count > 0);
    assert!(is_one || has_all, "the model must have seen everything: {total:?}");
}
