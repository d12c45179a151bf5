//! One block: a fresh stage, a fleet that comes up, warms up, is measured and drained.
//!
//! ```text
//!   core A:  server under test          core B:  feed-sim --ticks, stamped when due--> server
//!               '--TLS 1.3--> loopback -->       load thread: read, stamp, count
//! ```

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::contender::Contender;
use super::cores::{granted, pinned};
use super::crowd::{Crowd, Shares};
use super::interrupt::Interrupt;
use super::noise::Noise;
use super::probe::Probe;
use super::stage::{Programs, Stage};
use super::system::{self, Usage, family, usage};
use super::unruly::Mob;
use super::verdict::judge;
use super::window::Window;
use super::{RunError, http};
use crate::fleet::latency::Latency;
use crate::fleet::meter::Counts;
use crate::load::clock::now_ns;
use crate::load::crew::Crew;
use crate::load::discover;
use crate::load::plan::{Choice, symbols_by_session};
use crate::load::target::Target;
use crate::load::thread::{Load, MEASURING, Traffic};
use crate::load::trust::Trust;
use crate::load::watch::Watch;
use crate::report::progress::Progress;
use crate::report::result::{Block, FeedSide, LoadSide, ServerSide, Slice, UnrulySide};
use crate::scan::message::Channel;
use crate::scenario::Scenario;

/// A block's figures, and the histogram of each slice behind them.
#[derive(Debug)]
pub struct Measured {
    /// For JSON and people.
    pub block: Block,
    /// Lateness by the slice in which ticks were due.
    pub slices: Vec<Latency>,
    /// When the window began, nanoseconds since 1970.
    pub from_ns: u64,
    /// The length of a slice.
    pub slice_ns: u64,
}

/// What every block of a run needs.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Where the programs are.
    pub programs: Programs,
    /// Ctrl-C.
    pub interrupt: Interrupt,
    /// In the progress line.
    pub label: String,
}

const CONNECT_MAX: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(10);
const SLICES: u64 = 40;

