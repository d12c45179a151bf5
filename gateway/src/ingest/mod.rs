//! The ingest thread: venues in, or another gateway's ring; our ring out.
//!
//! One thread, one tokio runtime of its own, one task per feed. A message goes through
//! [`Pipeline::message`]: decoded, normalised, numbered, folded into the truth, written into the
//! ring; all of that without waiting, locking or allocating. Connections, subscriptions and
//! snapshots are around it. A venue's failure is counted and repaired here; nothing a venue does
//! ends the thread. The thread also lends a copy of the truth to a shard that was lapped.

mod backoff;
mod board;
mod complaint;
mod define;
mod delay_line;
mod delays;
mod dial;
mod feed;
mod follow;
mod normalise;
mod numbers;
mod pipeline;
mod publisher;
pub mod rehearsal;
mod release;
mod rest;
mod resync;
mod reveal;
mod spin;
mod tracked;

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::Receiver;
use handoff::Writer;
use thiserror::Error;
use tokio::runtime::Builder;
use tokio::task::{JoinHandle, JoinSet, LocalSet};
use tokio::time::{MissedTickBehavior, interval};

use crate::catalogue::Catalogue;
use crate::clock;
use crate::config::{self, Dialect, FeedSymbols, RelayAddress};
use crate::metrics::Metrics;
use crate::relay_frame::Delays;
use crate::replica::ReplicaRequest;
use crate::threads::{StopFlag, rethrow};

pub(crate) use delays::MARK_BYTES;
pub use dial::BadAddress;
pub use normalise::Normaliser;
pub use pipeline::Pipeline;
pub use publisher::Publisher;

/// How often requests from other threads and the stop flag are looked at.
const HOUSEKEEPING: Duration = Duration::from_millis(5);
/// What bounds a feed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one message.
    pub message_bytes_max: usize,
    /// Levels kept per side of a book.
    pub book_levels_max: usize,
    /// Symbols of all feeds together.
    pub symbols_max: usize,
    /// From dialling to the first message; also for one snapshot.
    pub connect_timeout: Duration,
    /// Silence after which a venue is taken for dead.
    pub silence_timeout: Duration,
    /// Cap of the first wait before trying again.
    pub backoff_min: Duration,
    /// Cap of all later waits.
    pub backoff_max: Duration,
    /// Messages decoded before their ticks are shown to the shards.
    pub flush_messages_max: usize,
    /// Bytes of them.
    pub flush_bytes_max: usize,
}

impl From<&config::Ingest> for Limits {
    fn from(settings: &config::Ingest) -> Self {
        Self {
            message_bytes_max: settings.message_bytes_max,
            book_levels_max: settings.book_levels_max,
            symbols_max: settings.symbols_max,
            connect_timeout: settings.connect_timeout,
            silence_timeout: settings.silence_timeout,
            backoff_min: settings.backoff_min,
            backoff_max: settings.backoff_max,
            flush_messages_max: settings.flush_messages_max,
            flush_bytes_max: settings.flush_bytes_max,
        }
    }
}

