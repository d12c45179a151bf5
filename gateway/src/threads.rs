//! Threads: spawned here and nowhere else, named, pinned on request, joined.
//!
//! The gateway is never half-dead: [`Crew::join`] returns as soon as any thread panics, or ends
//! without having been asked to, after it has asked the others to stop. Deliberately absent:
//! restarting a thread, because what it owned is gone with it; restarting the process is the
//! supervisor's job.

use std::any::Any;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, thread};

use crossbeam::channel::{Receiver, Sender, unbounded};
use rustix::process::setpriority_process;
use rustix::thread::gettid;

/// Set once, when the gateway is to stop; every thread looks at it each cycle.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Asks for the end.
    pub fn set(&self) {
        // Release pairs with the Acquire in `is_set`: what was done before asking is seen by who
        // stops.
        self.0.store(true, Ordering::Release);
    }

    /// Whether the end was asked for.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A task of ours that panicked is a bug, and ends its thread as a panic of the thread's own would.
pub(crate) fn rethrow(error: tokio::task::JoinError) {
    if error.is_panic() {
        std::panic::resume_unwind(error.into_panic());
    }
}

/// How the gateway's threads came to an end, where that was not in order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThreadError {
    /// A bug of ours.
    #[error("thread {thread} panicked: {message}")]
    Panicked {
        /// Its name.
        thread: String,
        /// What it said.
        message: String,
    },
    /// It could not do its work.
    #[error("thread {thread} failed: {message}")]
    Failed {
        /// Its name.
        thread: String,
        /// What it said.
        message: String,
    },
    /// It returned although nobody had asked it to.
    #[error("thread {thread} ended although nobody had asked it to")]
    EndedEarly {
        /// Its name.
        thread: String,
    },
    /// Asked to stop, and still there when the deadline passed.
    #[error("still running when the time to stop was over: {}", threads.join(", "))]
    Stuck {
        /// Their names.
        threads: Vec<String>,
    },
}

struct Ending {
    thread: String,
    outcome: Outcome,
}

enum Outcome {
    Done,
    Failed(String),
    Panicked(String),
}

/// What a thread returns: nothing, or why it could not do its work.
pub type Work = Result<(), Box<dyn Error>>;

/// Where a thread runs, and how much of a core it may ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The core it is bound to, counted from 0 among those the process may use and wrapping around.
    pub core: Option<usize>,
    /// Its nice value; 0 leaves it what it is.
    pub nice: u8,
}

/// The threads of the process.
#[derive(Debug)]
pub struct Crew {
    running: Vec<(String, JoinHandle<()>)>,
    ended_sender: Sender<Ending>,
    ended: Receiver<Ending>,
}

impl Default for Crew {
    fn default() -> Self {
        // Unbounded, yet each thread puts at most one thing in.
        let (ended_sender, ended) = unbounded();
        Self { running: Vec::new(), ended_sender, ended }
    }
}

impl Crew {
    /// Starts a thread at its place; where the system refuses the place, that is logged and the
    /// thread runs as any other.
    pub fn spawn(
        &mut self,
        name: &str,
        place: Place,
        body: impl FnOnce() -> Work + Send + 'static,
    ) -> io::Result<()> {
        let (ended, thread) = (self.ended_sender.clone(), name.to_owned());
        let handle = thread::Builder::new().name(name.to_owned()).spawn(move || {
            place.take(&thread);
            // Nothing of the body is used after a panic, so nothing half-changed is seen.
            let outcome = match catch_unwind(AssertUnwindSafe(body)) {
                Ok(Ok(())) => Outcome::Done,
                Ok(Err(error)) => Outcome::Failed(error.to_string()),
                Err(what) => Outcome::Panicked(panic_words(&*what)),
            };
            // Nobody listens any more: the crew was dropped, and the process is ending.
            let _ = ended.send(Ending { thread, outcome });
        })?;
        self.running.push((name.to_owned(), handle));
        Ok(())
    }

    /// Names of the threads that were started and not joined yet.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.running.iter().map(|(name, _)| name.as_str())
    }

    /// Waits until all threads have ended. `stopping` says whether the end was asked for; `stop`
    /// asks for it, and is called when a thread ends on its own. From the asking on, the others
    /// have `deadline`, which may shrink meanwhile. The first thing that went wrong is returned.
    pub fn join(
        mut self,
        stopping: &StopFlag,
        stop: impl Fn(),
        deadline: impl Fn() -> Duration,
    ) -> Result<(), ThreadError> {
        /// How soon a stop that was asked for elsewhere is noticed, to count the deadline from it.
        const LOOK: Duration = Duration::from_millis(100);
        let mut failure = None;
        let mut asked_at: Option<Instant> = None;
        while !self.running.is_empty() {
            if asked_at.is_none() && stopping.is_set() {
                asked_at = Some(Instant::now());
            }
            if asked_at.is_some_and(|at| at.elapsed() >= deadline()) {
                let threads = self.names().map(str::to_owned).collect();
                return Err(failure.unwrap_or(ThreadError::Stuck { threads }));
            }
            let Ok(ending) = self.ended.recv_timeout(LOOK) else { continue };
            let asked = stopping.is_set();
            self.reap(&ending.thread);
            if let Some(error) = judge(ending, asked) {
                tracing::error!(%error, "stopping because of a thread");
                failure.get_or_insert(error);
                stopping.set();
                stop();
            }
        }
        failure.map_or(Ok(()), Err)
    }

    fn reap(&mut self, name: &str) {
        if let Some(at) = self.running.iter().position(|(running, _)| running == name) {
            let (_, handle) = self.running.swap_remove(at);
            // The body's panic was caught and told; what is left of the thread ends at once.
            let _ = handle.join();
        }
    }
}

