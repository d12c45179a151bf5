//! What is told later: which ticks wait in the line, and what becomes of a symbol that found it
//! full.
//!
//! Owned by the publisher. A full line costs symbols, never time: a symbol whose tick finds no room
//! waits outside from then on, and a mark in the line says that it is stale. When there is room
//! again, all that is known of it goes in at once, and its twins go on from there.
//!
//! **Invariant:** behind a symbol's mark nothing of it is in the line before it is renewed, so a
//! twin never folds a change of a book that it does not hold.

use std::collections::VecDeque;
use std::time::Duration;

use market::{Body, Nanos, Stamps, State, Symbol, SymbolId, Tick};

use super::delay_line::DelayLine;
use crate::metrics::DelayMetrics;

/// Bytes that a mark takes at most, with what may be left out at the end of the line.
pub(crate) const MARK_BYTES: usize = 2 * 64;
/// A line is full again too soon where it is filled up at once: so much of it has to be free.
const FREE_SHARE: usize = 4;

/// The line, and who waits outside.
#[derive(Debug)]
pub(super) struct Delays {
    pub(super) line: DelayLine,
    lengths_ms: Vec<u32>,
    /// Room for a mark of every symbol there may be: a mark is never refused.
    spare: usize,
    /// By number: it waits outside.
    is_outside: Vec<bool>,
    /// Those, first come first.
    outside: VecDeque<SymbolId>,
    /// Reused.
    record: Vec<u8>,
}

impl Delays {
    /// For delays that ascend.
    pub(super) fn new(delays: &[Duration], bytes_max: usize, symbols_max: usize) -> Self {
        Self {
            line: DelayLine::new(bytes_max, delays.iter().map(|delay| delay.as_nanos() as u64)),
            lengths_ms: delays.iter().map(|delay| delay.as_millis() as u32).collect(),
            spare: symbols_max * MARK_BYTES,
            is_outside: Vec::new(),
            outside: VecDeque::new(),
            record: Vec::new(),
        }
    }

    /// Ascending.
    pub(super) fn lengths_ms(&self) -> &[u32] {
        &self.lengths_ms
    }

    /// A symbol is defined that will have ticks.
    pub(super) fn expect(&mut self, symbol: SymbolId) {
        self.is_outside.resize(symbol.index() + 1, false);
    }

    /// Takes a published record in, or sets its symbol outside.
    pub(super) fn keep(
        &mut self,
        symbol: SymbolId,
        record: &[u8],
        now: Nanos,
        metrics: &DelayMetrics,
    ) {
        let Some(is_outside) = self.is_outside.get_mut(symbol.index()) else { return };
        if !*is_outside {
            if self.line.keep(record, now.0, self.spare) {
                return;
            }
            *is_outside = true;
            self.outside.push_back(symbol);
            self.mark(symbol, now);
            metrics.overflows.inc();
        }
        metrics.lost.inc();
    }

    fn mark(&mut self, symbol: SymbolId, now: Nanos) {
        let stamps = Stamps { event: Nanos::UNKNOWN, recv: now, publish: now };
        self.record.clear();
        let body = Body::State(State::Stale);
        Tick { symbol, sequence: 0, stamps, body }.encode(&mut self.record);
        let is_kept = self.line.keep(&self.record, now.0, 0);
        debug_assert!(is_kept, "every symbol's mark has its room");
    }

    /// The symbol that is let in again next, if there is room for any.
    pub(super) fn next_outside(&self) -> Option<SymbolId> {
        let symbol = self.outside.front().copied()?;
        let wanted = self.spare + self.line.capacity() / FREE_SHARE;
        (self.line.free() >= wanted).then_some(symbol)
    }

    /// Lets a symbol in again, as it is now; false where it needs more room still. One that no
    /// record of `record_bytes_max` can hold, or that would not be read back, stays outside for good.
    pub(super) fn renew(
        &mut self,
        id: SymbolId,
        symbol: &Symbol,
        now: Nanos,
        record_bytes_max: usize,
        metrics: &DelayMetrics,
    ) -> bool {
        let stamps = Stamps { event: Nanos::UNKNOWN, recv: now, publish: now };
        self.record.clear();
        let body = Body::Renewal(Box::new(symbol.clone()));
        Tick { symbol: id, sequence: 0, stamps, body }.encode(&mut self.record);
        // Looked at before it is believed when it leaves the line, and by gateways that follow.
        if self.record.len() > record_bytes_max || Tick::decode(&self.record).is_err() {
            self.outside.pop_front();
            let symbol = &*symbol.instrument.symbol;
            tracing::error!(symbol, "too large, or makes too little sense, to be told later");
            return true;
        }
        let is_kept = self.line.keep(&self.record, now.0, self.spare);
        if is_kept {
            self.outside.pop_front();
            self.is_outside[id.index()] = false;
            metrics.renewals.inc();
        }
        is_kept
    }
}
