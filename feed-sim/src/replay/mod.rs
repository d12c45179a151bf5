//! Recorded files played as the venue that they were recorded at, in their rhythm.
//!
//! Binance at `/spot/stream` and `/usdm/stream` with REST depth beside them, Kraken at `/v2`.
//! Invariant: every recorded message is sent once, in order; one that is late is sent late.

mod binance;
mod book;
mod kraken;
mod load;
mod message;
mod run;
mod stamp;
mod truth;
mod venue;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use self::load::{Tape, Venue};
use self::venue::ReplayVenue;
use crate::error::SimError;
use crate::handle::{Handle, Play, ServerOptions, launch};
use crate::net::hub;
use crate::pace::Pace;
use crate::truth::Truth;

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// Recorded time divided by this; 1 is as recorded.
    Factor(f64),
    /// As fast as the slowest connection takes it.
    Max,
}

/// When a recording begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// When each recorded market has a subscriber.
    #[default]
    AllSubscribed,
    /// At once.
    Now,
}

/// Recordings to replay. Files are checked whole before anything is served.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Binance spot combined-stream recordings.
    pub binance_spot: Vec<PathBuf>,
    /// Binance USD-M combined-stream recordings.
    pub binance_usdm: Vec<PathBuf>,
    /// Kraken v2 book recordings.
    pub kraken: Vec<PathBuf>,
    /// How fast.
    pub speed: Speed,
    /// Begin anew at the end; all connections are closed in between.
    pub repeat: bool,
    /// When to begin.
    pub start: Start,
    /// Wait this long after the start condition.
    pub start_delay: Duration,
    /// Replace event times by the intended send time.
    pub restamp: bool,
    /// End, after this linger, when all is played; otherwise keep serving snapshots.
    pub exit_when_done: Option<Duration>,
    /// How exactly to wait for the next message.
    pub pace: Pace,
    /// Write the ground truth to this file.
    pub truth: Option<PathBuf>,
    /// Certificate and limits of the sockets.
    pub server: ServerOptions,
}

impl Default for Replay {
    fn default() -> Self {
        Self {
            binance_spot: Vec::new(),
            binance_usdm: Vec::new(),
            kraken: Vec::new(),
            speed: Speed::Factor(1.0),
            repeat: false,
            start: Start::AllSubscribed,
            start_delay: Duration::from_millis(200),
            restamp: false,
            exit_when_done: None,
            pace: Pace::Auto,
            truth: None,
            server: ServerOptions::default(),
        }
    }
}

impl Replay {
    /// Starts on a thread of its own; port 0 picks a free one.
    pub async fn start(self, addr: SocketAddr) -> Result<Handle, SimError> {
        let started = tokio::task::spawn_blocking(move || self.start_thread(addr)).await;
        started.unwrap_or(Err(SimError::ThreadLost))
    }

    /// As [`Replay::start`], for callers without a runtime.
    pub fn start_thread(self, addr: SocketAddr) -> Result<Handle, SimError> {
        if let Speed::Factor(factor) = self.speed
            && !(factor.is_finite() && factor > 0.0)
        {
            return Err(SimError::option("--speed", "must be above 0, or 0 or max for no limit"));
        }
        let files: Vec<_> = [
            (Venue::BinanceSpot, &self.binance_spot),
            (Venue::BinanceUsdm, &self.binance_usdm),
            (Venue::Kraken, &self.kraken),
        ]
        .into_iter()
        .flat_map(|(venue, paths)| paths.iter().map(move |path| (venue, path.clone())))
        .collect();
        let tape = Tape::load(&files)?;
        if tape.lines.is_empty() {
            return Err(SimError::option("replay", "no recorded message to play: name a file"));
        }
        let truth = self.truth.as_deref().map(Truth::create).transpose()?;
        let server = self.server.clone();
        launch(addr, &server, move |hub| {
            let venue = Rc::new(ReplayVenue::new(hub, tape, self.restamp, truth));
            let run = Box::pin(run::run(self, Rc::clone(&venue)));
            Play { venue: venue as Rc<dyn hub::Venue>, run }
        })
    }
}
