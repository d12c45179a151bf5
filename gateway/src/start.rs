//! The one place that wires threads: what each owns, and what lies between them.
//!
//! Everything that can fail at start fails here, before a thread runs: ports, certificate, ring,
//! addresses of venues.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Sender, bounded};
use rights::usage::{Journal, UsageReceiver, UsageSender};
use thiserror::Error;

use crate::access::{Access, AccessError};
use crate::admin::{self, Admin, AdminError, Control};
use crate::catalogue::Catalogue;
use crate::clock;
use crate::config::{self, Config};
use crate::door::{self, Door, DoorError, Gate};
use crate::hearing;
use crate::ingest::{Ingest, IngestError, Seams};
use crate::live::Live;
use crate::logs::Logs;
use crate::metrics::Metrics;
use crate::relay::{self, Relay, RelayError};
use crate::relay_frame::Delays;
use crate::reload::{Reloader, Subjects};
use crate::replica::{Life, ReplicaRequest};
use crate::shard;
use crate::stop::{Ending, LastOut, Phase, Stopper};
use crate::threads::{Crew, Place, StopFlag, ThreadError};
use crate::usage;

/// Beyond the shards' own time to stop: the others need only a moment.
const STOP_MARGIN: Duration = Duration::from_secs(2);

/// How the gateway that is followed is called among the feeds.
const FOLLOWED: &str = "followed";

