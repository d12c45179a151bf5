//! One of several load processes: this program once more, started by a run whose sessions are more
//! than one process may have descriptors.
//!
//! ```text
//!   parent --stdin-->  job (one line of JSON), `open NANOSECONDS`, `stop`      --> load process
//!          <--stdout-- `status READY OVER MESSAGES`, ..., `tally JSON`, the end <--
//! ```
//!
//! The window's begin is a moment of the machine's one wall clock, told before it comes. When the
//! parent is gone, its pipe ends, and so does the process.

use std::io::{BufRead as _, Write as _};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::RunError;
use super::block::{load_of, watch_of};
use super::crowd::Crowd;
use super::dialect::Dialect;
use super::tally::Tally;
use super::unruly::Mob;
use super::window::Window;
use crate::load::crew::Crew;
use crate::load::thread::{Load, MEASURING, Shared};
use crate::load::watch::Watch;
use crate::scenario::{How, Scenario};

/// The hidden command that a load process is started with.
pub const COMMAND: &str = "load-process";

const STATUS_EVERY: Duration = Duration::from_millis(100);

/// All that a load process needs to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// What is played.
    pub scenario: Scenario,
    /// The server under test.
    pub url: String,
    /// Its certificate; none believes anyone.
    pub ca: Option<PathBuf>,
    /// How it is spoken to.
    pub dialect: Dialect,
    /// What there is to watch.
    pub symbols: Vec<String>,
    /// Load threads over all processes.
    pub threads: u32,
    /// Those of this one.
    pub here: Range<u32>,
    /// The window.
    pub length_ns: u64,
    /// A slice of it.
    pub slice_ns: u64,
}

impl Job {
    /// Where and how.
    pub fn load(&self) -> Result<Load, RunError> {
        let load = load_of(&self.scenario, &self.url, self.ca.clone())?;
        Ok(Load { threads: self.threads, here: self.here.clone(), ..load })
    }

    /// The dashboards of each of its threads.
    pub fn crowds(&self, watch: &Watch, window: &Arc<Window>) -> Vec<Crowd> {
        let crowd = |thread| {
            let unruly = self.scenario.unruly.as_ref();
            // Hostile ones are no part of the fleet.
            let mob = unruly.filter(|one| one.how != How::Hostile);
            let sessions = self.scenario.fleet.sessions;
            let mob = mob.map(|one| Mob::new(one, sessions, thread, self.threads));
            Crowd::new(watch.clone(), self.dialect, Arc::clone(window), mob)
        };
        self.here.clone().map(crowd).collect()
    }
}

/// Plays a load process: reads its job, does it, prints the tally.
pub fn play_part() -> Result<(), RunError> {
    // Ctrl-C reaches the whole group; the parent decides, and ends this process.
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::new(AtomicBool::new(false)))
        .map_err(RunError::Folder)?;
    let orders = listen().map_err(RunError::Folder)?;
    let Ok(first) = orders.recv() else { return Ok(()) };
    let job: Job =
        serde_json::from_str(&first).map_err(|error| RunError::Part(format!("job: {error}")))?;
    let watch = watch_of(&job.scenario, job.symbols.clone());
    let window = Arc::new(Window::new(job.length_ns, job.slice_ns));
    let crew = Crew::start(&job.load()?, job.crowds(&watch, &window))?;
    loop {
        match orders.recv_timeout(STATUS_EVERY) {
            Ok(order) if order == "stop" => break,
            Ok(order) => {
                let at = order.strip_prefix("open ").and_then(|ns| ns.parse().ok());
                let at = at.ok_or_else(|| RunError::Part(format!("unknown order {order:?}")))?;
                window.open(at);
                crew.shared().phase.store(MEASURING, Relaxed);
            }
            Err(RecvTimeoutError::Timeout) => say(&status(crew.shared()))?,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
    let tally = Tally::of(crew.stop()?, window.slices());
    let text = serde_json::to_string(&tally).expect("a tally always becomes JSON");
    say(&format!("tally {text}"))
}

/// The parent's orders, line by line; the channel ends with its pipe.
fn listen() -> std::io::Result<Receiver<String>> {
    let (sender, orders) = channel();
    std::thread::Builder::new().name("orders".to_owned()).spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    })?;
    Ok(orders)
}

fn say(line: &str) -> Result<(), RunError> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(RunError::Folder)
}

fn status(shared: &Shared) -> String {
    let (ready, over) = (shared.ready.load(Relaxed), shared.over.load(Relaxed));
    format!("status {ready} {over} {}", shared.messages.load(Relaxed))
}

/// What a status line says: ready, over, messages.
pub fn read_status(line: &str) -> Option<[u64; 3]> {
    let mut numbers = line.strip_prefix("status ")?.split(' ').map(|one| one.parse().ok());
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}
