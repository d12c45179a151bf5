//! What a request is about: a channel with its parameters, and symbols.

use std::collections::HashSet;

use market::Interval;
use simd_json::prelude::*;
use simd_json::tape::Value;

use super::fields::shorten;
use crate::refusal::{Code, Refusal};
use crate::topic::{Depth, Topic};

/// The channel's name as the dashboard wrote it.
pub(super) fn channel<'i>(params: Value<'_, 'i>) -> Result<&'i str, Refusal> {
    params
        .get("channel")
        .and_then(ValueIntoString::into_string)
        .ok_or_else(|| Refusal::invalid("params.channel is missing or not a string"))
}

/// The topic, and whether depth, interval or trigger were said.
pub(super) fn topic(
    params: Value<'_, '_>,
    extensions: Option<Value<'_, '_>>,
) -> Result<(Topic, bool), Refusal> {
    match channel(params)? {
        "ticker" => match params.get("event_trigger").map(ValueIntoString::into_string) {
            None => Ok((Topic::TickerOnTrade, false)),
            Some(Some("trades")) => Ok((Topic::TickerOnTrade, true)),
            Some(Some("bbo")) => Ok((Topic::TickerOnQuote, true)),
            Some(_) => Err(Refusal::invalid("params.event_trigger must be \"bbo\" or \"trades\"")),
        },
        "trade" => Ok((Topic::Trade, true)),
        "book" => match params.get("depth") {
            None => Ok((Topic::Book(Depth::DEFAULT), false)),
            Some(depth) => depth
                .as_u64()
                .and_then(Depth::from_levels)
                .map(|depth| (Topic::Book(depth), true))
                .ok_or_else(|| Refusal::invalid("params.depth must be 10, 25, 100, 500 or 1000")),
        },
        "ohlc" => bars(params, extensions),
        "instrument" => Ok((Topic::Instrument, true)),
        other => Err(Refusal::new(
            Code::UnknownChannel,
            format!(
                "unknown channel {:?}: ticker, trade, book, ohlc or instrument",
                shorten(other)
            ),
        )),
    }
}

fn bars(
    params: Value<'_, '_>,
    extensions: Option<Value<'_, '_>>,
) -> Result<(Topic, bool), Refusal> {
    if let Some(seconds) = extensions.and_then(|x| x.get("interval_s")) {
        return match seconds.as_u64() {
            Some(1) => Ok((Topic::Bars(Interval::Second1), true)),
            _ => Err(Refusal::invalid("params.x.interval_s must be 1")),
        };
    }
    match params.get("interval") {
        None => Ok((Topic::Bars(Interval::Minute1), false)),
        Some(minutes) => minutes
            .as_u64()
            .and_then(Interval::from_minutes)
            .map(|interval| (Topic::Bars(interval), true))
            .ok_or_else(|| {
                Refusal::invalid(
                    "params.interval must be 1, 5, 15, 30, 60, 240, 1440, 10080 or 21600 minutes",
                )
            }),
    }
}

/// The names and patterns, each once; none for a topic that takes none.
pub(super) fn symbols(params: Value<'_, '_>, topic: Topic) -> Result<Vec<String>, Refusal> {
    if topic == Topic::Instrument {
        return Ok(Vec::new());
    }
    let names = params
        .get("symbol")
        .and_then(|s| s.as_array())
        .ok_or_else(|| Refusal::invalid("params.symbol must be a list of strings"))?;
    if names.is_empty() {
        return Err(Refusal::invalid("params.symbol is empty"));
    }
    let mut seen = HashSet::new();
    let mut symbols = Vec::new();
    for name in &names {
        let name = name
            .into_string()
            .ok_or_else(|| Refusal::invalid("params.symbol must be a list of strings"))?;
        // A name said twice is answered once.
        if seen.insert(name) {
            symbols.push(shorten(name));
        }
    }
    Ok(symbols)
}
