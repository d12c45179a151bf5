//! Proves from outside that a gateway delivers what it should: delivered + announced-missed =
//! published, for every session and symbol, every book right after every update.
//!
//! `auditor` and `frames` judge while frames come (`sequence` their numbers, `book` their books);
//! `trial` holds the whole against `truth` at the end; `verdict` is what comes out.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::load::aim::{Aim, AimError, seconds};
use crate::load::clock::now_ns;
use crate::load::crew::{Crew, CrewError};
use crate::report::progress::Progress;

pub mod auditor;
pub mod book;
pub mod conduct;
mod frames;
pub mod newest;
pub mod pace;
pub mod published;
mod returns;
pub mod seen;
pub mod sequence;
pub mod stream;
pub mod tape;
pub mod trial;
pub mod truth;
pub mod verdict;
pub mod violation;

use auditor::{Auditor, Rules};
use conduct::Manners;
use seen::Seen;
use trial::{Alias, End};
use truth::TruthError;
use verdict::Verdict;
use violation::Violations;

/// Options of `bench verify`.
#[derive(Clone, Debug, clap::Args)]
pub struct VerifyOptions {
    /// What to connect and watch.
    #[command(flatten)]
    pub aim: Aim,
    /// Ground truth of feed-sim (its --truth file), to hold trades and books against at the end
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,
    /// What dashboards call a symbol of the truth, where that differs from the venue's own name;
    /// once for each symbol
    #[arg(long, value_name = "VENUE:SYMBOL=NAME", requires = "truth")]
    pub truth_name: Vec<Alias>,
    /// Seconds before the end within which something published may still have been under way
    #[arg(long, value_name = "S", default_value_t = 2.0, value_parser = seconds)]
    pub grace: f64,
    /// Seconds to wait for the truth file to reach the end of the run
    #[arg(long, value_name = "S", default_value_t = 30.0, value_parser = seconds)]
    pub truth_max: f64,
    /// Seconds without any message, heartbeats included, that make a session silent
    #[arg(long, value_name = "S", default_value_t = 3.0, value_parser = seconds)]
    pub silence_max: f64,
    /// Sessions that stop reading for random times and come back
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub slow: u32,
    /// Longest time for which a slow session does not read, or reads
    #[arg(long, value_name = "S", default_value_t = 3.0, value_parser = seconds)]
    pub slow_max: f64,
    /// Sessions (behind the slow ones) that unsubscribe from everything and subscribe anew, in turn
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub churn: u32,
    /// Seconds on average from one of these to the other, with --churn
    #[arg(long, value_name = "S", default_value_t = 1.0, value_parser = seconds)]
    pub churn_every: f64,
    /// All other sessions hang up again and again without a word, and go on where they were
    #[arg(long)]
    pub storm: bool,
    /// Seconds on average that a session stays, with --storm
    #[arg(long, value_name = "S", default_value_t = 2.0, value_parser = seconds)]
    pub storm_every: f64,
    /// About half of the sessions that are not slow ask for at most one frame of a symbol in MS
    /// milliseconds (`conflate_ms`)
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub pace: Option<u64>,
    /// Milliseconds by which a paced frame may look early; half its pace beside, if the one before
    /// was late, which is counted
    #[arg(long, value_name = "MS", default_value_t = 50)]
    pub pace_slack: u64,
    /// Seconds before the end from which on all read and stay, so that all can be judged
    #[arg(long, value_name = "S", default_value_t = 3.0, value_parser = seconds)]
    pub settle: f64,
    /// Violations that are described; the others are only counted
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub described_max: usize,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The run could not be made ready.
    #[error(transparent)]
    Aim(#[from] AimError),
    /// The load side failed.
    #[error(transparent)]
    Crew(#[from] CrewError),
    /// The truth cannot be used.
    #[error(transparent)]
    Truth(#[from] TruthError),
}

impl VerifyOptions {
    fn rules(&self) -> Rules {
        let lasts = (self.aim.seconds - self.settle).max(self.aim.seconds / 2.0);
        Rules {
            silence_max: Duration::from_secs_f64(self.silence_max),
            keep_trades: self.truth.is_some(),
            described_max: self.described_max,
            manners: Manners {
                slow: self.slow,
                slow_max: Duration::from_secs_f64(self.slow_max),
                churn: self.churn,
                churn_every: Duration::from_secs_f64(self.churn_every),
                storm_every: self.storm.then(|| Duration::from_secs_f64(self.storm_every)),
                pace: self.pace.map(Duration::from_millis),
                lasts: Duration::from_secs_f64(lasts),
                seed: self.aim.seed,
            },
            pace_slack: Duration::from_millis(self.pace_slack),
        }
    }
}

/// Watches, judges, and says what came of it.
pub fn verify(options: &VerifyOptions) -> Result<Verdict, VerifyError> {
    let (load, watch) = options.aim.prepare(true)?;
    let auditors =
        (0..load.threads).map(|_| Auditor::new(watch.clone(), options.rules())).collect();
    let begin = Instant::now();
    let crew = Crew::start(&load, auditors)?;
    let progress = Progress::new("verify", options.aim.seconds, load.sessions);
    let ready_max = Duration::from_secs_f64(options.aim.ready_max);
    crew.wait_ready(ready_max, |shared| progress.show(shared));
    crew.measure(Duration::from_secs_f64(options.aim.seconds), |shared| progress.show(shared));
    let end = End { at_ns: now_ns(), grace: Duration::from_secs_f64(options.grace) };
    let mut auditors: Vec<Auditor> = crew.stop()?.into_iter().map(|(one, _)| one).collect();
    progress.done();
    let seconds = begin.elapsed().as_secs_f64();
    // Behind a late frame the next may wait for one bucket more.
    let pace_ns = 2 * options.pace.unwrap_or_default() * 1_000_000;
    for auditor in &mut auditors {
        auditor.close(end.due_ns().saturating_sub(pace_ns));
    }
    let truth = match &options.truth {
        None => None,
        Some(path) => {
            // All of it: what was delivered last must be found there.
            truth::wait_until(path, end.at_ns, Duration::from_secs_f64(options.truth_max))?;
            Some(trial::hold(&mut auditors, path, &options.truth_name, end)?)
        }
    };
    let mut seen = Seen::default();
    let mut violations = Violations::new(options.described_max);
    let mut not_connected = (0, Vec::new());
    for auditor in auditors {
        seen.add(&auditor.seen);
        violations.absorb(auditor.violations);
        not_connected.0 += auditor.not_connected_count;
        not_connected.1.extend(auditor.not_connected);
    }
    not_connected.1.dedup();
    Ok(Verdict {
        url: options.aim.url.clone(),
        sessions: load.sessions,
        symbols: watch.symbols.len(),
        channels: watch.channels,
        depth: watch.depth,
        seconds,
        seen,
        truth,
        not_connected: not_connected.0,
        not_connected_because: not_connected.1,
        violations_total: violations.counts().values().sum(),
        violations_by_kind: violations.counts().clone(),
        violations: violations.described().to_vec(),
    })
}
