//! The whole fleet of a block, wherever it runs: in threads of this process, or in several load
//! processes where one may not have so many descriptors.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::RunError;
use super::child::Child;
use super::cores::{granted, pinned};
use super::crowd::Crowd;
use super::interrupt::Interrupt;
use super::part::{COMMAND, Job, read_status};
use super::tally::Tally;
use super::window::Window;
use crate::load::crew::Crew;
use crate::load::sources::{descriptors_max, processes_needed};
use crate::load::thread::{MEASURING, Shared};
use crate::load::watch::Watch;
use crate::scenario::Scenario;

/// Connected dashboards.
pub struct Party {
    sessions: u64,
    window: Arc<Window>,
    place: Place,
}

enum Place {
    Here(Crew<Crowd>),
    Apart { parts: Vec<Part>, sum: Shared },
}

/// One load process, and what it last said: ready, over, messages.
struct Part {
    child: Child,
    said: [u64; 3],
}

const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long before the window opens other processes are told when it will.
const LEAD: Duration = Duration::from_millis(200);
/// From `stop` to the tally.
const TALLY_MAX: Duration = Duration::from_secs(60);

/// How many processes `scenario`'s sessions are shared by.
pub fn processes_of(scenario: &Scenario) -> u32 {
    match scenario.fleet.load_processes {
        0 => processes_needed(scenario.fleet.sessions, descriptors_max()),
        asked => asked,
    }
}

impl Party {
    /// Starts the fleet of `job`, whose threads are those of all processes. Logs go to `folder`.
    pub fn start(
        job: &Job,
        watch: &Watch,
        window: &Arc<Window>,
        bench: &Path,
        folder: &Path,
    ) -> Result<Self, RunError> {
        let processes = processes_of(&job.scenario);
        let cores = granted(&job.scenario.cores.load);
        let place = if processes == 1 {
            let (load, crowds) = (job.load()?, job.crowds(watch, window));
            let crew =
                pinned(&cores, || Crew::start(&load, crowds)).map_err(RunError::Folder)??;
            Place::Here(crew)
        } else {
            let each = job.threads / processes;
            let mut parts = Vec::new();
            for at in 0..processes {
                let name = format!("load process {} of {processes}", at + 1);
                let argv = [bench.display().to_string(), COMMAND.to_owned()];
                let log = folder.join(format!("load-{at}.log"));
                let mut child = Child::start_told(&name, &argv, &cores, log)?;
                let job = Job { here: at * each..(at + 1) * each, ..job.clone() };
                child.tell(&serde_json::to_string(&job).expect("a job always becomes JSON"))?;
                parts.push(Part { child, said: [0; 3] });
            }
            Place::Apart { parts, sum: Shared::default() }
        };
        let sessions = u64::from(job.scenario.fleet.sessions);
        Ok(Self { sessions, window: Arc::clone(window), place })
    }

    /// What the fleet says of itself; a load process that has ended is an error.
    pub fn look(&mut self) -> Result<&Shared, RunError> {
        match &mut self.place {
            Place::Here(crew) => Ok(crew.shared()),
            Place::Apart { parts, sum } => {
                for Part { child, said } in parts.iter_mut() {
                    child.news(|line| *said = read_status(line).unwrap_or(*said))?;
                }
                let total = |at: usize| parts.iter().map(|part| part.said[at]).sum();
                sum.ready.store(total(0), Relaxed);
                sum.over.store(total(1), Relaxed);
                sum.messages.store(total(2), Relaxed);
                Ok(sum)
            }
        }
    }

    /// Waits until every session is ready or over, or `within` is past; true if all are ready.
    pub fn wait_ready(
        &mut self,
        within: Duration,
        interrupt: &Interrupt,
        show: impl Fn(&Shared),
    ) -> Result<bool, RunError> {
        let deadline = Instant::now() + within;
        loop {
            let sessions = self.sessions;
            if interrupt.is_raised() {
                return Err(RunError::Interrupted);
            }
            let shared = self.look()?;
            show(shared);
            let ready = shared.ready.load(Relaxed);
            if ready + shared.over.load(Relaxed) >= sessions || Instant::now() >= deadline {
                return Ok(ready >= sessions);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Opens the window, at once or, where others have to be told, a moment later; returns when it
    /// is open.
    pub fn open(&mut self, now_ns: u64) -> Result<(), RunError> {
        match &mut self.place {
            Place::Here(crew) => {
                self.window.open(now_ns);
                crew.shared().phase.store(MEASURING, Relaxed);
            }
            Place::Apart { parts, sum } => {
                let begin = Instant::now() + LEAD;
                let at_ns = now_ns + LEAD.as_nanos() as u64;
                self.window.open(at_ns);
                for part in parts {
                    part.child.tell(&format!("open {at_ns}"))?;
                }
                sum.phase.store(MEASURING, Relaxed);
                std::thread::sleep(begin.saturating_duration_since(Instant::now()));
            }
        }
        Ok(())
    }

    /// The processes it runs in, this one included.
    pub fn processes(&self) -> Vec<u32> {
        let parts = match &self.place {
            Place::Here(_) => &[][..],
            Place::Apart { parts, .. } => parts,
        };
        let others = parts.iter().map(|part| part.child.pid());
        std::iter::once(std::process::id()).chain(others).collect()
    }

    /// How many processes play dashboards.
    pub fn load_processes(&self) -> u32 {
        match &self.place {
            Place::Here(_) => 1,
            Place::Apart { parts, .. } => parts.len() as u32,
        }
    }

    /// Closes every session, and adds up what was seen.
    pub fn stop(self, interrupt: &Interrupt) -> Result<Tally, RunError> {
        let mut parts = match self.place {
            Place::Here(crew) => return Ok(Tally::of(crew.stop()?, self.window.slices())),
            Place::Apart { parts, .. } => parts,
        };
        for part in &mut parts {
            part.child.tell("stop")?;
        }
        let mut all = Tally::of(Vec::new(), self.window.slices());
        for Part { child, .. } in &mut parts {
            let text = child.line(TALLY_MAX, interrupt, |line| {
                line.strip_prefix("tally ").map(str::to_owned)
            })?;
            let tally = serde_json::from_str(&text)
                .map_err(|error| child.failed(&format!("its tally: {error}")))?;
            all.add(tally);
        }
        Ok(all)
    }
}
