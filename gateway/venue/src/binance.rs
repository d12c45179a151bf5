//! Binance spot and USD-M futures: combined streams, and the depth snapshot of the REST interface.
//!
//! Both markets share their shapes: futures add times, `pu` and `X`; a spot `bookTicker` has
//! neither an `e` nor a time. `m` says that the buyer was the maker, so the taker sold. Partial
//! depth streams call themselves `depthUpdate` too, and only the stream's name gives them away.
//! Field meanings: developers.binance.com, web-socket-streams and
//! usds-margined-futures/websocket-market-streams.

use market::{Nanos, OrderKind, Side};

use crate::DecodeError;
use crate::DecodeError::{BadNumber, BadValue, Missing, UnknownShape};
use crate::document::{Document, Value};
use crate::event::{
    Ack, BookDelta, BookSnapshot, Event, Ignored, Level, Levels, Quote, Trade, UpdateIds,
};

/// Decodes messages of this dialect.
pub struct Binance {
    document: Document,
    levels: Levels,
}

impl Binance {
    /// A larger message than `message_bytes_max` is refused unread.
    pub fn new(message_bytes_max: usize) -> Self {
        Self { document: Document::new(message_bytes_max), levels: Levels::default() }
    }

    /// Hands the event of one stream message to `sink`.
    pub fn decode(
        &mut self,
        message: &[u8],
        mut sink: impl FnMut(Event<'_>),
    ) -> Result<(), DecodeError> {
        let levels = &mut self.levels;
        self.document.read(message, |root| decode_root(root, levels, &mut sink))
    }

    /// Hands the depth snapshot of a REST answer to `sink`; the answer does not say whose it is.
    pub fn decode_snapshot(
        &mut self,
        message: &[u8],
        symbol: &str,
        mut sink: impl FnMut(Event<'_>),
    ) -> Result<(), DecodeError> {
        let levels = &mut self.levels;
        self.document.read(message, |root| decode_snapshot(root, symbol, levels, &mut sink))
    }
}

fn decode_root(
    root: Value<'_>,
    levels: &mut Levels,
    sink: &mut impl FnMut(Event<'_>),
) -> Result<(), DecodeError> {
    let (mut stream, mut data, mut event) = (None, None, None);
    for (key, value) in root.entries().ok_or(UnknownShape)? {
        match key {
            b"stream" => stream = value.text(),
            b"data" => data = Some(value),
            b"e" => event = value.text(),
            _ => {}
        }
    }
    let body = match (stream, data) {
        (Some(_), Some(data)) => data,
        (Some(_), None) => return Err(Missing("data")),
        _ => root,
    };
    if stream.is_some() {
        event = body.field("e").and_then(Value::text);
    }
    match event {
        Some("bookTicker") => decode_quote(body, sink),
        Some("trade") => decode_trade(body, sink),
        Some("depthUpdate") if stream.is_none_or(is_diff_stream) => {
            decode_delta(body, levels, sink)
        }
        None if stream.is_none() => decode_bare(root, sink),
        None if body.field("A").is_some() => decode_quote(body, sink),
        _ => {
            sink(Event::Ignored(Ignored::Stream));
            Ok(())
        }
    }
}

/// `btcusdt@depth`, `btcusdt@depth@100ms`; not `btcusdt@depth20`.
fn is_diff_stream(stream: &str) -> bool {
    stream.split_once("@depth").is_none_or(|(_, tail)| tail.is_empty() || tail.starts_with('@'))
}

/// Without a stream's name and an event's name: a lone quote, or a reply to a request.
fn decode_bare(root: Value<'_>, sink: &mut impl FnMut(Event<'_>)) -> Result<(), DecodeError> {
    if root.field("A").is_some() {
        return decode_quote(root, sink);
    }
    if let Some(error) = root.field("error") {
        let error = error.field("msg").and_then(Value::text);
        sink(ack(false, error.or(Some("refused without a reason"))));
        return Ok(());
    }
    if root.field("result").is_some() {
        sink(ack(true, None));
        return Ok(());
    }
    Err(UnknownShape)
}

fn ack(success: bool, error: Option<&str>) -> Event<'_> {
    Event::Ack(Ack { method: "", channel: None, symbol: None, success, error })
}

fn decode_quote(body: Value<'_>, sink: &mut impl FnMut(Event<'_>)) -> Result<(), DecodeError> {
    let (mut symbol, mut bid, mut bid_size, mut ask, mut ask_size) = (None, None, None, None, None);
    let (mut ts_event, mut ts_sent, mut update_id) = (Nanos::UNKNOWN, Nanos::UNKNOWN, None);
    for (key, value) in body.entries().ok_or(BadValue("data"))? {
        match key {
            b"s" => symbol = value.text(),
            b"b" => bid = Some(value.amount("b")?),
            b"B" => bid_size = Some(value.amount("B")?),
            b"a" => ask = Some(value.amount("a")?),
            b"A" => ask_size = Some(value.amount("A")?),
            b"u" => update_id = Some(value.whole().ok_or(BadNumber("u"))?),
            b"T" => ts_event = value.millis("T")?,
            b"E" => ts_sent = value.millis("E")?,
            _ => {}
        }
    }
    sink(Event::Quote(Quote {
        symbol: symbol.ok_or(Missing("s"))?,
        bid: Level { price: bid.ok_or(Missing("b"))?, size: bid_size.ok_or(Missing("B"))? },
        ask: Level { price: ask.ok_or(Missing("a"))?, size: ask_size.ok_or(Missing("A"))? },
        ts_event: ts_event.or(ts_sent),
        update_id,
    }));
    Ok(())
}

