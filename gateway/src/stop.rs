//! The end of a gateway: who is told when, and by when it is over.
//!
//! First the door stops and the shards send their sessions away, spread over a window; ingest and
//! admin go on meanwhile, so that who is still there hears the market and operators see what
//! happens. When the last of door and shards is gone, the others end. **Invariant:** an end that
//! was asked for is never taken back, and its deadline only moves nearer.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock;
use crate::config;
use crate::live::Live;
use crate::threads::StopFlag;

/// How the closes of a drain are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// Evenly over so long.
    Over(Duration),
    /// So many a second, all shards together.
    PerSecond(u32),
}

/// How an end goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// When it was asked for.
    pub begun_ns: u64,
    /// When the shards are done at the latest.
    pub deadline_ns: u64,
    /// How sessions are closed until then.
    pub spread: Spread,
}

/// What door, shards and admin know of the end.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    flag: StopFlag,
    plan: Arc<Mutex<Option<Plan>>>,
}

impl Ending {
    /// The end was asked for.
    pub fn is_asked(&self) -> bool {
        self.flag.is_set()
    }

    /// How it goes; none while nobody asked.
    pub fn plan(&self) -> Option<Plan> {
        if !self.flag.is_set() {
            return None;
        }
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) const fn flag(&self) -> &StopFlag {
        &self.flag
    }

    /// Asks for an end; of two plans the one that is over sooner stands.
    fn ask(&self, spread: Spread, limit: Duration) -> Plan {
        let begun_ns = clock::now().0;
        let limit_ns = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        let asked = Plan { begun_ns, deadline_ns: begun_ns.saturating_add(limit_ns), spread };
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let stands = match *plan {
            Some(before) if before.deadline_ns <= asked.deadline_ns => before,
            _ => asked,
        };
        *plan = Some(stands);
        drop(plan);
        self.flag.set();
        stands
    }
}

/// How far the end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Nobody asked.
    Serving,
    /// The door is closed, sessions are sent away.
    Leaving,
    /// No session is left.
    Over,
}

/// Asks a gateway to stop, from any thread.
#[derive(Clone, Debug)]
pub struct Stopper {
    ending: Ending,
    /// For threads that do not wait for `tell`.
    over: StopFlag,
    tell: watch::Sender<Phase>,
    shards: Arc<[Arc<mio::Waker>]>,
    limits: Arc<Live<config::Shard>>,
}

impl Stopper {
    pub(crate) fn new(
        shards: Vec<Arc<mio::Waker>>,
        ending: Ending,
        over: StopFlag,
        limits: Arc<Live<config::Shard>>,
    ) -> Self {
        let (tell, _) = watch::channel(Phase::Serving);
        Self { ending, over, tell, shards: shards.into(), limits }
    }

    /// A stopper of nothing, for an admin thread that stands alone.
    pub fn of_nothing(settings: config::Shard) -> Self {
        let limits = Arc::new(Live::new(settings));
        Self::new(Vec::new(), Ending::default(), StopFlag::default(), limits)
    }

    /// Asks for the end as the config has it: `shard.drain_window_ms` and `stop_timeout_ms`.
    pub fn stop(&self) {
        let settings = self.limits.current();
        self.drain(Spread::Over(settings.drain_window), settings.stop_timeout);
    }

    /// Asks for the end without spreading anything: something in here is broken.
    pub fn stop_at_once(&self) {
        self.drain(Spread::Over(Duration::ZERO), self.limits.current().stop_timeout);
    }

    /// Asks for the end: no more arrivals, every session is told that the gateway restarts, and is
    /// closed when its turn comes. Returns how it goes.
    pub fn drain(&self, spread: Spread, limit: Duration) -> Plan {
        let plan = self.ending.ask(spread, limit);
        self.advance(Phase::Leaving);
        for waker in self.shards.iter() {
            // A shard that cannot be woken looks at the flag by itself some twenty times a second.
            let _ = waker.wake();
        }
        plan
    }

    /// How the config wants an end.
    pub fn settings(&self) -> Arc<config::Shard> {
        self.limits.current()
    }

    /// What is known of the end.
    pub const fn ending(&self) -> &Ending {
        &self.ending
    }

    pub(crate) fn limit(&self) -> Duration {
        let left = |plan: Plan| Duration::from_nanos(plan.deadline_ns - plan.begun_ns);
        self.ending.plan().map_or_else(|| self.limits.current().stop_timeout, left)
    }

    /// Completes when that phase is reached.
    pub(crate) fn reached(&self, phase: Phase) -> impl Future<Output = ()> + Send + use<> {
        let mut told = self.tell.subscribe();
        async move {
            // An error means that whoever could ask is gone, which is an end too.
            let _ = told.wait_for(|now| *now >= phase).await;
        }
    }

    fn advance(&self, phase: Phase) {
        self.tell.send_if_modified(|now| {
            let is_later = phase > *now;
            *now = phase.max(*now);
            is_later
        });
    }
}

/// Held by door and shards; when the last of them lets go, the rest of the gateway ends.
#[derive(Debug)]
pub(crate) struct LastOut(pub(crate) Stopper);

impl Drop for LastOut {
    fn drop(&mut self) {
        self.0.over.set();
        self.0.advance(Phase::Over);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_only_moves_nearer() {
        let ending = Ending::default();
        assert_eq!(ending.plan(), None);
        let long = ending.ask(Spread::PerSecond(10), Duration::from_secs(600));
        let short = ending.ask(Spread::Over(Duration::ZERO), Duration::from_secs(5));
        assert!(short.deadline_ns < long.deadline_ns);
        assert_eq!(ending.ask(Spread::PerSecond(1), Duration::from_secs(600)), short);
        assert_eq!(ending.plan(), Some(short));
    }
}
