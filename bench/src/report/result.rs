//! A run's figures, as they stand in its JSON: everything that the other reports are made of.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::compare::Ratio;
use crate::fleet::latency::Percentiles;
use crate::fleet::meter::Counts;
use crate::hostile::told::HostileSide;
use crate::run::system::Machine;
use crate::scenario::Scenario;

/// A scenario against one contender.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunResult {
    /// The scenario's short name.
    pub scenario: String,
    /// The contender's name.
    pub contender: String,
    /// When it began, RFC 3339.
    pub began: String,
    /// Where it ran.
    pub machine: Machine,
    /// What was asked for.
    pub config: Scenario,
    /// One for each rate or speed; one where there are none.
    pub steps: Vec<Step>,
    /// The physical limit, where it was measured in the same run.
    pub floor: Option<Vec<FloorFigure>>,
    /// How it relates to the variant that was played in turn with it.
    #[serde(default)]
    pub against: Option<AgainstSide>,
}

/// A run by its baseline: ratios below 1 mean that the run is better.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AgainstSide {
    /// The baseline.
    pub name: String,
    /// The step that is compared: the last that both sustained; empty where there is only one.
    pub step: String,
    /// Of medians over blocks.
    pub ratios: Vec<Ratio>,
    /// The 99.9th percentile of all blocks together: the baseline's, the run's.
    pub p99_9_us: (f64, f64),
    /// The second by the first.
    pub p99_9_ratio: f64,
    /// Up to which the aim is met, where there is one.
    pub p99_9_ratio_max: Option<f64>,
    /// Deliveries a second that each sustained, where rates were raised: the baseline, the run.
    pub sustained_per_second: Option<(f64, f64)>,
}

/// All blocks of one rate or speed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Step {
    /// Such as `4000 ticks/s`; empty where there is only one.
    pub label: String,
    /// Ticks a second, or speed.
    pub value: f64,
    /// All blocks that count, together.
    pub latency: Percentiles,
    /// The percentile plot of the same.
    pub curve: Vec<(f64, f64)>,
    /// Every block, also those that do not count.
    pub blocks: Vec<Block>,
}

/// One block.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Block {
    /// Length of the window.
    pub seconds: f64,
    /// Whether every session was subscribed.
    pub ready: bool,
    /// How long that took.
    pub ready_seconds: f64,
    /// Sessions.
    pub sessions: u32,
    /// What was delivered and what was not.
    pub counts: Counts,
    /// Deliveries of the window by its length.
    pub deliveries_per_second: f64,
    /// From when a tick was due to when it was read.
    pub latency: Percentiles,
    /// The course of the block.
    pub slices: Vec<Slice>,
    /// How late a sleeping thread was.
    pub hiccups: Percentiles,
    /// The same for a thread on the server's core, which shares it with the server.
    pub core_hiccups: Option<Percentiles>,
    /// Taken by the host, in percent of a core.
    pub stolen_pct: f64,
    /// Taken by other programs, in percent of the machine.
    pub foreign_cpu_pct: f64,
    /// The server under test.
    pub server: ServerSide,
    /// The load side.
    pub load: LoadSide,
    /// The venue.
    pub feed: FeedSide,
    /// The sessions that misbehaved.
    pub unruly: Option<UnrulySide>,
    /// The hostile ones beside the fleet.
    #[serde(default)]
    pub hostile: Option<HostileSide>,
    /// The first thing that went wrong with a session.
    pub trouble: Option<String>,
    /// Why it says nothing about the server; empty when it does.
    pub invalid: Vec<String>,
    /// Why it is to be read with care.
    pub marked: Vec<String>,
    /// What the server did wrong.
    pub faults: Vec<String>,
    /// Left out of the summary because marked or invalid, as asked for.
    pub excluded: bool,
}

/// A part of the window.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Slice {
    /// Seconds since the window began.
    pub at_s: f64,
    /// Deliveries read in it.
    pub arrived_per_second: f64,
    /// Of the ticks due in it.
    pub p50_us: f64,
    /// Of the ticks due in it.
    pub p99_us: f64,
    /// Of the ticks due in it.
    pub max_us: f64,
    /// The longest hiccup in it.
    pub hiccup_us: f64,
}

/// The server, seen from outside.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct ServerSide {
    /// Processor time within the window.
    pub cpu_seconds: f64,
    /// The same for a million deliveries.
    pub cpu_seconds_per_million: Option<f64>,
    /// Frames in a TLS record, where the server says so.
    pub messages_per_record: Option<f64>,
    /// Frames in a send.
    pub messages_per_send: Option<f64>,
    /// Memory before the fleet came.
    pub resident_kib_alone: u64,
    /// Memory after the warm-up.
    pub resident_kib_with_fleet: u64,
    /// Memory at the end.
    pub resident_kib_end: u64,
    /// What the fleet added, by session.
    pub resident_kib_per_session: f64,
}

