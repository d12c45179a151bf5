//! Following another gateway instead of venues: its truth, then every record of its ring.
//!
//! A task of the ingest thread. What comes goes through the same fold as at home, so numbers, epoch
//! and history are those of the gateway that is followed; nothing is numbered here. **Invariant:**
//! a byte from outside is looked at before it is believed, and whatever is wrong with it ends the
//! connection, not the gateway. Where we stand is kept across connections: if the relay still has
//! the record that is due, nothing is missed; otherwise it sends the truth anew.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use market::{Body, Nanos, OutOfStep, State, Symbol, SymbolId, Tick, Truth};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::Limits;
use super::backoff::{Backoff, Pace};
use super::board::Board;
use super::publisher::Publisher;
use super::spin::Spin;
use crate::catalogue::Catalogue;
use crate::clock;
use crate::config::RelayAddress;
use crate::local::{Stream, dial};
use crate::metrics::{FollowFault, Metrics};
use crate::relay_frame::{
    self as frame, Delays, Frame, FrameError, GREETING_BYTES, Greeting, Inbox, Place,
};

/// Bytes read at a time.
const READ_BYTES: usize = 64 * 1024;

/// How a connection ended.
#[derive(Debug, Error)]
pub(super) enum Ended {
    #[error("cannot connect: {0}")]
    Dial(#[source] io::Error),
    #[error("no answer within the connect time-out")]
    ConnectTimeout,
    #[error("ingest.delays_ms is {here} here and {there} there: they have to be the same")]
    Delays { here: Delays, there: Delays },
    #[error("silent for too long")]
    Silent,
    #[error("closed by the relay")]
    Closed,
    #[error("the connection failed: {0}")]
    Io(#[source] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("a record or symbol that makes no sense, or a book deeper than ingest.book_levels_max")]
    Unsound,
    #[error("a frame where it has no place")]
    Unexpected,
    #[error("it does not follow from what came before: {0}")]
    OutOfStep(#[from] OutOfStep),
    #[error("more symbols than {0}: ingest.symbols_max, and as often again as there are delays_ms")]
    SymbolLimit(usize),
    #[error("a record that the ring cannot hold: ring.bytes must not be smaller here than there")]
    TooLarge,
}

impl Ended {
    const fn fault(&self) -> FollowFault {
        match self {
            Self::Dial(_) | Self::ConnectTimeout => FollowFault::Unreachable,
            Self::Delays { .. } => FollowFault::Delays,
            Self::Silent => FollowFault::Silent,
            Self::Closed | Self::Io(_) => FollowFault::Closed,
            Self::Frame(FrameError::Version { .. }) => FollowFault::Version,
            Self::Frame(FrameError::TooLarge { .. }) | Self::SymbolLimit(_) | Self::TooLarge => {
                FollowFault::TooLarge
            }
            Self::Frame(_) | Self::Unsound | Self::Unexpected => FollowFault::Malformed,
            Self::OutOfStep(OutOfStep::NameTaken { .. } | OutOfStep::Renamed { .. }) => {
                FollowFault::Name
            }
            Self::OutOfStep(_) => FollowFault::OutOfStep,
        }
    }
}

/// A truth that is coming, symbol by symbol.
struct Incoming {
    place: Place,
    symbols: Vec<Symbol>,
    count: usize,
}

/// The one connection to the gateway that is followed.
pub(super) struct Follower {
    address: RelayAddress,
    limits: Limits,
    delays: Delays,
    publisher: Rc<RefCell<Publisher>>,
    board: Rc<Board>,
    spin: Rc<Spin>,
    catalogue: Arc<Catalogue>,
    metrics: Arc<Metrics>,
    /// Up to where we have everything; of no epoch before the first truth.
    place: Place,
    /// Records are due: the truth has come, or we go on where we stood.
    is_live: bool,
    was_live: bool,
    incoming: Option<Incoming>,
    /// Symbols that are stale because the connection is lost, with what they were before.
    lost: Vec<(SymbolId, State, Nanos)>,
}

impl Follower {
    pub(super) fn new(
        (address, delays): (RelayAddress, Delays),
        limits: Limits,
        (publisher, board, spin): (Rc<RefCell<Publisher>>, Rc<Board>, Rc<Spin>),
        catalogue: Arc<Catalogue>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            address,
            limits,
            delays,
            publisher,
            board,
            spin,
            catalogue,
            metrics,
            place: Place::default(),
            is_live: false,
            was_live: false,
            incoming: None,
            lost: Vec::new(),
        }
    }

    /// Never returns.
    pub(super) async fn run(mut self) {
        let pace = Pace { min: self.limits.backoff_min, max: self.limits.backoff_max };
        let mut backoff = Backoff::default();
        loop {
            let Err(ended) = self.connection().await;
            let wait = backoff.next(pace, clock::now());
            self.end(&ended, wait);
            sleep(wait).await;
        }
    }

    async fn connection(&mut self) -> Result<Infallible, Ended> {
        let opened = timeout(self.limits.connect_timeout, self.open()).await;
        let mut stream = opened.map_err(|_| Ended::ConnectTimeout)??;
        let mut inbox = self.inbox();
        loop {
            let room = inbox.room();
            room.reserve(READ_BYTES);
            let read = timeout(self.limits.silence_timeout, stream.read_buf(room)).await;
            let count = read.map_err(|_| Ended::Silent)?.map_err(Ended::Io)?;
            if count == 0 {
                return Err(Ended::Closed);
            }
            let now = clock::now();
            let feed = &self.metrics.ingest.feeds[0];
            feed.bytes.add(count as u64);
            feed.heard_at_ns.set(now.0);
            self.take_all(&mut inbox)?;
            self.spin.heard(now);
        }
    }

    /// For frames as large as can be used here.
    pub(super) fn inbox(&self) -> Inbox {
        let image_bytes_max = market::image_bytes_max(self.limits.book_levels_max);
        let record_bytes_max = self.publisher.borrow().record_bytes_max();
        Inbox::new(image_bytes_max.max(record_bytes_max))
    }

    /// Up to where we have everything.
    pub(super) const fn place(&self) -> Place {
        self.place
    }

    /// Connects, says where we stand, and hears who is there.
    async fn open(&mut self) -> Result<Box<dyn Stream>, Ended> {
        let mut stream = dial(&self.address).await.map_err(Ended::Dial)?;
        let mut out = Vec::new();
        let (place, here) = (self.place, self.delays);
        frame::put_greeting(Greeting { place, delays: here }, &mut out);
        stream.write_all(&out).await.map_err(Ended::Io)?;
        let mut answer = [0; GREETING_BYTES];
        stream.read_exact(&mut answer).await.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Ended::Closed,
            _ => Ended::Io(error),
        })?;
        let Greeting { place, delays: there } = frame::greeting(&answer)?;
        if there != here {
            return Err(Ended::Delays { here, there });
        }
        if place.ring != self.place.ring {
            // Another process counts there: whatever it says, there is nothing to go on from.
            self.place = Place::default();
        }
        Ok(stream)
    }