/// Starts a thread that ends with the process and is never joined: log lines and signals, nothing
/// that a tick or a session needs. A panic in it is told on standard error and stops nobody.
pub fn spawn_background(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(body).map(drop)
}

fn judge(Ending { thread, outcome }: Ending, asked: bool) -> Option<ThreadError> {
    match outcome {
        Outcome::Panicked(message) => Some(ThreadError::Panicked { thread, message }),
        Outcome::Failed(message) => Some(ThreadError::Failed { thread, message }),
        Outcome::Done if !asked => Some(ThreadError::EndedEarly { thread }),
        Outcome::Done => None,
    }
}

impl Place {
    fn take(self, thread: &str) {
        if let Some(core) = self.core {
            pin(thread, core);
        }
        if self.nice > 0 {
            // On Linux a nice value is a thread's own, and its id names it.
            let outcome = setpriority_process(Some(gettid()), i32::from(self.nice));
            if let Err(error) = outcome {
                tracing::warn!(thread, nice = self.nice, %error, "the system refuses the priority");
            }
        }
    }
}

fn pin(thread: &str, core: usize) {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let chosen = cores.get(core % cores.len().max(1)).copied();
    if !chosen.is_some_and(core_affinity::set_for_current) {
        tracing::warn!(thread, core, "the system does not let this thread be pinned");
    }
}

/// What a panic said.
pub fn panic_words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(5);

    fn wait_for(flag: &StopFlag) {
        while !flag.is_set() {
            thread::yield_now();
        }
    }

    #[test]
    fn a_panic_in_one_thread_stops_the_others_and_is_told() {
        let (mut crew, stop) = (Crew::default(), StopFlag::default());
        let other = stop.clone();
        crew.spawn("shard-0", Place { core: Some(0), nice: 0 }, move || {
            wait_for(&other);
            Ok(())
        })
        .expect("a thread can be started");
        crew.spawn("ingest", Place::default(), || panic!("a bug of ours"))
            .expect("a thread can be started");
        assert_eq!(crew.names().collect::<Vec<_>>(), ["shard-0", "ingest"]);
        assert_eq!(
            crew.join(&stop, || (), || DEADLINE),
            Err(ThreadError::Panicked {
                thread: "ingest".to_owned(),
                message: "a bug of ours".to_owned()
            })
        );
    }

    #[test]
    fn a_thread_that_ends_on_its_own_stops_the_others() {
        let (mut crew, stop) = (Crew::default(), StopFlag::default());
        let other = stop.clone();
        crew.spawn("shard-0", Place::default(), move || {
            wait_for(&other);
            Ok(())
        })
        .expect("a thread can be started");
        crew.spawn("door", Place::default(), || Ok(())).expect("a thread can be started");
        assert_eq!(
            crew.join(&stop, || (), || DEADLINE),
            Err(ThreadError::EndedEarly { thread: "door".to_owned() })
        );
    }

    #[test]
    fn a_thread_that_cannot_do_its_work_says_why() {
        let (mut crew, stop) = (Crew::default(), StopFlag::default());
        crew.spawn("door", Place::default(), || Err("no more ports".into()))
            .expect("a thread can be started");
        let message = "no more ports".to_owned();
        assert_eq!(
            crew.join(&stop, || (), || DEADLINE),
            Err(ThreadError::Failed { thread: "door".to_owned(), message })
        );
    }

    #[test]
    fn threads_that_end_when_asked_are_no_failure() {
        let (mut crew, stop) = (Crew::default(), StopFlag::default());
        for name in ["a", "b"] {
            let stop = stop.clone();
            crew.spawn(name, Place::default(), move || {
                wait_for(&stop);
                Ok(())
            })
            .expect("a thread can be started");
        }
        stop.set();
        assert_eq!(crew.join(&stop, || (), || DEADLINE), Ok(()));
    }

    #[test]
    fn a_thread_that_does_not_stop_is_named_when_the_time_is_over() {
        let (mut crew, stop, never) = (Crew::default(), StopFlag::default(), StopFlag::default());
        let deaf = never.clone();
        crew.spawn("deaf", Place::default(), move || {
            wait_for(&deaf);
            Ok(())
        })
        .expect("a thread can be started");
        stop.set();
        let outcome = crew.join(&stop, || (), || Duration::from_millis(10));
        never.set();
        assert_eq!(outcome, Err(ThreadError::Stuck { threads: vec!["deaf".to_owned()] }));
    }
}
