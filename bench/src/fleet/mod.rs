//! A fleet of dashboards that measures: open loop, from the tick's own time to the moment its bytes
//! were read, every delivery counted.
//!
//! ```text
//!   feed-sim --ticks with their intended time--> gateway --TLS--> load threads: read, scan, count
//!                                                   |              turns: were we late ourselves?
//!                                  --pid: memory, processor       hiccup: was the machine late?
//! ```

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::load::aim::{Aim, AimError};
use crate::load::crew::{Crew, CrewError};
use crate::load::thread::Traffic;
use crate::report::progress::Progress;

pub mod hiccup;
pub mod latency;
pub mod meter;
pub mod outcome;
pub mod process;

use hiccup::Hiccup;
use latency::Latency;
use meter::{Counts, Meter};
use outcome::{LoadSide, Outcome};
use process::{ProcessError, Watcher, sample};

/// Options of `bench fleet`.
#[derive(Clone, Debug, clap::Args)]
pub struct FleetOptions {
    /// What to connect and watch.
    #[command(flatten)]
    pub aim: Aim,
    /// Subscribe as a plain v2 dashboard does: no sequences; latency counts from each item's
    /// timestamp
    #[arg(long)]
    pub plain: bool,
    /// The gateway's process, to be watched: memory and processor time, each second
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
    /// Microseconds that the 99th percentile of our own turns may take; above, the run is marked
    /// late
    #[arg(long, value_name = "US", default_value_t = 2000.0)]
    pub late_max_us: f64,
    /// Also write the result as JSON to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The run could not be made ready.
    #[error(transparent)]
    Aim(#[from] AimError),
    /// The load side failed.
    #[error(transparent)]
    Crew(#[from] CrewError),
    /// The gateway's process cannot be watched.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The hiccup meter could not be started.
    #[error("hiccup meter: {0}")]
    Hiccup(#[from] std::io::Error),
}

/// Connects, waits until every session has its subscriptions, measures, and says what came of it.
pub fn fleet(options: &FleetOptions) -> Result<Outcome, FleetError> {
    let (load, watch) = options.aim.prepare(!options.plain)?;
    if let Some(pid) = options.pid {
        sample(pid)?;
    }
    let meters = (0..load.threads).map(|_| Meter::new(watch.clone())).collect();
    let crew = Crew::start(&load, meters)?;
    let progress = Progress::new("fleet", options.aim.seconds, load.sessions);
    let connecting = Instant::now();
    let ready = crew
        .wait_ready(Duration::from_secs_f64(options.aim.ready_max), |shared| progress.show(shared));
    let ready_seconds = connecting.elapsed().as_secs_f64();
    let own = std::process::id();
    let watcher = options.pid.map(Watcher::start).transpose()?;
    let hiccup = Hiccup::start()?;
    let (begin, cpu_before) = (Instant::now(), sample(own)?.cpu_seconds);
    crew.measure(Duration::from_secs_f64(options.aim.seconds), |shared| progress.show(shared));
    let (seconds, cpu_after) = (begin.elapsed().as_secs_f64(), sample(own)?.cpu_seconds);
    let gateway = watcher.map(Watcher::course);
    let hiccup = hiccup.end();
    let home = crew.stop()?;
    progress.done();

    let (mut latency, mut turns) = (Latency::new(), Latency::new());
    let (mut counts, mut traffic, mut trouble) = (Counts::default(), Traffic::default(), None);
    for (mut meter, moved) in home {
        meter.close();
        latency.add(&meter.latency);
        turns.add(&meter.turns);
        counts.add(&meter.counts);
        traffic.add(&moved);
        trouble = trouble.or(meter.trouble);
    }
    let turns = turns.percentiles();
    Ok(Outcome {
        url: options.aim.url.clone(),
        sessions: load.sessions,
        ready,
        ready_seconds,
        symbols: watch.symbols.len(),
        symbols_per_session: watch.by_session.first().map_or(0, Vec::len),
        channels: watch.channels,
        seconds,
        counts,
        latency: latency.percentiles(),
        traffic,
        load: LoadSide {
            threads: load.threads,
            cpu_seconds: cpu_after - cpu_before,
            turns,
            hiccups: hiccup.percentiles(),
            late: turns.p99_us > options.late_max_us,
        },
        gateway,
        trouble,
    })
}
