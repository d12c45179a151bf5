//! Kraken's public WebSocket API v2.
//!
//! Its numbers are bare JSON numbers whose text the book checksum covers, so they are read as text
//! (see `json`). One message can hold several items; a bad one does not cost the others, and
//! the first reason is returned. Field meanings: docs.kraken.com,
//! exchange/api-reference/spot-websocket-v2.

use market::{Nanos, OrderKind, Side, Trading};

use crate::DecodeError;
use crate::DecodeError::{BadNumber, BadValue, Missing, UnknownShape};
use crate::document::{Document, Value};
use crate::event::{
    Ack, BookDelta, BookSnapshot, Event, Ignored, Instrument, Level, Levels, Ticker, Trade,
};

/// Decodes messages of this dialect.
pub struct Kraken {
    document: Document,
    levels: Levels,
}

impl Kraken {
    /// A larger message than `message_bytes_max` is refused unread.
    pub fn new(message_bytes_max: usize) -> Self {
        Self { document: Document::new(message_bytes_max), levels: Levels::default() }
    }

    /// Hands every event of one message to `sink`, in order.
    pub fn decode(
        &mut self,
        message: &[u8],
        mut sink: impl FnMut(Event<'_>),
    ) -> Result<(), DecodeError> {
        let levels = &mut self.levels;
        self.document.read(message, |root| decode_root(root, levels, &mut sink))
    }
}

fn decode_root(
    root: Value<'_>,
    levels: &mut Levels,
    sink: &mut impl FnMut(Event<'_>),
) -> Result<(), DecodeError> {
    let (mut channel, mut kind, mut data, mut method) = (None, None, None, None);
    for (key, value) in root.entries().ok_or(UnknownShape)? {
        match key {
            b"channel" => channel = value.text(),
            b"type" => kind = value.text(),
            b"data" => data = Some(value),
            b"method" => method = value.text(),
            _ => {}
        }
    }
    let Some(channel) = channel else {
        return match method {
            Some("pong") => {
                sink(Event::Pong);
                Ok(())
            }
            Some(method) => {
                sink(Event::Ack(ack(root, method)));
                Ok(())
            }
            None => {
                root.field("error").ok_or(UnknownShape)?;
                sink(Event::Ack(ack(root, "")));
                Ok(())
            }
        };
    };
    let whole = kind == Some("snapshot");
    match channel {
        "heartbeat" => {
            sink(Event::Heartbeat);
            Ok(())
        }
        "ticker" => each(data, |item| decode_ticker(item, sink)),
        "trade" => each(data, |item| decode_trade(item, sink)),
        "book" => each(data, |item| decode_book(item, whole, levels, sink)),
        "instrument" => {
            let pairs = data.ok_or(Missing("data"))?.field("pairs");
            each(pairs.or(data.filter(|d| d.items().is_some())), |i| decode_instrument(i, sink))
        }
        "status" => each(data, |item| {
            let system = required(item, "system")?.text().ok_or(BadValue("system"))?;
            sink(Event::Status { system });
            Ok(())
        }),
        _ => {
            sink(Event::Ignored(Ignored::Channel));
            Ok(())
        }
    }
}

/// Reads every item, and returns the first reason one was refused.
fn each<'d>(
    data: Option<Value<'d>>,
    mut read: impl FnMut(Value<'d>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let items = data.ok_or(Missing("data"))?.items().ok_or(BadValue("data"))?;
    let mut first = Ok(());
    for item in items {
        first = first.and(read(item));
    }
    first
}

fn required<'d>(item: Value<'d>, name: &'static str) -> Result<Value<'d>, DecodeError> {
    item.field(name).ok_or(Missing(name))
}

fn decode_ticker(item: Value<'_>, sink: &mut impl FnMut(Event<'_>)) -> Result<(), DecodeError> {
    let mut symbol = None;
    let (mut bid, mut bid_size, mut ask, mut ask_size) = (None, None, None, None);
    let mut ticker = Ticker {
        symbol: "",
        bid: Level::default(),
        ask: Level::default(),
        last: None,
        volume: None,
        vwap: None,
        low: None,
        high: None,
        change: None,
        change_pct: None,
        ts_event: Nanos::UNKNOWN,
    };
    for (key, value) in item.entries().ok_or(BadValue("data"))? {
        if value.is_null() {
            continue;
        }
        match key {
            b"symbol" => symbol = value.text(),
            b"bid" => bid = Some(value.amount("bid")?),
            b"bid_qty" => bid_size = Some(value.amount("bid_qty")?),
            b"ask" => ask = Some(value.amount("ask")?),
            b"ask_qty" => ask_size = Some(value.amount("ask_qty")?),
            // A figure that cannot be read costs the statistics, not the quote.
            b"last" => ticker.last = value.amount("last").ok(),
            b"volume" => ticker.volume = value.amount("volume").ok(),
            b"vwap" => ticker.vwap = value.amount("vwap").ok(),
            b"low" => ticker.low = value.amount("low").ok(),
            b"high" => ticker.high = value.amount("high").ok(),
            b"change" => ticker.change = value.decimal("change").ok(),
            b"change_pct" => ticker.change_pct = value.decimal("change_pct").ok(),
            b"timestamp" => ticker.ts_event = value.time("timestamp")?,
            _ => {}
        }
    }
    ticker.symbol = symbol.ok_or(Missing("symbol"))?;
    ticker.bid =
        Level { price: bid.ok_or(Missing("bid"))?, size: bid_size.ok_or(Missing("bid_qty"))? };
    ticker.ask =
        Level { price: ask.ok_or(Missing("ask"))?, size: ask_size.ok_or(Missing("ask_qty"))? };
    sink(Event::Ticker(ticker));
    Ok(())
}

fn decode_trade(item: Value<'_>, sink: &mut impl FnMut(Event<'_>)) -> Result<(), DecodeError> {
    let (mut symbol, mut price, mut size, mut side) = (None, None, None, None);
    let (mut order_kind, mut trade_id, mut ts_event) = (OrderKind::Market, None, Nanos::UNKNOWN);
    for (key, value) in item.entries().ok_or(BadValue("data"))? {
        match key {
            b"symbol" => symbol = value.text(),
            b"price" => price = Some(value.amount("price")?),
            b"qty" => size = Some(value.amount("qty")?),
            b"side" => {
                side = Some(match value.text() {
                    Some("buy") => Side::Buy,
                    Some("sell") => Side::Sell,
                    _ => return Err(BadValue("side")),
                });
            }
            b"ord_type" if value.text() == Some("limit") => order_kind = OrderKind::Limit,
            b"trade_id" => trade_id = Some(value.whole().ok_or(BadNumber("trade_id"))?),
            b"timestamp" => ts_event = value.time("timestamp")?,
            _ => {}
        }
    }
    sink(Event::Trade(Trade {
        symbol: symbol.ok_or(Missing("symbol"))?,
        price: price.ok_or(Missing("price"))?,
        size: size.ok_or(Missing("qty"))?,
        side: side.ok_or(Missing("side"))?,
        order_kind,
        trade_id: trade_id.ok_or(Missing("trade_id"))?,
        ts_event,
    }));
    Ok(())
}

