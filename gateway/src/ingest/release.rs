//! Ticks that are old enough: each is published anew, under the number of its symbol's twin.
//!
//! The other half of the publisher. What leaves the line goes through the same fold and the same
//! ring as everything else, so whoever serves a twin serves a symbol.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use market::{Body, Nanos, Stamps, SymbolId, Tick, Twin};

use super::delays::Delays;
use super::publisher::Publisher;
use crate::clock;

/// How often the line is looked at: what is due waits no longer than that.
const EVERY: Duration = Duration::from_millis(5);
/// Records published between two looks at the venues' sockets: some two milliseconds.
const RECORDS_MAX: usize = 2048;
/// Symbols let in again per look: each may hold a book of thousands of levels.
const RENEWALS_MAX: usize = 4;

/// Publishes what is due, for ever.
pub(super) async fn run(publisher: Rc<RefCell<Publisher>>) {
    loop {
        let is_more = publisher.borrow_mut().release(clock::now());
        if is_more {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(EVERY).await;
        }
    }
}

impl Publisher {
    /// Gives an original its twins.
    pub(super) fn add_twins(&mut self, of: SymbolId, recv: Nanos) {
        let Some(delays) = self.delays.take() else { return };
        for &delay_ms in delays.lengths_ms() {
            let twin = SymbolId(self.truth.symbol_count() as u32);
            let body = Body::Twin(Twin { of, delay_ms });
            let stamps = Stamps { event: Nanos::UNKNOWN, recv, publish: clock::now() };
            let tick = Tick { symbol: twin, sequence: 1, stamps, body };
            self.write(&tick).expect("its original was just defined, without twins");
        }
        self.delays = Some(delays);
    }

    /// Publishes what is old enough, and lets in again what waits outside the line. True when there
    /// is more to do at once.
    pub fn release(&mut self, now: Nanos) -> bool {
        let Some(mut delays) = self.delays.take() else { return false };
        let mut count = 0;
        for delay in 0..delays.lengths_ms().len() {
            while count < RECORDS_MAX
                && let Some(record) = delays.line.due(delay, now.0)
            {
                let tick = Tick::decode(record).expect("the ring took this record");
                let twin = self.truth.delayed(tick.symbol, delays.lengths_ms()[delay]);
                self.publish_later(twin.expect("every original has its twins"), tick, now);
                delays.line.pass(delay);
                count += 1;
            }
        }
        let renewed_count = self.renew(&mut delays);
        self.flush();
        let metrics = &self.metrics.ingest.delay;
        metrics.bytes.set(delays.line.held() as u64);
        metrics.oldest_at_ns.set(delays.line.oldest().unwrap_or(0));
        self.delays = Some(delays);
        count >= RECORDS_MAX || renewed_count == RENEWALS_MAX
    }

    /// Publishes an original's tick as its twin's. A definition or state that says nothing new is
    /// left out: a renewal may have brought it already.
    fn publish_later(&mut self, twin: SymbolId, tick: Tick<'_>, now: Nanos) {
        let symbol = self.symbol(twin);
        let says_nothing = match &tick.body {
            Body::Instrument(instrument) => *instrument == symbol.instrument,
            Body::State(state) => *state == symbol.state,
            _ => false,
        };
        if says_nothing {
            return;
        }
        if let Body::Renewal(from) = &tick.body
            && from.instrument != symbol.instrument
        {
            let body = Body::Instrument(from.instrument.clone());
            self.write_later(twin, Tick { symbol: twin, body, ..tick }, now);
        }
        self.write_later(twin, tick, now);
    }

    fn write_later(&mut self, twin: SymbolId, tick: Tick<'_>, now: Nanos) {
        let sequence = self.truth.next_sequence(twin, tick.body.channel());
        let stamps = Stamps { publish: now, ..tick.stamps };
        self.listing_changed |= matches!(tick.body, Body::Instrument(_));
        let tick = Tick { symbol: twin, sequence, stamps, body: tick.body };
        self.write(&tick).expect("a twin is behind its original, and the sequence is its own");
        self.metrics.ingest.delay.released.inc();
    }

    /// Lets symbols in again as far as there is room; returns how many were
    /// looked at and need not be again.
    fn renew(&self, delays: &mut Delays) -> usize {
        let (now, record_bytes_max) = (clock::now(), self.ring.record_size_max());
        let metrics = &self.metrics.ingest.delay;
        let mut count = 0;
        while count < RENEWALS_MAX
            && let Some(id) = delays.next_outside()
            && let Some(symbol) = self.truth.symbol(id)
            && delays.renew(id, symbol, now, record_bytes_max, metrics)
        {
            count += 1;
        }
        count
    }
}
