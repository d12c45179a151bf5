//! A symbol as bytes: everything that is known of it, for a gateway that follows this one, and for a
//! twin that lost the way to it tick by tick.
//!
//! Little-endian like a record of the ring, and of the same version. Sums that follow from their
//! parts are not written but made anew. What is read is believed only as far as it agrees with
//! itself. Whole books, sixty bars of each interval and a day of statistics make it large, so it is
//! made only where ticks are missing. **Invariant:** a symbol that was read back goes on exactly as the one that was written.

use crate::bar::{BAR_BYTES, BAR_HISTORY, Bar};
use crate::book_change::LEVEL_BYTES;
use crate::record::{
    Fields, encode_instrument, encode_level, encode_option, encode_quote, encode_statistics,
    encode_trade, encode_twin, pick,
};
use crate::sound::{
    is_count, is_instrument, is_level, is_quote, is_statistics, is_sum, is_trade, is_twin,
};
use crate::statistics::{BUCKETS_BYTES_MAX, Bucket};
use crate::trade::TRADE_BYTES;
use crate::{
    Book, BookSide, Channel, Interval, Nanos, Price, RecordError, Roller, Stamps, State, Symbol,
    TAPE_LENGTH,
};

/// Bytes of what has no length of its own: quote, statistics, numbers and stamps, counts; and room
/// for an instrument's numbers.
const FIXED_BYTES: usize = 1024 + Channel::COUNT * 4 * 8;
/// The five texts of an instrument, which nobody bounds but the venue's message.
const TEXTS_BYTES: usize = 4096;

/// Bytes of the largest image of a symbol whose book holds `levels` a side.
pub const fn image_bytes_max(levels: usize) -> usize {
    FIXED_BYTES
        + TEXTS_BYTES
        + 2 * levels * LEVEL_BYTES
        + TAPE_LENGTH * TRADE_BYTES
        + Interval::ALL.len() * BAR_HISTORY * BAR_BYTES
        + BUCKETS_BYTES_MAX
}

impl Symbol {
    /// Appends everything known.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode_instrument(&self.instrument, out);
        encode_option(self.twin.as_ref(), out, |twin, out| encode_twin(*twin, out));
        out.push(self.state as u8);
        out.push(u8::from(self.statistics_from_venue));
        put_word(self.state_since.0, out);
        for sequence in self.sequences {
            put_word(sequence, out);
        }
        for Stamps { event, recv, publish } in self.stamps {
            for time in [event, recv, publish] {
                put_word(time.0, out);
            }
        }
        encode_option(self.quote.as_ref(), out, encode_quote);
        encode_option(self.statistics.as_ref(), out, encode_statistics);
        for side in BookSide::BOTH {
            // Worst first: so each one read back is put behind the others.
            let levels = self.book.worst_first(side);
            put_count(levels.len(), out);
            levels.for_each(|level| encode_level(level, out));
        }
        put_count(self.tape.iter().len(), out);
        self.tape.iter().for_each(|trade| encode_trade(trade, out));
        for interval in Interval::ALL {
            let bars = self.bars.of(interval);
            put_count(bars.len(), out);
            bars.for_each(|bar| encode_bar(bar, out));
        }
        put_count(self.roller.buckets().len(), out);
        self.roller.buckets().for_each(|bucket| encode_bucket(bucket, out));
    }

    /// Reads an image. A book of more than `levels_max` levels a side is refused.
    pub fn decode(image: &[u8], levels_max: usize) -> Result<Self, RecordError> {
        let mut fields = Fields(image);
        let symbol = fields.symbol(levels_max)?;
        sound(fields.0.is_empty() && is_instrument(&symbol.instrument))?;
        Ok(symbol)
    }

    /// Numbers that say something came, and something that came, go together.
    fn agrees_with_itself(&self) -> bool {
        let trades = self.sequence(Channel::Trade);
        let are_bars_counted = Interval::ALL.into_iter().all(|interval| {
            let is_there = self.bars.current(interval).is_some();
            self.sequence(Channel::Bars(interval)) == trades && is_there == (trades > 0)
        });
        self.sequence(Channel::Instrument) > 0
            && self.tape.iter().len() as u64 == trades.min(TAPE_LENGTH as u64)
            && are_bars_counted
            && (self.book.is_empty() || self.sequence(Channel::Book) > 0)
            && (self.quote.is_none() || self.sequence(Channel::Ticker) > 0)
            && self.statistics.is_some() == (self.sequence(Channel::TickerOnTrade) > 0)
    }
}

fn sound(is_sound: bool) -> Result<(), RecordError> {
    if is_sound { Ok(()) } else { Err(RecordError) }
}

fn put_word(word: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&word.to_le_bytes());
}