fn decode_book(
    item: Value<'_>,
    whole: bool,
    levels: &mut Levels,
    sink: &mut impl FnMut(Event<'_>),
) -> Result<(), DecodeError> {
    let (mut symbol, mut checksum, mut ts_event) = (None, None, Nanos::UNKNOWN);
    levels.bids.clear();
    levels.asks.clear();
    for (key, value) in item.entries().ok_or(BadValue("data"))? {
        match key {
            b"symbol" => symbol = value.text(),
            b"bids" => read_levels(value, "bids", &mut levels.bids)?,
            b"asks" => read_levels(value, "asks", &mut levels.asks)?,
            b"checksum" => {
                let value = value.whole().and_then(|v| u32::try_from(v).ok());
                checksum = Some(value.ok_or(BadNumber("checksum"))?);
            }
            b"timestamp" => ts_event = value.time("timestamp")?,
            _ => {}
        }
    }
    let symbol = symbol.ok_or(Missing("symbol"))?;
    let Levels { bids, asks } = levels;
    sink(if whole {
        Event::BookSnapshot(BookSnapshot {
            symbol,
            bids,
            asks,
            checksum,
            last_update_id: None,
            ts_event,
        })
    } else {
        Event::BookDelta(BookDelta { symbol, bids, asks, checksum, update_ids: None, ts_event })
    });
    Ok(())
}

fn read_levels(
    side: Value<'_>,
    name: &'static str,
    out: &mut Vec<Level>,
) -> Result<(), DecodeError> {
    for item in side.items().ok_or(BadValue(name))? {
        let (mut price, mut size) = (None, None);
        for (key, value) in item.entries().ok_or(BadValue(name))? {
            match key {
                b"price" => price = Some(value.amount("price")?),
                b"qty" => size = Some(value.amount("qty")?),
                _ => {}
            }
        }
        out.push(Level {
            price: price.ok_or(Missing("price"))?,
            size: size.ok_or(Missing("qty"))?,
        });
    }
    Ok(())
}

fn decode_instrument(item: Value<'_>, sink: &mut impl FnMut(Event<'_>)) -> Result<(), DecodeError> {
    let word = |name| required(item, name)?.text().ok_or(BadValue(name));
    let precision = |name| {
        let digits = required(item, name)?.whole().filter(|d| *d <= u64::from(market::SCALE_MAX));
        digits.map(|d| d as u8).ok_or(BadNumber(name))
    };
    let amount = |name| match item.field(name) {
        Some(value) if !value.is_null() => value.amount(name).map(Some),
        _ => Ok(None),
    };
    sink(Event::Instrument(Instrument {
        symbol: word("symbol")?,
        base: word("base")?,
        quote: word("quote")?,
        price_precision: precision("price_precision")?,
        size_precision: precision("qty_precision")?,
        price_increment: amount("price_increment")?,
        size_increment: amount("qty_increment")?,
        size_min: amount("qty_min")?,
        trading: Trading::from_word(word("status")?),
    }));
    Ok(())
}

fn ack<'i>(root: Value<'i>, method: &'i str) -> Ack<'i> {
    let result = root.field("result");
    let word = |name| {
        let inner = result.and_then(|r| r.field(name));
        inner.or_else(|| root.field(name)).and_then(Value::text)
    };
    Ack {
        method,
        channel: word("channel"),
        symbol: word("symbol"),
        success: root.field("success").and_then(Value::boolean).unwrap_or(false),
        error: root.field("error").and_then(Value::text),
    }
}
