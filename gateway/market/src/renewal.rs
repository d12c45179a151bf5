//! How everything known of one symbol lies in a record, for who lost the way to it tick by tick.
//!
//! The price: such a record holds the whole book, sixty bars of each interval and a day of rolled
//! statistics, so it is made only where ticks were lost. Reading one allocates.

use crate::bar::BAR_BYTES;
use crate::channel::Channel;
use crate::record::{Fields, RecordError, encode_level, encode_option, encode_quote};
use crate::record::{encode_instrument, encode_statistics, encode_trade, pick};
use crate::statistics::BUCKETS_BYTES_MAX;
use crate::trade::TRADE_BYTES;
use crate::truth::Symbol;
use crate::{
    BAR_HISTORY, Bars, Book, BookSide, Interval, Level, Nanos, Roller, Stamps, State, TAPE_LENGTH,
    Tape,
};

/// Bytes of what has no length of its own: head, quote, statistics, numbers and stamps, counts; and
/// room for an instrument's texts.
const FIXED_BYTES: usize = 1024 + Channel::COUNT * 4 * 8;
/// The five texts of an instrument, which nobody bounds but the venue's message.
const TEXTS_BYTES: usize = 4096;

/// Bytes of the largest record that renews a symbol with `levels` a side.
pub const fn renewal_record_bytes_max(levels: usize) -> usize {
    FIXED_BYTES
        + TEXTS_BYTES
        + 2 * levels * crate::book_change::LEVEL_BYTES
        + TAPE_LENGTH * TRADE_BYTES
        + Interval::ALL.len() * BAR_HISTORY * BAR_BYTES
        + BUCKETS_BYTES_MAX
}

pub(crate) fn encode(symbol: &Symbol, out: &mut Vec<u8>) {
    encode_instrument(&symbol.instrument, out);
    out.push(symbol.state as u8);
    out.extend_from_slice(&symbol.state_since.0.to_le_bytes());
    encode_option(symbol.quote.as_ref(), out, encode_quote);
    encode_option(symbol.statistics.as_ref(), out, encode_statistics);
    out.push(u8::from(symbol.statistics_from_venue));
    for (sequence, Stamps { event, recv, publish }) in symbol.sequences.iter().zip(&symbol.stamps) {
        for word in [*sequence, event.0, recv.0, publish.0] {
            out.extend_from_slice(&word.to_le_bytes());
        }
    }
    for side in BookSide::BOTH {
        let levels = symbol.book.worst_first(side);
        out.extend_from_slice(&(levels.len() as u32).to_le_bytes());
        levels.for_each(|level| encode_level(level, out));
    }
    out.push(symbol.tape.iter().len() as u8);
    symbol.tape.iter().for_each(|trade| encode_trade(trade, out));
    symbol.bars.encode(out);
    symbol.roller.encode(out);
}

pub(crate) fn decode(fields: &mut Fields<'_>) -> Result<Symbol, RecordError> {
    let mut symbol = Symbol::new(fields.instrument()?);
    symbol.state = pick(&State::ALL, fields.byte()?)?;
    symbol.state_since = Nanos(fields.word()?);
    symbol.quote = fields.option(Fields::quote)?;
    symbol.statistics = fields.option(Fields::statistics)?;
    symbol.statistics_from_venue = fields.byte()? != 0;
    for (sequence, stamps) in symbol.sequences.iter_mut().zip(&mut symbol.stamps) {
        *sequence = fields.word()?;
        *stamps = fields.stamps()?;
    }
    symbol.book = book(fields)?;
    let mut tape = Tape::default();
    for _ in 0..fields.byte()? {
        tape.push(fields.trade()?);
    }
    symbol.tape = tape;
    symbol.bars = Bars::decode(fields)?;
    symbol.roller = Roller::decode(fields)?;
    Ok(symbol)
}

