//! All hostile sessions of a process: one thread each, started, stopped and counted. The only place
//! that spawns them.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::acts::Attempt;
use super::kind::Kind;
use super::link::{Ending, Way};
use super::told::{HostileSide, KindSide};

/// A thread's stack: TLS and a few kilobytes of buffers.
const STACK_BYTES: usize = 256 * 1024;
/// How many different words for an ending are kept apart, each session.
const ENDINGS_MAX: usize = 32;

/// Raised once, waited for by everybody.
#[derive(Debug, Default)]
pub struct Stop {
    raised: Mutex<bool>,
    change: Condvar,
}

impl Stop {
    /// Ends all waits, from now on.
    pub fn raise(&self) {
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.change.notify_all();
    }

    /// Whether it was raised.
    pub fn is_raised(&self) -> bool {
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits so long, or until it is raised.
    pub fn wait(&self, time: Duration) {
        let raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        // Either way the caller looks again.
        drop(self.change.wait_timeout_while(raised, time, |raised| !*raised));
    }
}

/// How often a session comes, and how long it stays.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From one attempt's begin to the next one's, at least.
    pub every: Duration,
    /// From its begin until it leaves by itself.
    pub hold: Duration,
}

/// Running hostile sessions.
pub struct Crew {
    begun: Instant,
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<(Kind, Endings)>>,
    kinds: Vec<Kind>,
}

type Endings = BTreeMap<Ending, u64>;

impl Crew {
    /// Starts `sessions`, dealt out to `kinds` in turn; their first attempts are spread over
    /// `pace.every`.
    pub fn start(way: &Way, sessions: u32, kinds: &[Kind], pace: Pace) -> io::Result<Self> {
        let mut threads = Vec::new();
        for session in 0..sessions {
            let (way, kind) = (way.clone(), kinds[session as usize % kinds.len()]);
            let delay = pace.every.mul_f64(f64::from(session) / f64::from(sessions));
            let named = std::thread::Builder::new().name(format!("hostile-{session}"));
            threads.push(named.stack_size(STACK_BYTES).spawn(move || {
                way.stop.wait(delay);
                (kind, attempt_on(&way, kind, session, pace))
            })?);
        }
        let stop = Arc::clone(&way.stop);
        Ok(Self { begun: Instant::now(), stop, threads, kinds: kinds.to_vec() })
    }

    /// Ends all of them, and tells what became of their attempts.
    pub fn stop(self) -> HostileSide {
        let seconds = self.begun.elapsed().as_secs_f64();
        self.stop.raise();
        let none = |kind: &Kind| KindSide {
            kind: *kind,
            sessions: 0,
            attempts: 0,
            endings: BTreeMap::new(),
        };
        let mut kinds: Vec<KindSide> = self.kinds.iter().map(none).collect();
        for thread in self.threads {
            let (kind, endings) =
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let Some(side) = kinds.iter_mut().find(|side| side.kind == kind) else { continue };
            side.sessions += 1;
            for (ending, count) in endings {
                side.attempts += count;
                *side.endings.entry(ending).or_default() += count;
            }
        }
        HostileSide { seconds, cpu_seconds: 0.0, kinds }
    }
}

/// Attempts until the run is over.
fn attempt_on(way: &Way, kind: Kind, session: u32, pace: Pace) -> Endings {
    let mut endings = Endings::new();
    let mut turn = 0;
    while !way.stop.is_raised() {
        let begun = Instant::now();
        let ending = Attempt { kind, session, turn, deadline: begun + pace.hold }.make(way);
        let known = endings.len() < ENDINGS_MAX || endings.contains_key(&ending);
        let ending = if known { ending } else { "otherwise".to_owned() };
        *endings.entry(ending).or_default() += 1;
        turn += 1;
        way.stop.wait(pace.every.saturating_sub(begun.elapsed()));
    }
    endings
}
