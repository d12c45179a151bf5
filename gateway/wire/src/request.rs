//! What a dashboard asks: one JSON text into one checked request.
//!
//! Unknown fields are refused by name: a misspelt parameter that is silently ignored is a bug the
//! dashboard's author finds in production. Nesting costs no stack: the parser keeps its own.

use std::fmt;

use simd_json::ErrorType;
use simd_json::prelude::*;
use simd_json::tape::Value;

use self::fields::{flag, known_fields, not_for, shorten};
use crate::refusal::Refusal;
use crate::topic::Topic;

pub use self::extensions::{OnSlow, Position};

mod extensions;
mod fields;
mod selection;

/// Longest symbol name that is looked up; longer ones cannot exist.
pub const SYMBOL_BYTES_MAX: usize = 64;

/// Longest token that is looked at.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// The channel of heartbeats, which has no topic: it is about the session, not about a symbol.
const HEARTBEAT: &str = "heartbeat";

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
    /// Change how running subscriptions are served.
    Reconfigure(Reconfiguration),
    /// What do I hold?
    ListSubscriptions,
    /// This is who I am.
    Auth {
        /// The proof.
        token: Token,
    },
    /// How much heartbeats shall say: `subscribe` and `unsubscribe` of the channel `heartbeat`.
    Heartbeat {
        /// With the feed's state and the last sequences.
        detailed: bool,
    },
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
    /// At most one frame in so many milliseconds; zero: every update.
    pub pace_ms: u32,
    /// What happens when this session cannot keep up.
    pub on_slow: OnSlow,
    /// Where to go on, by symbol; only symbols of this request.
    pub resume: Vec<(String, Position)>,
}

/// How running subscriptions shall be served from now on. At least one of the two is there.
#[derive(Debug, PartialEq, Eq)]
pub struct Reconfiguration {
    /// The channel with its parameters.
    pub topic: Topic,
    /// False where depth, interval or trigger were left to their defaults.
    pub is_topic_exact: bool,
    /// As the dashboard wrote them; `*` and `PREFIX*` are patterns. Empty for `instrument`.
    pub symbols: Vec<String>,
    /// The new pace in milliseconds; zero: every update.
    pub pace_ms: Option<u32>,
    /// What shall happen when the session cannot keep up.
    pub on_slow: Option<OnSlow>,
}

/// A token that proves who a dashboard is. Never printed: whoever reads it can be that dashboard.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The token itself, for who checks it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} bytes)", self.0.len())
    }
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
    let tape = simd_json::to_tape(message).map_err(|error| bad(unreadable(&error)))?;
    let root = tape.as_value();
    if !root.is_object() {
        return Err(bad(Refusal::invalid("a request is a JSON object")));
    }
    let name = root.get("method").and_then(ValueIntoString::into_string);
    let req_id = root.get("req_id").map(|id| id.as_u64());
    let bad = |refusal| BadRequest {
        req_id: req_id.flatten(),
        method: name.map(|m| m.chars().take(SYMBOL_BYTES_MAX).collect()),
        refusal,
    };
    if req_id == Some(None) {
        return Err(bad(Refusal::invalid("req_id must be a whole number from 0")));
    }
    known_fields(root, "", &["method", "params", "req_id"]).map_err(bad)?;
    let name = name.ok_or_else(|| bad(Refusal::invalid("method is missing or not a string")))?;
    let method = method(name, root.get("params")).map_err(bad)?;
    Ok(Request { req_id: req_id.flatten(), method })
}

fn unreadable(error: &simd_json::Error) -> Refusal {
    let what = match error.error() {
        ErrorType::InvalidNumber | ErrorType::Overflow => "no number within 64 bits",
        _ => "not JSON",
    };
    Refusal::invalid(format!("{what} near byte {}", error.index()))
}

fn method(name: &str, params: Option<Value<'_, '_>>) -> Result<Method, Refusal> {
    match name {
        "ping" => Ok(Method::Ping),
        "subscribe" | "unsubscribe" => {
            let (params, is_start) = (object(params)?, name == "subscribe");
            if selection::channel(params)? == HEARTBEAT {
                known_fields(params, "params.", &["channel", "token"])?;
                return Ok(Method::Heartbeat { detailed: is_start });
            }
            let subscription = subscription(params, is_start)?;
            Ok(if is_start {
                Method::Subscribe(subscription)
            } else {
                Method::Unsubscribe(subscription)
            })
        }
        "reconfigure" => Ok(Method::Reconfigure(reconfiguration(object(params)?)?)),
        "list_subscriptions" => {
            if let Some(params) = params {
                known_fields(object(Some(params))?, "params.", &[])?;
            }
            Ok(Method::ListSubscriptions)
        }
        "auth" => Ok(Method::Auth { token: token(object(params)?)? }),
        other => Err(Refusal::invalid(format!(
            "unknown method {:?}: subscribe, unsubscribe, reconfigure, list_subscriptions, auth \
             or ping",
            shorten(other)
        ))),
    }
}

