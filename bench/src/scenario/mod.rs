//! A scenario: what the market does, who watches it, for how long, and what would make the figures
//! worthless. Read once from TOML; an unknown key, a wrong type or a value out of range is refused
//! with its line. Every key is explained in config/bench/steady.toml.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::hostile::kind::{self, Kind};
use crate::load::sources::SESSIONS_PER_SOURCE;
use crate::scan::message::Channel;

mod check;

/// A scenario as its file says it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// One line for the report.
    pub title: String,
    /// What feed-sim plays.
    #[serde(default)]
    pub market: Market,
    /// Who watches.
    #[serde(default)]
    pub fleet: Fleet,
    /// For how long.
    #[serde(default)]
    pub time: Time,
    /// Rates or speeds that are run one after the other.
    #[serde(default)]
    pub steps: Steps,
    /// Sessions that misbehave while the others are measured.
    #[serde(default)]
    pub unruly: Option<Unruly>,
    /// What its figures are related to.
    #[serde(default)]
    pub against: Option<Against>,
    /// Which core gets what.
    #[serde(default)]
    pub cores: Cores,
    /// What makes a block invalid or marked.
    #[serde(default)]
    pub limits: Limits,
    /// Settings of the gateway, as in config/gateway.toml; checked by the gateway itself.
    #[serde(default)]
    pub gateway: toml::Table,
}

/// What feed-sim plays.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Market {
    /// Symbols of the generated market.
    pub symbols: u32,
    /// Zipf exponent of the ticks over the symbols.
    pub zipf: f64,
    /// Ticks a second.
    pub rate: f64,
    /// Ticks due at one instant, on top of `rate`; 0 for none.
    pub burst: u32,
    /// Milliseconds from one burst to the next.
    pub burst_every_ms: u32,
    /// Weights of trades, quotes and changes deeper in the book.
    pub mix: [u32; 3],
    /// Seed of the market.
    pub seed: u64,
    /// Play the Binance recording instead, in place of all of the above.
    pub recorded: bool,
    /// Speed of the recording.
    pub speed: f64,
}

/// Who watches.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fleet {
    /// Sessions.
    pub sessions: u32,
    /// Symbols of each session.
    pub symbols_per_session: u32,
    /// Zipf exponent of the choice of symbols; 0 deals them out in turn.
    pub zipf: f64,
    /// Channels of each symbol.
    pub channels: Vec<Channel>,
    /// Levels a side of each book.
    pub depth: usize,
    /// Subscribe with `x.seq`.
    pub sequences: bool,
    /// Seed of the choice.
    pub seed: u64,
    /// Load threads.
    pub threads: u32,
    /// Handshakes under way at once, each load thread.
    pub connecting_max: u32,
    /// Processes that share the sessions, each with `threads`; 0 takes as many as descriptors ask
    /// for.
    pub load_processes: u32,
    /// Sessions that share one loopback source address.
    pub sessions_per_source: u32,
}

/// For how long.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Time {
    /// Seconds between the last subscription and the first tick that counts.
    pub warm_up_s: f64,
    /// Seconds of ticks that count, each block.
    pub measure_s: f64,
    /// Blocks, each with a fresh server, feed and fleet.
    pub blocks: u32,
    /// Seconds that ticks of the window may still take to arrive.
    pub drain_s: f64,
    /// Seconds until every session must be subscribed.
    pub ready_s: f64,
}

/// What varies from step to step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Steps {
    /// Ticks a second, rising; ends at the first step that is not sustained.
    pub rates: Vec<f64>,
    /// Speeds of the recording.
    pub speeds: Vec<f64>,
    /// 99th percentile above which a rate is not sustained.
    pub p99_max_ms: f64,
}

