//! `bench run`: a scenario from one command, from starting the venue to the report. A block is a
//! fresh server, a fresh feed and a fresh fleet; a step is a rate or a speed; a run is all steps.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::fleet::latency::Latency;
use crate::load::crew::CrewError;
use crate::load::target::TargetError;
use crate::load::trust::TrustError;
use crate::report::result::{RunResult, Step};
use crate::scenario::{Scenario, ScenarioError};

pub mod against;
mod attack;
pub mod block;
pub mod child;
pub mod commits;
pub mod contender;
pub mod cores;
pub mod crowd;
pub mod dialect;
mod figures;
pub mod http;
pub mod interrupt;
pub mod noise;
pub mod options;
pub mod part;
pub mod party;
pub mod probe;
pub mod quick;
pub mod stage;
pub mod system;
pub mod tally;
pub mod unruly;
pub mod venue;
mod verdict;
pub mod window;

use block::{Measured, Setting, play};
use contender::Contender;

/// Why a run came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The scenario.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A program could not be started.
    #[error("{name}: cannot be started: {cause}")]
    Start {
        /// Which.
        name: String,
        /// Why.
        cause: String,
    },
    /// A program did not do what it was started for.
    #[error("{name}: {cause}")]
    Child {
        /// Which.
        name: String,
        /// What happened, and the end of its log.
        cause: String,
    },
    /// A program is not where it is looked for.
    #[error("{0}")]
    Missing(String),
    /// The list of peers.
    #[error("{path}: {cause}")]
    Peers {
        /// The file.
        path: String,
        /// What is wrong.
        cause: String,
    },
    /// A load process does not understand its parent.
    #[error("load process: {0}")]
    Part(String),
    /// A commit that cannot be had.
    #[error("commit:{revision}: {cause}")]
    Commit {
        /// As it was named.
        revision: String,
        /// What is wrong with it.
        cause: String,
    },
    /// No certificate could be made.
    #[error("certificate: {0}")]
    Certificate(String),
    /// The server did not say what symbols it has.
    #[error("symbols: {0}")]
    Symbols(String),
    /// The load side could not be started.
    #[error(transparent)]
    Crew(#[from] CrewError),
    /// The server's address.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Its certificate.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Files, sockets or threads of our own.
    #[error("{0}")]
    Folder(std::io::Error),
    /// A result cannot be read.
    #[error("{path}: {cause}")]
    Result {
        /// The file.
        path: String,
        /// What is wrong.
        cause: String,
    },
    /// Somebody asked for the end.
    #[error("interrupted; everything that was started has been ended")]
    Interrupted,
}

/// A run's figures with the histograms behind them.
#[derive(Debug)]
pub struct Run {
    /// For JSON, people and pages.
    pub result: RunResult,
    /// By step and block.
    pub blocks: Vec<(String, Measured)>,
}

/// Plays all steps and blocks of `scenario` against `contender`.
pub fn run(
    name: &str,
    scenario: &Scenario,
    contender: &Contender,
    setting: &Setting,
    exclude: bool,
) -> Result<Run, RunError> {
    let mut result = empty(name, scenario, contender);
    let mut all = Vec::new();
    for (label, value, scenario) in steps_of(scenario) {
        let mut measured = Vec::new();
        for at in 0..scenario.time.blocks {
            let of = scenario.time.blocks;
            let label = format!("{name} {} {label} {}/{of}", contender.name, at + 1);
            measured.push(play(&scenario, contender, &Setting { label, ..setting.clone() })?);
        }
        let step = step_of(&label, value, &mut measured, exclude);
        let over = !scenario.steps.rates.is_empty()
            && (!step.is_good() || step.latency.p99_us > scenario.steps.p99_max_ms * 1000.0);
        result.steps.push(step);
        all.extend(
            measured
                .into_iter()
                .enumerate()
                .map(|(at, one)| (format!("{label}block{}", at + 1), one)),
        );
        if over {
            break;
        }
    }
    Ok(Run { result, blocks: all })
}

/// A result without figures.
pub fn empty(name: &str, scenario: &Scenario, contender: &Contender) -> RunResult {
    RunResult {
        scenario: name.to_owned(),
        contender: contender.name.clone(),
        began: utc(SystemTime::now()),
        machine: system::machine(),
        config: scenario.clone(),
        steps: Vec::new(),
        floor: None,
        against: None,
    }
}

