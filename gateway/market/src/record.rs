//! How a tick lies in the ring: a kind, a fixed head, then the body; all numbers little-endian.
//!
//! Within a process a record that does not parse is a bug of ours and is reported as one, not
//! folded half. Between two (a relay and who follows it) the layout has a version,
//! [`LAYOUT_VERSION`], and what parses is looked at once more, by [`Tick::is_sound`].

use std::sync::Arc;

use thiserror::Error;

use crate::book_change::{LEVEL_BYTES, Levels};
use crate::truth::image_bytes_max;
use crate::{
    Body, BookChange, Instrument, Level, Nanos, OrderKind, Price, Quote, Side, Size, Stamps, State,
    Statistics, SymbolId, Tick, Trade, Trading, Twin,
};

/// Version of the layouts of records and of symbols' images: another number for every change of
/// either, or two gateways of different builds would misread each other. Its bytes are pinned by
/// `tests/layout.rs`.
pub const LAYOUT_VERSION: u32 = 2;

const INSTRUMENT: u8 = 0;
const STATE: u8 = 1;
const QUOTE: u8 = 2;
const TICKER: u8 = 3;
const TRADE: u8 = 4;
const BOOK: u8 = 5;
const TWIN: u8 = 6;
const RENEWAL: u8 = 7;

/// Bytes of a tick's head, and of the two counts in front of a book's levels.
const BOOK_HEAD_BYTES: usize = 1 + 4 + 4 * 8 + 2 * 4;

/// Bytes of the largest record there is: one that replaces a book of `levels` a side by another, so
/// that every old level goes and every new one comes.
pub const fn book_record_bytes_max(levels: usize) -> usize {
    BOOK_HEAD_BYTES + 2 * 2 * levels * LEVEL_BYTES
}

/// Bytes of the largest record that renews a symbol with `levels` a side.
pub const fn renewal_record_bytes_max(levels: usize) -> usize {
    BOOK_HEAD_BYTES + image_bytes_max(levels)
}

/// A record that is not one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("malformed tick record")]
pub struct RecordError;

impl Tick<'_> {
    /// Appends the record.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let kind = match self.body {
            Body::Instrument(_) => INSTRUMENT,
            Body::State(_) => STATE,
            Body::Quote(_) => QUOTE,
            Body::Ticker(..) => TICKER,
            Body::Trade(_) => TRADE,
            Body::Book(_) => BOOK,
            Body::Twin(_) => TWIN,
            Body::Renewal(_) => RENEWAL,
        };
        out.push(kind);
        out.extend_from_slice(&self.symbol.0.to_le_bytes());
        let Stamps { event, recv, publish } = self.stamps;
        for word in [self.sequence, event.0, recv.0, publish.0] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        match &self.body {
            Body::Instrument(instrument) => encode_instrument(instrument, out),
            Body::State(state) => out.push(*state as u8),
            Body::Quote(quote) => encode_quote(quote, out),
            Body::Ticker(quote, statistics) => {
                encode_quote(quote, out);
                encode_statistics(statistics, out);
            }
            Body::Trade(trade) => encode_trade(trade, out),
            Body::Book(change) => {
                for levels in [change.bids, change.asks] {
                    out.extend_from_slice(&(levels.count() as u32).to_le_bytes());
                }
                for level in change.bids.iter().chain(change.asks.iter()) {
                    encode_level(level, out);
                }
            }
            Body::Twin(twin) => encode_twin(*twin, out),
            Body::Renewal(symbol) => symbol.encode(out),
        }
    }

    /// Reads a record back.
    pub fn decode(record: &[u8]) -> Result<Tick<'_>, RecordError> {
        let mut fields = Fields(record);
        let kind = fields.byte()?;
        let symbol = SymbolId(u32::from_le_bytes(fields.array()?));
        let sequence = fields.word()?;
        let stamps = fields.stamps()?;
        let body = match kind {
            INSTRUMENT => Body::Instrument(fields.instrument()?),
            STATE => Body::State(pick(&State::ALL, fields.byte()?)?),
            QUOTE => Body::Quote(fields.quote()?),
            TICKER => Body::Ticker(fields.quote()?, fields.statistics()?),
            TRADE => Body::Trade(fields.trade()?),
            BOOK => Body::Book(fields.book_change()?),
            TWIN => Body::Twin(fields.twin()?),
            RENEWAL => Body::Renewal(Box::new(fields.symbol(usize::MAX)?)),
            _ => return Err(RecordError),
        };
        if fields.0.is_empty() {
            Ok(Tick { symbol, sequence, stamps, body })
        } else {
            Err(RecordError)
        }
    }
}

