//! The one place that wires threads: what each owns, and what lies between them.
//!
//! Everything that can fail at start fails here, before a thread runs: ports, certificate, ring,
//! addresses of venues.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::bounded;
use thiserror::Error;
use tokio::sync::watch;

use crate::admin::{self, Admin, AdminError};
use crate::catalogue::Catalogue;
use crate::clock;
use crate::config::{self, Config};
use crate::door::{self, Door, DoorError};
use crate::ingest::{Ingest, IngestError, Seams};
use crate::metrics::Metrics;
use crate::shard;
use crate::threads::{Crew, Place, StopFlag, ThreadError};

/// Beyond the shards' own time to stop: the others need only a moment.
const STOP_MARGIN: Duration = Duration::from_secs(2);

/// Why the gateway did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The port of dashboards, or its certificate.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// The port of operators.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// A feed.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The ring.
    #[error("ring.bytes: {0}")]
    Ring(#[from] handoff::BadCapacity),
    /// The ring again.
    #[error("ring.bytes: a record holds {record_bytes} bytes, replacing a book takes {book_bytes}")]
    RingTooSmall {
        /// The largest record of this ring.
        record_bytes: usize,
        /// The largest there can be.
        book_bytes: usize,
    },
    /// A thread, or what it waits with.
    #[error("a thread could not be started: {0}")]
    Thread(#[from] io::Error),
}

/// A gateway at work.
pub struct Running {
    door_address: SocketAddr,
    admin_address: SocketAddr,
    metrics: Arc<Metrics>,
    catalogue: Arc<Catalogue>,
    stopper: Stopper,
    crew: Crew,
    stop_timeout: Duration,
}

/// Asks a gateway to stop, from any thread.
#[derive(Clone)]
pub struct Stopper {
    flag: StopFlag,
    tell: watch::Sender<bool>,
    shards: Vec<Arc<mio::Waker>>,
}

impl Stopper {
    /// Asks for the end: no more arrivals, every session is told that the gateway restarts.
    pub fn stop(&self) {
        self.flag.set();
        self.tell.send_replace(true);
        for waker in &self.shards {
            // A shard that cannot be woken looks at the flag by itself some twenty times a second.
            let _ = waker.wake();
        }
    }
}

impl Running {
    /// Where dashboards connect; the port is a real one even where port 0 was asked for.
    pub const fn door_address(&self) -> SocketAddr {
        self.door_address
    }

    /// Where operators ask.
    pub const fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// What is counted.
    pub const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// What exists.
    pub const fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// What ends it.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Asks for the end; see [`Stopper::stop`].
    pub fn stop(&self) {
        self.stopper.stop();
    }

    /// Waits for the end, asked for or not. A thread that panicked ends the others.
    pub fn join(self) -> Result<(), ThreadError> {
        let Self { crew, stopper, stop_timeout, .. } = self;
        crew.join(&stopper.flag, || stopper.stop(), stop_timeout + STOP_MARGIN)
    }
}

/// Starts every thread. On an error nothing is left running.
#[expect(clippy::needless_pass_by_value, reason = "a config is for one gateway, and used up by it")]
pub fn start(config: Config) -> Result<Running, StartError> {
    let epoch = clock::now().0;
    let stop = StopFlag::default();
    let feeds = config.ingest.feeds.iter().map(|feed| feed.name.as_str());
    let metrics = Arc::new(Metrics::new(feeds, config.shard.count));
    let catalogue = Arc::new(Catalogue::default());
    let ingest = Ingest::new(&config.ingest)?;
    let door = Door::bind(&config.door)?;
    let admin = Admin::bind(&config.admin)?;
    let (door_address, admin_address) = (door.address(), admin.address());
    let (ring, readers) = handoff::channel(config.ring.bytes)?;
    let record_bytes = ring.record_size_max();
    let book_bytes = market::book_record_bytes_max(config.ingest.deepest_book());
    if record_bytes < book_bytes {
        return Err(StartError::RingTooSmall { record_bytes, book_bytes });
    }
    let (desk, replica_requests) = bounded(config.shard.count);

    let shared = shard::Shared {
        settings: &config.shard,
        epoch,
        ring: &readers,
        desk: &desk,
        metrics: &metrics,
        stop: &stop,
    };
    let mut shards = Vec::new();
    let mut mailboxes = Vec::new();
    let mut wakers = Vec::new();
    for index in 0..config.shard.count {
        let (parts, mailbox, waker) = shard::Parts::new(index, &shared)?;
        shards.push(parts);
        mailboxes.push(mailbox);
        wakers.push(waker);
    }
    let (tell, told) = watch::channel(false);
    let stopper = Stopper { flag: stop.clone(), tell, shards: wakers };
    let seams = Seams {
        ring,
        replica_requests,
        catalogue: Arc::clone(&catalogue),
        metrics: Arc::clone(&metrics),
        stop,
    };
    let surroundings = (
        door::Surroundings {
            catalogue: Arc::clone(&catalogue),
            mailboxes,
            metrics: Arc::clone(&metrics),
        },
        admin::Surroundings { catalogue: Arc::clone(&catalogue), metrics: Arc::clone(&metrics) },
    );

    let mut crew = Crew::default();
    let stop_timeout = config.shard.stop_timeout;
    let spawned = spawn_ingest(&mut crew, &config, ingest, seams)
        .and_then(|()| spawn_shards(&mut crew, &config, shards))
        .and_then(|()| spawn_servers(&mut crew, &config, (door, admin), surroundings, told));
    if let Err(error) = spawned {
        stopper.stop();
        // What went wrong first is told; that the others end is all that is waited for.
        let _ = crew.join(&stopper.flag, || (), stop_timeout + STOP_MARGIN);
        return Err(error.into());
    }
    Ok(Running { door_address, admin_address, metrics, catalogue, stopper, crew, stop_timeout })
}

fn spawn_ingest(crew: &mut Crew, config: &Config, ingest: Ingest, seams: Seams) -> io::Result<()> {
    let place = Place { core: config.ingest.pin.then_some(0), nice: 0 };
    crew.spawn("ingest", place, move || Ok(ingest.run(seams)?))
}

fn spawn_shards(crew: &mut Crew, config: &Config, shards: Vec<shard::Parts>) -> io::Result<()> {
    for (index, parts) in shards.into_iter().enumerate() {
        // Core 0 is left to ingest where there are others.
        let place = Place { core: config.shard.pin.then_some(index + 1), nice: 0 };
        crew.spawn(&format!("shard-{index}"), place, move || {
            shard::run(parts);
            Ok(())
        })?;
    }
    Ok(())
}

fn spawn_servers(
    crew: &mut Crew,
    config: &Config,
    (door, admin): (Door, Admin),
    surroundings: (door::Surroundings, admin::Surroundings),
    told: watch::Receiver<bool>,
) -> io::Result<()> {
    // Behind the shards' cores, where there are so many.
    let place = |thread: config::Thread, behind: usize| Place {
        core: thread.pin.then_some(config.shard.count + 1 + behind),
        nice: thread.nice,
    };
    let until = stopped(told.clone());
    crew.spawn("door", place(config.door.thread, 0), move || Ok(door.run(surroundings.0, until)?))?;
    let until = stopped(told);
    crew.spawn(
        "admin",
        place(config.admin.thread, 1),
        move || Ok(admin.run(surroundings.1, until)?),
    )
}

/// Completes when the end is asked for.
async fn stopped(mut told: watch::Receiver<bool>) {
    // An error means that whoever could ask is gone, which is an end too.
    let _ = told.wait_for(|is_asked| *is_asked).await;
}
