//! Random operations on a shard's state, held against a naive model.
//!
//! ```text
//!  Venue (naive books, trades, quotes) --tick--> ingest's Truth --clone after a lap--+
//!                                          \--tick unless lost--> Fanout <-----------+
//!                                                                    | frames, parsed as JSON
//!                                                    Dashboard: a strict client of its own code
//! ```
//!
//! After every cycle each dashboard that is not blocked must hold exactly what the venue holds,
//! have seen every sequence or been told of the hole, and have got nothing it did not ask for.
#![expect(clippy::print_stdout, reason = "the seed of a failure is to be seen")]

mod dashboard;
mod venue;

use std::collections::BTreeMap;

use dashboard::{Dashboard, Followed};
use fanout::{Fanout, Limits, SessionKey};
use market::{Nanos, Tick};
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
    /// Ticks were lost on the way to the shard since it was last in step.
    is_lapped: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let limits = Limits {
            outbox_bytes_max: 1 << 30,
            subscriptions_max: 1000,
            requests_per_second_max: 1_000_000,
            bad_requests_max: 3,
            heartbeat_ns: 1_000_000_000,
            ping_ns: u64::MAX,
            pong_timeout_ns: u64::MAX,
        };
        Self {
            rng: fastrand::Rng::with_seed(seed),
            venue: Venue::default(),
            fanout: Fanout::new(limits, 77),
            dashboards: BTreeMap::new(),
            now: 1_700_000_000_000_000_000,
            is_lapped: false,
        }
    }

    fn step(&mut self) {
        self.now += self.rng.u64(..2_000_000_000);
        match self.rng.u32(..100) {
            0..=1 if self.venue.symbol_count() < 5 => self.define(),
            2..=5 if self.dashboards.len() < 12 => {
                let key = self.fanout.handle_open(self.now, self.now);
                let habit = self.rng.usize(..3);
                self.dashboards.insert(key, Dashboard { habit, ..Dashboard::default() });
            }
            6..=7 => self.leave(),
            8..=19 => self.subscribe(),
            20..=25 => self.unsubscribe(),
            26..=27 => self.lap(),
            28..=31 => self.toggle_blocked(),
            32..=45 => self.flush(),
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
        for _ in 0..self.rng.usize(..150) {
            if self.rng.u32(..40) == 0 && self.venue.symbol_count() < 5 {
                self.define();
            } else {
                self.tick();
            }
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

    fn subscribe(&mut self) {
        let Some(key) = self.pick() else { return };
        self.flush();
        let topic @ (channel, parameter) = self.random_topic(key);
        let sequenced = self.rng.bool();
        let symbol = self.random_name();
        let names = self.venue.names_matching(&symbol);
        let dashboard = self.dashboards.get_mut(&key).expect("picked");
        if dashboard.is_blocked && names.iter().any(|n| dashboard.would_switch(n, topic, sequenced))
        {
            // Frames of the old kind still wait for it; the model does not look into that.
            return;
        }
        let text = format!(
            r#"{{"method":"subscribe","params":{{"channel":"{channel}","symbol":["{symbol}"]{parameter},"x":{{"seq":{sequenced}}}}}}}"#
        );
        if symbol.ends_with('*') {
            dashboard.patterns.retain(|p| (&*p.0, p.1, p.2) != (&*symbol, channel, parameter));
            dashboard.patterns.push((symbol.clone(), channel, parameter, sequenced));
        }
        for name in names {
            dashboard.follow(Followed::new(&name, channel, parameter, sequenced, &self.venue));
        }
        self.fanout.handle_text(key, &mut text.into_bytes(), Nanos(self.now));
    }

    fn unsubscribe(&mut self) {
        let Some(key) = self.pick() else { return };
        if self.dashboards[&key].is_blocked {
            return;
        }
        self.flush();
        let (channel, parameter) = self.random_topic(key);
        let symbol = self.random_name();
        let dashboard = self.dashboards.get_mut(&key).expect("picked");
        dashboard.patterns.retain(|p| (&*p.0, p.1, p.2) != (&*symbol, channel, parameter));
        for name in self.venue.names_matching(&symbol) {
            dashboard.unfollow(&name, channel, parameter);
        }
        let text = format!(
            r#"{{"method":"unsubscribe","params":{{"channel":"{channel}","symbol":["{symbol}"]{parameter}}}}}"#
        );
        self.fanout.handle_text(key, &mut text.into_bytes(), Nanos(self.now));
    }

    fn random_name(&mut self) -> String {
        match self.rng.u32(..10) {
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
            if !dashboard.is_blocked {
                self.fanout.mark_dirty(key);
            }
        }
        self.flush();
    }

    /// Writes every dirty session as a shard does, and checks what arrived.
    fn flush(&mut self) {
        while let Some(key) = self.fanout.poll_dirty() {
            let dashboard = self.dashboards.get_mut(&key).expect("only living sessions are dirty");
            if dashboard.is_blocked {
                self.fanout.keep(key);
                continue;
            }
            let bytes_max = self.rng.usize(1..4000);
            let mut bytes = Vec::new();
            while self.fanout.take(key, bytes_max, &mut bytes, |_| {}, self.now) {
                dashboard.receive(&std::mem::take(&mut bytes));
            }
            dashboard.receive(&bytes);
        }
        self.fanout.end_cycle();
        for dashboard in self.dashboards.values().filter(|d| !d.is_blocked) {
            dashboard.check(&self.venue);
        }
    }
}

fn run(seed: u64, steps: usize) -> usize {
    let mut world = World::new(seed);
    for _ in 0..steps {
        world.step();
    }
    let waiting: Vec<_> = world.dashboards.keys().copied().collect();
    for key in waiting {
        world.dashboards.get_mut(&key).expect("listed").is_blocked = false;
        world.fanout.mark_dirty(key);
    }
    world.flush();
    world.dashboards.values().map(|d| d.frame_count).sum()
}

#[test]
fn every_dashboard_holds_what_the_venue_holds_after_every_cycle() {
    let first = std::env::var("SEED").ok().and_then(|s| s.parse().ok());
    let seeds = first.map_or(0..300, |seed: u64| seed..seed + 1);
    let mut frames = 0;
    for seed in seeds {
        // Printed by the harness when an assertion below fails: run again with SEED=<seed>.
        println!("seed {seed}");
        frames += run(seed, 600);
    }
    assert!(frames > 1000, "the model must have seen traffic");
}
