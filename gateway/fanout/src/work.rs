//! Requests too large for one cycle: worked off some symbols at a time, each session's in order.
//!
//! **Invariant:** requests of one session are answered in the order they came, pings apart. While
//! its socket is full, its requests wait, so that answers cannot pile up.

use std::collections::VecDeque;

use market::{Nanos, SymbolId};
use wire::refusal::{Code, Refusal};
use wire::reply::Envelope;
use wire::request::Method;

use crate::fanout::Fanout;
use crate::session::SessionKey;

/// Requests of one session that may wait for an earlier one.
const JOBS_MAX: usize = 32;

/// A request being worked off.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) method: Method,
    pub(crate) envelope: Envelope,
    /// The name to be answered next.
    pub(crate) next: usize,
    /// Symbols that the pattern named last still brings, last first.
    pub(crate) matches: Vec<SymbolId>,
}

impl Job {
    pub(crate) const fn new(method: Method, envelope: Envelope) -> Self {
        Self { method, envelope, next: 0, matches: Vec::new() }
    }
}

impl Fanout {
    /// Works a request off, or queues what is left of it.
    pub(crate) fn take_on(&mut self, key: SessionKey, mut job: Job) {
        let Some(session) = self.outboxes.session_mut(key) else { return };
        if let Some(jobs) = &mut session.jobs {
            if jobs.len() >= JOBS_MAX {
                let sentence = "earlier requests are still being worked off";
                let refusal = Refusal::new(Code::RateLimit, sentence);
                return self.refuse(key, None, &refusal, None, &job.envelope);
            }
            return jobs.push_back(job);
        }
        let mut budget = self.limits.slice_symbols_max;
        if self.work_off(key, &mut job, &mut budget) {
            return;
        }
        if let Some(session) = self.outboxes.session_mut(key) {
            session.jobs = Some(Box::new(VecDeque::from([job])));
            self.workers.push(key);
        }
    }

    /// Goes on with large requests, and with a review of rights: once a cycle.
    pub fn handle_work(&mut self, now: Nanos) {
        self.go_on_reviewing(now);
        if self.workers.is_empty() {
            return;
        }
        let mut budget = self.limits.slice_symbols_max;
        let mut workers = std::mem::take(&mut self.workers);
        // Whoever did not come to its turn is first next time.
        workers.retain(|key| budget == 0 || !self.go_on(*key, &mut budget, now));
        workers.append(&mut self.workers);
        let is_shared = workers.len() > 1;
        workers.rotate_left(usize::from(is_shared));
        self.workers = workers;
    }

    /// Works on a session's requests; true when none is left.
    fn go_on(&mut self, key: SessionKey, budget: &mut usize, now: Nanos) -> bool {
        loop {
            let Some(session) = self.outboxes.session_mut(key) else { return true };
            if session.closing.is_some() {
                session.jobs = None;
                return true;
            }
            if *budget == 0 || session.blocked_since.is_some() {
                return false;
            }
            let Some(mut job) = session.jobs.as_mut().and_then(|jobs| jobs.pop_front()) else {
                session.jobs = None;
                return true;
            };
            job.envelope.time_out = now;
            if !self.work_off(key, &mut job, budget)
                && let Some(session) = self.outboxes.session_mut(key)
                && let Some(jobs) = &mut session.jobs
            {
                jobs.push_front(job);
                return false;
            }
        }
    }
}