    /// Takes whatever has come whole, and shows it to the shards: also what came before something
    /// bad, because it is in the truth.
    pub(super) fn take_all(&mut self, inbox: &mut Inbox) -> Result<(), Ended> {
        let outcome = self.take_frames(inbox);
        self.publisher.borrow_mut().flush();
        outcome
    }

    fn take_frames(&mut self, inbox: &mut Inbox) -> Result<(), Ended> {
        while let Some(frame) = inbox.next_frame()? {
            match frame {
                Frame::Record(record) => self.record(record)?,
                Frame::Truth(place, count) => self.begin_truth(place, count as usize)?,
                Frame::Symbol(image) => self.symbol(image)?,
                Frame::GoOn(place) => self.go_on(place)?,
                Frame::Feeds(feeds) if self.is_live => self.board.set_followed(feeds),
                Frame::Feeds(_) | Frame::Beat => {}
            }
        }
        Ok(())
    }

    fn record(&mut self, record: &[u8]) -> Result<(), Ended> {
        if !self.is_live || self.incoming.is_some() {
            return Err(Ended::Unexpected);
        }
        let tick = Tick::decode(record).ok().filter(Tick::is_sound).ok_or(Ended::Unsound)?;
        let mut publisher = self.publisher.borrow_mut();
        let defined = match &tick.body {
            Body::Instrument(instrument) => Some(instrument),
            Body::Renewal(from) => Some(&from.instrument),
            _ => None,
        };
        if defined.is_some_and(|i| i.book_levels_max as usize > self.limits.book_levels_max) {
            return Err(Ended::Unsound);
        }
        if tick.symbol.index() >= self.limits.symbols_max {
            return Err(Ended::SymbolLimit(self.limits.symbols_max));
        }
        if !publisher.relay(tick)? {
            return Err(Ended::TooLarge);
        }
        self.place.records += 1;
        self.metrics.ingest.feeds[0].messages.inc();
        Ok(())
    }

