//! What a shard is made of when it starts.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender};
use handoff::{Reader, Subscribers};
use mio::{Poll, Token, Waker};
use rights::usage::UsageSender;
use tokio::sync::mpsc;

use super::command::{Command, Desk};
use super::connections::Connections;
use super::{Arrival, Mailbox};
use crate::access::Access;
use crate::config;
use crate::hearing::{Answer, Hearing, Reply};
use crate::live::Live;
use crate::metrics::Metrics;
use crate::replica::{Asker, Life, ReplicaRequest};
use crate::stop::Ending;

/// The token of the shard's own waker; connections have their session's number.
pub(super) const WAKER: Token = Token(usize::MAX);

/// Everything one shard owns, made before its thread starts, so that what can fail fails at start.
pub struct Parts {
    pub(super) index: usize,
    pub(super) settings: config::Shard,
    /// This life of the numbering.
    pub(super) life: Life,
    pub(super) poll: Poll,
    pub(super) connections: Connections,
    pub(super) ring: Reader,
    pub(super) mailbox: Receiver<Arrival>,
    /// Written by this shard, read by the door.
    pub(super) sessions: Arc<AtomicUsize>,
    pub(super) asker: Asker,
    /// Where tokens go, and the way back.
    pub(super) desk: mpsc::Sender<Hearing>,
    pub(super) reply: Reply,
    pub(super) answers: Receiver<Answer>,
    /// Who may have what.
    pub(super) access: Arc<Access>,
    /// From arrival to the first good token.
    pub(super) credentials_timeout: Duration,
    /// Where usage goes, if it is recorded.
    pub(super) usage: Option<UsageSender>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) ending: Ending,
    /// Limits that may change.
    pub(super) live: Arc<Live<config::Shard>>,
    /// What operators ask.
    pub(super) commands: Receiver<Command>,
}

/// What all shards have in common.
pub struct Shared<'a> {
    /// The same for every shard.
    pub settings: &'a config::Shard,
    /// The life of the numbering at start.
    pub life: Life,
    /// Where to subscribe to the ring.
    pub ring: &'a Subscribers,
    /// Where to ask for a replica.
    pub desk: &'a Sender<ReplicaRequest>,
    /// Where tokens go.
    pub hearings: &'a mpsc::Sender<Hearing>,
    /// Who may have what.
    pub access: &'a Arc<Access>,
    /// From arrival to the first good token.
    pub credentials_timeout: Duration,
    /// Where usage goes.
    pub usage: Option<&'a UsageSender>,
    /// Where to count.
    pub metrics: &'a Arc<Metrics>,
    /// When to end.
    pub ending: &'a Ending,
    /// Limits that may change.
    pub live: &'a Arc<Live<config::Shard>>,
    /// How long operators wait for an answer.
    pub patience: Duration,
}

/// What others hold of a shard.
pub struct Ends {
    /// The door's.
    pub mailbox: Mailbox,
    /// Admin's.
    pub desk: Desk,
    /// Whoever has news.
    pub waker: Arc<Waker>,
}

impl Parts {
    /// The parts of shard `index`, and the others' ends of its mailboxes.
    pub fn new(index: usize, shared: &Shared<'_>) -> io::Result<(Self, Ends)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let ring_waker = Arc::clone(&waker);
        let wake = move || {
            // It fails only when the kernel is out of memory; the shard looks again within its
            // timeout.
            let _ = ring_waker.wake();
        };
        let ring = shared.ring.subscribe(wake).map_err(io::Error::other)?;
        let sessions = Arc::new(AtomicUsize::new(0));
        let capacity = shared.settings.mailbox_max;
        let (mailbox, receiver) = Mailbox::new(capacity, Arc::clone(&waker), Arc::clone(&sessions));
        let (desk, commands) = Desk::new(Arc::clone(&waker), shared.patience);
        let (reply, answers) = Reply::new(Arc::clone(&waker));
        let registry = poll.registry().try_clone()?;
        let latency = &shared.metrics.latency;
        let parts = Self {
            connections: Connections::new(index, shared.settings, registry, latency),
            index,
            settings: shared.settings.clone(),
            life: shared.life,
            poll,
            ring,
            mailbox: receiver,
            sessions,
            desk: shared.hearings.clone(),
            reply,
            answers,
            access: Arc::clone(shared.access),
            credentials_timeout: shared.credentials_timeout,
            usage: shared.usage.cloned(),
            asker: Asker::new(shared.desk.clone(), Arc::clone(&waker)),
            metrics: Arc::clone(shared.metrics),
            ending: shared.ending.clone(),
            live: Arc::clone(shared.live),
            commands,
        };
        Ok((parts, Ends { mailbox, desk, waker }))
    }
}