fn object<'t, 'i>(params: Option<Value<'t, 'i>>) -> Result<Value<'t, 'i>, Refusal> {
    params
        .filter(Value::is_object)
        .ok_or_else(|| Refusal::invalid("params is missing or not an object"))
}

fn subscription(params: Value<'_, '_>, is_start: bool) -> Result<Subscription, Refusal> {
    known_fields(
        params,
        "params.",
        &["channel", "symbol", "snapshot", "depth", "interval", "event_trigger", "x", "token"],
    )?;
    let x = extensions_of(params)?;
    if let (Some(x), false) = (x, is_start) {
        let of_a_start = ["conflate_ms", "max_hz", "on_slow", "resume"];
        not_for(x, "params.x.", &of_a_start, "unsubscribe")?;
    }
    let (topic, is_topic_exact) = selection::topic(params, x)?;
    let mut subscription = Subscription {
        topic,
        is_topic_exact,
        symbols: selection::symbols(params, topic)?,
        snapshot: flag(params, "params.", "snapshot")?.unwrap_or(true),
        sequenced: false,
        pace_ms: 0,
        on_slow: OnSlow::default(),
        resume: Vec::new(),
    };
    if let Some(x) = x {
        let sequenced = flag(x, "params.x.", "seq")?.unwrap_or(false);
        subscription.sequenced = sequenced;
        subscription.pace_ms = extensions::pace_ms(x, topic)?.unwrap_or(0);
        subscription.on_slow = extensions::on_slow(x)?.unwrap_or_default();
        subscription.resume = extensions::resume(x, topic, &subscription.symbols, sequenced)?;
    }
    Ok(subscription)
}

fn reconfiguration(params: Value<'_, '_>) -> Result<Reconfiguration, Refusal> {
    not_for(params, "params.", &["snapshot", "token"], "reconfigure")?;
    known_fields(
        params,
        "params.",
        &["channel", "symbol", "depth", "interval", "event_trigger", "x"],
    )?;
    let x = extensions_of(params)?;
    if let Some(x) = x {
        not_for(x, "params.x.", &["seq", "resume"], "reconfigure")?;
    }
    let (topic, is_topic_exact) = selection::topic(params, x)?;
    let (pace_ms, on_slow) = match x {
        Some(x) => (extensions::pace_ms(x, topic)?, extensions::on_slow(x)?),
        None => (None, None),
    };
    if pace_ms.is_none() && on_slow.is_none() {
        return Err(Refusal::invalid("params.x must say conflate_ms, max_hz or on_slow"));
    }
    let symbols = selection::symbols(params, topic)?;
    Ok(Reconfiguration { topic, is_topic_exact, symbols, pace_ms, on_slow })
}

/// The extensions asked for, if any, without a field that nobody knows.
fn extensions_of<'t, 'i>(params: Value<'t, 'i>) -> Result<Option<Value<'t, 'i>>, Refusal> {
    let Some(x) = params.get("x") else { return Ok(None) };
    if !x.is_object() {
        return Err(Refusal::invalid("params.x must be an object"));
    }
    known_fields(
        x,
        "params.x.",
        &["seq", "interval_s", "conflate_ms", "max_hz", "on_slow", "resume"],
    )?;
    Ok(Some(x))
}

fn token(params: Value<'_, '_>) -> Result<Token, Refusal> {
    known_fields(params, "params.", &["token"])?;
    let token = params.get("token").and_then(ValueIntoString::into_string);
    match token {
        None => Err(Refusal::invalid("params.token is missing or not a string")),
        Some("") => Err(Refusal::invalid("params.token is empty")),
        Some(token) if token.len() > TOKEN_BYTES_MAX => {
            Err(Refusal::invalid(format!("params.token is longer than {TOKEN_BYTES_MAX} bytes")))
        }
        Some(token) => Ok(Token(token.to_owned())),
    }
}

#[cfg(test)]
mod tests;
