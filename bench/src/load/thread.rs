//! A load thread: one mio poll loop over its share of the sessions.
//!
//! It connects a bounded number at a time, reads what is ready, and hands each message to its
//! `Dashboard`. Sockets are edge-triggered: a session whose read filled the buffer is taken up
//! again in the next turn. What the thread did is counted in `Traffic`; what others may see of it
//! while it runs is in `Shared`.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use rustls::ClientConfig;

use super::dashboard::{Dashboard, Ending, SessionId, Turn, Wish};
use super::link::{Inbox, Link};
use super::session::{Session, SessionTurn, Surroundings};
use super::sources::source_of;
use super::target::Target;
use super::upgrade::Upgrade;

/// What every session of a run has in common.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where to.
    pub target: Target,
    /// TLS, shared.
    pub tls: Arc<ClientConfig>,
    /// Sessions over all threads.
    pub sessions: u32,
    /// Load threads, over all processes.
    pub threads: u32,
    /// Which of them run in this process.
    pub here: Range<u32>,
    /// Sessions that share one loopback source address.
    pub sessions_per_source: u32,
    /// Sessions of one thread that may be between their first packet and the 101.
    pub connecting_max: u32,
    /// From the first packet to the 101.
    pub connect_max: Duration,
}

impl Load {
    /// Sessions of thread `index`.
    pub fn share(&self, index: u32) -> u32 {
        (self.sessions + self.threads - 1 - index) / self.threads
    }

    /// Sessions of this process.
    pub fn sessions_here(&self) -> u32 {
        self.here.clone().map(|index| self.share(index)).sum()
    }
}

/// What the load threads let others see while they run. Counters only: no order is implied between
/// them, so all are relaxed.
#[derive(Debug, Default)]
pub struct Shared {
    /// Sessions upgraded so far.
    pub opened: AtomicU64,
    /// Sessions whose dashboard has all it asked for.
    pub ready: AtomicU64,
    /// Sessions that ended or never came up.
    pub over: AtomicU64,
    /// Whole text messages.
    pub messages: AtomicU64,
    /// Bytes read from sockets.
    pub bytes: AtomicU64,
    /// `CONNECTING`, then `MEASURING`, then `STOPPING`.
    pub phase: AtomicU8,
}

/// Sessions come up.
pub const CONNECTING: u8 = 0;
/// All are up; what happens counts.
pub const MEASURING: u8 = 1;
/// Close and come home.
pub const STOPPING: u8 = 2;

/// What a load thread moved, while it was measured.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Traffic {
    /// Reads that brought bytes.
    pub reads: u64,
    /// Bytes read, TLS included.
    pub read_bytes: u64,
    /// Whole text messages.
    pub messages: u64,
    /// Their payload.
    pub message_bytes: u64,
}

impl Traffic {
    /// Adds what another thread moved.
    pub fn add(&mut self, other: &Self) {
        self.reads += other.reads;
        self.read_bytes += other.read_bytes;
        self.messages += other.messages;
        self.message_bytes += other.message_bytes;
    }

    fn count(&mut self, turn: &SessionTurn) {
        self.reads += u64::from(turn.read_bytes > 0);
        self.read_bytes += turn.read_bytes as u64;
        self.messages += turn.messages;
        self.message_bytes += turn.message_bytes;
    }
}

/// One thread's loop and all it owns.
pub struct LoadThread<D> {
    load: Load,
    shared: Arc<Shared>,
    poll: Poll,
    /// By position: session `thread + position * threads`. None once it is over.
    sessions: Vec<Option<Box<Session>>>,
    /// Of this thread, over the whole run.
    sessions_wanted: usize,
    index: u32,
    connecting: u32,
    /// Sessions that were turned away at the door, by position, first come first.
    turned_away: VecDeque<TurnedAway>,
    inbox: Inbox,
    dashboard: D,
    again: Vec<usize>,
    traffic: Traffic,
    random: fastrand::Rng,
}

/// A session that comes again.
#[derive(Clone, Copy, Debug)]
struct TurnedAway {
    position: usize,
    due: Instant,
    /// When it must be open: counted from its first try.
    deadline: Instant,
}