fn put_count(count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&(count as u32).to_le_bytes());
}

fn encode_bar(bar: &Bar, out: &mut Vec<u8>) {
    put_word(bar.begin.0, out);
    for price in [bar.open, bar.high, bar.low, bar.close] {
        out.extend_from_slice(&price.0.to_le_bytes());
    }
    for sum in [bar.volume, bar.turnover] {
        out.extend_from_slice(&sum.to_le_bytes());
    }
    put_word(bar.trade_count, out);
    put_word(bar.ts_event.0, out);
}

fn encode_bucket(bucket: &Bucket, out: &mut Vec<u8>) {
    put_word(bucket.begin, out);
    for price in [bucket.open, bucket.high, bucket.low] {
        out.extend_from_slice(&price.0.to_le_bytes());
    }
    for sum in [bucket.volume, bucket.turnover] {
        out.extend_from_slice(&sum.to_le_bytes());
    }
}

impl Fields<'_> {
    /// A symbol whose values may be folded on; what it is called is looked at by who needs to.
    pub(crate) fn symbol(&mut self, levels_max: usize) -> Result<Symbol, RecordError> {
        let mut symbol = Symbol::new(self.instrument()?);
        let levels = symbol.instrument.book_levels_max as usize;
        sound(levels <= levels_max)?;
        symbol.twin = self.option(Fields::twin)?;
        sound(symbol.twin.is_none_or(is_twin))?;
        symbol.state = pick(&State::ALL, self.byte()?)?;
        symbol.statistics_from_venue = self.flag()?;
        symbol.state_since = Nanos(self.word()?);
        for sequence in &mut symbol.sequences {
            *sequence = self.word()?;
            sound(is_count(*sequence))?;
        }
        for stamps in &mut symbol.stamps {
            *stamps = self.stamps()?;
        }
        symbol.quote = self.option(Fields::quote)?;
        sound(symbol.quote.as_ref().is_none_or(is_quote))?;
        symbol.statistics = self.option(Fields::statistics)?;
        sound(symbol.statistics.as_ref().is_none_or(is_statistics))?;
        symbol.book = self.book(levels)?;
        for _ in 0..self.count(TAPE_LENGTH)? {
            let trade = self.trade()?;
            sound(is_trade(&trade))?;
            symbol.tape.push(trade);
        }
        for interval in Interval::ALL {
            for _ in 0..self.count(BAR_HISTORY)? {
                let bar = self.bar()?;
                sound(symbol.bars.restore(interval, bar))?;
            }
        }
        symbol.roller = self.roller()?;
        sound(symbol.agrees_with_itself())?;
        Ok(symbol)
    }

    fn flag(&mut self) -> Result<bool, RecordError> {
        pick(&[false, true], self.byte()?)
    }

    fn count(&mut self, count_max: usize) -> Result<usize, RecordError> {
        let count = u32::from_le_bytes(self.array()?) as usize;
        if count > count_max { Err(RecordError) } else { Ok(count) }
    }

    fn sum(&mut self) -> Result<i128, RecordError> {
        let sum = i128::from_le_bytes(self.array()?);
        if is_sum(sum) { Ok(sum) } else { Err(RecordError) }
    }

    fn traded_price(&mut self) -> Result<Price, RecordError> {
        let price = self.price()?;
        if price.0 > 0 { Ok(price) } else { Err(RecordError) }
    }

    fn book(&mut self, levels_max: usize) -> Result<Book, RecordError> {
        let mut book = Book::default();
        for side in BookSide::BOTH {
            for _ in 0..self.count(levels_max)? {
                let level = self.level()?;
                let is_next =
                    book.nth(side, 0).is_none_or(|b| side.is_better(level.price, b.price));
                sound(is_next && is_level(level) && level.size.0 > 0)?;
                book.apply(side, level);
            }
        }
        Ok(book)
    }

    fn bar(&mut self) -> Result<Bar, RecordError> {
        Ok(Bar {
            begin: Nanos(self.word()?),
            open: self.traded_price()?,
            high: self.traded_price()?,
            low: self.traded_price()?,
            close: self.traded_price()?,
            volume: self.sum()?,
            turnover: self.sum()?,
            trade_count: self.word().and_then(|count| sound(is_count(count)).map(|()| count))?,
            ts_event: Nanos(self.word()?),
        })
    }

    fn roller(&mut self) -> Result<Roller, RecordError> {
        let mut roller = Roller::default();
        // More than a day of them are refused one by one.
        for _ in 0..self.count(usize::from(u16::MAX))? {
            let bucket = Bucket {
                begin: self.word()?,
                open: self.traded_price()?,
                high: self.traded_price()?,
                low: self.traded_price()?,
                volume: self.sum()?,
                turnover: self.sum()?,
            };
            sound(roller.restore(bucket))?;
        }
        Ok(roller)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Body, BookChange, Instrument, Level, Levels, OrderKind, Quote, Side, Size, Statistics,
        SymbolId, Tick, Trade, Trading, Truth, Twin,
    };

    const LEVELS: usize = 5;

    fn instrument(trading: Trading) -> Instrument {
        Instrument {
            symbol: "A/B".into(),
            venue: "v".into(),
            venue_symbol: "AB".into(),
            base: "A".into(),
            quote: "B".into(),
            price_precision: 2,
            size_precision: 8,
            price_increment: Price(1),
            size_increment: Size(1),
            size_min: Size(0),
            book_levels_max: LEVELS as u32,
            trading,
        }
    }

    /// A tick of a market that runs on by minutes, so that bars and buckets come and go.
    fn step(truth: &mut Truth, rng: &mut fastrand::Rng, time: &mut u64) {
        *time += rng.u64(..400_000_000_000);
        let level = |rng: &mut fastrand::Rng| Level {
            price: Price(rng.i64(1..40)),
            size: Size(rng.i64(0..3)),
        };
        let levels: Vec<Level> = (0..rng.usize(..4)).map(|_| level(rng)).collect();
        let quote = Quote { bid: level(rng), ask: level(rng) };
        let body = match rng.u32(..12) {
            // By the name it has, which a changed image may have changed.
            0 => Body::Instrument(Instrument { trading: Trading::PostOnly, ..known(truth) }),
            1 => Body::State(State::Halted),
            2..5 => Body::Quote(quote),
            5 if rng.u32(..20) == 0 => Body::Ticker(quote, Statistics::default()),
            5..9 => Body::Trade(Trade {
                price: Price(rng.i64(1..1000)),
                size: Size(rng.i64(1..1000)),
                side: Side::Buy,
                order_kind: OrderKind::Limit,
                trade_id: *time,
                ts_event: Nanos(*time),
            }),
            _ => Body::Book(BookChange {
                bids: Levels::new(&levels),
                asks: Levels::new(&levels[..0]),
            }),
        };
        let sequence = truth.next_sequence(SymbolId(0), body.channel());
        let stamps = Stamps { event: Nanos(*time), recv: Nanos(1), publish: Nanos(2) };
        truth.apply(&Tick { symbol: SymbolId(0), sequence, stamps, body }).expect("in step");
    }

    fn known(truth: &Truth) -> Instrument {
        truth.symbol(SymbolId(0)).expect("defined").instrument.clone()
    }

    fn image(truth: &Truth) -> Vec<u8> {
        let mut out = Vec::new();
        truth.symbol(SymbolId(0)).expect("defined").encode(&mut out);
        out
    }

    fn begun() -> Truth {
        let mut truth = Truth::default();
        let body = Body::Instrument(instrument(Trading::Online));
        let stamps = Stamps::default();
        truth.apply(&Tick { symbol: SymbolId(0), sequence: 1, stamps, body }).expect("in step");
        truth
    }

    #[test]
    fn a_symbol_that_was_read_back_goes_on_as_the_one_that_was_written() {
        for seed in 0..40 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut truth, mut time) = (begun(), 1_700_000_000_000_000_000);
            for _ in 0..rng.usize(..800) {
                step(&mut truth, &mut rng, &mut time);
            }
            let bytes = image(&truth);
            assert!(bytes.len() <= image_bytes_max(LEVELS), "{} bytes", bytes.len());
            let symbol = Symbol::decode(&bytes, LEVELS).expect("its own image");
            let mut other = Truth::of(vec![symbol]).expect("one name");
            assert_eq!(image(&other), bytes, "seed {seed}");
            assert!(other.continues(&truth));
            for _ in 0..400 {
                let (mut again, mut same_time) = (rng.clone(), time);
                step(&mut other, &mut again, &mut same_time);
                step(&mut truth, &mut rng, &mut time);
                assert_eq!(image(&other), image(&truth), "seed {seed}");
            }
        }
    }

    #[test]
    fn an_image_that_is_cut_or_too_deep_is_refused() {
        let (mut truth, mut time, mut rng) = (begun(), 1 << 60, fastrand::Rng::with_seed(1));
        (0..100).for_each(|_| step(&mut truth, &mut rng, &mut time));
        let bytes = image(&truth);
        for cut in 0..bytes.len() {
            assert!(Symbol::decode(&bytes[..cut], LEVELS).is_err(), "cut at {cut}");
        }
        assert!(Symbol::decode(&bytes, LEVELS).is_ok());
        assert!(Symbol::decode(&bytes, LEVELS - 1).is_err());
    }

    fn twin_of(original: u32, delay_ms: u32) -> Symbol {
        let mut symbol = begun().symbol(SymbolId(0)).expect("defined").clone();
        symbol.twin = Some(Twin { of: SymbolId(original), delay_ms });
        symbol
    }

    #[test]
    fn twins_are_read_back_with_their_originals_and_impossible_ones_are_refused() {
        let original = begun().symbol(SymbolId(0)).expect("defined").clone();
        let written = [original.clone(), twin_of(0, 9), twin_of(0, 5)];
        let read = written.each_ref().map(|symbol| {
            let mut bytes = Vec::new();
            symbol.encode(&mut bytes);
            Symbol::decode(&bytes, LEVELS).expect("its own image")
        });
        assert_eq!(read, written);
        let truth = Truth::of(read.to_vec()).expect("a family");
        let found = [4, 5, 6, 9, 10].map(|delay_ms| truth.delayed(SymbolId(0), delay_ms));
        assert_eq!(found, [Some(2), Some(2), Some(1), Some(1), None].map(|id| id.map(SymbolId)));
        assert_eq!(truth.find("A/B"), Some(SymbolId(0)));
        assert!(!truth.continues(&Truth::of(vec![original.clone(), twin_of(0, 8)]).expect("too")));
        let no_original = vec![twin_of(0, 5)];
        let before_it = vec![twin_of(1, 5), original.clone()];
        let of_a_twin = vec![original.clone(), twin_of(0, 5), twin_of(1, 5)];
        let two_alike = vec![original.clone(), twin_of(0, 5), twin_of(0, 5)];
        for wrong in [no_original, before_it, of_a_twin, two_alike] {
            assert!(Truth::of(wrong).is_err());
        }
        let mut bytes = Vec::new();
        twin_of(0, 0).encode(&mut bytes);
        assert!(Symbol::decode(&bytes, LEVELS).is_err(), "no delay at all");
    }

    #[test]
    fn a_foreign_twin_or_renewal_that_makes_no_sense_is_refused() {
        let mut truth = begun();
        let mut tick = |symbol, sequence, body| {
            let stamps = Stamps::default();
            let tick = Tick { symbol: SymbolId(symbol), sequence, stamps, body };
            tick.is_sound() && truth.apply(&tick).is_ok()
        };
        let twin = |of, delay_ms| Body::Twin(Twin { of: SymbolId(of), delay_ms });
        let original = begun().symbol(SymbolId(0)).expect("defined").clone();
        let renewal = |symbol: &Symbol| Body::Renewal(Box::new(symbol.clone()));
        assert!(!tick(1, 1, twin(0, 0)), "no delay");
        assert!(!tick(1, 1, twin(7, 5)), "of nobody");
        assert!(!tick(1, 1, twin(1, 5)), "of itself");
        assert!(tick(1, 1, twin(0, 5)));
        assert!(!tick(1, 2, twin(0, 6)), "it is one already");
        assert!(!tick(2, 1, twin(0, 5)), "there is one");
        assert!(!tick(2, 1, twin(1, 5)), "of a twin");
        assert!(!tick(0, 1, renewal(&original)), "of an original");
        assert!(!tick(1, 1, renewal(&twin_of(0, 5))), "from a twin");
        let mut further = original.clone();
        further.sequences[Channel::Book.index()] = 9;
        assert!(tick(1, 1, renewal(&further)));
        assert!(!tick(1, 2, renewal(&original)), "back");
    }

    #[test]
    fn what_stands_at_a_lower_number_or_another_name_does_not_continue() {
        let (older, mut truth) = (begun(), begun());
        step(&mut truth, &mut fastrand::Rng::with_seed(5), &mut 0);
        assert!(truth.continues(&older) && truth.continues(&Truth::default()));
        assert!(!older.continues(&truth) && !Truth::default().continues(&older));
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = Symbol::decode(&bytes, LEVELS);
        }

        /// What is still taken can be folded on.
        #[test]
        fn an_image_with_bytes_changed_never_panics(
            changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4),
            seed in 0_u64..1000,
        ) {
            let (mut truth, mut time) = (begun(), 1_700_000_000_000_000_000);
            let mut rng = fastrand::Rng::with_seed(seed);
            (0..60).for_each(|_| step(&mut truth, &mut rng, &mut time));
            let mut bytes = image(&truth);
            for (at, byte) in changes {
                let length = bytes.len();
                bytes[at % length] = byte;
            }
            if let Ok(symbol) = Symbol::decode(&bytes, LEVELS) {
                let mut truth = Truth::of(vec![symbol]).expect("one name");
                (0..60).for_each(|_| step(&mut truth, &mut rng, &mut time));
            }
        }
    }
}
