//! All load threads of a run: started, watched, measured and brought home. The only place in the
//! load side that spawns threads.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::dashboard::Dashboard;
use super::sources::{DESCRIPTORS_BESIDES, descriptors_max};
use super::thread::{Load, LoadThread, MEASURING, STOPPING, Shared, Traffic};

/// Running load threads.
pub struct Crew<D> {
    shared: Arc<Shared>,
    sessions: u64,
    threads: Vec<JoinHandle<io::Result<(D, Traffic)>>>,
}

/// Why a run could not start or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum CrewError {
    /// More sessions than the process may have sockets.
    #[error(
        "{sessions} sessions need {needed} descriptors, this process may have {limit}: \
             raise `ulimit -n`, or let a scenario's `load_processes` share them (bench run)"
    )]
    Descriptors {
        /// Sessions asked for.
        sessions: u32,
        /// Descriptors they need.
        needed: u64,
        /// Descriptors allowed.
        limit: u64,
    },
    /// The operating system refused a thread or a poller.
    #[error("load thread: {0}")]
    Thread(#[from] io::Error),
}

/// How often waits look again.
const LOOK_EVERY: Duration = Duration::from_millis(10);

impl<D: Dashboard + 'static> Crew<D> {
    /// Starts one thread for each of `dashboards`, which must be as many as the load says run here.
    pub fn start(load: &Load, dashboards: Vec<D>) -> Result<Self, CrewError> {
        assert_eq!(dashboards.len(), load.here.len(), "one dashboard value a thread");
        let sessions = load.sessions_here();
        let needed = u64::from(sessions) + DESCRIPTORS_BESIDES;
        if let Some(limit) = descriptors_max().filter(|limit| *limit < needed) {
            return Err(CrewError::Descriptors { sessions, needed, limit });
        }
        let shared = Arc::new(Shared::default());
        let mut threads = Vec::with_capacity(dashboards.len());
        for (index, dashboard) in load.here.clone().zip(dashboards) {
            let thread = LoadThread::new(load.clone(), index, Arc::clone(&shared), dashboard)?;
            let named = std::thread::Builder::new().name(format!("load-{index}"));
            threads.push(named.spawn(move || thread.run())?);
        }
        Ok(Self { shared, sessions: u64::from(sessions), threads })
    }

    /// What can be seen from outside.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Waits until every session is ready or over, `within` is past or `look` says no; true if all
    /// are ready.
    pub fn wait_ready(&self, within: Duration, mut look: impl FnMut(&Shared) -> bool) -> bool {
        let deadline = Instant::now() + within;
        loop {
            let go_on = look(&self.shared);
            let ready = self.shared.ready.load(Relaxed);
            if ready + self.shared.over.load(Relaxed) >= self.sessions {
                return ready >= self.sessions;
            }
            if !go_on
                || Instant::now() >= deadline
                || self.threads.iter().any(JoinHandle::is_finished)
            {
                return false;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// From here on it counts, for `duration`, until no session is left or `look` says no.
    pub fn measure(&self, duration: Duration, mut look: impl FnMut(&Shared) -> bool) {
        self.shared.phase.store(MEASURING, Relaxed);
        let end = Instant::now() + duration;
        while Instant::now() < end && self.shared.over.load(Relaxed) < self.sessions {
            if !look(&self.shared) {
                return;
            }
            std::thread::sleep(LOOK_EVERY.min(end.saturating_duration_since(Instant::now())));
        }
    }

    /// Closes every session and returns what each thread has gathered.
    pub fn stop(mut self) -> Result<Vec<(D, Traffic)>, CrewError> {
        self.shared.phase.store(STOPPING, Relaxed);
        let mut home = Vec::with_capacity(self.threads.len());
        for thread in std::mem::take(&mut self.threads) {
            match thread.join() {
                Ok(outcome) => home.push(outcome?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(home)
    }
}

/// A run that fails half way leaves no thread behind.
impl<D> Drop for Crew<D> {
    fn drop(&mut self) {
        self.shared.phase.store(STOPPING, Relaxed);
    }
}