/// Plays one block of `scenario` against `contender`.
pub fn play(
    scenario: &Scenario,
    contender: &Contender,
    setting: &Setting,
) -> Result<Measured, RunError> {
    let Setting { programs, interrupt, label } = setting;
    let mut stage = Stage::build(scenario, contender, programs, interrupt)?;
    let pids = stage.server.as_ref().map(|server| family(server.pid())).unwrap_or_default();
    let resident_alone = usage(&pids).resident_kib;
    let load = load_of(scenario, &stage)?;
    let symbols = if stage.symbols.is_empty() {
        discover::symbols(&load, CONNECT_MAX)
            .map_err(|error| RunError::Symbols(error.to_string()))?
    } else {
        std::mem::take(&mut stage.symbols)
    };
    let watch = watch_of(scenario, symbols);
    let length_ns = (scenario.time.measure_s * 1e9) as u64;
    let window = Arc::new(Window::new(length_ns, length_ns.div_ceil(SLICES)));
    let rate = scenario.market.rate
        + f64::from(scenario.market.burst * 1000) / f64::from(scenario.market.burst_every_ms);
    let probe = stage.venue.map(|venue| {
        let listening = || Probe::start(venue, &watch.symbols, rate, Arc::clone(&window));
        pinned(&granted(&scenario.cores.feed), listening).and_then(|started| started)
    });
    let probe = probe.transpose().map_err(RunError::Folder)?;
    let crowds = (0..load.threads)
        .map(|thread| {
            let mob = scenario.unruly.as_ref();
            let mob = mob.map(|one| Mob::new(one, load.sessions, thread, load.threads));
            Crowd::new(watch.clone(), stage.dialect, Arc::clone(&window), mob)
        })
        .collect();
    let crew = pinned(&granted(&scenario.cores.load), || Crew::start(&load, crowds))
        .map_err(RunError::Folder)??;
    let progress = Progress::new(label, scenario.time.measure_s, load.sessions);
    let connecting = Instant::now();
    let ready_max = Duration::from_secs_f64(scenario.time.ready_s);
    let ready = crew.wait_ready(ready_max, |shared| {
        progress.show(shared);
        !interrupt.is_raised()
    });
    let ready_seconds = connecting.elapsed().as_secs_f64();
    let hold = |seconds: f64| -> Result<(), RunError> {
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < end {
            if interrupt.is_raised() {
                return Err(RunError::Interrupted);
            }
            progress.show(crew.shared());
            std::thread::sleep(LOOK_EVERY.min(end.saturating_duration_since(Instant::now())));
        }
        Ok(())
    };
    hold(scenario.time.warm_up_s)?;

    let pids = stage.server.as_ref().map(|server| family(server.pid())).unwrap_or(pids);
    let before = Reading::take(&stage, &pids);
    let threads_before = system::own_threads("load-");
    let noise = Noise::start(scenario.time.measure_s, SLICES as usize).map_err(RunError::Folder)?;
    window.open(now_ns());
    crew.shared().phase.store(MEASURING, Relaxed);
    hold(scenario.time.measure_s)?;
    let noise = noise.end();
    let after = Reading::take(&stage, &pids);
    let threads_after = system::own_threads("load-");
    hold(scenario.time.drain_s)?;
    if let Some(server) = &mut stage.server {
        server.check()?;
    }
    let resident_end = usage(&pids).resident_kib;
    let (sessions, threads) = (load.sessions, load.threads);
    let home = crew.stop()?;
    progress.done();
    let direct = probe.map(Probe::end).map(|late| late.percentiles());
    let feed = stage.take_down();

    let gathered = Gathered::of(home, window.slices());
    let mut total = Latency::new();
    gathered.slices.iter().for_each(|slice| total.add(slice));
    let seconds = scenario.time.measure_s;
    let deliveries = gathered.counts.deliveries;
    let cpu_seconds = after.usage.cpu_seconds - before.usage.cpu_seconds;
    let per = |name: &str, of: &str| {
        let grown = |name: &str| Some(after.metric(name)? - before.metric(name)?);
        let (frames, units) = (grown(name)?, grown(of)?);
        (units > 0.0).then_some(frames / units)
    };
    let cpu_of = |name: &str| {
        let at = |all: &[(String, f64)]| {
            all.iter().find(|(one, _)| one == name).map_or(0.0, |(_, used)| *used)
        };
        100.0 * (at(&threads_after) - at(&threads_before)) / seconds
    };
    let load_cpu_pct: Vec<f64> = threads_after.iter().map(|(name, _)| cpu_of(name)).collect();
    let mut block = Block {
        seconds,
        ready,
        ready_seconds,
        sessions,
        counts: gathered.counts,
        deliveries_per_second: deliveries as f64 / seconds,
        latency: total.percentiles(),
        slices: slices_of(&gathered, &noise.by_slice_us, window.slice_ns()),
        hiccups: noise.hiccups.percentiles(),
        stolen_pct: noise.stolen_pct(seconds),
        foreign_cpu_pct: 0.0,
        server: ServerSide {
            cpu_seconds,
            cpu_seconds_per_million: (deliveries > 0 && !pids.is_empty())
                .then(|| cpu_seconds * 1e6 / deliveries as f64),
            messages_per_record: per(
                "gateway_shard_frames_sent_total",
                "gateway_shard_tls_records_total",
            ),
            messages_per_send: per("gateway_shard_frames_sent_total", "gateway_shard_sends_total"),
            resident_kib_alone: resident_alone,
            resident_kib_with_fleet: before.usage.resident_kib,
            resident_kib_end: resident_end,
            resident_kib_per_session: before.usage.resident_kib.saturating_sub(resident_alone)
                as f64
                / f64::from(sessions),
        },
        load: LoadSide {
            threads,
            cpu_pct: load_cpu_pct,
            turns: gathered.turns.percentiles(),
            messages_per_read: gathered.traffic.messages as f64
                / gathered.traffic.reads.max(1) as f64,
            bytes_per_delivery: gathered.traffic.message_bytes as f64
                / gathered.traffic.messages.max(1) as f64,
        },
        feed: FeedSide { direct, ..feed.as_ref().map(FeedSide::of).unwrap_or_default() },
        unruly: gathered.unruly,
        trouble: gathered.trouble,
        ..Block::default()
    };
    let ours = cpu_seconds
        + (after.feed.cpu_seconds - before.feed.cpu_seconds)
        + (after.own.cpu_seconds - before.own.cpu_seconds);
    let cores = super::cores::available().len() as f64;
    block.foreign_cpu_pct = (100.0 * (noise.busy_seconds - ours) / (seconds * cores)).max(0.0);
    judge(&mut block, scenario);
    let (from_ns, slice_ns) = (window.from_ns(), window.slice_ns());
    Ok(Measured { block, slices: gathered.slices, from_ns, slice_ns })
}

/// Processor time, memory and metrics at one moment.
struct Reading {
    usage: Usage,
    feed: Usage,
    own: Usage,
    metrics: Option<String>,
}

