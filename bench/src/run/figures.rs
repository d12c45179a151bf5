//! From what was seen of a block to its figures.

use super::http;
use super::noise::Seen;
use super::party::Party;
use super::stage::Stage;
use super::system::{self, Usage, usage};
use super::tally::Tally;
use super::window::Window;
use crate::fleet::latency::Latency;
use crate::hostile::told::HostileSide;
use crate::load::thread::Traffic;
use crate::report::result::{Block, FeedSide, LoadSide, ServerSide, Slice};
use crate::scenario::Scenario;

/// What was seen around the window.
pub(super) struct Course {
    pub(super) ready: bool,
    pub(super) ready_seconds: f64,
    pub(super) before: Reading,
    pub(super) after: Reading,
    pub(super) noise: Seen,
    pub(super) resident_end_kib: u64,
    /// Whether the server's process is ours to look at.
    pub(super) is_ours: bool,
    /// Load processes.
    pub(super) processes: u32,
    /// What became of the hostile sessions.
    pub(super) hostile: Option<HostileSide>,
}

impl Course {
    /// The block's figures, before anybody judges them.
    pub(super) fn block(
        &self,
        scenario: &Scenario,
        gathered: &Tally,
        feed: FeedSide,
        window: &Window,
    ) -> Block {
        let Self { before, after, noise, .. } = self;
        let mut total = Latency::new();
        gathered.slices.iter().for_each(|slice| total.add(slice));
        let seconds = scenario.time.measure_s;
        let deliveries = gathered.counts.deliveries;
        let cpu_seconds = after.usage.cpu_seconds - before.usage.cpu_seconds;
        let hostile_seconds = after.hostile.cpu_seconds - before.hostile.cpu_seconds;
        let others = hostile_seconds
            + (after.feed.cpu_seconds - before.feed.cpu_seconds)
            + (after.own.cpu_seconds - before.own.cpu_seconds);
        let all_cores = seconds * super::cores::available().len() as f64;
        let foreign = (noise.busy_seconds - cpu_seconds - others) / all_cores;
        Block {
            seconds,
            ready: self.ready,
            ready_seconds: self.ready_seconds,
            sessions: scenario.fleet.sessions,
            counts: gathered.counts,
            deliveries_per_second: deliveries as f64 / seconds,
            latency: total.percentiles(),
            slices: slices_of(gathered, &noise.by_slice_us, window.slice_ns()),
            hiccups: noise.hiccups.percentiles(),
            core_hiccups: noise.core_hiccups.as_ref().map(Latency::percentiles),
            stolen_pct: noise.stolen_pct(seconds),
            foreign_cpu_pct: if self.is_ours { (100.0 * foreign).max(0.0) } else { 0.0 },
            server: ServerSide {
                cpu_seconds,
                cpu_seconds_per_million: (deliveries > 0 && self.is_ours)
                    .then(|| cpu_seconds * 1e6 / deliveries as f64),
                messages_per_record: self.frames_per("gateway_shard_tls_records_total"),
                messages_per_send: self.frames_per("gateway_shard_sends_total"),
                resident_kib_with_fleet: before.usage.resident_kib,
                resident_kib_end: self.resident_end_kib,
                ..ServerSide::default()
            },
            load: self.load(gathered, seconds),
            feed: FeedSide {
                cpu_pct: 100.0 * (after.feed.cpu_seconds - before.feed.cpu_seconds) / seconds,
                ..feed
            },
            unruly: gathered.unruly_side(),
            hostile: self
                .hostile
                .clone()
                .map(|side| HostileSide { cpu_seconds: hostile_seconds, ..side }),
            trouble: gathered.trouble.clone(),
            ..Block::default()
        }
    }

    fn frames_per(&self, unit: &str) -> Option<f64> {
        let grown = |name: &str| Some(self.after.metric(name)? - self.before.metric(name)?);
        let (frames, units) = (grown("gateway_shard_frames_sent_total")?, grown(unit)?);
        (units > 0.0).then_some(frames / units)
    }

    fn load(&self, gathered: &Tally, seconds: f64) -> LoadSide {
        let spent = self.after.threads.iter().map(|(name, after)| {
            let before = self.before.threads.iter().find(|(one, _)| one == name);
            100.0 * (after - before.map_or(0.0, |(_, before)| *before)) / seconds
        });
        let Traffic { messages, reads, message_bytes, .. } = gathered.traffic;
        LoadSide {
            processes: self.processes,
            threads: self.after.threads.len() as u32,
            cpu_pct: spent.collect(),
            turns: gathered.turns.percentiles(),
            messages_per_read: messages as f64 / reads.max(1) as f64,
            bytes_per_delivery: message_bytes as f64 / messages.max(1) as f64,
        }
    }
}

/// Processor time, memory and metrics at one moment.
pub(super) struct Reading {
    usage: Usage,
    feed: Usage,
    own: Usage,
    hostile: Usage,
    /// Processor time of the load threads.
    threads: Vec<(String, f64)>,
    metrics: Option<String>,
}

impl Reading {
    pub(super) fn take(stage: &Stage, pids: &[u32], party: &Party, hostile: &[u32]) -> Self {
        let metrics = stage.admin.and_then(|admin| http::get(admin, "/metrics").ok());
        let feed: Vec<u32> = stage.feed.iter().map(super::child::Child::pid).collect();
        Self {
            usage: usage(pids),
            feed: usage(&feed),
            own: usage(&party.processes()),
            hostile: usage(hostile),
            threads: system::threads_of(&party.processes(), "load-"),
            metrics: metrics.map(|(_, text)| text),
        }
    }

    fn metric(&self, name: &str) -> Option<f64> {
        http::sum_of(self.metrics.as_deref()?, name)
    }
}

fn slices_of(gathered: &Tally, hiccups_us: &[f64], slice_ns: u64) -> Vec<Slice> {
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
