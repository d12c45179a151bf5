//! What admin knows, as JSON. Prices and sizes are texts, as exact as the venue said them.

use market::{BookSide, Instrument, Level, Nanos, Price, Side, Size};
use serde_json::{Map, Value, json};
use wire::topic::Topic;

use crate::catalogue::FeedStatus;
use crate::clock;
use crate::latency::Tally;
use crate::metrics::{FeedMetrics, Metrics};
use crate::shard::{Row, SymbolView};

const NANOS_PER_MILLI: u64 = 1_000_000;

/// A session in a list.
pub(super) fn row(row: &Row) -> Value {
    let o = &row.overview;
    let now = clock::now().0;
    let ago_ms = |at: u64| now.saturating_sub(at) / NANOS_PER_MILLI;
    json!({
        "id": row.id,
        "shard": row.id >> 40,
        "address": row.peer,
        "user": row.user.as_deref(),
        "since": time(row.since),
        "subscriptions": o.subscriptions,
        "behind": o.behind,
        "blocked_ms": o.blocked_since.map(ago_ms),
        "outbox_bytes": o.queue_bytes,
        "slow_warned": o.is_warned,
        "extended": o.is_extended,
        "merged": o.merged,
        "missed": o.missed,
        "gaps": o.gaps,
        "heard_ms_ago": ago_ms(o.heard_at),
        "sent_ms_ago": ago_ms(o.sent_at),
        "closing": o.closing.map(wire::close::CloseCode::code),
    })
}

/// One subscription.
pub(super) fn holding(holding: &fanout::Holding) -> Value {
    let mut out = json!({
        "symbol": holding.symbol.as_ref(),
        "channel": holding.topic.channel_name(),
        "seq": holding.is_sequenced,
        "conflate_ms": holding.conflate_ms,
        "delay_ms": holding.delay_ms,
        "on_slow": holding.on_slow.as_str(),
        "standing": holding.standing,
        "shown_seq": holding.shown,
        "newest_seq": holding.newest,
    });
    match holding.topic {
        Topic::TickerOnQuote => out["event_trigger"] = "bbo".into(),
        Topic::TickerOnTrade => out["event_trigger"] = "trades".into(),
        Topic::Book(depth) => out["depth"] = depth.levels().into(),
        Topic::Bars(interval) => out["interval_s"] = interval.seconds().into(),
        Topic::Trade | Topic::Instrument => {}
    }
    out
}

/// Percentiles of one stretch.
pub(super) fn percentiles(tally: &Tally) -> Value {
    let at = |quantile| tally.histogram.value_at_quantile(quantile);
    json!({
        "count": tally.histogram.len(),
        "p50": at(0.5),
        "p99": at(0.99),
        "p99_9": at(0.999),
        "max": if tally.histogram.is_empty() { 0 } else { tally.histogram.max() },
    })
}

/// A symbol.
pub(super) fn symbol(symbol: &SymbolView) -> Value {
    let instrument = &symbol.instrument;
    let sequences: Map<_, _> = symbol
        .sequences
        .iter()
        .map(|(channel, sequence)| ((*channel).to_owned(), (*sequence).into()))
        .collect();
    json!({
        "symbol": instrument.symbol.as_ref(),
        "venue": instrument.venue.as_ref(),
        "venue_symbol": instrument.venue_symbol.as_ref(),
        "trading": instrument.trading.as_str(),
        "state": symbol.state.as_str(),
        "state_since": time(symbol.state_since),
        "updated": time(symbol.updated),
        "sequences": sequences,
        "quote": symbol.quote.map(|quote| json!({
            "bid": level(instrument, quote.bid),
            "ask": level(instrument, quote.ask),
        })),
        "last_trade": symbol.last_trade.map(|trade| json!({
            "price": price(instrument, trade.price),
            "qty": size(instrument, trade.size),
            "side": match trade.side { Side::Buy => "buy", Side::Sell => "sell" },
            "trade_id": trade.trade_id,
            "timestamp": time(trade.ts_event),
        })),
        "book": {
            "bids": levels(instrument, symbol, BookSide::Bid),
            "asks": levels(instrument, symbol, BookSide::Ask),
        },
    })
}

fn levels(instrument: &Instrument, symbol: &SymbolView, side: BookSide) -> Value {
    symbol.book.side(side).map(|found| level(instrument, found)).collect()
}

fn level(instrument: &Instrument, level: Level) -> Value {
    json!({ "price": price(instrument, level.price), "qty": size(instrument, level.size) })
}

fn price(instrument: &Instrument, price: Price) -> Value {
    decimal(price.0, instrument.price_precision)
}

fn size(instrument: &Instrument, size: Size) -> Value {
    decimal(size.0, instrument.size_precision)
}

fn decimal(mantissa: i64, scale: u8) -> Value {
    market::Decimal::new(mantissa, scale).map_or(Value::Null, |decimal| decimal.to_string().into())
}

/// Every feed with what was counted of it here: of the feeds of a gateway that is followed only how
/// they do is known. Beside them, who follows.
pub(super) fn feeds(feeds: &[FeedStatus], metrics: &Metrics) -> Value {
    let counted = metrics.ingest.feeds.iter().map(Some).chain(std::iter::repeat(None));
    let shown = feeds.iter().zip(counted).map(|(feed, counted)| {
        let mut row = json!({
            "feed": feed.name.as_ref(),
            "state": if feed.live { "live" } else { "down" },
            "detail": feed.detail,
            "since": time(feed.since),
        });
        if let (Some(counted), Some(row)) = (counted, row.as_object_mut()) {
            row.extend(counters(counted));
        }
        row
    });
    let relay = &metrics.relay;
    json!({
        "feeds": shown.collect::<Vec<_>>(),
        "relay": {
            "followers": relay.followers.value(),
            "lag_records": relay.lag_records.value(),
            "records": relay.records.value(),
            "bytes": relay.sent_bytes.value(),
            "truths": relay.truths.value(),
            "laps": relay.laps.value(),
            "refused": relay.refused.total(),
        },
    })
}

fn counters(counted: &FeedMetrics) -> Map<String, Value> {
    let heard = counted.heard_at_ns.value();
    let ago_ms = (heard > 0).then(|| clock::now().0.saturating_sub(heard) / NANOS_PER_MILLI);
    let failures: u64 = counted.decode_failures.total();
    let mut row = Map::new();
    row.insert("last_message_ms_ago".to_owned(), ago_ms.into());
    for (name, count) in [
        ("messages", counted.messages.value()),
        ("bytes", counted.bytes.value()),
        ("decode_failures", failures),
        ("gaps", counted.gaps.value()),
        ("checksum_failures", counted.checksum_failures.value()),
        ("reconnects", counted.reconnects.value()),
        ("resnapshots", counted.resnapshots.value()),
        ("silences", counted.silences.value()),
    ] {
        row.insert(name.to_owned(), count.into());
    }
    row
}

/// None where it is not known.
fn time(at: Nanos) -> Value {
    if at == Nanos::UNKNOWN {
        return Value::Null;
    }
    let mut out = Vec::new();
    at.write_rfc3339(&mut out);
    String::from_utf8_lossy(&out).into()
}
