//! What a dashboard asks: one JSON text into one checked request.
//!
//! Unknown fields are refused by name: a misspelt parameter that is silently ignored is a bug the
//! dashboard's author finds in production. Nesting costs no stack: the parser keeps its own.

use std::collections::HashSet;

use market::Interval;
use simd_json::prelude::*;
use simd_json::tape::Value;

use crate::refusal::{Code, Refusal};
use crate::topic::{Depth, Topic};

/// Longest symbol name that is looked up; longer ones cannot exist.
pub const SYMBOL_BYTES_MAX: usize = 64;

/// A request that makes sense.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// Echoed in every answer.
    pub req_id: Option<u64>,
    /// What is wanted.
    pub method: Method,
}

/// What is wanted.
#[derive(Debug, PartialEq, Eq)]
pub enum Method {
    /// Start these.
    Subscribe(Subscription),
    /// End these.
    Unsubscribe(Subscription),
    /// Are you there?
    Ping,
}

/// What a subscribe or unsubscribe names.
#[derive(Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The channel with its parameters.
    pub topic: Topic,
    /// False where depth, interval or trigger were left to their defaults.
    pub is_topic_exact: bool,
    /// As the dashboard wrote them; `*` and `PREFIX*` are patterns. Empty for `instrument`.
    pub symbols: Vec<String>,
    /// The current value is wanted first.
    pub snapshot: bool,
    /// Frames shall carry `x`.
    pub sequenced: bool,
}

/// A request that does not make sense, with what could be read of it.
#[derive(Debug, PartialEq, Eq)]
pub struct BadRequest {
    /// Echoed where it could be read.
    pub req_id: Option<u64>,
    /// The method where it could be read.
    pub method: Option<String>,
    /// Why.
    pub refusal: Refusal,
}

/// Reads one message. The bytes are changed in place, as the parser does.
pub fn parse(message: &mut [u8]) -> Result<Request, BadRequest> {
    let bad = |refusal| BadRequest { req_id: None, method: None, refusal };
    let tape = simd_json::to_tape(message)
        .map_err(|error| bad(Refusal::invalid(format!("not JSON near byte {}", error.index()))))?;
    let root = tape.as_value();
    if !root.is_object() {
        return Err(bad(Refusal::invalid("a request is a JSON object")));
    }
    let method = root.get("method").and_then(ValueIntoString::into_string);
    let req_id = root.get("req_id").map(|id| id.as_u64());
    let bad = |refusal| BadRequest {
        req_id: req_id.flatten(),
        method: method.map(|m| m.chars().take(SYMBOL_BYTES_MAX).collect()),
        refusal,
    };
    if req_id == Some(None) {
        return Err(bad(Refusal::invalid("req_id must be a whole number from 0")));
    }
    known_fields(root, "", &["method", "params", "req_id"]).map_err(bad)?;
    let params = root.get("params");
    let method = match method {
        None => return Err(bad(Refusal::invalid("method is missing or not a string"))),
        Some("ping") => Method::Ping,
        Some("subscribe") => Method::Subscribe(subscription(params).map_err(bad)?),
        Some("unsubscribe") => Method::Unsubscribe(subscription(params).map_err(bad)?),
        Some(other) => {
            let other = shorten(other);
            return Err(bad(Refusal::invalid(format!(
                "unknown method {other:?}: subscribe, unsubscribe or ping"
            ))));
        }
    };
    Ok(Request { req_id: req_id.flatten(), method })
}

fn subscription(params: Option<Value<'_, '_>>) -> Result<Subscription, Refusal> {
    let params = params
        .filter(Value::is_object)
        .ok_or_else(|| Refusal::invalid("params is missing or not an object"))?;
    known_fields(
        params,
        "params.",
        &["channel", "symbol", "snapshot", "depth", "interval"]
            .iter()
            .chain(&["event_trigger", "x", "token"])
            .copied()
            .collect::<Vec<_>>(),
    )?;
    let extensions = params.get("x");
    if let Some(x) = extensions {
        if !x.is_object() {
            return Err(Refusal::invalid("params.x must be an object"));
        }
        known_fields(x, "params.x.", &["seq", "interval_s"])?;
    }
    let (topic, is_topic_exact) = topic(params, extensions)?;
    let symbols = if topic == Topic::Instrument { Vec::new() } else { symbols(params)? };
    Ok(Subscription {
        topic,
        is_topic_exact,
        symbols,
        snapshot: flag(params, "params.", "snapshot")?.unwrap_or(true),
        sequenced: match extensions {
            Some(x) => flag(x, "params.x.", "seq")?.unwrap_or(false),
            None => false,
        },
    })
}

fn topic(
    params: Value<'_, '_>,
    extensions: Option<Value<'_, '_>>,
) -> Result<(Topic, bool), Refusal> {
    let channel = params
        .get("channel")
        .and_then(ValueIntoString::into_string)
        .ok_or_else(|| Refusal::invalid("params.channel is missing or not a string"))?;
    match channel {
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

fn symbols(params: Value<'_, '_>) -> Result<Vec<String>, Refusal> {
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

fn flag(object: Value<'_, '_>, path: &str, name: &str) -> Result<Option<bool>, Refusal> {
    match object.get(name) {
        None => Ok(None),
        Some(value) => value
            .as_bool()
            .map(Some)
            .ok_or_else(|| Refusal::invalid(format!("{path}{name} must be true or false"))),
    }
}

fn known_fields(object: Value<'_, '_>, path: &str, known: &[&str]) -> Result<(), Refusal> {
    let Some(fields) = object.as_object() else { return Ok(()) };
    let unknown = fields.keys().find(|key| !known.contains(key));
    unknown.map_or(Ok(()), |key| {
        Err(Refusal::invalid(format!("unknown field {:?}", format!("{path}{}", shorten(key)))))
    })
}

/// A text of a stranger, short enough to be repeated to him.
fn shorten(text: &str) -> String {
    if text.len() <= SYMBOL_BYTES_MAX {
        return text.to_owned();
    }
    text.chars().take(SYMBOL_BYTES_MAX / 4).chain("...".chars()).collect()
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
