//! The truth about every symbol, folded from ticks.
//!
//! Ingest folds each tick before it publishes it; every shard folds the same ticks into a replica
//! of its own. One code folds for all, so the replicas, their sequences included, cannot drift
//! apart. A shard that was lapped takes a clone of ingest's and goes on from there.

mod image;

use std::sync::Arc;

pub use image::image_bytes_max;
use rustc_hash::FxHashMap;
use thiserror::Error;

use crate::{
    Bars, Body, Book, BookSide, Channel, Instrument, Interval, Nanos, Quote, Roller, Stamps, State,
    Statistics, SymbolId, Tape, Tick, Trade, Trading, Twin,
};

/// Everything known of one symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its definition.
    pub instrument: Instrument,
    /// Whose twin it is, if it is one.
    pub twin: Option<Twin>,
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
    pub(crate) stamps: [Stamps; Channel::COUNT],
    /// Sequence of the latest update of each channel; zero before the first.
    pub(crate) sequences: [u64; Channel::COUNT],
    pub(crate) roller: Roller,
    /// The venue sends statistics itself, so trades do not roll them.
    pub(crate) statistics_from_venue: bool,
    /// Its twins, the shortest delay first.
    pub(crate) twins: Vec<(u32, SymbolId)>,
}

impl Symbol {
    pub(crate) fn new(instrument: Instrument) -> Self {
        Self {
            instrument,
            twin: None,
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
            twins: Vec::new(),
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

    /// Whether the venue still lists it.
    pub fn is_listed(&self) -> bool {
        self.instrument.trading != Trading::Delisted && self.state != State::Closed
    }

    fn advance(&mut self, channel: Channel, stamps: Stamps) {
        self.sequences[channel.index()] += 1;
        self.stamps[channel.index()] = stamps;
    }

    /// Takes a state that is not counted; see [`Tick::is_numbered`].
    fn vouch(&mut self, state: State, stamps: Stamps) {
        self.state = state;
        self.state_since = stamps.recv;
    }

    fn fold(&mut self, body: &Body<'_>, stamps: Stamps) {
        self.advance(body.channel(), stamps);
        match body {
            Body::Instrument(instrument) => self.instrument = instrument.clone(),
            Body::Twin(_) => {}
            Body::State(state) => self.vouch(*state, stamps),
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
            Body::Renewal(from) => self.renew(from, stamps.publish),
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

/// Gives an original its twin; none where there is no such original, or it has one of that delay.
fn add_twin(symbols: &mut [Symbol], id: SymbolId, twin: Twin) -> Option<&Symbol> {
    let original = symbols.get_mut(twin.of.index()).filter(|symbol| symbol.twin.is_none())?;
    let found = original.twins.binary_search_by_key(&twin.delay_ms, |(delay_ms, _)| *delay_ms);
    original.twins.insert(found.err()?, (twin.delay_ms, id));
    Some(original)
}

/// Gives a symbol a name that no other has.
fn add_name(
    by_name: &mut FxHashMap<Arc<str>, SymbolId>,
    symbol: SymbolId,
    name: &Arc<str>,
) -> Result<(), OutOfStep> {
    let of = *by_name.entry(Arc::clone(name)).or_insert(symbol);
    if of == symbol {
        Ok(())
    } else {
        Err(OutOfStep::NameTaken { symbol, name: Arc::clone(name), of })
    }
}

/// A name is for good: dashboards know symbols by it, and what is looked up by it is not moved.
fn keeps_name(symbol: SymbolId, known: &Instrument, found: &Instrument) -> Result<(), OutOfStep> {
    if known.symbol == found.symbol {
        return Ok(());
    }
    let (name, found) = (Arc::clone(&known.symbol), Arc::clone(&found.symbol));
    Err(OutOfStep::Renamed { symbol, name, found })
}

/// A tick that does not continue what was folded before: a bug of ours, or, from a relay, a fault of
/// what is followed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OutOfStep {
    /// The symbol was never defined.
    #[error("tick of undefined symbol {0:?}")]
    Undefined(SymbolId),
    /// It is of no original, or its original has one of that delay already.
    #[error("twin {0:?} of no original, or one too many")]
    Twin(SymbolId),
    /// What is renewed is no twin, or stood further already.
    #[error("renewal of {0:?}, which is no twin or stands further")]
    Renewal(SymbolId),
    /// One name, two symbols.
    #[error("definition of {symbol:?} by the name {name:?}, which is that of {of:?}")]
    NameTaken {
        /// The second.
        symbol: SymbolId,
        /// Their name.
        name: Arc<str>,
        /// The first.
        of: SymbolId,
    },
    /// One symbol, two names; of a twin, another name than its original's.
    #[error("definition of {symbol:?}, which is {name:?}, by the name {found:?}")]
    Renamed {
        /// Whose.
        symbol: SymbolId,
        /// What it was called first.
        name: Arc<str>,
        /// What it is called here.
        found: Arc<str>,
    },
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
        if let (Body::State(state), false) = (&tick.body, tick.is_numbered()) {
            let symbol = self.symbols.get_mut(tick.symbol.index());
            symbol.ok_or(OutOfStep::Undefined(tick.symbol))?.vouch(*state, tick.stamps);
            return Ok(());
        }
        let channel = tick.body.channel();
        let expected = self.next_sequence(tick.symbol, channel);
        if tick.sequence != expected {
            let (symbol, found) = (tick.symbol, tick.sequence);
            return Err(OutOfStep::Sequence { symbol, channel, expected, found });
        }
        if tick.symbol.index() == self.symbols.len() {
            self.define(tick.symbol, &tick.body)?;
        }
        let symbol =
            self.symbols.get_mut(tick.symbol.index()).ok_or(OutOfStep::Undefined(tick.symbol))?;
        match &tick.body {
            Body::Instrument(found) => keeps_name(tick.symbol, &symbol.instrument, found)?,
            Body::Renewal(from) => {
                keeps_name(tick.symbol, &symbol.instrument, &from.instrument)?;
                if !symbol.may_be_renewed(from) {
                    return Err(OutOfStep::Renewal(tick.symbol));
                }
            }
            _ => {}
        }
        symbol.fold(&tick.body, tick.stamps);
        Ok(())
    }

    /// A number appears: with a definition, or as a twin.
    #[cold]
    fn define(&mut self, id: SymbolId, body: &Body<'_>) -> Result<(), OutOfStep> {
        match body {
            Body::Instrument(instrument) => {
                add_name(&mut self.by_name, id, &instrument.symbol)?;
                self.symbols.push(Symbol::new(instrument.clone()));
            }
            Body::Twin(twin) => {
                let original = add_twin(&mut self.symbols, id, *twin);
                let original = original.ok_or(OutOfStep::Twin(id))?;
                // What a name means is no news of the market; whether it trades is, and comes when
                // it is old enough.
                let trading = Trading::Maintenance;
                let instrument = Instrument { trading, ..original.instrument.clone() };
                let symbol = Symbol { twin: Some(*twin), ..Symbol::new(instrument) };
                self.symbols.push(symbol);
            }
            _ => {}
        }
        Ok(())
    }

    /// The truth of these symbols, in their order. Refused where two originals have one name, or a
    /// twin is that of no original before it, or has another name, or is the second with its delay.
    pub fn of(mut symbols: Vec<Symbol>) -> Result<Self, OutOfStep> {
        let mut by_name = FxHashMap::default();
        for at in 0..symbols.len() {
            let id = SymbolId(at as u32);
            let (before, rest) = symbols.split_at_mut(at);
            let symbol = &rest[0];
            if let Some(twin) = symbol.twin {
                let original = add_twin(before, id, twin).ok_or(OutOfStep::Twin(id))?;
                keeps_name(id, &original.instrument, &symbol.instrument)?;
            } else {
                add_name(&mut by_name, id, &symbol.instrument.symbol)?;
            }
        }
        Ok(Self { symbols, by_name })
    }

    /// True where `self` can be what came of `older` by further ticks: the same symbols and perhaps
    /// more, and no number that went back.
    pub fn continues(&self, older: &Self) -> bool {
        let is_continued = |(new, old): (&Symbol, &Symbol)| {
            let counts = new.sequences.iter().zip(&old.sequences);
            (&new.instrument.symbol, new.twin) == (&old.instrument.symbol, old.twin)
                && counts.into_iter().all(|(n, o)| n >= o)
        };
        self.symbols.len() >= older.symbols.len()
            && self.symbols.iter().zip(&older.symbols).all(is_continued)
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

    /// The symbol itself, or the one it is a twin of.
    pub fn original(&self, id: SymbolId) -> SymbolId {
        self.symbol(id).and_then(|symbol| symbol.twin).map_or(id, |twin| twin.of)
    }

    /// The twin of an original that is told so much later, or a little more; none where there is no
    /// such twin.
    pub fn delayed(&self, id: SymbolId, delay_ms_min: u32) -> Option<SymbolId> {
        let mut twins = self.symbol(id)?.twins.iter();
        twins.find(|(delay_ms, _)| *delay_ms >= delay_ms_min).map(|(_, id)| *id)
    }

    /// An original and all its twins, the shortest delay first.
    pub fn family(&self, id: SymbolId) -> impl Iterator<Item = SymbolId> + '_ {
        let twins = self.symbol(id).map_or(&[][..], |symbol| &symbol.twins);
        std::iter::once(id).chain(twins.iter().map(|(_, twin)| *twin))
    }

    /// Every symbol that is no twin, in order of appearance.
    pub fn originals(&self) -> impl Iterator<Item = (SymbolId, &Symbol)> {
        self.symbols().filter(|(_, symbol)| symbol.twin.is_none())
    }

    /// Every symbol, in order of appearance, twins included.
    pub fn symbols(&self) -> impl ExactSizeIterator<Item = (SymbolId, &Symbol)> {
        self.symbols.iter().enumerate().map(|(at, symbol)| (SymbolId(at as u32), symbol))
    }

    /// How many symbols there are, twins included; the next one defined gets this number.
    pub fn symbol_count(&self) -> usize {
        self.symbols.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BookChange, Level, Levels, OrderKind, Price, Side, Size};

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

    #[test]
    fn one_name_is_one_symbols_and_one_symbol_has_one_name() {
        let mut truth = Truth::default();
        let mut define = |symbol, sequence, body| {
            let (symbol, stamps) = (SymbolId(symbol), Stamps::default());
            truth.apply(&Tick { symbol, sequence, stamps, body })
        };
        let called = |name| Body::Instrument(instrument(name));
        let renamed = |symbol, found: &str| {
            let (symbol, name) = (SymbolId(symbol), "A/B".into());
            Err(OutOfStep::Renamed { symbol, name, found: found.into() })
        };
        assert_eq!(define(0, 1, called("A/B")), Ok(()));
        let (symbol, of, name) = (SymbolId(1), SymbolId(0), "A/B".into());
        let taken = OutOfStep::NameTaken { symbol, name, of };
        assert!(taken.to_string().contains("A/B"), "{taken}");
        assert_eq!(define(1, 1, called("A/B")), Err(taken.clone()));
        assert_eq!(define(1, 1, called("C/D")), Ok(()), "what was refused left no trace");
        assert_eq!(define(0, 2, called("C/D")), renamed(0, "C/D"));
        assert_eq!(define(0, 2, called("E/F")), renamed(0, "E/F"));
        assert_eq!(define(0, 2, called("A/B")), Ok(()));
        assert_eq!(define(2, 1, Body::Twin(Twin { of: SymbolId(0), delay_ms: 5 })), Ok(()));
        assert_eq!(define(2, 2, called("E/F")), renamed(2, "E/F"));
        let other = Box::new(Symbol::new(instrument("C/D")));
        assert_eq!(define(2, 1, Body::Renewal(other)), renamed(2, "C/D"));
        assert_eq!([truth.find("A/B"), truth.find("C/D")], [0, 1].map(|id| Some(SymbolId(id))));
        assert_eq!(truth.find("E/F"), None);
        let symbol = |id| truth.symbol(SymbolId(id)).expect("defined").clone();
        assert_eq!(Truth::of(vec![symbol(0), symbol(0)]).err(), Some(taken));
        let (original, mut twin) = (Symbol { twins: Vec::new(), ..symbol(0) }, symbol(2));
        twin.instrument.symbol = "E/F".into();
        assert_eq!(Truth::of(vec![original, twin]).err(), renamed(1, "E/F").err());
    }
}