pub(crate) fn encode_level(level: Level, out: &mut Vec<u8>) {
    out.extend_from_slice(&level.price.0.to_le_bytes());
    out.extend_from_slice(&level.size.0.to_le_bytes());
}

pub(crate) fn encode_quote(quote: &Quote, out: &mut Vec<u8>) {
    encode_level(quote.bid, out);
    encode_level(quote.ask, out);
}

pub(crate) fn encode_statistics(statistics: &Statistics, out: &mut Vec<u8>) {
    out.extend_from_slice(&statistics.volume.to_le_bytes());
    for price in [
        statistics.last,
        statistics.vwap,
        statistics.low,
        statistics.high,
        statistics.change,
        Price(statistics.change_basis_points),
    ] {
        out.extend_from_slice(&price.0.to_le_bytes());
    }
}

pub(crate) fn encode_trade(trade: &Trade, out: &mut Vec<u8>) {
    encode_level(Level { price: trade.price, size: trade.size }, out);
    out.extend_from_slice(&trade.trade_id.to_le_bytes());
    out.extend_from_slice(&trade.ts_event.0.to_le_bytes());
    out.push(u8::from(trade.side == Side::Sell));
    out.push(u8::from(trade.order_kind == OrderKind::Limit));
}

pub(crate) fn encode_instrument(instrument: &Instrument, out: &mut Vec<u8>) {
    for text in [
        &instrument.symbol,
        &instrument.venue,
        &instrument.venue_symbol,
        &instrument.base,
        &instrument.quote,
    ] {
        out.extend_from_slice(&(text.len() as u32).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    out.push(instrument.price_precision);
    out.push(instrument.size_precision);
    out.push(instrument.trading as u8);
    out.extend_from_slice(&instrument.book_levels_max.to_le_bytes());
    for value in [instrument.price_increment.0, instrument.size_increment.0, instrument.size_min.0]
    {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

pub(crate) fn encode_twin(twin: Twin, out: &mut Vec<u8>) {
    out.extend_from_slice(&twin.of.0.to_le_bytes());
    out.extend_from_slice(&twin.delay_ms.to_le_bytes());
}

/// A byte that says whether it is there, then the value.
pub(crate) fn encode_option<T>(
    value: Option<&T>,
    out: &mut Vec<u8>,
    encode: impl FnOnce(&T, &mut Vec<u8>),
) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        encode(value, out);
    }
}

pub(crate) fn pick<T: Copy>(all: &[T], code: u8) -> Result<T, RecordError> {
    all.get(usize::from(code)).copied().ok_or(RecordError)
}

/// What is left of a record.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(RecordError)?;
        self.0 = tail;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let (head, tail) = self.0.split_first_chunk().ok_or(RecordError)?;
        self.0 = tail;
        Ok(*head)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, RecordError> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn word(&mut self) -> Result<u64, RecordError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn price(&mut self) -> Result<Price, RecordError> {
        self.array().map(i64::from_le_bytes).map(Price)
    }

    fn size(&mut self) -> Result<Size, RecordError> {
        self.array().map(i64::from_le_bytes).map(Size)
    }

    pub(crate) fn level(&mut self) -> Result<Level, RecordError> {
        Ok(Level { price: self.price()?, size: self.size()? })
    }

    pub(crate) fn quote(&mut self) -> Result<Quote, RecordError> {
        Ok(Quote { bid: self.level()?, ask: self.level()? })
    }

    pub(crate) fn statistics(&mut self) -> Result<Statistics, RecordError> {
        Ok(Statistics {
            volume: i128::from_le_bytes(self.array()?),
            last: self.price()?,
            vwap: self.price()?,
            low: self.price()?,
            high: self.price()?,
            change: self.price()?,
            change_basis_points: self.price()?.0,
        })
    }

    pub(crate) fn trade(&mut self) -> Result<Trade, RecordError> {
        Ok(Trade {
            price: self.price()?,
            size: self.size()?,
            trade_id: self.word()?,
            ts_event: Nanos(self.word()?),
            side: pick(&[Side::Buy, Side::Sell], self.byte()?)?,
            order_kind: pick(&[OrderKind::Market, OrderKind::Limit], self.byte()?)?,
        })
    }

    fn book_change(&mut self) -> Result<BookChange<'a>, RecordError> {
        let bid_count = u32::from_le_bytes(self.array()?) as usize;
        let ask_count = u32::from_le_bytes(self.array()?) as usize;
        let bids = self.bytes(bid_count.saturating_mul(LEVEL_BYTES))?;
        let asks = self.bytes(ask_count.saturating_mul(LEVEL_BYTES))?;
        Ok(BookChange { bids: Levels::packed(bids), asks: Levels::packed(asks) })
    }

    pub(crate) fn stamps(&mut self) -> Result<Stamps, RecordError> {
        Ok(Stamps {
            event: Nanos(self.word()?),
            recv: Nanos(self.word()?),
            publish: Nanos(self.word()?),
        })
    }

    /// What [`encode_option`] wrote.
    pub(crate) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, RecordError>,
    ) -> Result<Option<T>, RecordError> {
        if pick(&[false, true], self.byte()?)? { read(self).map(Some) } else { Ok(None) }
    }

    pub(crate) fn twin(&mut self) -> Result<Twin, RecordError> {
        Ok(Twin {
            of: SymbolId(u32::from_le_bytes(self.array()?)),
            delay_ms: u32::from_le_bytes(self.array()?),
        })
    }

    fn text(&mut self) -> Result<Arc<str>, RecordError> {
        let length = u32::from_le_bytes(self.array()?) as usize;
        std::str::from_utf8(self.bytes(length)?).map(Arc::from).map_err(|_| RecordError)
    }

    pub(crate) fn instrument(&mut self) -> Result<Instrument, RecordError> {
        Ok(Instrument {
            symbol: self.text()?,
            venue: self.text()?,
            venue_symbol: self.text()?,
            base: self.text()?,
            quote: self.text()?,
            price_precision: self.byte()?,
            size_precision: self.byte()?,
            trading: pick(&Trading::ALL, self.byte()?)?,
            book_levels_max: u32::from_le_bytes(self.array()?),
            price_increment: self.price()?,
            size_increment: self.size()?,
            size_min: self.size()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bodies() -> Vec<Body<'static>> {
        static LEVELS: [Level; 3] = [
            Level { price: Price(1), size: Size(2) },
            Level { price: Price(-3), size: Size(0) },
            Level { price: Price(i64::MAX), size: Size(i64::MIN) },
        ];
        let quote = Quote { bid: LEVELS[0], ask: LEVELS[2] };
        vec![
            Body::Instrument(Instrument {
                symbol: "BTC/USD".into(),
                venue: "kraken".into(),
                venue_symbol: "".into(),
                base: "BTC".into(),
                quote: "\u{20ac}".into(),
                price_precision: 1,
                size_precision: 8,
                price_increment: Price(1),
                size_increment: Size(1),
                size_min: Size(5000),
                book_levels_max: 1000,
                trading: Trading::PostOnly,
            }),
            Body::State(State::Recovering),
            Body::Quote(quote),
            Body::Ticker(
                quote,
                Statistics { volume: i128::MAX, last: Price(9), ..Statistics::default() },
            ),
            Body::Trade(Trade {
                price: Price(5),
                size: Size(6),
                side: Side::Sell,
                order_kind: OrderKind::Limit,
                trade_id: u64::MAX,
                ts_event: Nanos(8),
            }),
            Body::Book(BookChange { bids: Levels::new(&LEVELS[..1]), asks: Levels::new(&LEVELS) }),
            Body::Book(BookChange { bids: Levels::new(&[]), asks: Levels::new(&[]) }),
            Body::Twin(Twin { of: SymbolId(3), delay_ms: 900_000 }),
        ]
    }

    fn record_of(body: Body<'static>) -> (Tick<'static>, Vec<u8>) {
        let stamps = Stamps { event: Nanos(1), recv: Nanos(2), publish: Nanos(3) };
        let tick = Tick { symbol: SymbolId(7), sequence: 42, stamps, body };
        let mut record = Vec::new();
        tick.encode(&mut record);
        (tick, record)
    }

    #[test]
    fn every_body_survives_the_ring() {
        for body in bodies() {
            let (tick, record) = record_of(body);
            assert_eq!(Tick::decode(&record).as_ref(), Ok(&tick));
        }
    }

    #[test]
    fn no_book_record_is_larger_than_stated() {
        let levels = [Level::default(); 6];
        let change = BookChange { bids: Levels::new(&levels), asks: Levels::new(&levels) };
        let mut record = Vec::new();
        let stamps = Stamps::default();
        let tick = Tick { symbol: SymbolId(0), sequence: 1, stamps, body: Body::Book(change) };
        tick.encode(&mut record);
        assert_eq!(record.len(), book_record_bytes_max(3));
    }

    #[test]
    fn a_cut_record_is_refused() {
        for body in bodies() {
            let (_, record) = record_of(body);
            for cut in 0..record.len() {
                assert_eq!(Tick::decode(&record[..cut]), Err(RecordError), "cut at {cut}");
            }
        }
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Tick::decode(&bytes);
        }
    }
}
