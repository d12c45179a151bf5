//! The truth about every symbol, folded from ticks.
//!
//! Ingest folds each tick before it publishes it; every shard folds the same ticks into a replica
//! of its own. One code folds for all, so the replicas, their sequences included, cannot drift
//! apart. A shard that was lapped takes a clone of ingest's and goes on from there.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use thiserror::Error;

use crate::{
    Bars, Body, Book, BookSide, Channel, Instrument, Interval, Nanos, Quote, Roller, Stamps, State,
    Statistics, SymbolId, Tape, Tick, Trade,
};

/// Everything known of one symbol.
#[derive(Clone, Debug)]
pub struct Symbol {
    /// Its definition.
    pub instrument: Instrument,
    /// How far its data can be trusted.
    pub state: State,
    /// Since when.
    pub state_since: Nanos,
    /// Best bid and ask; none until the venue named them.
    pub quote: Option<Quote>,
    /// The last 24 hours; none until something traded or the venue said.
    pub statistics: Option<Statistics>,
    /// The book by price.
    pub book: Book,
    /// The latest trades.
    pub tape: Tape,
    /// The latest bars.
    pub bars: Bars,
    /// Stamps of the latest update of each channel.
    stamps: [Stamps; Channel::COUNT],
    /// Sequence of the latest update of each channel; zero before the first.
    sequences: [u64; Channel::COUNT],
    roller: Roller,
    /// The venue sends statistics itself, so trades do not roll them.
    statistics_from_venue: bool,
}

impl Symbol {
    fn new(instrument: Instrument) -> Self {
        Self {
            instrument,
            state: State::Recovering,
            state_since: Nanos::UNKNOWN,
            quote: None,
            statistics: None,
            book: Book::default(),
            tape: Tape::default(),
            bars: Bars::default(),
            stamps: [Stamps::default(); Channel::COUNT],
            sequences: [0; Channel::COUNT],
            roller: Roller::default(),
            statistics_from_venue: false,
        }
    }

    /// Sequence of the latest update; zero before the first.
    pub const fn sequence(&self, channel: Channel) -> u64 {
        self.sequences[channel.index()]
    }

    /// Stamps of the latest update.
    pub const fn stamps(&self, channel: Channel) -> Stamps {
        self.stamps[channel.index()]
    }

    fn advance(&mut self, channel: Channel, stamps: Stamps) {
        self.sequences[channel.index()] += 1;
        self.stamps[channel.index()] = stamps;
    }

    fn fold(&mut self, body: &Body<'_>, stamps: Stamps) {
        self.advance(body.channel(), stamps);
        match body {
            Body::Instrument(instrument) => self.instrument = instrument.clone(),
            Body::State(state) => {
                self.state = *state;
                self.state_since = stamps.recv;
            }
            Body::Quote(quote) => self.quote = Some(*quote),
            Body::Ticker(quote, statistics) => {
                self.quote = Some(*quote);
                self.statistics_from_venue = true;
                if self.statistics.replace(*statistics) != Some(*statistics) {
                    self.advance(Channel::TickerOnTrade, stamps);
                }
            }
            Body::Trade(trade) => self.fold_trade(trade, stamps),
            Body::Book(change) => {
                for side in BookSide::BOTH {
                    change.side(side).iter().for_each(|level| self.book.apply(side, level));
                }
                self.book.truncate(self.instrument.book_levels_max as usize);
            }
        }
    }

    fn fold_trade(&mut self, trade: &Trade, stamps: Stamps) {
        self.tape.push(*trade);
        self.bars.add(trade);
        for interval in Interval::ALL {
            self.advance(Channel::Bars(interval), stamps);
        }
        if !self.statistics_from_venue {
            self.statistics = Some(self.roller.add(trade));
            self.advance(Channel::Ticker, stamps);
            self.advance(Channel::TickerOnTrade, stamps);
        }
    }
}

/// A tick that does not continue what was folded before: a bug of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OutOfStep {
    /// The symbol was never defined.
    #[error("tick of undefined symbol {0:?}")]
    Undefined(SymbolId),
    /// The sequence is not the next one.
    #[error("tick {found} of {symbol:?} {channel:?} where {expected} was due")]
    Sequence {
        /// Whose.
        symbol: SymbolId,
        /// In which channel.
        channel: Channel,
        /// The next number.
        expected: u64,
        /// The number it carried.
        found: u64,
    },
}

/// Every symbol.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    symbols: Vec<Symbol>,
    by_name: FxHashMap<Arc<str>, SymbolId>,
}

impl Truth {
    /// Folds the next tick.
    pub fn apply(&mut self, tick: &Tick<'_>) -> Result<(), OutOfStep> {
        let channel = tick.body.channel();
        let expected = self.next_sequence(tick.symbol, channel);
        if tick.sequence != expected {
            let (symbol, found) = (tick.symbol, tick.sequence);
            return Err(OutOfStep::Sequence { symbol, channel, expected, found });
        }
        if let Body::Instrument(instrument) = &tick.body
            && tick.symbol.index() == self.symbols.len()
        {
            self.by_name.insert(Arc::clone(&instrument.symbol), tick.symbol);
            self.symbols.push(Symbol::new(instrument.clone()));
        }
        let symbol =
            self.symbols.get_mut(tick.symbol.index()).ok_or(OutOfStep::Undefined(tick.symbol))?;
        symbol.fold(&tick.body, tick.stamps);
        Ok(())
    }

