//! One follower: heard once, then told everything in order.
//!
//! **Invariant:** records follow each other without a hole from the place that the last `Truth` or
//! `GoOn` named. A lap, and a truth that was replaced, are answered with another truth.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::bounded;
use handoff::{Batch, Read, Reader};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::Hall;
use crate::catalogue::Listing;
use crate::local::Stream;
use crate::metrics::RelayRefusal;
use crate::relay_frame::{
    self as frame, Delays, Frame, FrameError, GREETING_BYTES, Greeting, Place,
};
use crate::replica::{REPLACED, Replica, ReplicaRequest};

/// Bytes copied out of the ring at a time, and of symbols sent at a time.
const BATCH_BYTES: usize = 64 * 1024;
/// A follower that has nothing to hear hears that, well within the shortest silence it may be set
/// to take for death.
const BEAT: Duration = Duration::from_millis(150);
/// Time for a greeting.
const GREETING_WAIT: Duration = Duration::from_secs(5);
/// A market that has not come for so long is not waited for any longer; who follows comes back.
const REPLICA_WAIT: Duration = Duration::from_secs(10);

/// Why a follower is let go.
#[derive(Debug, Error)]
enum Parted {
    #[error("it said nothing in time")]
    Mute,
    #[error(transparent)]
    Greeting(#[from] FrameError),
    #[error("its ingest.delays_ms is {0}, which has to be the same as here")]
    Delays(Delays),
    #[error("it left")]
    Left,
    #[error("it took nothing for so long as relay.write_timeout_ms says")]
    Slow,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("there is no market yet")]
    NoMarket,
}

/// A follower being served.
struct Follower {
    stream: Box<dyn Stream>,
    hall: Rc<Hall>,
    reader: Reader,
    /// By the ring's writer, and by ingest when it has answered.
    woken: Arc<Notify>,
    batch: Batch,
    out: Vec<u8>,
    /// Among the lags.
    key: usize,
    /// Records before this one are known to the follower, and not sent.
    known: u64,
    listing: Option<Arc<Listing>>,
    beat_at: Instant,
}

/// Serves one connection to its end.
pub(super) async fn serve(stream: Box<dyn Stream>, hall: Rc<Hall>) {
    let woken = Arc::new(Notify::new());
    let waker = Arc::clone(&woken);
    let Ok(reader) = hall.surroundings.ring.subscribe(move || waker.notify_one()) else {
        // Checked by the config; dashboards' shards go first.
        hall.metrics().refused.of(RelayRefusal::Full).inc();
        return;
    };
    let key = hall.lags.borrow_mut().insert(0);
    let mut follower = Follower {
        stream,
        hall,
        reader,
        woken,
        batch: Batch::with_size_max(BATCH_BYTES),
        out: Vec::new(),
        key,
        known: 0,
        listing: None,
        beat_at: Instant::now(),
    };
    follower.hall.note_lag(key, 0);
    let Err(parted) = follower.tell().await;
    let hall = &follower.hall;
    hall.lags.borrow_mut().remove(key);
    hall.note_lag(key, 0);
    let refusal = match parted {
        Parted::Left | Parted::Io(_) | Parted::NoMarket => None,
        Parted::Greeting(FrameError::Version { .. }) => Some(RelayRefusal::Version),
        Parted::Delays(_) => Some(RelayRefusal::Delays),
        Parted::Mute | Parted::Greeting(_) => Some(RelayRefusal::Stranger),
        Parted::Slow => Some(RelayRefusal::Slow),
    };
    if let Some(refusal) = refusal {
        hall.metrics().refused.of(refusal).inc();
    }
    tracing::info!(reason = %parted, "a follower is gone");
}

impl Follower {
    async fn tell(&mut self) -> Result<std::convert::Infallible, Parted> {
        let place = self.greet().await?;
        let is_known = self.seek(place);
        if is_known {
            Frame::GoOn(place).put(&mut self.out);
            tracing::info!(records = place.records, "a follower goes on");
        } else {
            self.tell_truth().await?;
        }
        loop {
            match self.reader.read(&mut self.batch) {
                Read::Records(_) => {
                    if !self.gather() {
                        self.tell_truth().await?;
                    }
                    self.send().await?;
                    self.beat(false).await?;
                }
                Read::Lagged { lost } => {
                    self.hall.metrics().laps.inc();
                    self.hall.metrics().lost_records.add(lost);
                    tracing::warn!(lost, "a follower was lapped by the ring's writer");
                    self.tell_truth().await?;
                }
                Read::Empty => self.rest().await?,
            }
        }
    }

    async fn greet(&mut self) -> Result<Place, Parted> {
        let mut greeting = [0; GREETING_BYTES];
        let reading = self.stream.read_exact(&mut greeting);
        let read = timeout(GREETING_WAIT, reading).await;
        // Whoever it is learns what is spoken here.
        let place = Place { ring: self.hall.ring, ..Place::default() };
        let here = Greeting { place, delays: self.hall.surroundings.delays };
        frame::put_greeting(here, &mut self.out);
        self.send().await?;
        read.map_err(|_| Parted::Mute)?.map_err(|_| Parted::Mute)?;
        let there = frame::greeting(&greeting)?;
        if there.delays != here.delays {
            return Err(Parted::Delays(there.delays));
        }
        Ok(there.place)
    }

