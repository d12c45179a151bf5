//! A twin that lost the way to its original tick by tick goes on from all that was known of it.
//!
//! Part of the fold. **Invariant:** no number of a twin ever goes back.

use crate::channel::Channel;
use crate::{Nanos, Symbol};

impl Symbol {
    /// Only a twin goes on from another symbol, and never to what it has passed.
    pub(crate) fn may_be_renewed(&self, from: &Self) -> bool {
        let own = [Channel::Instrument.index(), Channel::State.index()];
        let mut counts = self.sequences.iter().zip(&from.sequences).enumerate();
        self.twin.is_some() && counts.all(|(at, (old, new))| old <= new || own.contains(&at))
    }

    /// Takes over everything but who it is: the numbers of its definitions and states are its own,
    /// all others go on where those of `from` stand, published now.
    pub(crate) fn renew(&mut self, from: &Self, publish: Nanos) {
        let old = std::mem::replace(self, from.clone());
        for stamps in &mut self.stamps {
            stamps.publish = publish;
        }
        (self.twin, self.twins) = (old.twin, old.twins);
        for channel in [Channel::Instrument, Channel::State] {
            let at = channel.index();
            (self.sequences[at], self.stamps[at]) = (old.sequences[at], old.stamps[at]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Body, BookChange, Instrument, Interval, Level, Levels, OrderKind, Price, Quote,
        RecordError, Side, Size, Stamps, State, Statistics, SymbolId, Tick, Trade, Trading, Truth,
        Twin, renewal_record_bytes_max,
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