fn book(fields: &mut Fields<'_>) -> Result<Book, RecordError> {
    let mut book = Book::default();
    for side in BookSide::BOTH {
        let count = u32::from_le_bytes(fields.array()?);
        for _ in 0..count {
            let level: Level = fields.level()?;
            // Worst first: each goes to the end of its side.
            book.apply(side, level);
        }
    }
    Ok(book)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Body, BookChange, Instrument, Levels, OrderKind, Price, Quote, Side, Size, Statistics,
        SymbolId, Tick, Trade, Trading, Truth, Twin,
    };

    fn apply(truth: &mut Truth, symbol: u32, body: Body<'_>) {
        let symbol = SymbolId(symbol);
        let sequence = truth.next_sequence(symbol, body.channel());
        let stamps = Stamps { event: Nanos(1), recv: Nanos(2), publish: Nanos(3) };
        let tick = Tick { symbol, sequence, stamps, body };
        truth.apply(&tick).expect("in step");
    }

    fn trade(rng: &mut fastrand::Rng) -> Body<'static> {
        Body::Trade(Trade {
            price: Price(rng.i64(1..500)),
            size: Size(rng.i64(1..9)),
            side: Side::Buy,
            order_kind: OrderKind::Limit,
            trade_id: rng.u64(..),
            ts_event: Nanos(rng.u64(..200_000) * 1_000_000_000),
        })
    }

    /// A symbol, its twin, and whatever a venue may say.
    fn busy(seed: u64, count: usize) -> Truth {
        let mut rng = fastrand::Rng::with_seed(seed);
        let instrument = Instrument {
            symbol: "A/B".into(),
            venue: "v".into(),
            venue_symbol: "ab".into(),
            base: "A".into(),
            quote: "\u{20ac}".into(),
            price_precision: 2,
            size_precision: 2,
            price_increment: Price(1),
            size_increment: Size(1),
            size_min: Size(0),
            book_levels_max: 30,
            trading: Trading::PostOnly,
        };
        let mut truth = Truth::default();
        apply(&mut truth, 0, Body::Instrument(instrument));
        apply(&mut truth, 1, Body::Twin(Twin { of: SymbolId(0), delay_ms: 5 }));
        for _ in 0..count {
            let level = Level { price: Price(rng.i64(1..200)), size: Size(rng.i64(0..4)) };
            match rng.u32(..8) {
                0 => apply(&mut truth, 0, Body::State(State::ALL[rng.usize(..5)])),
                1 => apply(&mut truth, 0, Body::Quote(Quote { bid: level, ask: level })),
                2 if seed.is_multiple_of(2) => {
                    let statistics = Statistics { last: level.price, ..Statistics::default() };
                    apply(&mut truth, 0, Body::Ticker(Quote::default(), statistics));
                }
                3..5 => apply(&mut truth, 0, trade(&mut rng)),
                _ => {
                    let levels = [level];
                    let sides = [Levels::new(&levels), Levels::new(&[])];
                    let at = rng.usize(..2);
                    let change = BookChange { bids: sides[at], asks: sides[1 - at] };
                    apply(&mut truth, 0, Body::Book(change));
                }
            }
        }
        truth
    }

    #[test]
    fn what_is_renewed_is_as_the_original_was_and_goes_on_alike() {
        for seed in 0..20 {
            let mut truth = busy(seed, 3000);
            let original = truth.symbol(SymbolId(0)).expect("defined").clone();
            let (mut record, stamps) = (Vec::new(), Stamps::default());
            let body = Body::Renewal(Box::new(original.clone()));
            Tick { symbol: SymbolId(1), sequence: 1, stamps, body }.encode(&mut record);
            assert!(record.len() <= renewal_record_bytes_max(30), "{}", record.len());
            let renewal = Tick::decode(&record).expect("whole");
            truth.apply(&renewal).expect("in step");
            let mut rng = fastrand::Rng::with_seed(seed);
            let body = trade(&mut rng);
            apply(&mut truth, 0, body.clone());
            apply(&mut truth, 1, body);
            let [original, twin] = [0, 1].map(|id| truth.symbol(SymbolId(id)).expect("defined"));
            assert_eq!(original.book, twin.book);
            assert_eq!(original.statistics, twin.statistics, "seed {seed}");
            assert_eq!((original.quote, original.state), (twin.quote, twin.state));
            assert!(original.tape.iter().eq(twin.tape.iter()));
            for interval in Interval::ALL {
                assert!(original.bars.of(interval).eq(twin.bars.of(interval)));
                let channel = Channel::Bars(interval);
                assert_eq!(original.sequence(channel), twin.sequence(channel));
            }
            assert_eq!(original.sequence(Channel::Book), twin.sequence(Channel::Book));
            assert_eq!(twin.sequence(Channel::State), 1, "its own");
            assert_eq!(twin.twin, Some(Twin { of: SymbolId(0), delay_ms: 5 }));
        }
    }

    #[test]
    fn a_cut_record_is_refused() {
        let truth = busy(1, 200);
        let symbol = truth.symbol(SymbolId(0)).expect("defined").clone();
        let (mut record, stamps) = (Vec::new(), Stamps::default());
        let body = Body::Renewal(Box::new(symbol));
        Tick { symbol: SymbolId(1), sequence: 1, stamps, body }.encode(&mut record);
        for cut in 0..record.len() {
            assert_eq!(Tick::decode(&record[..cut]), Err(RecordError), "cut at {cut}");
        }
    }
}