/// Sessions that misbehave.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unruly {
    /// How.
    pub how: How,
    /// Share of all sessions.
    pub percent: f64,
    /// Milliseconds from one time to the next, for `hostile` at least; not for `slow`, which stops
    /// once.
    #[serde(default)]
    pub every_ms: u64,
    /// Whether sessions of a storm go on where they were (`resume`); needs sequences.
    #[serde(default = "yes")]
    pub resume: bool,
    /// Milliseconds until a hostile session that is borne leaves by itself.
    #[serde(default = "hold_ms")]
    pub hold_ms: u64,
    /// What hostile sessions do, dealt out in turn.
    #[serde(default = "mix")]
    pub mix: Vec<Kind>,
}

fn yes() -> bool {
    true
}

fn hold_ms() -> u64 {
    15_000
}

fn mix() -> Vec<Kind> {
    kind::ALL.to_vec()
}

/// A second variant of the scenario, played in turn with it, that its figures are related to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Against {
    /// For reports.
    pub name: String,
    /// The unruly sessions behave (hostile ones stay away); the figures are still those of the
    /// others.
    #[serde(default)]
    pub quiet: bool,
    /// Up to which ratio of the 99.9th percentile the report says that the aim is met; 0 for none.
    #[serde(default)]
    pub p99_9_ratio_max: f64,
    /// Settings of the gateway on top of the scenario's.
    #[serde(default)]
    pub gateway: toml::Table,
}

/// How sessions misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// Stop reading.
    Slow,
    /// Hang up and come back, all at once.
    Storm,
    /// Unsubscribe everything, then subscribe it again.
    Churn,
    /// Attack, in a process of their own, as so many more beside the fleet.
    Hostile,
    /// Not at all: the same sessions, as a measure for the others.
    Quiet,
}

/// Which core gets what; empty leaves it to the kernel.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cores {
    /// The server under test.
    pub server: Vec<usize>,
    /// The load threads.
    pub load: Vec<usize>,
    /// feed-sim.
    pub feed: Vec<usize>,
}

/// What makes a block invalid (it says nothing about the server) or marked (read it with care).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Marked: the longest hiccup.
    pub hiccup_ms: f64,
    /// Marked: the longest hiccup of a thread that shares the server's core.
    pub core_hiccup_ms: f64,
    /// Marked: processor time of other programs, in percent of the machine.
    pub foreign_cpu_pct: f64,
    /// Invalid: the 99th percentile of the load threads' turns, unless below `share_pct` of the
    /// measured one.
    pub load_turn_us: f64,
    /// Invalid: a load thread's processor time, in percent of a core.
    pub load_cpu_pct: f64,
    /// Invalid: the 99th percentile of feed-sim's lateness, unless below `share_pct` of the
    /// measured one.
    pub feed_late_us: f64,
    /// See above.
    pub share_pct: f64,
}

impl Market {
    /// Ticks a second, bursts included.
    pub fn mean_rate(&self) -> f64 {
        self.rate + f64::from(self.burst) * 1000.0 / f64::from(self.burst_every_ms)
    }
}

impl Default for Market {
    fn default() -> Self {
        Self {
            symbols: 500,
            zipf: 0.0,
            rate: 2000.0,
            burst: 0,
            burst_every_ms: 100,
            mix: [0, 1, 0],
            seed: 1,
            recorded: false,
            speed: 1.0,
        }
    }
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            sessions: 1000,
            symbols_per_session: 20,
            zipf: 1.0,
            channels: vec![Channel::Ticker],
            depth: 10,
            sequences: false,
            seed: 1,
            threads: 1,
            connecting_max: 32,
            load_processes: 0,
            sessions_per_source: SESSIONS_PER_SOURCE,
        }
    }
}

impl Default for Time {
    fn default() -> Self {
        Self { warm_up_s: 2.0, measure_s: 10.0, blocks: 3, drain_s: 2.0, ready_s: 60.0 }
    }
}

impl Default for Cores {
    fn default() -> Self {
        Self { server: vec![0], load: vec![1], feed: vec![1] }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hiccup_ms: 10.0,
            core_hiccup_ms: 50.0,
            foreign_cpu_pct: 10.0,
            load_turn_us: 2000.0,
            load_cpu_pct: 95.0,
            feed_late_us: 1000.0,
            share_pct: 50.0,
        }
    }
}

