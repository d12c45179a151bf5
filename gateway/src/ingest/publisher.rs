//! Publishes ticks: numbers them, folds them into ingest's truth and writes them into the ring.
//!
//! Owned by the ingest thread and shared by its feeds. Invariant: the truth is the fold of exactly
//! the records in the ring, so a shard can take a clone of it and read on from the place it was
//! taken at. Nothing is allocated for a tick; a definition of an instrument is.

use std::sync::Arc;
use std::time::Duration;

use handoff::Writer;
use market::{Body, Instrument, Nanos, OutOfStep, Stamps, State, Symbol, SymbolId, Tick, Truth};

use super::delays::Delays;
use crate::clock;
use crate::latency::{Station, Stretch};
use crate::metrics::{Metrics, TickKind, TickRefusal};
use crate::replica::{Life, REPLACED, Replica};

/// The truth and the ring.
pub struct Publisher {
    pub(super) truth: Truth,
    pub(super) ring: Writer,
    life: Life,
    record: Vec<u8>,
    symbols_max: usize,
    /// Those that were defined here; twins are not among them.
    symbol_count: usize,
    /// What is told later; none where nothing is.
    pub(super) delays: Option<Delays>,
    pub(super) listing_changed: bool,
    station: Station,
    pub(super) metrics: Arc<Metrics>,
}

impl Publisher {
    /// Starts a life with no symbols; more than `symbols_max` are refused.
    pub fn new(ring: Writer, symbols_max: usize, metrics: Arc<Metrics>) -> Self {
        let station = metrics.latency.station(Stretch::RecvToPublish);
        Self {
            life: Life::default(),
            truth: Truth::default(),
            ring,
            record: Vec::new(),
            symbols_max,
            symbol_count: 0,
            delays: None,
            listing_changed: true,
            station,
            metrics,
        }
    }

    /// From now on symbols have twins that are told so much later, the shortest delay first,
    /// through a line of `bytes_max`.
    #[must_use]
    pub fn with_delays(mut self, delays: &[Duration], bytes_max: usize) -> Self {
        let kept = || Delays::new(delays, bytes_max, self.symbols_max);
        self.delays = (!delays.is_empty()).then(kept);
        self
    }

    /// Publishes one event of a defined symbol. False, and counted, when the ring cannot hold it.
    pub fn publish(&mut self, symbol: SymbolId, event: Nanos, recv: Nanos, body: Body<'_>) -> bool {
        let sequence = self.truth.next_sequence(symbol, body.channel());
        let stamps = Stamps { event, recv, publish: clock::now() };
        let tick = Tick { symbol, sequence, stamps, body };
        let is_put = self.put(&tick).expect("the symbol is defined and the sequence is its own");
        if let Some(delays) = self.delays.as_mut().filter(|_| is_put) {
            delays.keep(symbol, &self.record, stamps.publish, &self.metrics.ingest.delay);
        }
        is_put
    }

    /// Publishes a tick as another gateway numbered it; only the time of publishing is ours. False,
    /// and counted, when the ring cannot hold it.
    pub fn relay(&mut self, mut tick: Tick<'_>) -> Result<bool, OutOfStep> {
        tick.stamps.publish = clock::now();
        self.put(&tick)
    }

    /// Publishes our own word on how far a symbol can be trusted. It is not numbered: the numbers
    /// are those of the gateway that is followed.
    pub fn vouch(&mut self, symbol: SymbolId, state: State, since: Nanos) {
        let stamps = Stamps { event: Nanos::UNKNOWN, recv: since, publish: clock::now() };
        let tick = Tick { symbol, sequence: 0, stamps, body: Body::State(state) };
        self.put(&tick).expect("the symbol is defined");
    }

    /// Takes over the truth of another gateway. The readers of the ring find out in their place.
    pub fn replace(&mut self, truth: Truth, epoch: u64) {
        if epoch != self.life.epoch || !truth.continues(&self.truth) {
            self.life = Life { epoch, number: self.life.number + 1 };
        }
        self.truth = truth;
        self.ring.append(REPLACED).expect("nothing is smaller");
        self.listing_changed = true;
        for state in State::ALL {
            let count = self.truth.originals().filter(|(_, symbol)| symbol.state == state).count();
            self.metrics.ingest.symbols.of(state).set(count as u64);
        }
    }

    /// Folds, writes and counts a tick. False where the ring cannot hold it.
    fn put(&mut self, tick: &Tick<'_>) -> Result<bool, OutOfStep> {
        let before = self.truth.symbol(tick.symbol).map(|s| (s.state, s.twin.is_some()));
        if !self.write(tick)? {
            return Ok(false);
        }
        self.listing_changed |= matches!(tick.body, Body::Instrument(_) | Body::Twin(_));
        let metrics = &self.metrics.ingest;
        match (&tick.body, before) {
            // What is told later was counted when it was told first.
            (Body::Twin(_), _) | (_, Some((_, true))) => return Ok(true),
            (Body::State(state), Some((before, _))) => {
                metrics.symbols.of(before).dec();
                metrics.symbols.of(*state).inc();
            }
            (Body::Instrument(_), None) => metrics.symbols.of(State::Recovering).inc(),
            _ => {}
        }
        metrics.ticks_published.of(kind_of(&tick.body)).inc();
        let Stamps { recv, publish, .. } = tick.stamps;
        self.station.record_span(recv, publish);
        Ok(true)
    }

