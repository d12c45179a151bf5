//! Whether what another process sent may be folded: values that parse and would still do harm.
//!
//! Ingest makes sure of these when it normalises what a venue says. What comes from another gateway
//! is past that, so it is asked for here once more, before it is believed. Values only.

use crate::{Body, BookChange, Instrument, Level, Quote, SCALE_MAX, Statistics, Tick, Trade, Twin};

/// Bytes of a name.
const NAME_BYTES_MAX: usize = 256;
/// Sums beyond this are no market's; below it they can be added to for ever.
const SUM_MAX: u128 = 1 << 112;
/// Price times size of one trade, in units of both: a thousand million such trades can still be
/// added up, and a venue would have to err by many digits to reach it.
pub const TURNOVER_MAX: i128 = 10_i128.pow(29);
/// Numbers beyond this are no count.
const SEQUENCE_MAX: u64 = 1 << 48;

impl Tick<'_> {
    /// False where folding or showing the tick could overflow or mislead.
    pub fn is_sound(&self) -> bool {
        is_count(self.sequence)
            && match &self.body {
                Body::Instrument(instrument) => is_instrument(instrument),
                Body::State(_) => true,
                Body::Quote(quote) => is_quote(quote),
                Body::Ticker(quote, statistics) => is_quote(quote) && is_statistics(statistics),
                Body::Trade(trade) => is_trade(trade),
                Body::Twin(twin) => is_twin(*twin) && self.sequence == 1,
                // Whatever is read back from an image is sound, but for how it is called.
                Body::Renewal(from) => from.twin.is_none() && is_instrument(&from.instrument),
                Body::Book(BookChange { bids, asks }) => {
                    bids.iter().chain(asks.iter()).all(is_level)
                }
            }
    }
}

pub(crate) const fn is_count(sequence: u64) -> bool {
    sequence < SEQUENCE_MAX
}

pub(crate) const fn is_twin(twin: Twin) -> bool {
    twin.delay_ms > 0
}

/// Whether a definition can be shown: names of a bearable length without control characters.
pub fn is_instrument(instrument: &Instrument) -> bool {
    let Instrument { symbol, venue, venue_symbol, base, quote, .. } = instrument;
    let names = [symbol, venue, venue_symbol, base, quote];
    !symbol.is_empty()
        && names.iter().all(|name| name.len() <= NAME_BYTES_MAX)
        && names.iter().all(|name| !name.chars().any(char::is_control))
        && instrument.price_precision <= SCALE_MAX
        && instrument.size_precision <= SCALE_MAX
}

pub(crate) const fn is_level(level: Level) -> bool {
    level.price.0 >= 0 && level.size.0 >= 0
}

pub(crate) const fn is_quote(quote: &Quote) -> bool {
    is_level(quote.bid) && is_level(quote.ask)
}

pub(crate) const fn is_statistics(statistics: &Statistics) -> bool {
    is_sum(statistics.volume)
}

pub(crate) fn is_trade(trade: &Trade) -> bool {
    let turnover = i128::from(trade.price.0) * i128::from(trade.size.0);
    trade.price.0 > 0 && trade.size.0 > 0 && turnover <= TURNOVER_MAX
}

/// Whether a sum can be added to for ever.
pub const fn is_sum(sum: i128) -> bool {
    sum.unsigned_abs() < SUM_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Nanos, OrderKind, Price, Side, Size, Stamps, SymbolId};

    fn trade(price: i64, size: i64) -> Tick<'static> {
        let trade = Trade {
            price: Price(price),
            size: Size(size),
            side: Side::Buy,
            order_kind: OrderKind::Market,
            trade_id: 1,
            ts_event: Nanos(1),
        };
        let (symbol, stamps) = (SymbolId(0), Stamps::default());
        Tick { symbol, sequence: 1, stamps, body: Body::Trade(trade) }
    }

    #[test]
    fn a_trade_that_no_sum_could_hold_is_not_sound() {
        assert!(trade(100, 1).is_sound());
        assert!(!trade(0, 1).is_sound());
        assert!(!trade(-5, -1).is_sound());
        assert!(!trade(i64::MAX, i64::MAX).is_sound());
        assert!(!Tick { sequence: u64::MAX, ..trade(1, 1) }.is_sound());
    }
}