/// A dashboard that was turned away comes again after this long.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
/// The longest wait in one poll; also how late a change of phase may be seen.
const POLL_MAX: Duration = Duration::from_millis(20);
/// How often sessions that do not come up are looked for.
const SWEEP_EVERY: Duration = Duration::from_millis(100);

impl<D: Dashboard> LoadThread<D> {
    /// Thread `index` of the run, with its dashboards.
    pub fn new(load: Load, index: u32, shared: Arc<Shared>, dashboard: D) -> std::io::Result<Self> {
        let share = load.share(index);
        Ok(Self {
            poll: Poll::new()?,
            sessions: Vec::with_capacity(share as usize),
            sessions_wanted: share as usize,
            load,
            shared,
            index,
            connecting: 0,
            turned_away: VecDeque::new(),
            inbox: Inbox::default(),
            dashboard,
            again: Vec::new(),
            traffic: Traffic::default(),
            random: fastrand::Rng::new(),
        })
    }

    /// Plays until the phase says stop.
    pub fn run(mut self) -> std::io::Result<(D, Traffic)> {
        let mut events = Events::with_capacity(1024);
        let mut measuring = false;
        let mut last_end = Instant::now();
        let mut last_sweep = last_end;
        loop {
            let phase = self.shared.phase.load(Relaxed);
            if phase == STOPPING {
                break;
            }
            if phase == MEASURING && !measuring {
                measuring = true;
                self.traffic = Traffic::default();
                self.dashboard.measuring();
            }
            let before = self.traffic;
            self.connect_again(last_end);
            self.connect_some();
            if measuring {
                self.grant_wishes();
            }
            let wait = if self.again.is_empty() { POLL_MAX } else { Duration::ZERO };
            if let Err(error) = self.poll.poll(&mut events, Some(wait))
                && error.kind() != std::io::ErrorKind::Interrupted
            {
                return Err(error);
            }
            let begin = Instant::now();
            for position in std::mem::take(&mut self.again) {
                self.turn(position);
            }
            for event in &events {
                self.turn(event.token().0);
            }
            self.publish(&before);
            let end = Instant::now();
            self.dashboard.turned(Turn { busy: end - begin, since_last: end - last_end });
            last_end = end;
            if end - last_sweep >= SWEEP_EVERY {
                last_sweep = end;
                self.sweep(end);
            }
        }
        for session in self.sessions.iter_mut().flatten() {
            session.close(&mut self.inbox);
        }
        Ok((self.dashboard, self.traffic))
    }

    fn publish(&self, before: &Traffic) {
        self.shared.messages.fetch_add(self.traffic.messages - before.messages, Relaxed);
        self.shared.bytes.fetch_add(self.traffic.read_bytes - before.read_bytes, Relaxed);
    }

    fn connect_some(&mut self) {
        while self.connecting < self.load.connecting_max
            && self.sessions.len() < self.sessions_wanted
        {
            let position = self.sessions.len();
            let id = self.index + position as SessionId * self.load.threads;
            self.sessions.push(None);
            self.begin(id, position, Instant::now() + self.load.connect_max);
        }
    }

    /// Lets those come again who were turned away and have waited.
    fn connect_again(&mut self, now: Instant) {
        while self.connecting < self.load.connecting_max
            && let Some(&one) = self.turned_away.front()
            && one.due <= now
        {
            self.turned_away.pop_front();
            let id = self.index + one.position as SessionId * self.load.threads;
            self.begin(id, one.position, one.deadline);
        }
    }

    /// Begins a connection in an empty place.
    fn begin(&mut self, id: SessionId, position: usize, deadline: Instant) {
        match self.connect(id, position, deadline) {
            Ok(session) => {
                self.connecting += 1;
                self.sessions[position] = Some(Box::new(session));
                self.turn(position);
            }
            Err(cause) => {
                self.shared.over.fetch_add(1, Relaxed);
                self.dashboard.ended(id, &Ending::NotConnected(cause));
            }
        }
    }