    /// Folds a tick and writes it into the ring. False, and counted, when that cannot hold it.
    #[inline]
    pub(super) fn write(&mut self, tick: &Tick<'_>) -> Result<bool, OutOfStep> {
        self.record.clear();
        tick.encode(&mut self.record);
        if self.record.len() > self.ring.record_size_max() {
            self.refuse(TickRefusal::TooLarge);
            return Ok(false);
        }
        self.truth.apply(tick)?;
        self.ring.append(&self.record).expect("its size was checked");
        self.metrics.ingest.ring_bytes.add(self.record.len() as u64);
        Ok(true)
    }

    /// Defines a symbol and publishes its definition; none, and counted, when there are too many or
    /// its name is taken.
    pub fn define(&mut self, instrument: Instrument, recv: Nanos) -> Option<SymbolId> {
        if self.symbol_count >= self.symbols_max {
            self.refuse(TickRefusal::SymbolLimit);
            tracing::warn!(symbol = &*instrument.symbol, "refused: symbols_max is reached");
            return None;
        }
        if self.truth.find(&instrument.symbol).is_some() {
            self.refuse(TickRefusal::NoInstrument);
            let (symbol, feed) = (&*instrument.symbol, &*instrument.venue);
            tracing::warn!(symbol, feed, "refused: the name is taken");
            return None;
        }
        if !self.can_show(&instrument) {
            return None;
        }
        let id = SymbolId(self.truth.symbol_count() as u32);
        if let Some(delays) = &mut self.delays {
            delays.expect(id);
        }
        if !self.publish(id, Nanos::UNKNOWN, recv, Body::Instrument(instrument)) {
            return None;
        }
        self.symbol_count += 1;
        self.add_twins(id, recv);
        Some(id)
    }

    /// Publishes a changed definition.
    pub fn redefine(&mut self, symbol: SymbolId, instrument: Instrument, recv: Nanos) {
        if self.can_show(&instrument) {
            self.publish(symbol, Nanos::UNKNOWN, recv, Body::Instrument(instrument));
        }
    }

    /// False, and counted, for a definition that no follower would take.
    fn can_show(&self, instrument: &Instrument) -> bool {
        let is_sound = market::is_instrument(instrument);
        if !is_sound {
            self.refuse(TickRefusal::NoInstrument);
            let (symbol, feed) = (&*instrument.symbol, &*instrument.venue);
            tracing::warn!(?symbol, feed, "refused: a name is empty, too long or not printable");
        }
        is_sound
    }

    /// Counts an event that is not published.
    pub fn refuse(&self, reason: TickRefusal) {
        self.metrics.ingest.ticks_refused.of(reason).inc();
    }

    /// Shows the readers what was published, and wakes those that sleep.
    pub fn flush(&mut self) {
        self.ring.flush();
    }

    /// Offers the latencies measured so far, about once a second.
    pub fn hand_over(&mut self, now: Nanos) {
        self.station.hand_over(now);
    }

    /// True once after each change of a definition.
    pub fn take_listing_changed(&mut self) -> bool {
        std::mem::take(&mut self.listing_changed)
    }

    /// A copy of everything, and where to read on. It takes as long as the books are large.
    pub fn replica(&mut self) -> Replica {
        self.ring.flush();
        Replica { life: self.life, truth: self.truth.clone(), position: self.ring.position() }
    }

    /// Names the life of the numbering that begins with what was published here.
    pub const fn begin_life(&mut self, epoch: u64) {
        self.life.epoch = epoch;
    }

    /// The life of the numbering.
    pub const fn life(&self) -> Life {
        self.life
    }

    /// The largest record of the ring, in bytes.
    pub fn record_bytes_max(&self) -> usize {
        self.ring.record_size_max()
    }

    /// Everything known.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// What is known of a symbol that was defined here.
    pub(super) fn symbol(&self, id: SymbolId) -> &Symbol {
        self.truth.symbol(id).expect("ids come from `define`")
    }
}

const fn kind_of(body: &Body<'_>) -> TickKind {
    match body {
        Body::Instrument(_) | Body::Twin(_) => TickKind::Instrument,
        Body::State(_) | Body::Renewal(_) => TickKind::State,
        Body::Quote(_) => TickKind::Quote,
        Body::Ticker(..) => TickKind::Statistics,
        Body::Trade(_) => TickKind::Trade,
        Body::Book(_) => TickKind::Book,
    }
}
