//! The hostile sessions of a block, in a process of their own beside the fleet: started once the
//! fleet is up, ended after the window's drain.

use std::path::Path;
use std::time::Duration;

use super::RunError;
use super::child::Child;
use super::cores::granted;
use super::interrupt::Interrupt;
use super::stage::Stage;
use crate::hostile::process::{COMMAND, Job};
use crate::hostile::told::HostileSide;
use crate::scenario::Scenario;

/// A running attack.
pub(super) struct Attack {
    child: Child,
}

/// From `stop` to the tally: connecting may take five seconds.
const TALLY_MAX: Duration = Duration::from_secs(20);

impl Attack {
    /// Starts the attack of `scenario`, if it has one, on the load side's cores.
    pub(super) fn start(
        scenario: &Scenario,
        stage: &Stage,
        bench: &Path,
    ) -> Result<Option<Self>, RunError> {
        let sessions = scenario.hostile_sessions();
        let Some(unruly) = scenario.unruly.as_ref().filter(|_| sessions > 0) else {
            return Ok(None);
        };
        let job = Job {
            url: stage.url.clone(),
            ca: stage.ca.clone(),
            sessions,
            mix: unruly.mix.clone(),
            every_ms: unruly.every_ms,
            hold_ms: unruly.hold_ms,
        };
        let argv = [bench.display().to_string(), COMMAND.to_owned()];
        let log = stage.folder().join("hostile.log");
        let cores = granted(&scenario.cores.load);
        let mut child = Child::start_told("hostile process", &argv, &cores, log)?;
        child.tell(&serde_json::to_string(&job).expect("a job always becomes JSON"))?;
        Ok(Some(Self { child }))
    }

    /// Whether it still runs.
    pub(super) fn check(&mut self) -> Result<(), RunError> {
        self.child.check()
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Ends it; what became of its attempts.
    pub(super) fn stop(mut self, interrupt: &Interrupt) -> Result<HostileSide, RunError> {
        self.child.tell("stop")?;
        let text = self
            .child
            .line(TALLY_MAX, interrupt, |line| line.strip_prefix("tally ").map(str::to_owned))?;
        serde_json::from_str(&text)
            .map_err(|error| self.child.failed(&format!("its tally: {error}")))
    }
}