    fn connect(
        &mut self,
        id: SessionId,
        position: usize,
        deadline: Instant,
    ) -> Result<Session, String> {
        let Load { target, tls, sessions_per_source, .. } = &self.load;
        let source = source_of(id, *sessions_per_source, target.address);
        let mut link = Link::connect(target.address, source, target.name.clone(), Arc::clone(tls))
            .map_err(|error| error.to_string())?;
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(link.socket(), Token(position), both)
            .map_err(|error| error.to_string())?;
        let upgrade = Upgrade::new(&mut self.random);
        Ok(Session::new(id, link, upgrade, deadline))
    }

    fn grant_wishes(&mut self) {
        while let Some(wish) = self.dashboard.wish() {
            let (Wish::StopReading(id) | Wish::Read(id) | Wish::Reconnect(id) | Wish::Ask(id)) =
                wish;
            let position = ((id - self.index) / self.load.threads) as usize;
            match wish {
                Wish::Reconnect(_) => self.reconnect(id, position),
                Wish::StopReading(_) => {
                    if let Some(session) = self.sessions[position].as_mut() {
                        session.deaf = true;
                    }
                }
                // What came meanwhile raised its event then: there is no other.
                Wish::Read(_) => {
                    if let Some(session) = self.sessions[position].as_mut() {
                        session.deaf = false;
                        self.again.push(position);
                    }
                }
                Wish::Ask(_) => {
                    if let Some(session) = self.sessions[position].as_mut()
                        && session.is_open()
                    {
                        self.dashboard.asked(id, &mut session.link.requests);
                        self.turn(position);
                    }
                }
            }
        }
    }

    /// Drops the session as it stands. One that is over or still on its way comes anew as well.
    fn reconnect(&mut self, id: SessionId, position: usize) {
        match self.sessions[position].take() {
            None => {
                let waiting = self.turned_away.iter().position(|one| one.position == position);
                if let Some(waiting) = waiting {
                    self.turned_away.remove(waiting);
                } else {
                    self.shared.over.fetch_sub(1, Relaxed);
                }
            }
            Some(before) => {
                self.connecting -= u32::from(!before.is_open());
                self.shared.ready.fetch_sub(u64::from(before.ready), Relaxed);
            }
        }
        self.begin(id, position, Instant::now() + self.load.connect_max);
    }

    fn turn(&mut self, position: usize) {
        let Some(session) = self.sessions[position].as_mut().filter(|one| !one.deaf) else {
            return;
        };
        let mut around = Surroundings {
            inbox: &mut self.inbox,
            dashboard: &mut self.dashboard,
            authority: &self.load.target.authority,
            path: &self.load.target.path,
        };
        match session.turn(&mut around) {
            Ok(turn) => {
                self.traffic.count(&turn);
                if turn.opened {
                    self.connecting -= 1;
                    self.shared.opened.fetch_add(1, Relaxed);
                }
                if turn.ready && !session.ready {
                    session.ready = true;
                    self.shared.ready.fetch_add(1, Relaxed);
                }
                if turn.more {
                    self.again.push(position);
                }
            }
            Err(ending) => self.end(position, &ending),
        }
    }

    fn end(&mut self, position: usize, ending: &Ending) {
        let Some(session) = self.sessions[position].take() else { return };
        self.connecting -= u32::from(ending.is_before_it_began());
        let due = Instant::now() + AGAIN_AFTER;
        if matches!(ending, Ending::TurnedAway(_)) && due < session.deadline {
            self.turned_away.push_back(TurnedAway { position, due, deadline: session.deadline });
            self.dashboard.turned_away(session.id);
            return;
        }
        self.shared.over.fetch_add(1, Relaxed);
        self.dashboard.ended(session.id, ending);
    }

    /// Ends the sessions that should have come up by now.
    fn sweep(&mut self, now: Instant) {
        if self.connecting == 0 {
            return;
        }
        for position in 0..self.sessions.len() {
            let late = self.sessions[position]
                .as_ref()
                .is_some_and(|session| !session.is_open() && now > session.deadline);
            if late {
                let within = self.load.connect_max;
                self.end(position, &Ending::NotConnected(format!("no answer within {within:?}")));
            }
        }
    }
}