/// Plays one block for each of `order` (positions in `contenders`), and gathers them by contender.
/// A peer that fails leaves a gap and a reason in `failures`; the others go on.
pub fn in_turn(
    name: &str,
    scenario: &Scenario,
    contenders: &[Contender],
    order: &[usize],
    setting: &Setting,
    failures: &mut Vec<String>,
) -> Result<Vec<Vec<Measured>>, RunError> {
    let mut measured: Vec<Vec<Measured>> = contenders.iter().map(|_| Vec::new()).collect();
    for (turn, at) in order.iter().enumerate() {
        let contender = &contenders[*at];
        let label = format!("{name} {} {}/{}", contender.name, turn + 1, order.len());
        match play(scenario, contender, &Setting { label, ..setting.clone() }) {
            Ok(one) => measured[*at].push(one),
            Err(RunError::Interrupted) => return Err(RunError::Interrupted),
            Err(error) => failures.push(format!("{name}, {}: {error}", contender.name)),
        }
    }
    Ok(measured)
}

/// The run that `measured` blocks of a scenario without steps make.
pub fn gather(
    name: &str,
    scenario: &Scenario,
    contender: &Contender,
    mut measured: Vec<Measured>,
    exclude: bool,
) -> Run {
    let mut result = empty(name, scenario, contender);
    result.steps.push(step_of("", scenario.market.rate, &mut measured, exclude));
    let tagged = measured.into_iter().enumerate();
    Run { result, blocks: tagged.map(|(at, one)| (format!("block{}", at + 1), one)).collect() }
}

/// Label, value and scenario of each step.
fn steps_of(scenario: &Scenario) -> Vec<(String, f64, Scenario)> {
    let mut steps = Vec::new();
    for rate in &scenario.steps.rates {
        let mut one = scenario.clone();
        one.market.rate = *rate;
        steps.push((format!("{rate} ticks/s"), *rate, one));
    }
    for speed in &scenario.steps.speeds {
        let mut one = scenario.clone();
        one.market.speed = *speed;
        steps.push((format!("{speed}x"), *speed, one));
    }
    if steps.is_empty() {
        steps.push((String::new(), scenario.market.rate, scenario.clone()));
    }
    steps
}

/// All blocks together; with `exclude`, without those that are marked or invalid, unless all are.
pub fn step_of(label: &str, value: f64, measured: &mut [Measured], exclude: bool) -> Step {
    let spoilt = |one: &Measured| !one.block.marked.is_empty() || !one.block.invalid.is_empty();
    if exclude && !measured.iter().all(spoilt) {
        for one in measured.iter_mut() {
            one.block.excluded = spoilt(one);
        }
    }
    let mut total = Latency::new();
    for one in measured.iter().filter(|one| !one.block.excluded) {
        one.slices.iter().for_each(|slice| total.add(slice));
    }
    Step {
        label: label.to_owned(),
        value,
        latency: total.percentiles(),
        curve: total.curve(),
        blocks: measured.iter().map(|one| one.block.clone()).collect(),
    }
}

/// Writes all reports of `run` into `folder`.
pub fn save(run: &Run, folder: &Path) -> Result<(), RunError> {
    std::fs::create_dir_all(folder).map_err(RunError::Folder)?;
    let json = serde_json::to_string_pretty(&run.result).expect("a result always becomes JSON");
    std::fs::write(folder.join("result.json"), json).map_err(RunError::Folder)?;
    let page = crate::report::html::page(std::slice::from_ref(&run.result));
    std::fs::write(folder.join("report.html"), page).map_err(RunError::Folder)?;
    let file = std::fs::File::create(folder.join("latency.hlog")).map_err(RunError::Folder)?;
    let mut file = std::io::BufWriter::new(file);
    crate::report::hlog::write(&mut file, &run.blocks).map_err(RunError::Folder)
}

/// `target/bench/NAME-TIME`, below the folder that has a target already, else below this one.
pub fn folder_of(name: &str) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    let root = here.ancestors().find(|up| up.join("target").is_dir()).unwrap_or(&here);
    let moment = utc(SystemTime::now()).replace(['-', ':'], "");
    root.join("target/bench").join(format!("{name}-{}", &moment[..15]))
}

/// RFC 3339 to the second.
pub fn utc(moment: SystemTime) -> String {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, second) = (since / 86_400, since % 86_400);
    // Days since 0000-03-01, in cycles of 400 years (proleptic Gregorian calendar).
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + carry;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day_of_month:02}T{hour:02}:{minute:02}:{second:02}Z")
}