impl Reading {
    fn take(stage: &Stage, pids: &[u32]) -> Self {
        let metrics = stage.admin.and_then(|admin| http::get(admin, "/metrics").ok());
        let feed: Vec<u32> = stage.feed.iter().map(super::child::Child::pid).collect();
        Self {
            usage: usage(pids),
            feed: usage(&feed),
            own: usage(&[std::process::id()]),
            metrics: metrics.map(|(_, text)| text),
        }
    }

    fn metric(&self, name: &str) -> Option<f64> {
        http::sum_of(self.metrics.as_deref()?, name)
    }
}

/// What all load threads brought home.
struct Gathered {
    slices: Vec<Latency>,
    arrived: Vec<u64>,
    turns: Latency,
    counts: Counts,
    traffic: Traffic,
    unruly: Option<UnrulySide>,
    trouble: Option<String>,
}

impl Gathered {
    fn of(home: Vec<(Crowd, Traffic)>, slices: usize) -> Self {
        let mut all = Self {
            slices: (0..slices).map(|_| Latency::new()).collect(),
            arrived: vec![0; slices],
            turns: Latency::new(),
            counts: Counts::default(),
            traffic: Traffic::default(),
            unruly: None,
            trouble: None,
        };
        let mut shares = Shares::default();
        let (mut late, mut back) = (Latency::new(), Latency::new());
        for (mut crowd, moved) in home {
            crowd.close(&mut shares);
            all.slices.iter_mut().zip(&crowd.slices).for_each(|(sum, one)| sum.add(one));
            all.arrived.iter_mut().zip(&crowd.arrived).for_each(|(sum, one)| *sum += one);
            all.turns.add(&crowd.turns);
            all.counts.add(&crowd.counts);
            all.traffic.add(&moved);
            all.trouble = all.trouble.or(crowd.trouble);
            late.add(&crowd.unruly);
            if let Some(mob) = crowd.mob {
                let side = all.unruly.get_or_insert_with(UnrulySide::default);
                back.add(&mob.back);
                side.sessions += mob.members().len() as u64;
                side.acts += mob.acts;
                side.away_at_end += mob.away() as u64;
                side.rounds_ms.extend(mob.rounds_ms);
            }
        }
        if let Some(side) = &mut all.unruly {
            side.latency = late.percentiles();
            side.back = back.percentiles();
        }
        // What another session got, this one should have.
        let unequal: u64 = shares.values().map(|(most, sum, count)| most * count - sum).sum();
        all.counts.lost += unequal;
        all
    }
}

fn slices_of(gathered: &Gathered, hiccups_us: &[f64], slice_ns: u64) -> Vec<Slice> {
    let each = gathered.slices.iter().zip(&gathered.arrived).enumerate();
    each.map(|(at, (latency, arrived))| {
        let told = latency.percentiles();
        Slice {
            at_s: at as f64 * slice_ns as f64 / 1e9,
            arrived_per_second: *arrived as f64 * 1e9 / slice_ns as f64,
            p50_us: told.p50_us,
            p99_us: told.p99_us,
            max_us: told.max_us,
            hiccup_us: hiccups_us.get(at).copied().unwrap_or(0.0),
        }
    })
    .collect()
}

fn load_of(scenario: &Scenario, stage: &Stage) -> Result<Load, RunError> {
    let trust = stage.ca.clone().map_or(Trust::Anyone, Trust::File);
    Ok(Load {
        target: Target::parse(&stage.url)?,
        tls: trust.config()?,
        sessions: scenario.fleet.sessions,
        threads: scenario.fleet.threads.min(scenario.fleet.sessions),
        connecting_max: scenario.fleet.connecting_max,
        connect_max: CONNECT_MAX,
    })
}

fn watch_of(scenario: &Scenario, symbols: Vec<String>) -> Watch {
    let fleet = &scenario.fleet;
    let choice = if fleet.zipf > 0.0 { Choice::Zipf(fleet.zipf) } else { Choice::RoundRobin };
    let each = fleet.symbols_per_session as usize;
    let plan = symbols_by_session(fleet.sessions, symbols.len(), each, choice, fleet.seed);
    Watch {
        symbols: symbols.into(),
        by_session: plan.into(),
        channels: fleet
            .channels
            .iter()
            .copied()
            .filter(|one| *one != Channel::Instrument)
            .collect(),
        depth: fleet.depth,
        intervals: vec![1],
        seq: fleet.sequences,
    }
}