    fn begin_truth(&mut self, place: Place, count: usize) -> Result<(), Ended> {
        if count > self.limits.symbols_max {
            return Err(Ended::SymbolLimit(self.limits.symbols_max));
        }
        if place.epoch == 0 || place.ring == 0 || self.incoming.is_some() {
            return Err(Ended::Unexpected);
        }
        self.incoming = Some(Incoming { place, symbols: Vec::new(), count });
        self.end_truth()
    }

    fn symbol(&mut self, image: &[u8]) -> Result<(), Ended> {
        let incoming = self.incoming.as_mut().ok_or(Ended::Unexpected)?;
        let symbol = Symbol::decode(image, self.limits.book_levels_max);
        incoming.symbols.push(symbol.map_err(|_| Ended::Unsound)?);
        self.end_truth()
    }

    /// Takes the truth over once it is whole.
    fn end_truth(&mut self) -> Result<(), Ended> {
        let is_whole = |incoming: &mut Incoming| incoming.symbols.len() == incoming.count;
        let Some(Incoming { place, symbols, .. }) = self.incoming.take_if(is_whole) else {
            return Ok(());
        };
        let truth = Truth::of(symbols)?;
        let mut publisher = self.publisher.borrow_mut();
        let life = publisher.life();
        publisher.replace(truth, place.epoch);
        publisher.flush();
        let follow = &self.metrics.ingest.follow;
        follow.truths.inc();
        if life.epoch != 0 && publisher.life() != life {
            follow.new_lives.inc();
            tracing::warn!(epoch = place.epoch, "the numbering has begun anew");
        }
        drop(publisher);
        self.lost.clear();
        self.place = place;
        self.catalogue.arrived();
        self.begin();
        Ok(())
    }

    /// Nothing was missed.
    fn go_on(&mut self, place: Place) -> Result<(), Ended> {
        if place != self.place || place.epoch == 0 || self.is_live {
            return Err(Ended::Unexpected);
        }
        let mut publisher = self.publisher.borrow_mut();
        for (symbol, state, since) in self.lost.drain(..) {
            publisher.vouch(symbol, state, since);
        }
        drop(publisher);
        self.metrics.ingest.follow.go_ons.inc();
        self.begin();
        Ok(())
    }

    fn begin(&mut self) {
        let (epoch, records) = (self.place.epoch, self.place.records);
        tracing::info!(relay = %self.address, epoch, records, "following");
        self.is_live = true;
        let feed = &self.metrics.ingest.feeds[0];
        feed.live.set(1);
        if std::mem::replace(&mut self.was_live, true) {
            feed.reconnects.inc();
        }
        self.board.set(0, true, "connected".to_owned());
    }

    /// The connection has ended: everything is stale until there is another.
    pub(super) fn end(&mut self, ended: &Ended, wait: Duration) {
        let wait_ms = wait.as_millis() as u64;
        tracing::warn!(relay = %self.address, reason = %ended, wait_ms, "not following");
        self.metrics.ingest.follow.faults.of(ended.fault()).inc();
        let feed = &self.metrics.ingest.feeds[0];
        feed.live.set(0);
        if matches!(ended, Ended::Silent) {
            feed.silences.inc();
        }
        self.is_live = false;
        self.incoming = None;
        if !matches!(
            ended.fault(),
            FollowFault::Closed | FollowFault::Silent | FollowFault::Unreachable
        ) {
            // What we have may not be what is there: only a whole truth mends that.
            self.place = Place::default();
        }
        self.board.lose_followed(&ended.to_string());
        let mut publisher = self.publisher.borrow_mut();
        let trusted = |state| !matches!(state, State::Stale | State::Halted | State::Closed);
        let symbols = publisher.truth().symbols().filter(|(_, symbol)| trusted(symbol.state));
        let lost: Vec<_> = symbols.map(|(id, s)| (id, s.state, s.state_since)).collect();
        for (symbol, ..) in &lost {
            publisher.vouch(*symbol, State::Stale, clock::now());
        }
        publisher.flush();
        self.lost.extend(lost);
    }
}