/// The load side: the proof that it was not what was measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LoadSide {
    /// Load processes.
    #[serde(default)]
    pub processes: u32,
    /// Load threads, of all of them.
    pub threads: u32,
    /// Processor time of each, in percent of a core.
    pub cpu_pct: Vec<f64>,
    /// How long the loops' turns took.
    pub turns: Percentiles,
    /// Messages in a read.
    pub messages_per_read: f64,
    /// Bytes of a message.
    pub bytes_per_delivery: f64,
}

/// feed-sim, as its own summary says.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct FeedSide {
    /// Ticks of the whole block, warm-up included.
    pub ticks: u64,
    /// Half were no later.
    pub late_p50_us: f64,
    /// All but one in a hundred were no later.
    pub late_p99_us: f64,
    /// The latest.
    pub late_max_us: f64,
    /// Processor time within the window, in percent of a core.
    pub cpu_pct: f64,
    /// Within the window, as seen by a connection of our own; none where there was none.
    pub direct: Option<Percentiles>,
}

/// The sessions that misbehaved.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct UnrulySide {
    /// How many.
    pub sessions: u64,
    /// Times they hung up, stopped or asked.
    pub acts: u64,
    /// Those that were not back at the end.
    pub away_at_end: u64,
    /// From hanging up (or asking) to the last first value, each.
    pub back: Percentiles,
    /// The same until all of a round were back, in milliseconds.
    pub rounds_ms: Vec<f64>,
    /// How late their deliveries were.
    pub latency: Percentiles,
    /// Streams that asked to go on where they were, on a return.
    #[serde(default)]
    pub resumes: u64,
    /// Of these, those that were told that nothing is missing.
    #[serde(default)]
    pub recovered: u64,
    /// What they were delivered, and what not.
    #[serde(default)]
    pub counts: Counts,
}

impl UnrulySide {
    /// Adds another process's; percentiles are left alone.
    pub fn add(&mut self, other: &Self) {
        self.sessions += other.sessions;
        self.acts += other.acts;
        self.away_at_end += other.away_at_end;
        self.resumes += other.resumes;
        self.recovered += other.recovered;
        self.counts.add(&other.counts);
        self.rounds_ms.extend(&other.rounds_ms);
    }

    /// Percent of the returns that were told that nothing is missing; none where nobody asked.
    pub fn recovered_pct(&self) -> Option<f64> {
        (self.resumes > 0).then(|| 100.0 * self.recovered as f64 / self.resumes as f64)
    }
}

/// One figure of the floor.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FloorFigure {
    /// Such as `seal+send`.
    pub name: String,
    /// Messages in a record.
    pub messages: u32,
    /// Processor nanoseconds of the sender, each operation.
    pub ns: f64,
    /// Processor seconds for a million messages.
    pub cpu_seconds_per_million: f64,
}

impl FeedSide {
    /// Of feed-sim's summary.
    pub fn of(summary: &Value) -> Self {
        let late = |key: &str| summary["lateness"][key].as_f64().unwrap_or(0.0);
        Self {
            ticks: summary["ticks"].as_u64().unwrap_or(0),
            late_p50_us: late("p50_us"),
            late_p99_us: late("p99_us"),
            late_max_us: late("max_us"),
            cpu_pct: 0.0,
            direct: None,
        }
    }

    /// How late all but one in a hundred ticks left the venue, at most: its own summary holds the
    /// beginning of the block as well, the direct connection its own waiting.
    pub fn p99_us(&self) -> f64 {
        let direct = self.direct.filter(|direct| direct.count > 0);
        direct.map_or(self.late_p99_us, |direct| direct.p99_us.min(self.late_p99_us))
    }
}

impl Step {
    /// The blocks that count.
    pub fn counting(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(|block| !block.excluded)
    }

    /// The median over the blocks that count; none without any.
    pub fn median(&self, figure: impl Fn(&Block) -> Option<f64>) -> Option<f64> {
        median(self.counting().filter_map(figure).collect())
    }

    /// Whether nothing went wrong, and the load side was not in the way.
    pub fn is_good(&self) -> bool {
        self.counting().next().is_some()
            && self.counting().all(|block| block.faults.is_empty() && block.invalid.is_empty())
    }
}

impl RunResult {
    /// 0 measured, 1 the server did something wrong, 4 the figures are worthless.
    pub fn exit_code(&self) -> u8 {
        let blocks = || self.steps.iter().flat_map(Step::counting);
        if blocks().any(|block| !block.faults.is_empty()) && self.config.steps.rates.is_empty() {
            1
        } else if blocks().next().is_none()
            || (self.config.steps.rates.is_empty() && blocks().any(|one| !one.invalid.is_empty()))
        {
            4
        } else {
            0
        }
    }

    /// The highest sustained rate's step, where rates were raised.
    pub fn sustained(&self) -> Option<&Step> {
        let p99_max_us = self.config.steps.p99_max_ms * 1000.0;
        let holds = |step: &&Step| step.is_good() && step.latency.p99_us <= p99_max_us;
        self.steps.iter().take_while(holds).last()
    }
}

/// The middle of `values`.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}
