//! The process that hostile sessions run in: this program once more, started by a run.
//!
//! ```text
//!   parent --stdin-->  job (one line of JSON), `stop`  --> hostile process, at the lowest priority
//!          <--stdout-- `tally JSON`, the end           <--
//! ```
//!
//! When the parent is gone, its pipe ends, and so does the process.

use std::io::{self, BufRead as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::crew::{Crew, Pace, Stop};
use super::kind::Kind;
use super::link::Way;
use crate::load::target::Target;
use crate::load::trust::Trust;
use crate::run::RunError;

/// The hidden command that it is started with.
pub const COMMAND: &str = "hostile-process";

/// The lowest: it runs when nobody else wants the core.
const NICE: i32 = 19;

/// All that it needs to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// The server.
    pub url: String,
    /// Its certificate; none believes anyone.
    pub ca: Option<PathBuf>,
    /// Hostile sessions.
    pub sessions: u32,
    /// What they do, dealt out in turn.
    pub mix: Vec<Kind>,
    /// From one attempt of a session to its next, at least.
    pub every_ms: u64,
    /// Until a session that is borne leaves by itself.
    pub hold_ms: u64,
}

/// Plays it: reads its job, attacks until told to stop, prints what became of it.
pub fn play_hostile() -> Result<(), RunError> {
    // Ctrl-C reaches the whole group; the parent decides, and ends this process.
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::new(AtomicBool::new(false)))
        .map_err(RunError::Folder)?;
    rustix::process::nice(NICE).map_err(|error| RunError::Folder(error.into()))?;
    let mut orders = io::stdin().lock().lines();
    let Some(first) = orders.next() else { return Ok(()) };
    let first = first.map_err(RunError::Folder)?;
    let job: Job =
        serde_json::from_str(&first).map_err(|error| RunError::Part(format!("job: {error}")))?;
    let trust = job.ca.map_or(Trust::Anyone, Trust::File);
    let way = Way {
        target: Target::parse(&job.url)?,
        tls: trust.config()?,
        stop: Arc::new(Stop::default()),
    };
    let pace = Pace {
        every: Duration::from_millis(job.every_ms),
        hold: Duration::from_millis(job.hold_ms),
    };
    let crew = Crew::start(&way, job.sessions, &job.mix, pace).map_err(RunError::Folder)?;
    // `stop`, or the parent's end.
    let told = orders.next().is_some();
    let side = crew.stop();
    if told {
        let text = serde_json::to_string(&side).expect("a tally always becomes JSON");
        let mut out = io::stdout().lock();
        writeln!(out, "tally {text}").and_then(|()| out.flush()).map_err(RunError::Folder)?;
    }
    Ok(())
}
