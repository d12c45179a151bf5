//! How the sessions of a verification act badly on purpose: who stops reading and when it comes
//! back, who hangs up and returns, who unsubscribes and subscribes anew. Drawn from a seed; time
//! comes in as an argument. Owned by one load thread. It does not judge: the auditor does, and must
//! find nothing amiss.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use rustc_hash::FxHashSet;

use crate::load::dashboard::{SessionId, Wish};

/// What is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manners {
    /// Sessions (the first ones) that stop reading for random times.
    pub slow: u32,
    /// The longest of these times.
    pub slow_max: Duration,
    /// Sessions (the next ones) that unsubscribe from everything and subscribe anew, in turn.
    pub churn: u32,
    /// How long such a session waits on average from one to the other.
    pub churn_every: Duration,
    /// How long any other session stays on average before it hangs up, where they do.
    pub storm_every: Option<Duration>,
    /// The pace that about half of the other sessions ask for.
    pub pace: Option<Duration>,
    /// How long all this goes on, counted from when everybody is ready; then all read and stay.
    pub lasts: Duration,
    /// Seed of the moments.
    pub seed: u64,
}

impl Manners {
    /// Whether `session` stops reading now and then.
    pub fn is_slow(&self, session: SessionId) -> bool {
        session < self.slow
    }

    /// Whether `session` unsubscribes now and then.
    pub fn is_churning(&self, session: SessionId) -> bool {
        (self.slow..self.slow.saturating_add(self.churn)).contains(&session)
    }

    /// Whether `session` asks for a pace: about every other, but none that is slow, whose frames
    /// come in heaps; whatever the number of load threads, each has some of both.
    pub fn is_paced(&self, session: SessionId) -> bool {
        let mixed = (session - self.slow.min(session)).wrapping_mul(0x9e37_79b1) >> 31;
        self.pace.is_some() && !self.is_slow(session) && mixed == 0
    }
}

/// How the session that an act is due of stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// All it asked for is answered, or it is on its way back.
    Settled,
    /// Some answers are still to come.
    Waiting,
    /// Its connection is over, not by its own wish.
    Over,
}

/// Until one that waits for answers is looked at again.
const ANSWERS_LOOK_EVERY_NS: u64 = 10_000_000;
/// Shortest time between two acts of a slow session.
const SLOW_MIN: Duration = Duration::from_millis(50);

/// The acts of one load thread's sessions, in the order of their moments.
#[derive(Debug)]
pub struct Conduct {
    manners: Manners,
    random: fastrand::Rng,
    due: BinaryHeap<Reverse<(u64, SessionId)>>,
    deaf: FxHashSet<SessionId>,
    /// Who has unsubscribed.
    out: FxHashSet<SessionId>,
    /// None before it begins.
    until_ns: Option<u64>,
}

impl Conduct {
    /// Nothing happens before `begin`.
    pub fn new(manners: Manners) -> Self {
        let random = fastrand::Rng::with_seed(manners.seed);
        let (due, deaf, out) = (BinaryHeap::new(), FxHashSet::default(), FxHashSet::default());
        Self { manners, random, due, deaf, out, until_ns: None }
    }

    /// What was asked for.
    pub fn manners(&self) -> &Manners {
        &self.manners
    }

    /// From now on, for all of `sessions`.
    pub fn begin(&mut self, sessions: impl Iterator<Item = SessionId>, now_ns: u64) {
        self.until_ns = Some(now_ns + self.manners.lasts.as_nanos() as u64);
        let mut sessions: Vec<_> = sessions.collect();
        sessions.sort_unstable();
        for session in sessions {
            let manners = &self.manners;
            let moved = manners.is_slow(session) || manners.is_churning(session);
            if moved || manners.storm_every.is_some() {
                let wait_ns = self.wait_ns(session);
                self.due.push(Reverse((now_ns + wait_ns, session)));
            }
        }
    }

    /// Whether `session` does not read at the moment.
    pub fn is_deaf(&self, session: SessionId) -> bool {
        self.deaf.contains(&session)
    }

    /// `session` was shut out for being slow: it comes back at once.
    pub fn shut_out(&mut self, session: SessionId, now_ns: u64) {
        self.deaf.remove(&session);
        self.due.retain(|Reverse((_, one))| *one != session);
        self.due.push(Reverse((now_ns, session)));
    }

    /// `session` asks: whether that is to subscribe, rather than to unsubscribe.
    pub fn subscribes(&mut self, session: SessionId) -> bool {
        let inside = self.out.insert(session);
        if !inside {
            self.out.remove(&session);
        }
        !inside
    }

    /// What is due, where sessions stand as `standing` says.
    pub fn act(&mut self, now_ns: u64, standing: impl Fn(SessionId) -> Standing) -> Option<Wish> {
        if now_ns >= self.until_ns? {
            return self.act_last(now_ns, standing);
        }
        loop {
            let Reverse((at_ns, session)) = *self.due.peek()?;
            if at_ns > now_ns {
                return None;
            }
            self.due.pop();
            let wish = self.turn_of(session, standing(session));
            let wait_ns = match wish {
                Some(_) => self.wait_ns(session),
                None => ANSWERS_LOOK_EVERY_NS,
            };
            self.due.push(Reverse((now_ns + wait_ns, session)));
            if wish.is_some() {
                return wish;
            }
        }
    }