/// Why ingest cannot start: the operator's to mend.
#[derive(Debug, Error)]
pub enum IngestError {
    /// An address cannot be used.
    #[error("feed {feed}: {source}")]
    Address {
        /// Which feed.
        feed: String,
        /// What is wrong with it.
        source: BadAddress,
    },
    /// The authority's file cannot be used.
    #[error("feed {feed}: cannot use ca_file {file}: {source}", file = file.display())]
    CaFile {
        /// Which feed.
        feed: String,
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// Snapshots of this dialect come by REST.
    #[error("feed {feed}: this dialect needs rest_url")]
    RestUrl {
        /// Which feed.
        feed: String,
    },
    /// This dialect does not list its symbols on the stream.
    #[error("feed {feed}: this dialect needs a list of symbols")]
    Symbols {
        /// Which feed.
        feed: String,
    },
    /// The runtime could not be made.
    #[error("cannot start the runtime: {0}")]
    Runtime(#[source] io::Error),
}

/// What ingest shares with the other threads.
pub struct Seams {
    /// The ring's one writer.
    pub ring: Writer,
    /// Bounded; looked at every few milliseconds.
    pub replica_requests: Receiver<ReplicaRequest>,
    /// Instruments and feeds, for door and admin.
    pub catalogue: Arc<Catalogue>,
    /// Counters and stations.
    pub metrics: Arc<Metrics>,
    /// Names the life of the numbering; one that follows takes another's.
    pub epoch: u64,
    /// Ends the thread.
    pub stop: StopFlag,
}

/// Settings that were found usable.
pub struct Ingest {
    routes: Vec<feed::Route>,
    symbols_max: usize,
    delays: Vec<Duration>,
    delay_bytes_max: usize,
    follow: Option<RelayAddress>,
    limits: Limits,
    spin: Duration,
}

impl Ingest {
    /// Checks what can be checked without a connection.
    pub fn new(settings: &config::Ingest) -> Result<Self, IngestError> {
        let limits = Limits::from(settings);
        let feeds = settings.feeds.iter().enumerate();
        let routes =
            feeds.map(|(index, feed)| route(feed, index, limits)).collect::<Result<_, _>>()?;
        Ok(Self {
            routes,
            symbols_max: settings.symbols_max,
            delays: settings.delays.clone(),
            delay_bytes_max: settings.delay_bytes_max,
            follow: settings.follow.clone(),
            limits: Limits { book_levels_max: settings.deepest_book(), ..limits },
            spin: settings.spin,
        })
    }

    /// Runs on the calling thread until asked to stop.
    pub fn run(self, seams: Seams) -> Result<(), IngestError> {
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(IngestError::Runtime)?;
        LocalSet::new().block_on(&runtime, self.serve(seams));
        // A name that is being looked up would hold up the end of the process otherwise.
        runtime.shutdown_background();
        Ok(())
    }

    async fn serve(self, seams: Seams) {
        let Seams { ring, replica_requests, catalogue, metrics, epoch, stop } = seams;
        // The twins of one that follows are those of the gateway that it follows.
        let is_delaying = self.follow.is_none() && !self.delays.is_empty();
        let delays = if is_delaying { &self.delays[..] } else { &[] };
        let mut publisher = Publisher::new(ring, self.symbols_max, Arc::clone(&metrics))
            .with_delays(delays, self.delay_bytes_max);
        publisher.begin_life(epoch);
        let publisher = Rc::new(RefCell::new(publisher));
        let names = metrics.ingest.feeds.iter().map(|feed| &*feed.name);
        let board = Rc::new(board::Board::new(names));
        let spin = Rc::new(spin::Spin::new(self.spin));
        let fetches = Rc::new(RefCell::new(JoinSet::new()));
        let mut tasks: Vec<JoinHandle<()>> = Vec::new();
        if let Some(address) = self.follow {
            let home = (Rc::clone(&publisher), Rc::clone(&board), Rc::clone(&spin));
            let (catalogue, metrics) = (Arc::clone(&catalogue), Arc::clone(&metrics));
            let limits = followed_limits(self.limits, &self.delays);
            let whom = (address, Delays::from(&self.delays[..]));
            let follower = follow::Follower::new(whom, limits, home, catalogue, metrics);
            tasks.push(tokio::task::spawn_local(follower.run()));
        }
        for route in self.routes {
            let task = feed::FeedTask::new(
                route,
                Rc::clone(&publisher),
                Arc::clone(&metrics),
                Rc::clone(&board),
                Rc::clone(&fetches),
                Rc::clone(&spin),
            );
            tasks.push(tokio::task::spawn_local(Rc::new(task).run()));
        }
        tasks.push(tokio::task::spawn_local(async move { spin.run().await }));
        if is_delaying {
            tasks.push(tokio::task::spawn_local(release::run(Rc::clone(&publisher))));
        }
        let mut turns = interval(HOUSEKEEPING);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !stop.is_set() {
            turns.tick().await;
            // First: what a panic left half done is shown to nobody.
            while let Some(ended) = fetches.borrow_mut().try_join_next() {
                ended.unwrap_or_else(rethrow);
            }
            while let Some(at) = tasks.iter().position(JoinHandle::is_finished) {
                tasks.swap_remove(at).await.unwrap_or_else(rethrow);
            }
            for request in replica_requests.try_iter() {
                // Who no longer waits has stopped, or is a follower that left.
                let _ = request.reply.try_send(publisher.borrow_mut().replica());
                (request.wake)();
            }
            board.show(&mut publisher.borrow_mut(), &catalogue);
            publisher.borrow_mut().hand_over(clock::now());
        }
    }
}

/// What bounds one that follows: each symbol may come with as many twins as there may be delays.
fn followed_limits(limits: Limits, delays: &[Duration]) -> Limits {
    Limits { symbols_max: limits.symbols_max * (1 + delays.len()), ..limits }
}

fn route(feed: &config::Feed, index: usize, limits: Limits) -> Result<feed::Route, IngestError> {
    let name = || feed.name.clone();
    let bad_address = |source| IngestError::Address { feed: name(), source };
    let address = dial::Address::websocket(&feed.url).map_err(bad_address)?;
    let rest = feed.rest_url.as_deref().map(dial::Address::http).transpose();
    let rest = rest.map_err(bad_address)?;
    if feed.dialect != Dialect::Kraken {
        if rest.is_none() {
            return Err(IngestError::RestUrl { feed: name() });
        }
        if feed.symbols == FeedSymbols::All {
            return Err(IngestError::Symbols { feed: name() });
        }
    }
    let tls = dial::tls_config(feed.ca_file.as_deref()).map_err(|source| IngestError::CaFile {
        feed: name(),
        file: feed.ca_file.clone().unwrap_or_default(),
        source,
    })?;
    Ok(feed::Route { feed: feed.clone(), index, address, rest, tls, limits })
}