fn decode_trade(body: Value<'_>, sink: &mut impl FnMut(Event<'_>)) -> Result<(), DecodeError> {
    let (mut symbol, mut price, mut size, mut side, mut trade_id) = (None, None, None, None, None);
    let (mut ts_event, mut ts_sent) = (Nanos::UNKNOWN, Nanos::UNKNOWN);
    for (key, value) in body.entries().ok_or(BadValue("data"))? {
        match key {
            b"s" => symbol = value.text(),
            b"p" => price = Some(value.amount("p")?),
            b"q" => size = Some(value.amount("q")?),
            b"t" => trade_id = Some(value.whole().ok_or(BadNumber("t"))?),
            b"m" => {
                let buyer_is_maker = value.boolean().ok_or(BadValue("m"))?;
                side = Some(if buyer_is_maker { Side::Sell } else { Side::Buy });
            }
            b"X" if value.text() != Some("MARKET") => {
                sink(Event::Ignored(Ignored::NotAMarketTrade));
                return Ok(());
            }
            b"T" => ts_event = value.millis("T")?,
            b"E" => ts_sent = value.millis("E")?,
            _ => {}
        }
    }
    sink(Event::Trade(Trade {
        symbol: symbol.ok_or(Missing("s"))?,
        price: price.ok_or(Missing("p"))?,
        size: size.ok_or(Missing("q"))?,
        side: side.ok_or(Missing("m"))?,
        order_kind: OrderKind::Market,
        trade_id: trade_id.ok_or(Missing("t"))?,
        ts_event: ts_event.or(ts_sent),
    }));
    Ok(())
}

fn decode_delta(
    body: Value<'_>,
    levels: &mut Levels,
    sink: &mut impl FnMut(Event<'_>),
) -> Result<(), DecodeError> {
    let (mut symbol, mut first, mut last, mut previous) = (None, None, None, None);
    let (mut bids_seen, mut asks_seen) = (false, false);
    let (mut ts_event, mut ts_sent) = (Nanos::UNKNOWN, Nanos::UNKNOWN);
    for (key, value) in body.entries().ok_or(BadValue("data"))? {
        match key {
            b"s" => symbol = value.text(),
            b"U" => first = Some(value.whole().ok_or(BadNumber("U"))?),
            b"u" => last = Some(value.whole().ok_or(BadNumber("u"))?),
            // A new futures symbol begins with -1: nothing came before.
            b"pu" => previous = Some(value.whole().unwrap_or(0)),
            b"b" => {
                read_levels(value, "b", &mut levels.bids)?;
                bids_seen = true;
            }
            b"a" => {
                read_levels(value, "a", &mut levels.asks)?;
                asks_seen = true;
            }
            b"T" => ts_event = value.millis("T")?,
            b"E" => ts_sent = value.millis("E")?,
            _ => {}
        }
    }
    if !bids_seen || !asks_seen {
        return Err(Missing(if bids_seen { "a" } else { "b" }));
    }
    let (first, last) = (first.ok_or(Missing("U"))?, last.ok_or(Missing("u"))?);
    if first > last {
        return Err(BadValue("U"));
    }
    sink(Event::BookDelta(BookDelta {
        symbol: symbol.ok_or(Missing("s"))?,
        bids: &levels.bids,
        asks: &levels.asks,
        checksum: None,
        update_ids: Some(UpdateIds { first, last, previous }),
        ts_event: ts_event.or(ts_sent),
    }));
    Ok(())
}

fn decode_snapshot(
    root: Value<'_>,
    symbol: &str,
    levels: &mut Levels,
    sink: &mut impl FnMut(Event<'_>),
) -> Result<(), DecodeError> {
    let (mut last_update_id, mut ts_event, mut ts_sent) = (None, Nanos::UNKNOWN, Nanos::UNKNOWN);
    let (mut bids_seen, mut asks_seen) = (false, false);
    for (key, value) in root.entries().ok_or(UnknownShape)? {
        match key {
            b"lastUpdateId" => {
                last_update_id = Some(value.whole().ok_or(BadNumber("lastUpdateId"))?);
            }
            b"bids" => {
                read_levels(value, "bids", &mut levels.bids)?;
                bids_seen = true;
            }
            b"asks" => {
                read_levels(value, "asks", &mut levels.asks)?;
                asks_seen = true;
            }
            b"T" => ts_event = value.millis("T")?,
            b"E" => ts_sent = value.millis("E")?,
            _ => {}
        }
    }
    if last_update_id.is_none() && !bids_seen && !asks_seen {
        return Err(UnknownShape);
    }
    if !bids_seen || !asks_seen {
        return Err(Missing(if bids_seen { "asks" } else { "bids" }));
    }
    sink(Event::BookSnapshot(BookSnapshot {
        symbol,
        bids: &levels.bids,
        asks: &levels.asks,
        checksum: None,
        last_update_id: Some(last_update_id.ok_or(Missing("lastUpdateId"))?),
        ts_event: ts_event.or(ts_sent),
    }));
    Ok(())
}

/// Levels are `["price", "size"]`; old spot messages had a third, empty element.
fn read_levels(
    side: Value<'_>,
    name: &'static str,
    out: &mut Vec<Level>,
) -> Result<(), DecodeError> {
    out.clear();
    for item in side.items().ok_or(BadValue(name))? {
        let mut pair = item.items().ok_or(BadValue(name))?;
        let price = pair.next().ok_or(Missing("price"))?.amount("price")?;
        let size = pair.next().ok_or(Missing("size"))?.amount("size")?;
        out.push(Level { price, size });
    }
    Ok(())
}