/// Why the gateway did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The port of dashboards, or its certificate.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// The port of operators.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// Who may sign in, or see what.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The usage log.
    #[error("auth.usage_folder {}: {source}", folder.display())]
    Usage {
        /// Where it was to be.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A feed.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The port of gateways that follow.
    #[error(transparent)]
    Relay(#[from] RelayError),
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
    access: Arc<Access>,
    stopper: Stopper,
    control: Control,
    crew: Crew,
}

/// What the program hands to a gateway beside its config.
#[derive(Debug, Default)]
pub struct Controls {
    /// Where the config came from, to be read again.
    pub config_file: Option<PathBuf>,
    /// The log.
    pub logs: Logs,
    /// The level its config asked for.
    pub log_level: String,
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

    /// Who may sign in and who may see what.
    pub const fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// Reads the files of the section `auth` again. Where one has a fault, everything stays as it
    /// was, and the error names file, line and key.
    pub fn reload(&self) -> Result<(), AccessError> {
        self.access.reload()
    }

    /// What ends it.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// What reads its config again.
    pub fn reloader(&self) -> Option<Reloader> {
        self.control.reloader.clone()
    }

    /// Asks for the end; see [`Stopper::stop`].
    pub fn stop(&self) {
        self.stopper.stop();
    }

    /// Ends what was started before a thread could not be.
    fn given_up(self, error: io::Error) -> io::Error {
        self.stopper.stop_at_once();
        // What went wrong first is told; that the others end is all that is waited for.
        let _ = self.join();
        error
    }

    /// Waits for the end, asked for or not. A thread that panicked ends the others.
    pub fn join(self) -> Result<(), ThreadError> {
        let Self { crew, stopper, .. } = self;
        let limit = || stopper.limit() + STOP_MARGIN;
        crew.join(stopper.ending().flag(), || stopper.stop_at_once(), limit)
    }
}

/// Starts every thread. On an error nothing is left running.
pub fn start(config: Config) -> Result<Running, StartError> {
    start_with(config, Controls::default())
}

/// The same, with what an operator's program has beside a config.
#[expect(clippy::needless_pass_by_value, reason = "a config is for one gateway, and used up by it")]
pub fn start_with(config: Config, controls: Controls) -> Result<Running, StartError> {
    let (ending, over) = (Ending::default(), StopFlag::default());
    let (metrics, catalogue, epoch) = begin(&config);
    let Taken { ingest, access, usage, door, admin, relay, ring, readers } = Taken::new(&config)?;
    let (door_address, admin_address) = (door.address(), admin.address());
    let (hearings, heard) = hearing::desk();
    let followers_max = config.relay.as_ref().map_or(0, |relay| relay.followers_max);
    let (desk, replica_requests) = bounded(config.shard.count + followers_max);
    let live = Arc::new(Live::new(config.shard.clone()));
    let shared = shard::Shared {
        settings: &config.shard,
        life: Life { epoch, number: 0 },
        ring: &readers,
        desk: &desk,
        hearings: &hearings,
        access: &access,
        credentials_timeout: config.auth.deadline,
        usage: usage.as_ref().map(|usage| &usage.sender),
        metrics: &metrics,
        ending: &ending,
        live: &live,
        patience: config.admin.answer_timeout,
    };
    let (shards, ends) = make_shards(&shared)?;
    let wakers = ends.iter().map(|ends| Arc::clone(&ends.waker)).collect();
    let stopper = Stopper::new(wakers, ending, over.clone(), Arc::clone(&live));
    let control = control(controls, &config, (&door, live, &access), &metrics, (&stopper, &ends));
    let seams = Seams {
        ring,
        replica_requests,
        catalogue: Arc::clone(&catalogue),
        metrics: Arc::clone(&metrics),
        epoch,
        stop: over.clone(),
    };
    let lent = lend(&config, readers.clone(), desk.clone(), (&catalogue, &metrics));
    let for_door = door::Surroundings {
        catalogue: Arc::clone(&catalogue),
        mailboxes: ends.into_iter().map(|ends| ends.mailbox).collect(),
        gate: Gate::new(&config.auth, Arc::clone(&access)),
        hearings: heard,
        metrics: Arc::clone(&metrics),
    };
    let for_admin = admin::Surroundings {
        catalogue: Arc::clone(&catalogue),
        metrics: Arc::clone(&metrics),
        control: control.clone(),
    };
    let surroundings = (for_door, for_admin);

    let mut crew = Crew::default();
    let spawned = spawn_usage(&mut crew, usage, &metrics, &over)
        .and_then(|()| spawn_ingest(&mut crew, &config, ingest, seams))
        .and_then(|()| spawn_relay(&mut crew, relay, lent, &stopper))
        .and_then(|()| {
            let last_out = Arc::new(LastOut(stopper.clone()));
            spawn_shards(&mut crew, &config, shards, &last_out)?;
            spawn_servers(&mut crew, &config, (door, admin), surroundings, last_out)
        });
    let running =
        Running { door_address, admin_address, metrics, catalogue, access, stopper, control, crew };
    match spawned {
        Ok(()) => Ok(running),
        Err(error) => Err(running.given_up(error).into()),
    }
}

/// What is counted, what exists, and the name of the numbering; one that follows takes that over
/// from the gateway it follows, and has nothing to show before.
fn begin(config: &Config) -> (Arc<Metrics>, Arc<Catalogue>, u64) {
    let is_follower = config.ingest.follow.is_some();
    let feeds = config.ingest.feeds.iter().map(|feed| feed.name.as_str());
    let feeds = feeds.chain(is_follower.then_some(FOLLOWED));
    let metrics = Arc::new(Metrics::new(feeds, config.shard.count));
    let catalogue = Arc::new(Catalogue::default());
    if is_follower {
        catalogue.await_market();
    }
    (metrics, catalogue, if is_follower { 0 } else { clock::now().0 })
}

/// What a relay lends, where there is one.
fn lend(
    config: &Config,
    ring: handoff::Subscribers,
    desk: Sender<ReplicaRequest>,
    (catalogue, metrics): (&Arc<Catalogue>, &Arc<Metrics>),
) -> relay::Surroundings {
    relay::Surroundings {
        ring,
        ring_bytes: config.ring.bytes,
        delays: Delays::from(&config.ingest.delays[..]),
        desk,
        catalogue: Arc::clone(catalogue),
        metrics: Arc::clone(metrics),
    }
}

/// An operator's hand on all that was made so far.
fn control(
    controls: Controls,
    config: &Config,
    (door, shards, access): (&Door, Arc<Live<config::Shard>>, &Arc<Access>),
    metrics: &Arc<Metrics>,
    (stopper, ends): (&Stopper, &[shard::Ends]),
) -> Control {
    let reloader = Reloader::new(Subjects {
        file: controls.config_file,
        config: config.clone(),
        log_level: controls.log_level,
        door: Arc::clone(door.settings()),
        shards,
        keyring: Arc::clone(door.keyring()),
        access: Arc::clone(access),
        logs: controls.logs.clone(),
        metrics: Arc::clone(metrics),
    });
    Control {
        desks: ends.iter().map(|ends| ends.desk.clone()).collect(),
        stopper: stopper.clone(),
        reloader: Some(reloader),
        logs: controls.logs,
    }
}

/// What the machine and the operator's files have to give, taken and not at work yet: whatever is
/// wrong with it is said here.
struct Taken {
    ingest: Ingest,
    access: Arc<Access>,
    usage: Option<UsageLog>,
    door: Door,
    admin: Admin,
    relay: Option<Relay>,
    ring: handoff::Writer,
    readers: handoff::Subscribers,
}

impl Taken {
    fn new(config: &Config) -> Result<Self, StartError> {
        let ingest = Ingest::new(&config.ingest)?;
        let access = Arc::new(Access::load(&config.auth, config.ingest.delay_max())?);
        let usage = open_usage(config)?;
        let door = Door::bind(&config.door, config.auth.client_ca_file.as_deref())?;
        let admin = Admin::bind(&config.admin)?;
        let relay = config.relay.as_ref().map(Relay::bind).transpose()?;
        let (ring, readers) = handoff::channel(config.ring.bytes)?;
        check_ring(&ring, config)?;
        Ok(Self { ingest, access, usage, door, admin, relay, ring, readers })
    }
}

fn check_ring(ring: &handoff::Writer, config: &Config) -> Result<(), StartError> {
    let record_bytes = ring.record_size_max();
    let book_bytes = market::book_record_bytes_max(config.ingest.deepest_book());
    if record_bytes < book_bytes {
        return Err(StartError::RingTooSmall { record_bytes, book_bytes });
    }
    Ok(())
}

fn make_shards(shared: &shard::Shared<'_>) -> io::Result<(Vec<shard::Parts>, Vec<shard::Ends>)> {
    let made: io::Result<Vec<_>> =
        (0..shared.settings.count).map(|index| shard::Parts::new(index, shared)).collect();
    Ok(made?.into_iter().unzip())
}

/// Both ends of the usage log.
struct UsageLog {
    sender: UsageSender,
    receiver: UsageReceiver,
    journal: Journal,
}

fn open_usage(config: &Config) -> Result<Option<UsageLog>, StartError> {
    let Some(settings) = &config.auth.usage else { return Ok(None) };
    let journal = usage::open(settings)
        .map_err(|source| StartError::Usage { folder: settings.folder.clone(), source })?;
    let (sender, receiver) = rights::usage::queue(settings.queue_max);
    Ok(Some(UsageLog { sender, receiver, journal }))
}

/// Our own sender ends here: the thread ends when the last shard's has.
fn spawn_usage(
    crew: &mut Crew,
    log: Option<UsageLog>,
    metrics: &Arc<Metrics>,
    stop: &StopFlag,
) -> io::Result<()> {
    let Some(UsageLog { receiver, journal, .. }) = log else { return Ok(()) };
    let (metrics, stop) = (Arc::clone(metrics), stop.clone());
    crew.spawn("usage", Place::default(), move || {
        usage::run(receiver, journal, &metrics, &stop);
        Ok(())
    })
}

fn spawn_ingest(crew: &mut Crew, config: &Config, ingest: Ingest, seams: Seams) -> io::Result<()> {
    let place = Place { core: config.ingest.pin.then_some(0), nice: 0 };
    crew.spawn("ingest", place, move || Ok(ingest.run(seams)?))
}

/// It ends with ingest: followers hear the market while sessions leave.
fn spawn_relay(
    crew: &mut Crew,
    relay: Option<Relay>,
    surroundings: relay::Surroundings,
    stopper: &Stopper,
) -> io::Result<()> {
    let Some(relay) = relay else { return Ok(()) };
    let over = stopper.reached(Phase::Over);
    crew.spawn("relay", Place::default(), move || Ok(relay.run(surroundings, over)?))
}

fn spawn_shards(
    crew: &mut Crew,
    config: &Config,
    shards: Vec<shard::Parts>,
    last_out: &Arc<LastOut>,
) -> io::Result<()> {
    for (index, parts) in shards.into_iter().enumerate() {
        // Core 0 is left to ingest where there are others.
        let place = Place { core: config.shard.pin.then_some(index + 1), nice: 0 };
        let last_out = Arc::clone(last_out);
        crew.spawn(&format!("shard-{index}"), place, move || {
            let _last_out = last_out;
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
    last_out: Arc<LastOut>,
) -> io::Result<()> {
    // Behind the shards' cores, where there are so many.
    let place = |thread: config::Thread, behind: usize| Place {
        core: thread.pin.then_some(config.shard.count + 1 + behind),
        nice: thread.nice,
    };
    let leaving = last_out.0.reached(Phase::Leaving);
    let over = last_out.0.reached(Phase::Over);
    crew.spawn("door", place(config.door.thread, 0), move || {
        let _last_out = last_out;
        Ok(door.run(surroundings.0, leaving)?)
    })?;
    crew.spawn("admin", place(config.admin.thread, 1), move || Ok(admin.run(surroundings.1, over)?))
}