    /// Goes to a place that the follower has named; false where that is not possible for sure.
    fn seek(&mut self, place: Place) -> bool {
        if place.ring != self.hall.ring {
            return false;
        }
        let trail = self.hall.trail.borrow();
        let Some(position) = trail.place_before(place.epoch, place.records) else { return false };
        if place.records > self.reader.position().records() {
            return false;
        }
        self.reader.seek(position);
        self.known = place.records;
        true
    }

    /// Makes frames of a batch; false where the truth was replaced.
    fn gather(&mut self) -> bool {
        let position = self.reader.position();
        let first = position.records() - self.batch.len() as u64;
        let mut sent = 0;
        for (number, record) in (first..).zip(&self.batch) {
            if record == REPLACED {
                return false;
            }
            if number >= self.known {
                Frame::Record(record).put(&mut self.out);
                sent += 1;
            }
        }
        self.hall.trail.borrow_mut().note(position);
        self.hall.metrics().records.add(sent);
        true
    }

    /// Sends the truth as of now, and goes on behind it.
    async fn tell_truth(&mut self) -> Result<(), Parted> {
        let Replica { life, truth, position } = self.replica().await?;
        self.hall.metrics().truths.inc();
        self.hall.trail.borrow_mut().begin(life.epoch, position);
        // What was gathered and not sent is part of it.
        self.out.clear();
        let place = Place { epoch: life.epoch, ring: self.hall.ring, records: position.records() };
        Frame::Truth(place, truth.symbol_count() as u32).put(&mut self.out);
        for (_, symbol) in truth.symbols() {
            frame::put_symbol(|out| symbol.encode(out), &mut self.out);
            if self.out.len() >= BATCH_BYTES {
                self.send().await?;
            }
        }
        self.reader.seek(position);
        self.known = 0;
        self.listing = None;
        self.send().await
    }

    /// Asks ingest, until it has a market to speak of.
    async fn replica(&mut self) -> Result<Replica, Parted> {
        let deadline = Instant::now() + REPLICA_WAIT;
        let (reply, answers) = bounded(1);
        let mut is_asked = false;
        while Instant::now() < deadline {
            if !is_asked && self.hall.may_ask() {
                let woken = Arc::clone(&self.woken);
                let wake = Box::new(move || woken.notify_one());
                let request = ReplicaRequest { reply: reply.clone(), wake };
                // Where the desk is full, the next turn asks again.
                is_asked = self.hall.surroundings.desk.try_send(request).is_ok();
            }
            // An error is the beat's turn; a wake-up may be for another reason.
            let _ = timeout_at(self.beat_at, self.woken.notified()).await;
            if let Ok(replica) = answers.try_recv() {
                let is_there = replica.life.epoch != 0 && replica.truth.symbol_count() > 0;
                if is_there && self.hall.are_feeds_there() {
                    return Ok(replica);
                }
                is_asked = false;
                sleep_until(self.beat_at).await;
            }
            self.beat(true).await?;
        }
        Err(Parted::NoMarket)
    }

    /// Waits until there is something to tell, if only that there is nothing.
    async fn rest(&mut self) -> Result<(), Parted> {
        self.send().await?;
        if self.reader.prepare_park() {
            let mut byte = [0];
            tokio::select! {
                () = self.woken.notified() => {}
                () = sleep_until(self.beat_at) => {}
                // A follower says nothing behind its greeting: whatever it is, it is the end.
                _ = self.stream.read(&mut byte) => return Err(Parted::Left),
            }
        }
        self.reader.unpark_done();
        self.beat(true).await
    }

    /// What is due some times a second: how the feeds do, where that has changed, and a sign of
    /// life where nothing else is one.
    async fn beat(&mut self, is_quiet: bool) -> Result<(), Parted> {
        let now = Instant::now();
        if now < self.beat_at && self.listing.is_some() {
            return Ok(());
        }
        self.beat_at = now + BEAT;
        self.hall.note_lag(self.key, self.reader.lag().records);
        let listing = self.hall.surroundings.catalogue.current();
        let is_news = self.listing.as_ref().is_none_or(|told| told.feeds != listing.feeds);
        if is_news {
            Frame::Feeds(listing.feeds.clone()).put(&mut self.out);
        } else if is_quiet {
            Frame::Beat.put(&mut self.out);
        }
        self.listing = Some(listing);
        self.send().await
    }

    /// Gives the socket all that was gathered, piece by piece as it takes it.
    async fn send(&mut self) -> Result<(), Parted> {
        let limit = self.hall.settings.write_timeout;
        let mut rest = &self.out[..];
        while !rest.is_empty() {
            let taken =
                timeout(limit, self.stream.write(rest)).await.map_err(|_| Parted::Slow)??;
            if taken == 0 {
                return Err(Parted::Left);
            }
            rest = &rest[taken..];
            self.hall.metrics().sent_bytes.add(taken as u64);
        }
        self.out.clear();
        Ok(())
    }
}
