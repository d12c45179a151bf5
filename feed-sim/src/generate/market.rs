//! All symbols of a generated market, behind the desk and in front of the truth.
//!
//! Owned by the sim thread. Invariant: what is published, what snapshots show and what the truth
//! says come from the same state at the same moment.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::arrivals::Zipf;
use super::book::{Named, Op, Side};
use super::encode;
use super::names::{Instrument, instruments};
use super::symbol::{Mix, Outcome, Symbol};
use crate::kraken::DEPTHS;
use crate::kraken::checksum::{self, Checksum};
use crate::kraken::desk::{Desk, Market};
use crate::kraken::instrument::{Pair, write_snapshot};
use crate::kraken::request::Interest;
use crate::truth::Truth;

/// Positions in `Symbol::sequences`.
const TRADE: usize = 0;
const TICKER: usize = 1;
const BOOK: usize = 2;
/// A gap begins this near to the top: one more insertion does not push it out of the checksum.
const GAP_INDEX_MAX: usize = 5;
/// The book lists, shallowest first.
const BOOKS: [Interest; DEPTHS.len()] =
    [Interest::Book(0), Interest::Book(1), Interest::Book(2), Interest::Book(3), Interest::Book(4)];

/// The generated symbols.
#[derive(Debug)]
pub(crate) struct GeneratedMarket {
    pub(crate) instruments: Vec<Instrument>,
    pub(crate) symbols: Vec<Symbol>,
    by_name: BTreeMap<String, usize>,
    checksum: Checksum,
}

impl GeneratedMarket {
    pub(crate) fn new(count: usize, levels_max: usize, ts_ns: u64, rng: &mut Rng) -> Self {
        let instruments = instruments(count, rng);
        let symbols = instruments
            .iter()
            .map(|instrument| Symbol::new(instrument, levels_max, ts_ns, rng))
            .collect();
        let by_name = instruments
            .iter()
            .enumerate()
            .map(|(index, instrument)| (instrument.symbol.clone(), index))
            .collect();
        Self { instruments, symbols, by_name, checksum: Checksum::default() }
    }

    fn checksum(&mut self, symbol: usize) -> u32 {
        let sum = self.checksum.begin();
        for side in [Side::Ask, Side::Bid] {
            for level in self.symbols[symbol].book.top(side, checksum::LEVELS) {
                sum.add_mantissa(level.price);
                sum.add_mantissa(level.qty);
            }
        }
        sum.value()
    }
}

impl Market for GeneratedMarket {
    fn find(&self, symbol: &str) -> Option<usize> {
        self.by_name.get(symbol).copied()
    }

    fn symbol_count(&self) -> usize {
        self.symbols.len()
    }

    fn depth_refusal(&self, _: u16) -> Option<String> {
        None
    }

    fn write_instruments(&self, out: &mut Vec<u8>) {
        let pairs = self.instruments.iter().map(|instrument| Pair {
            symbol: &instrument.symbol,
            price_decimals: instrument.price_decimals,
            qty_decimals: instrument.qty_decimals,
            price_increment: instrument.price_increment,
        });
        write_snapshot(out, pairs);
    }

    fn write_snapshot(&mut self, interest: Interest, index: usize, out: &mut Vec<u8>) -> bool {
        let sum = self.checksum(index);
        let (instrument, symbol) = (&self.instruments[index], &self.symbols[index]);
        match interest {
            Interest::TickerOnQuote | Interest::TickerOnTrade => {
                encode::ticker(out, "snapshot", instrument, symbol);
            }
            Interest::Trade => encode::trades(out, "snapshot", instrument, symbol.trades.iter()),
            Interest::Book(depth) => {
                let depth = usize::from(DEPTHS[depth]);
                encode::book_snapshot(out, instrument, symbol, depth, sum);
            }
            Interest::Instrument => return false,
        }
        true
    }
}

/// The market, its chances, and everything that is reused from tick to tick.
#[derive(Debug)]
pub(crate) struct Generator {
    pub(crate) desk: Desk<GeneratedMarket>,
    pub(crate) truth: Option<Truth>,
    zipf: Zipf,
    mix: Mix,
    /// The smallest depth that holds a whole book: what the truth and all deeper depths are told.
    whole_depth: usize,
    ops: Vec<Op>,
    named: Vec<Named>,
    /// The symbol of which updates are being kept back, and the levels those touched.
    gap_symbol: Option<usize>,
    gap: Vec<(Side, i64)>,
}

impl Generator {
    pub(crate) fn new(
        desk: Desk<GeneratedMarket>,
        truth: Option<Truth>,
        zipf_exponent: f64,
        mix: Mix,
        levels_max: usize,
    ) -> Self {
        let zipf = Zipf::new(desk.market.symbol_count(), zipf_exponent);
        let whole =
            DEPTHS.iter().map(|&depth| usize::from(depth)).find(|&depth| depth >= levels_max);
        let whole_depth = whole.unwrap_or(levels_max);
        Self {
            desk,
            truth,
            zipf,
            mix,
            whole_depth,
            ops: Vec::new(),
            named: Vec::new(),
            gap_symbol: None,
            gap: Vec::new(),
        }
    }

    /// Writes the state before the first tick, as sequence 0 of each channel.
    pub(crate) fn record_start(&mut self) {
        let Some(truth) = &mut self.truth else { return };
        for index in 0..self.desk.market.symbol_count() {
            let sum = self.desk.market.checksum(index);
            let market = &self.desk.market;
            let (instrument, symbol) = (&market.instruments[index], &market.symbols[index]);
            if let Some(trade) = symbol.trades.back() {
                truth.line(|out| encode::truth_trade(out, instrument, trade, 0));
            }
            truth.line(|out| encode::truth_ticker(out, instrument, symbol, 0));
            self.named.clear();
            for side in [Side::Bid, Side::Ask] {
                self.named.extend(symbol.book.side(side).iter().map(|&level| (side, level)));
            }
            let levels = &self.named;
            truth.line(|out| {
                encode::truth_book(out, instrument, levels, sum, 0, symbol.ts_ns);
            });
        }
    }