    /// None where it has to wait.
    fn turn_of(&mut self, session: SessionId, standing: Standing) -> Option<Wish> {
        if self.manners.is_churning(session) {
            return (standing == Standing::Settled).then_some(Wish::Ask(session));
        }
        if !self.manners.is_slow(session) || standing == Standing::Over {
            return Some(Wish::Reconnect(session));
        }
        if self.deaf.remove(&session) {
            return Some(Wish::Read(session));
        }
        self.deaf.insert(session);
        Some(Wish::StopReading(session))
    }

    /// Who is out still comes back, and all read; nobody leaves any more.
    fn act_last(&mut self, now_ns: u64, standing: impl Fn(SessionId) -> Standing) -> Option<Wish> {
        if let Some(session) = self.deaf.iter().next().copied() {
            self.deaf.remove(&session);
            return Some(Wish::Read(session));
        }
        let Reverse((_, session)) = self.due.pop()?;
        match (standing(session), self.out.contains(&session)) {
            (Standing::Over, false) => Some(Wish::Reconnect(session)),
            (Standing::Settled, true) => Some(Wish::Ask(session)),
            (Standing::Waiting, true) => {
                self.due.push(Reverse((now_ns + ANSWERS_LOOK_EVERY_NS, session)));
                None
            }
            (Standing::Over, true) | (Standing::Settled | Standing::Waiting, false) => None,
        }
    }

    fn wait_ns(&mut self, session: SessionId) -> u64 {
        if self.manners.is_slow(session) {
            let most = self.manners.slow_max.max(SLOW_MIN);
            return self.random.u64(SLOW_MIN.as_nanos() as u64..=most.as_nanos() as u64);
        }
        let mean = if self.manners.is_churning(session) {
            self.manners.churn_every
        } else {
            self.manners.storm_every.unwrap_or_default()
        };
        let mean_ns = mean.as_nanos() as u64;
        mean_ns / 4 + self.random.u64(0..=mean_ns * 3 / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn manners() -> Manners {
        Manners {
            slow: 2,
            slow_max: Duration::from_secs(1),
            storm_every: Some(Duration::from_millis(500)),
            lasts: Duration::from_secs(10),
            ..Manners::default()
        }
    }

    #[test]
    fn slow_sessions_stop_and_read_in_turn_the_others_hang_up_and_in_the_end_all_read() {
        let mut conduct = Conduct::new(manners());
        assert_eq!(
            conduct.act(5 * SECOND_NS, |_| Standing::Settled),
            None,
            "nothing before it begins"
        );
        conduct.begin(0..4, SECOND_NS);
        let (mut deaf, mut hung_up) = (FxHashSet::default(), [0; 4]);
        for now_ns in (SECOND_NS..12 * SECOND_NS).step_by(10_000_000) {
            while let Some(wish) = conduct.act(now_ns, |_| Standing::Settled) {
                match wish {
                    Wish::StopReading(id) => assert!(id < 2 && deaf.insert(id)),
                    Wish::Read(id) => assert!(deaf.remove(&id)),
                    Wish::Reconnect(id) => {
                        assert!(now_ns < 11 * SECOND_NS);
                        hung_up[id as usize] += 1;
                    }
                    Wish::Ask(_) => panic!("nobody asks"),
                }
            }
        }
        assert!(deaf.is_empty());
        assert!(hung_up[..2] == [0, 0] && hung_up[2] > 5 && hung_up[3] > 5, "{hung_up:?}");
    }

    #[test]
    fn one_shut_out_for_being_slow_comes_back_even_after_the_end() {
        let mut conduct = Conduct::new(manners());
        conduct.begin(0..1, 0);
        conduct.shut_out(0, 1);
        assert_eq!(conduct.act(1, |_| Standing::Over), Some(Wish::Reconnect(0)));
        conduct.shut_out(0, 11 * SECOND_NS);
        assert_eq!(conduct.act(11 * SECOND_NS, |_| Standing::Over), Some(Wish::Reconnect(0)));
        assert_eq!(conduct.act(11 * SECOND_NS, |_| Standing::Over), None);
    }

    #[test]
    fn a_churning_session_waits_for_its_answers_and_is_inside_at_the_end() {
        let manners = Manners { churn: 1, churn_every: Duration::from_millis(100), ..manners() };
        assert!(!manners.is_churning(1) && manners.is_churning(2) && !manners.is_churning(3));
        let mut conduct = Conduct::new(manners);
        conduct.begin(2..3, 0);
        assert_eq!(conduct.act(SECOND_NS, |_| Standing::Waiting), None);
        assert_eq!(conduct.act(2 * SECOND_NS, |_| Standing::Settled), Some(Wish::Ask(2)));
        assert!(!conduct.subscribes(2), "the first question is to leave");
        assert_eq!(conduct.act(11 * SECOND_NS, |_| Standing::Waiting), None);
        assert_eq!(conduct.act(11 * SECOND_NS, |_| Standing::Settled), Some(Wish::Ask(2)));
        assert!(conduct.subscribes(2));
        assert_eq!(conduct.act(12 * SECOND_NS, |_| Standing::Settled), None);
    }

    #[test]
    fn each_load_thread_has_sessions_with_and_without_a_pace_and_slow_ones_have_none() {
        let manners = Manners { slow: 3, pace: Some(Duration::from_millis(100)), ..manners() };
        assert!((0..3).all(|id| !manners.is_paced(id)) && manners.is_paced(3));
        for threads in 1..=4 {
            for thread in 0..threads {
                let of_thread = || (3..103).filter(|id| id % threads == thread);
                let paced = of_thread().filter(|id| manners.is_paced(*id)).count();
                assert!(paced > 5 && paced + 5 < of_thread().count(), "{thread} of {threads}");
            }
        }
    }
}
