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
mod symbol;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fastrand::Rng;

pub use self::arrivals::Burst;
pub use self::symbol::Mix;

use self::arrivals::Arrivals;
use self::market::{GeneratedMarket, Generator};
use crate::error::SimError;
use crate::handle::{Handle, Play, ServerOptions, launch};
use crate::kraken;
use crate::kraken::desk::{Desk, Market};
use crate::net::hub::{Connection, Hub, Venue, bump};
use crate::net::rest::{RestAnswer, RestReply};
use crate::pace::{Pace, Pacer};
use crate::summary::{LatenessMeter, Run};
use crate::truth::Truth;

/// Symbols at most.
pub const SYMBOLS_MAX: usize = 10_000;
/// Ticks a second at most.
pub const RATE_MAX: f64 = 200_000.0;
/// Ticks between two looks at the sockets when many are due.
const BATCH_MAX: usize = 128;

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
            let venue = Rc::new(GeneratedVenue { generator: RefCell::new(generator), hub });
            Play { venue: Rc::clone(&venue) as Rc<dyn Venue>, run: Box::pin(run(self, venue, rng)) }
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

struct GeneratedVenue {
    generator: RefCell<Generator>,
    hub: Rc<Hub>,
}

impl GeneratedVenue {
    fn has_subscriber(&self) -> bool {
        let generator = self.generator.borrow();
        let desk = &generator.desk;
        (0..desk.market.symbol_count()).any(|symbol| desk.has_subscriber(symbol))
    }

    /// `list` picks the desk's set of symbols that the fault waits for.
    fn mark(&self, symbol: &str, list: impl Fn(&mut Desk<GeneratedMarket>, usize)) {
        let desk = &mut self.generator.borrow_mut().desk;
        if let Some(index) = desk.market.find(symbol) {
            list(desk, index);
        }
    }
}

impl Venue for GeneratedVenue {
    fn accepts(&self, path: &str) -> bool {
        path == kraken::PATH
    }

    fn opened(&self, connection: &Rc<Connection>, _: &str) {
        self.generator.borrow_mut().desk.opened(connection);
    }

    fn heard(&self, connection: &Rc<Connection>, text: &[u8]) {
        self.generator.borrow_mut().desk.heard(connection, text);
    }

    fn closed(&self, connection: &Connection) {
        self.generator.borrow_mut().desk.closed(connection);
    }

    fn rest(&self, _: &str, _: &str) -> RestAnswer {
        RestAnswer::Now(RestReply::error(404, -1000, "a generated market is served at /v2 only"))
    }

    fn second_passed(&self) {
        self.generator.borrow_mut().desk.heartbeat(&self.hub.connections());
    }

    fn corrupt_next_checksum(&self, symbol: &str) {
        self.mark(symbol, |desk, index| {
            desk.corrupt.insert(index);
        });
    }

    fn skip_next_update(&self, symbol: &str) {
        self.mark(symbol, |desk, index| {
            desk.skip.insert(index);
        });
    }
}

async fn run(options: Generate, venue: Rc<GeneratedVenue>, mut rng: Rng) -> Run {
    let hub = Rc::clone(&venue.hub);
    let mut meter = LatenessMeter::new();
    venue.generator.borrow_mut().record_start();
    let began_ns = tokio::select! {
        began_ns = begin(&options, &venue) => began_ns,
        () = hub.stopped() => hub.clock.now_ns(),
    };
    tokio::select! {
        () = play(&options, &venue, &mut rng, &mut meter, began_ns) => {}
        () = hub.stopped() => {}
    }
    let elapsed_ns = hub.clock.now_ns() - began_ns;
    hub.publish_progress(meter.max_ns());
    hub.progress.done.store(1, Ordering::Relaxed);
    match options.exit_when_done {
        Some(linger) => {
            let _ = tokio::time::timeout(linger, hub.stopped()).await;
        }
        None => hub.stopped().await,
    }
    let truth = venue.generator.borrow_mut().truth.take();
    let truth = truth.map(|truth| truth.finish(hub.ticks.get()));
    Run { loops: 0, elapsed_ns, lateness: meter.report(), truth }
}

/// Waits for the start condition and the delay; the time at which the market opens.
async fn begin(options: &Generate, venue: &GeneratedVenue) -> u64 {
    while options.wait_for_subscriber && !venue.has_subscriber() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tokio::time::sleep(options.start_delay).await;
    venue.hub.clock.now_ns()
}

async fn play(
    options: &Generate,
    venue: &GeneratedVenue,
    rng: &mut Rng,
    meter: &mut LatenessMeter,
    began_ns: u64,
) {
    let hub = &venue.hub;
    let pacer = Pacer::new(hub.clock, options.pace.resolve(options.rate));
    let mut arrivals = Arrivals::new(options.rate, options.burst, rng);
    let mut start_ns = began_ns;
    let mut next_ns = arrivals.next(rng);
    let ticks_max = options.ticks_max.unwrap_or(u64::MAX);
    while hub.ticks.get() < ticks_max {
        let due_ns = start_ns + next_ns;
        if hub.clock.now_ns() < due_ns {
            pacer.until(due_ns).await;
        }
        if hub.is_paused() {
            let since_ns = hub.clock.now_ns();
            hub.while_paused().await;
            start_ns += hub.clock.now_ns() - since_ns;
        }
        let mut generator = venue.generator.borrow_mut();
        for _ in 0..BATCH_MAX {
            let (due_ns, now_ns) = (start_ns + next_ns, hub.clock.now_ns());
            if due_ns > now_ns || hub.ticks.get() >= ticks_max {
                break;
            }
            generator.tick(due_ns, rng);
            bump(&hub.ticks);
            meter.record(now_ns - due_ns);
            next_ns = arrivals.next(rng);
        }
        drop(generator);
        hub.publish_progress(meter.max_ns());
        tokio::task::yield_now().await;
    }
}