    /// One tick, intended for `due_ns`: moves a symbol, tells its listeners, records the truth.
    pub(crate) fn tick(&mut self, due_ns: u64, rng: &mut Rng) {
        let index = self.zipf.pick(rng);
        let market = &mut self.desk.market;
        let (instrument, symbol) = (&market.instruments[index], &mut market.symbols[index]);
        let outcome = symbol.tick(instrument, self.mix, due_ns, rng, &mut self.ops);
        symbol.sequences[BOOK] += 1;
        symbol.sequences[TRADE] += u64::from(outcome.trade.is_some());
        symbol.sequences[TICKER] += u64::from(outcome.touch_changed);
        self.publish_trade(index, outcome);
        self.publish_book(index, due_ns);
        self.publish_ticker(index, outcome);
    }

    fn publish_trade(&mut self, index: usize, outcome: Outcome) {
        let Some(trade) = outcome.trade else { return };
        self.desk.publish(index, &[Interest::Trade], |market, out| {
            encode::trades(out, "update", &market.instruments[index], [trade].iter());
        });
        if let Some(truth) = &mut self.truth {
            let market = &self.desk.market;
            let seq = market.symbols[index].sequences[TRADE];
            let instrument = &market.instruments[index];
            truth.line(|out| encode::truth_trade(out, instrument, &trade, seq));
        }
    }

    fn publish_ticker(&mut self, index: usize, outcome: Outcome) {
        let interests: &[Interest] = match (outcome.touch_changed, outcome.trade) {
            (true, Some(_)) => &[Interest::TickerOnQuote, Interest::TickerOnTrade],
            (true, None) => &[Interest::TickerOnQuote],
            (false, Some(_)) => &[Interest::TickerOnTrade],
            (false, None) => return,
        };
        self.desk.publish(index, interests, |market, out| {
            encode::ticker(out, "update", &market.instruments[index], &market.symbols[index]);
        });
        if let (Some(truth), true) = (&mut self.truth, outcome.touch_changed) {
            let market = &self.desk.market;
            let (instrument, symbol) = (&market.instruments[index], &market.symbols[index]);
            let seq = symbol.sequences[TICKER];
            truth.line(|out| encode::truth_ticker(out, instrument, symbol, seq));
        }
    }

    fn publish_book(&mut self, index: usize, due_ns: u64) {
        let is_wanted = BOOKS.iter().any(|&book| self.desk.is_wanted(index, book));
        if !is_wanted && self.truth.is_none() {
            return;
        }
        let right = self.desk.market.checksum(index);
        if is_wanted && !self.keeps_back(index) {
            // An update that every depth is told; deeper ones might reach nobody.
            let is_near = self.ops.iter().any(|op| op.index < usize::from(DEPTHS[0]));
            let is_corrupt = is_near && self.desk.corrupt.remove(&index);
            let sent = if is_corrupt { right ^ 1 } else { right };
            self.send_book(index, due_ns, sent);
        }
        if let Some(truth) = &mut self.truth {
            let market = &self.desk.market;
            let (instrument, symbol) = (&market.instruments[index], &market.symbols[index]);
            symbol.book.name_for_depth(self.whole_depth, &self.ops, &mut self.named);
            let seq = symbol.sequences[BOOK];
            let named = &self.named;
            truth.line(|out| encode::truth_book(out, instrument, named, right, seq, due_ns));
        }
    }

    /// Whether this update falls into a gap on purpose. The gap begins with an update near the top
    /// of the book and lasts while updates touch the same levels: the first one sent after it has a
    /// checksum that a client which missed the others cannot reach.
    fn keeps_back(&mut self, index: usize) -> bool {
        if self.desk.skip.contains(&index) {
            if self.ops.iter().all(|op| op.index >= GAP_INDEX_MAX) {
                return false;
            }
            self.desk.skip.remove(&index);
            self.gap.clear();
            self.gap_symbol = Some(index);
        } else if self.gap_symbol != Some(index) {
            return false;
        } else if !self.ops.iter().any(|op| self.gap.contains(&(op.side, op.level.price))) {
            self.gap_symbol = None;
            return false;
        }
        self.gap.extend(self.ops.iter().map(|op| (op.side, op.level.price)));
        true
    }

    /// Depths that hold the whole book share one message; each smaller depth has its own.
    fn send_book(&mut self, index: usize, due_ns: u64, checksum: u32) {
        let whole_from = DEPTHS.iter().position(|&depth| usize::from(depth) >= self.whole_depth);
        let whole_from = whole_from.unwrap_or(DEPTHS.len());
        for first in 0..DEPTHS.len().min(whole_from + 1) {
            let last = if first == whole_from { DEPTHS.len() } else { first + 1 };
            let (depth, interests) = (DEPTHS[first], &BOOKS[first..last]);
            if !interests.iter().any(|&interest| self.desk.is_wanted(index, interest)) {
                continue;
            }
            let book = &self.desk.market.symbols[index].book;
            book.name_for_depth(usize::from(depth), &self.ops, &mut self.named);
            if self.named.is_empty() {
                continue;
            }
            let named = &self.named;
            self.desk.publish(index, interests, |market, out| {
                encode::book_update(out, &market.instruments[index], named, checksum, due_ns);
            });
        }
    }
}
