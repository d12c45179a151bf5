//! One block: a fresh stage, a fleet that comes up, warms up, is measured and drained.
//!
//! ```text
//!   core A:  server under test          core B:  feed-sim --ticks, stamped when due--> server
//!               '--TLS 1.3--> loopback -->       load thread: read, stamp, count
//! ```

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::RunError;
use super::attack::Attack;
use super::contender::Contender;
use super::cores::{granted, pinned};
use super::figures::{Course, Reading};
use super::interrupt::Interrupt;
use super::noise::Noise;
use super::part::Job;
use super::party::{Party, processes_of};
use super::probe::Probe;
use super::stage::{Programs, Stage};
use super::system::usage;
use super::verdict::judge;
use super::window::Window;
use crate::fleet::latency::Latency;
use crate::load::clock::now_ns;
use crate::load::discover;
use crate::load::plan::{Choice, symbols_by_session};
use crate::load::target::Target;
use crate::load::thread::Load;
use crate::load::trust::Trust;
use crate::load::watch::Watch;
use crate::report::progress::Progress;
use crate::report::result::{Block, FeedSide};
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
    let mut stage = Stage::build(scenario, contender, &setting.programs, &setting.interrupt)?;
    let pids = stage.pids();
    let resident_alone = usage(&pids).resident_kib;
    let load = load_of(scenario, &stage.url, stage.ca.clone())?;
    let symbols = if stage.symbols.is_empty() {
        discover::symbols(&load, CONNECT_MAX)
            .map_err(|error| RunError::Symbols(error.to_string()))?
    } else {
        std::mem::take(&mut stage.symbols)
    };
    let watch = watch_of(scenario, symbols);
    let length_ns = (scenario.time.measure_s * 1e9) as u64;
    let slice_ns = length_ns.div_ceil(SLICES);
    let window = Arc::new(Window::new(length_ns, slice_ns));
    let probe = stage.venue.map(|venue| {
        let rate = scenario.market.mean_rate();
        let listening = || Probe::start(venue, &watch.symbols, rate, Arc::clone(&window));
        pinned(&granted(&scenario.cores.feed), listening).and_then(|started| started)
    });
    let probe = probe.transpose().map_err(RunError::Folder)?;
    let threads = load.threads * processes_of(scenario);
    let job = Job {
        scenario: scenario.clone(),
        url: stage.url.clone(),
        ca: stage.ca.clone(),
        dialect: stage.dialect,
        symbols: watch.symbols.to_vec(),
        threads,
        here: 0..threads,
        length_ns,
        slice_ns,
    };
    let bench = &setting.programs.bench;
    let mut party = Party::start(&job, &watch, &window, bench, stage.folder())?;
    let course = observe(scenario, setting, &mut stage, &mut party)?;
    let mut tally = party.stop(&setting.interrupt)?;
    let published = probe.map(Probe::end);
    let direct = published.as_ref().map(|seen| seen.late.percentiles());
    let venue = stage.take_down();
    tally.settle(&watch, published.as_ref());
    let feed = FeedSide { direct, ..venue.as_ref().map(FeedSide::of).unwrap_or_default() };
    let mut block = course.block(scenario, &tally, feed, &window);
    block.server.resident_kib_alone = resident_alone;
    let added = block.server.resident_kib_with_fleet.saturating_sub(resident_alone);
    block.server.resident_kib_per_session = added as f64 / f64::from(load.sessions);
    judge(&mut block, scenario);
    let (from_ns, slice_ns) = (window.from_ns(), window.slice_ns());
    Ok(Measured { block, slices: tally.slices, from_ns, slice_ns })
}

/// Waits for the fleet, warms up, and looks at everything before and after the window.
fn observe(
    scenario: &Scenario,
    setting: &Setting,
    stage: &mut Stage,
    party: &mut Party,
) -> Result<Course, RunError> {
    let Setting { interrupt, label, .. } = setting;
    let time = &scenario.time;
    let progress = Progress::new(label, time.measure_s, scenario.fleet.sessions);
    let connecting = Instant::now();
    let ready_max = Duration::from_secs_f64(time.ready_s);
    let ready = party.wait_ready(ready_max, interrupt, |shared| {
        progress.show(shared);
    })?;
    let ready_seconds = connecting.elapsed().as_secs_f64();
    let mut attack = Attack::start(scenario, stage, &setting.programs.bench)?;
    let hostile: Vec<u32> = attack.iter().map(Attack::pid).collect();
    let mut hold = |party: &mut Party, seconds: f64| -> Result<(), RunError> {
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < end {
            if interrupt.is_raised() {
                return Err(RunError::Interrupted);
            }
            progress.show(party.look()?);
            attack.as_mut().map_or(Ok(()), Attack::check)?;
            std::thread::sleep(LOOK_EVERY.min(end.saturating_duration_since(Instant::now())));
        }
        Ok(())
    };
    hold(party, time.warm_up_s)?;
    let pids = stage.pids();
    let cores = granted(&scenario.cores.server);
    party.open(now_ns())?;
    let end = Instant::now() + Duration::from_secs_f64(time.measure_s);
    let before = Reading::take(stage, &pids, party, &hostile);
    let noise = Noise::start(time.measure_s, SLICES as usize, &cores).map_err(RunError::Folder)?;
    hold(party, end.saturating_duration_since(Instant::now()).as_secs_f64())?;
    let noise = noise.end();
    let after = Reading::take(stage, &pids, party, &hostile);
    hold(party, time.drain_s)?;
    let hostile = attack.map(|attack| attack.stop(interrupt)).transpose()?;
    if let Some(server) = &mut stage.server {
        server.check()?;
    }
    progress.done();
    let resident_end_kib = usage(&pids).resident_kib;
    let (is_ours, processes) = (!pids.is_empty(), party.load_processes());
    Ok(Course {
        ready,
        ready_seconds,
        before,
        after,
        noise,
        resident_end_kib,
        is_ours,
        processes,
        hostile,
    })
}

/// How the fleet of `scenario` connects to the server at `url`, all in one process.
pub(super) fn load_of(
    scenario: &Scenario,
    url: &str,
    ca: Option<PathBuf>,
) -> Result<Load, RunError> {
    let fleet = &scenario.fleet;
    let trust = ca.map_or(Trust::Anyone, Trust::File);
    let threads = fleet.threads.min(fleet.sessions);
    Ok(Load {
        target: Target::parse(url)?,
        tls: trust.config()?,
        sessions: fleet.sessions,
        threads,
        here: 0..threads,
        sessions_per_source: fleet.sessions_per_source,
        connecting_max: fleet.connecting_max,
        connect_max: CONNECT_MAX,
    })
}

/// Who watches what of `symbols`: the same in every process.
pub(super) fn watch_of(scenario: &Scenario, symbols: Vec<String>) -> Watch {
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