/// Why a scenario cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Neither a file nor a name.
    #[error("scenario {name:?}: no such file, and none in {folder}: {known}")]
    Unknown {
        /// As given.
        name: String,
        /// Where names are looked for.
        folder: String,
        /// What is there.
        known: String,
    },
    /// The file cannot be read.
    #[error("{path}: {cause}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Not TOML, an unknown key or a value of the wrong kind.
    #[error("{path}: {cause}")]
    Parse {
        /// The file.
        path: String,
        /// Key and line.
        cause: Box<toml::de::Error>,
    },
    /// A value out of range.
    #[error("{path}: {key}: {reason}")]
    Range {
        /// The file.
        path: String,
        /// The key.
        key: &'static str,
        /// What it must be.
        reason: String,
    },
}

/// Where the scenarios of the project are.
pub const FOLDER: &str = "config/bench";

impl Scenario {
    /// Reads the scenario called `name` (a file's path, or the name of one in `config/bench`); the
    /// short name comes with it.
    pub fn load(name: &str) -> Result<(String, Self), ScenarioError> {
        let path = find(name)?;
        let text = std::fs::read_to_string(&path)
            .map_err(|cause| ScenarioError::Read { path: path.display().to_string(), cause })?;
        let short = path.file_stem().map_or(name.into(), |stem| stem.to_string_lossy().into());
        Ok((short, Self::parse(&text, &path.display().to_string())?))
    }

    /// The variant that this one's figures are related to, and its name.
    pub fn baseline(&self) -> Option<(String, Self)> {
        let against = self.against.clone()?;
        let mut base = Self { against: None, ..self.clone() };
        merge(&mut base.gateway, &against.gateway);
        match base.unruly.as_mut().filter(|_| against.quiet) {
            // They are no part of the fleet: without them it is whole.
            Some(Unruly { how: How::Hostile, .. }) => base.unruly = None,
            Some(unruly) => unruly.how = How::Quiet,
            None => {}
        }
        Some((against.name, base))
    }

    /// Hostile sessions beside the fleet: as many as make their share of all.
    pub fn hostile_sessions(&self) -> u32 {
        let hostile = self.unruly.as_ref().filter(|unruly| unruly.how == How::Hostile);
        let share = hostile.map_or(0.0, |unruly| unruly.percent / 100.0);
        (f64::from(self.fleet.sessions) * share / (1.0 - share)).ceil() as u32
    }

    /// Reads `text`; `path` is for errors.
    pub fn parse(text: &str, path: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(text).map_err(|cause| ScenarioError::Parse {
            path: path.to_owned(),
            cause: Box::new(cause),
        })?;
        scenario.check().map_err(|(key, reason)| ScenarioError::Range {
            path: path.to_owned(),
            key,
            reason,
        })?;
        Ok(scenario)
    }
}

/// Puts what `over` says on top of `base`, table by table.
pub fn merge(base: &mut toml::Table, over: &toml::Table) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(more)) => merge(inner, more),
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

fn find(name: &str) -> Result<PathBuf, ScenarioError> {
    let given = Path::new(name);
    if given.is_file() {
        return Ok(given.to_owned());
    }
    // From the project's root, or from anywhere inside it.
    let here = std::env::current_dir().unwrap_or_default();
    let folder = here.ancestors().map(|up| up.join(FOLDER)).find(|folder| folder.is_dir());
    let folder = folder.unwrap_or_else(|| PathBuf::from(FOLDER));
    let named = folder.join(format!("{name}.toml"));
    if named.is_file() {
        return Ok(named);
    }
    let mut known: Vec<String> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some(entry.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    known.sort();
    Err(ScenarioError::Unknown {
        name: name.to_owned(),
        folder: folder.display().to_string(),
        known: if known.is_empty() { "(nothing there)".into() } else { known.join(", ") },
    })
}
