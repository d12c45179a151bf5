//! Sessions that misbehave while the others are measured: who they are, what they do next, and how
//! long it takes until they are back.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::fleet::latency::Latency;
use crate::load::clock::now_ns;
use crate::load::dashboard::{SessionId, Wish};
use crate::scenario::{How, Unruly};

/// The unruly sessions of one load thread.
#[derive(Debug)]
pub struct Mob {
    how: How,
    every_ns: u64,
    resume: bool,
    members: Vec<SessionId>,
    is_member: Vec<bool>,
    next_ns: u64,
    turn: usize,
    wishes: VecDeque<Wish>,
    /// Who is on the way back, since when, and how many first values are still to come.
    away: FxHashMap<SessionId, (u64, u64)>,
    /// Who asks for everything anew, because the server would not let it go on.
    anew: FxHashSet<SessionId>,
    round_ns: u64,
    /// From hanging up (or asking) to the last first value, each session.
    pub back: Latency,
    /// The same for all of a round together, in milliseconds.
    pub rounds_ms: Vec<f64>,
    /// Times a session hung up, stopped or asked.
    pub acts: u64,
    /// Streams that asked to go on where they were.
    pub resumes: u64,
    /// Of these, those that were told that nothing is missing.
    pub recovered: u64,
}

impl Mob {
    /// The members among `sessions`, of which this thread has those that are `thread` modulo
    /// `threads`.
    pub fn new(unruly: &Unruly, sessions: u32, thread: u32, threads: u32) -> Self {
        let share = unruly.percent / 100.0;
        // Spread evenly: a member wherever the running share passes a whole number.
        let is_member: Vec<bool> = (0..sessions)
            .map(|id| (f64::from(id + 1) * share).floor() > (f64::from(id) * share).floor())
            .collect();
        let mine = (0..sessions).filter(|id| id % threads == thread && is_member[*id as usize]);
        Self {
            how: unruly.how,
            every_ns: unruly.every_ms * 1_000_000,
            resume: unruly.resume && unruly.how == How::Storm,
            members: mine.collect(),
            is_member,
            next_ns: 0,
            turn: 0,
            wishes: VecDeque::new(),
            away: FxHashMap::default(),
            anew: FxHashSet::default(),
            round_ns: 0,
            back: Latency::new(),
            rounds_ms: Vec::new(),
            acts: 0,
            resumes: 0,
            recovered: 0,
        }
    }

    /// Whether `session` is one of them, on any thread.
    pub fn has(&self, session: SessionId) -> bool {
        self.is_member[session as usize]
    }

    /// Members of this thread.
    pub fn members(&self) -> &[SessionId] {
        &self.members
    }

    /// What is to be done now. `firsts` says how many first values a session waits for. Once
    /// `over`, nothing new begins, so that all can be back at the end.
    pub fn wish(&mut self, firsts: impl Fn(SessionId) -> u64, over: bool) -> Option<Wish> {
        if let Some(wish) = self.wishes.pop_front() {
            return Some(wish);
        }
        let now = now_ns();
        if over || self.members.is_empty() || now < self.next_ns {
            return None;
        }
        match self.how {
            // Hostile sessions are no members: they are played elsewhere.
            How::Quiet | How::Hostile => self.next_ns = u64::MAX,
            How::Slow => {
                self.next_ns = u64::MAX;
                self.wishes.extend(self.members.iter().map(|id| Wish::StopReading(*id)));
                self.acts += self.members.len() as u64;
            }
            // The first round comes an interval late, so that there is a before.
            _ if self.next_ns == 0 => self.next_ns = now + self.every_ns,
            How::Storm if !self.away.is_empty() => {}
            How::Storm => {
                self.next_ns = now + self.every_ns;
                self.round_ns = now;
                self.wishes.extend(self.members.iter().map(|id| Wish::Reconnect(*id)));
                self.away.extend(self.members.iter().map(|id| (*id, (now, firsts(*id)))));
                self.acts += self.members.len() as u64;
            }
            How::Churn => {
                self.next_ns += (self.every_ns / self.members.len() as u64).max(1);
                self.turn += 1;
                self.acts += 1;
                self.wishes.push_back(Wish::Ask(self.members[self.turn % self.members.len()]));
            }
        }
        self.wishes.pop_front()
    }

    /// Whether the next question of a churning session is to subscribe; they take turns.
    pub fn subscribes(&self) -> bool {
        (self.turn / self.members.len().max(1)) % 2 == 1
    }

    /// `session` asked for its `firsts` anew.
    pub fn asked(&mut self, session: SessionId, firsts: u64) {
        self.away.insert(session, (now_ns(), firsts));
    }

    /// Whether a session that comes back asks to go on where it was.
    pub fn resumes(&self) -> bool {
        self.resume
    }

    /// The server refused to let `session` go on: it asks anew, and nobody asks to go on any more.
    pub fn refused(&mut self, session: SessionId) {
        self.resume = false;
        if self.anew.insert(session) {
            self.wishes.push_back(Wish::Ask(session));
        }
    }

    /// Whether `session` asks anew, now.
    pub fn asks_anew(&mut self, session: SessionId) -> bool {
        self.anew.remove(&session)
    }

    /// `session` got a first value, or was told that it goes on without one.
    pub fn first(&mut self, session: SessionId, received_ns: u64) {
        let Some((since, missing)) = self.away.get_mut(&session) else { return };
        *missing = missing.saturating_sub(1);
        if *missing > 0 {
            return;
        }
        self.back.record(received_ns.saturating_sub(*since));
        self.away.remove(&session);
        if self.how == How::Storm && self.away.is_empty() {
            self.rounds_ms.push(received_ns.saturating_sub(self.round_ns) as f64 / 1e6);
        }
    }

    /// How many are not back.
    pub fn away(&self) -> usize {
        self.away.len()
    }
}
