//! A seeded market that nobody trades: many symbols, right books, at any rate up to 200,000 ticks
//! a second, spoken in the Kraken v2 venue dialect at `/v2`.
//!
//! A tick is one market event of one symbol. It always changes the book; it also changes the quote
//! when it happens at the touch (trades and quote changes), and is told as a trade when it is one.
//! Invariant: the same options and seed make the same market, whatever the timing.

mod arrivals;
mod book;
mod encode;
mod market;
mod names;
mod run;
mod symbol;
mod venue;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;

pub use self::arrivals::Burst;
pub use self::symbol::Mix;

use self::market::{GeneratedMarket, Generator};
use self::venue::GeneratedVenue;
use crate::error::SimError;
use crate::handle::{Handle, Play, ServerOptions, launch};
use crate::kraken::desk::Desk;
use crate::pace::Pace;
use crate::truth::Truth;

/// Symbols at most.
pub const SYMBOLS_MAX: usize = 10_000;
/// Ticks a second at most.
pub const RATE_MAX: f64 = 200_000.0;
/// Levels of each side over all books at most: 64 MB.
const LEVELS_TOTAL_MAX: usize = 2_000_000;

/// A market to generate. Every field has a default: 500 symbols, 2,000 ticks a second.
#[derive(Clone, Debug)]
pub struct Generate {
    /// Symbols, 1 to [`SYMBOLS_MAX`].
    pub symbols: usize,
    /// Mean ticks a second over all symbols, above 0 and at most [`RATE_MAX`].
    pub rate: f64,
    /// Exponent of Zipf's law: 0 makes all symbols alike, 1 the first the busiest.
    pub zipf: f64,
    /// Levels of each side of each book, 10 to 1000.
    pub levels: usize,
    /// Bursts on top of the steady ticks.
    pub burst: Option<Burst>,
    /// How often each kind of tick occurs.
    pub mix: Mix,
    /// The same seed makes the same market.
    pub seed: u64,
    /// Begin at the first subscription instead of at once.
    pub wait_for_subscriber: bool,
    /// Wait this long after the start condition.
    pub start_delay: Duration,
    /// Stop ticking after so many ticks.
    pub ticks_max: Option<u64>,
    /// End, after this linger, when all ticks are sent; otherwise keep serving.
    pub exit_when_done: Option<Duration>,
    /// How exactly to wait for the next tick.
    pub pace: Pace,
    /// Write the ground truth to this file.
    pub truth: Option<PathBuf>,
    /// Certificate and limits of the sockets.
    pub server: ServerOptions,
}

impl Default for Generate {
    fn default() -> Self {
        Self {
            symbols: 500,
            rate: 2_000.0,
            zipf: 1.0,
            levels: 25,
            burst: None,
            mix: Mix::default(),
            seed: 1,
            wait_for_subscriber: false,
            start_delay: Duration::ZERO,
            ticks_max: None,
            exit_when_done: None,
            pace: Pace::Auto,
            truth: None,
            server: ServerOptions::default(),
        }
    }
}

impl Generate {
    /// Starts on a thread of its own; port 0 picks a free one.
    pub async fn start(self, addr: SocketAddr) -> Result<Handle, SimError> {
        let started = tokio::task::spawn_blocking(move || self.start_thread(addr)).await;
        started.unwrap_or(Err(SimError::ThreadLost))
    }

    /// As [`Generate::start`], for callers without a runtime.
    pub fn start_thread(self, addr: SocketAddr) -> Result<Handle, SimError> {
        self.check()?;
        let truth = self.truth.as_deref().map(Truth::create).transpose()?;
        let server = self.server.clone();
        launch(addr, &server, move |hub| {
            let mut rng = Rng::with_seed(self.seed);
            let now_ns = hub.clock.now_ns();
            let market = GeneratedMarket::new(self.symbols, self.levels, now_ns, &mut rng);
            let desk = Desk::new(market, Rc::clone(&hub));
            let generator = Generator::new(desk, truth, self.zipf, self.mix, self.levels);
            let venue = Rc::new(GeneratedVenue::new(generator, hub));
            let run = Box::pin(run::run(self, Rc::clone(&venue), rng));
            Play { venue, run }
        })
    }

    fn check(&self) -> Result<(), SimError> {
        if !(1..=SYMBOLS_MAX).contains(&self.symbols) {
            return Err(SimError::option("--symbols", format!("must be 1 to {SYMBOLS_MAX}")));
        }
        if !(self.rate > 0.0 && self.rate <= RATE_MAX) {
            return Err(SimError::option("--rate", format!("must be above 0, at most {RATE_MAX}")));
        }
        if !(10..=1000).contains(&self.levels) {
            return Err(SimError::option("--levels", "must be 10 to 1000"));
        }
        if self.symbols * self.levels > LEVELS_TOTAL_MAX {
            let reason = format!("symbols times levels must be at most {LEVELS_TOTAL_MAX}");
            return Err(SimError::option("--levels", reason));
        }
        if !(0.0..=4.0).contains(&self.zipf) {
            return Err(SimError::option("--zipf", "must be 0 to 4"));
        }
        if self.burst.is_some_and(|burst| burst.count == 0 || burst.every_ms == 0) {
            return Err(SimError::option("--burst", "count and interval must be above 0"));
        }
        let weights = [self.mix.trade, self.mix.quote, self.mix.book];
        if !(1..=1_000_000).contains(&weights.iter().map(|&weight| u64::from(weight)).sum::<u64>())
        {
            return Err(SimError::option("--mix", "the weights must sum to 1 to 1,000,000"));
        }
        Ok(())
    }
}