    /// The sequence the next update must carry; 1 for what is not there yet.
    pub fn next_sequence(&self, symbol: SymbolId, channel: Channel) -> u64 {
        self.symbols.get(symbol.index()).map_or(0, |s| s.sequence(channel)) + 1
    }

    /// What is known of a symbol.
    pub fn symbol(&self, id: SymbolId) -> Option<&Symbol> {
        self.symbols.get(id.index())
    }

    /// The symbol dashboards call so.
    pub fn find(&self, name: &str) -> Option<SymbolId> {
        self.by_name.get(name).copied()
    }

    /// Every symbol, in order of appearance.
    pub fn symbols(&self) -> impl ExactSizeIterator<Item = (SymbolId, &Symbol)> {
        self.symbols.iter().enumerate().map(|(at, symbol)| (SymbolId(at as u32), symbol))
    }

    /// How many symbols there are; the next one defined gets this number.
    pub fn symbol_count(&self) -> usize {
        self.symbols.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BookChange, Level, Levels, OrderKind, Price, Side, Size, Trading};

    fn instrument(name: &str) -> Instrument {
        Instrument {
            symbol: name.into(),
            venue: "v".into(),
            venue_symbol: name.into(),
            base: "A".into(),
            quote: "B".into(),
            price_precision: 2,
            size_precision: 2,
            price_increment: Price(1),
            size_increment: Size(1),
            size_min: Size(0),
            book_levels_max: 2,
            trading: Trading::Online,
        }
    }

    fn apply(truth: &mut Truth, body: Body<'_>) {
        let symbol = SymbolId(0);
        let sequence = truth.next_sequence(symbol, body.channel());
        let tick = Tick { symbol, sequence, stamps: Stamps::default(), body };
        truth.apply(&tick).expect("in step");
    }

    fn trade(price: i64) -> Trade {
        Trade {
            price: Price(price),
            size: Size(1),
            side: Side::Buy,
            order_kind: OrderKind::Market,
            trade_id: 1,
            ts_event: Nanos(1),
        }
    }

    #[test]
    fn a_trade_advances_every_channel_it_changes() {
        let mut truth = Truth::default();
        apply(&mut truth, Body::Instrument(instrument("A/B")));
        apply(&mut truth, Body::Quote(Quote::default()));
        apply(&mut truth, Body::Trade(trade(100)));
        let symbol = truth.symbol(SymbolId(0)).expect("defined");
        assert_eq!(symbol.sequence(Channel::Ticker), 2);
        assert_eq!(symbol.sequence(Channel::TickerOnTrade), 1);
        assert_eq!(symbol.sequence(Channel::Trade), 1);
        assert_eq!(symbol.sequence(Channel::Bars(Interval::Day1)), 1);
        assert_eq!(symbol.sequence(Channel::Book), 0);
    }

    #[test]
    fn statistics_of_a_venue_are_not_rolled_over() {
        let mut truth = Truth::default();
        apply(&mut truth, Body::Instrument(instrument("A/B")));
        let venue = Statistics { last: Price(5), ..Statistics::default() };
        apply(&mut truth, Body::Ticker(Quote::default(), venue));
        apply(&mut truth, Body::Trade(trade(100)));
        let symbol = truth.symbol(SymbolId(0)).expect("defined");
        assert_eq!(symbol.statistics, Some(venue));
        assert_eq!(symbol.sequence(Channel::Ticker), 1);
    }

    #[test]
    fn a_book_keeps_as_many_levels_as_its_instrument_says() {
        let mut truth = Truth::default();
        apply(&mut truth, Body::Instrument(instrument("A/B")));
        let levels = [1, 2, 3].map(|p| Level { price: Price(p), size: Size(1) });
        let change = BookChange { bids: Levels::new(&levels), asks: Levels::new(&[]) };
        apply(&mut truth, Body::Book(change));
        let book = &truth.symbol(SymbolId(0)).expect("defined").book;
        assert_eq!(book.bids().map(|l| l.price.0).collect::<Vec<_>>(), [3, 2]);
    }

    #[test]
    fn a_skipped_sequence_or_an_undefined_symbol_is_refused() {
        let mut truth = Truth::default();
        let tick = |symbol, sequence, body| Tick {
            symbol: SymbolId(symbol),
            sequence,
            stamps: Stamps::default(),
            body,
        };
        let quote = Body::Quote(Quote::default());
        let undefined = truth.apply(&tick(0, 1, quote.clone()));
        assert_eq!(undefined, Err(OutOfStep::Undefined(SymbolId(0))));
        apply(&mut truth, Body::Instrument(instrument("A/B")));
        let skipped = truth.apply(&tick(0, 2, quote));
        assert!(matches!(skipped, Err(OutOfStep::Sequence { expected: 1, found: 2, .. })));
        assert_eq!(truth.find("A/B"), Some(SymbolId(0)));
    }
}
