//! The relay thread: lends the ring to gateways that follow this one.
//!
//! One thread, one runtime, one task a follower, each with a reader of its own. The ring is the
//! only buffer there is: a follower that does not read fills its socket, then falls behind in the
//! ring, and once it was lapped it is sent the truth as of now. **Invariant:** nothing a follower
//! does or leaves undone costs ingest, a shard or another follower anything but the clone of the
//! truth that it asks for. What passes is neither encrypted nor authenticated, so it stays on this
//! machine.

mod stream;
mod trail;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use crossbeam::channel::Sender;
use handoff::Subscribers;
use slab::Slab;
use thiserror::Error;
use tokio::runtime::Builder;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep};

use self::trail::Trail;
use crate::catalogue::{Catalogue, FeedStatus};
use crate::config::{self, RelayAddress};
use crate::local::{Listener, Stream};
use crate::metrics::{Metrics, RelayRefusal};
use crate::relay_frame::Delays;
use crate::replica::ReplicaRequest;
use crate::threads::rethrow;

/// Wait after accept failed for want of something.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Least time between two truths, whoever is told: each costs ingest a clone.
const TRUTH_GAP: Duration = Duration::from_millis(250);

/// From the relay's start, for how long all feeds are waited for: what is lent before would lack
/// symbols that sessions of a follower ask for the moment they return.
const FEEDS_WAIT: Duration = Duration::from_secs(3);

/// Why there is no relay.
#[derive(Debug, Error)]
pub enum RelayError {
    /// The address is taken, or not ours.
    #[error("relay.listen {address}: {source}")]
    Listen {
        /// The address.
        address: RelayAddress,
        /// Why.
        source: io::Error,
    },
    /// The thread's runtime could not start.
    #[error("relay: {0}")]
    Runtime(#[source] io::Error),
}

/// What the relay shares with the other threads.
pub struct Surroundings {
    /// Where to subscribe to the ring.
    pub ring: Subscribers,
    /// Bytes of the ring.
    pub ring_bytes: usize,
    /// Where to ask for the truth.
    pub desk: Sender<ReplicaRequest>,
    /// By how much later things are told here: by a line of ours, or by whom we follow ourselves.
    pub delays: Delays,
    /// How the feeds do.
    pub catalogue: Arc<Catalogue>,
    /// Where to count; this thread alone writes `relay`.
    pub metrics: Arc<Metrics>,
}

/// A relay that listens and does not answer yet.
#[derive(Debug)]
pub struct Relay {
    settings: config::Relay,
    listener: Listener,
}

/// What all followers share.
struct Hall {
    settings: config::Relay,
    surroundings: Surroundings,
    trail: RefCell<Trail>,
    /// Its name, drawn anew by each process.
    ring: u64,
    started_at: Instant,
    /// When ingest was asked for a truth last, for whichever follower.
    asked_at: Cell<Option<Instant>>,
    /// How far each is behind, in records.
    lags: RefCell<Slab<u64>>,
}

impl Relay {
    /// Listens.
    pub fn bind(settings: &config::Relay) -> Result<Self, RelayError> {
        let listener = Listener::bind(&settings.listen)
            .map_err(|source| RelayError::Listen { address: settings.listen.clone(), source })?;
        Ok(Self { settings: settings.clone(), listener })
    }

    /// Runs on the calling thread until `over` completes.
    pub fn run(
        self,
        surroundings: Surroundings,
        over: impl Future<Output = ()>,
    ) -> Result<(), RelayError> {
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(RelayError::Runtime)?;
        LocalSet::new()
            .block_on(&runtime, self.serve(surroundings, over))
            .map_err(RelayError::Runtime)
    }

    async fn serve(
        self,
        surroundings: Surroundings,
        over: impl Future<Output = ()>,
    ) -> io::Result<()> {
        tracing::info!(address = %self.listener.address(), "lending the ring");
        let listener = self.listener.start()?;
        let trail = RefCell::new(Trail::new(surroundings.ring_bytes as u64));
        let ring = name_ring()?;
        let lags = RefCell::default();
        let (settings, started_at) = (self.settings, Instant::now());
        let asked_at = Cell::new(None);
        let hall =
            Rc::new(Hall { settings, surroundings, trail, ring, started_at, asked_at, lags });
        let mut followers = JoinSet::new();
        let mut over = pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return Ok(()),
                Some(ended) = followers.join_next() => ended.unwrap_or_else(rethrow),
                accepted = listener.accept() => match accepted {
                    Ok(stream) => {
                        // Whoever has left takes no place.
                        while let Some(ended) = followers.try_join_next() {
                            ended.unwrap_or_else(rethrow);
                        }
                        hall.welcome(stream, &mut followers);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a follower could not be accepted");
                        sleep(ACCEPT_BACKOFF).await;
                    }
                },
            }
        }
    }
}

impl Hall {
    fn welcome(self: &Rc<Self>, stream: Box<dyn Stream>, followers: &mut JoinSet<()>) {
        if followers.len() >= self.settings.followers_max {
            self.metrics().refused.of(RelayRefusal::Full).inc();
            tracing::warn!("a follower was refused: relay.followers_max are here");
            return;
        }
        followers.spawn_local(stream::serve(stream, Rc::clone(self)));
    }

    fn metrics(&self) -> &crate::metrics::RelayMetrics {
        &self.surroundings.metrics.relay
    }

    /// Whether ingest may be asked for a truth now; it is then taken for asked.
    fn may_ask(&self) -> bool {
        let now = Instant::now();
        let is_due = self.asked_at.get().is_none_or(|at| now >= at + TRUTH_GAP);
        if is_due {
            self.asked_at.set(Some(now));
        }
        is_due
    }

    /// Whether all feeds have come, or are not waited for any longer.
    fn are_feeds_there(&self) -> bool {
        let listing = self.surroundings.catalogue.current();
        self.started_at.elapsed() > FEEDS_WAIT || are_all_live(&listing.feeds)
    }

    /// Notes how far a follower is behind; the worst is shown.
    fn note_lag(&self, key: usize, records: u64) {
        let mut lags = self.lags.borrow_mut();
        if let Some(lag) = lags.get_mut(key) {
            *lag = records;
        }
        let worst = lags.iter().map(|(_, lag)| *lag).max();
        self.metrics().lag_records.set(worst.unwrap_or(0));
        self.metrics().followers.set(lags.len() as u64);
    }
}

fn are_all_live(feeds: &[FeedStatus]) -> bool {
    !feeds.is_empty() && feeds.iter().all(|feed| feed.live)
}

fn name_ring() -> io::Result<u64> {
    let mut name = [0; 8];
    rand::fill(&mut name).map_err(|_| io::Error::other("the system has no randomness"))?;
    Ok(u64::from_le_bytes(name).max(1))
}
