//! What a client of the Kraken dialect may ask, and the replies to it.
//!
//! Pure functions over text. Invariant: every request gets at least one reply, also one that makes
//! no sense.

use serde::Deserialize;
use serde_json::{Value, json};

use super::DEPTHS;
use crate::time::write_rfc3339;

/// A request as it stands in the message.
#[derive(Debug, Deserialize)]
pub(crate) struct Request {
    pub(crate) method: String,
    #[serde(default)]
    pub(crate) params: Params,
    #[serde(default)]
    pub(crate) req_id: Option<u64>,
}

/// Its parameters; which are needed depends on the channel.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Params {
    #[serde(default)]
    pub(crate) channel: String,
    #[serde(default)]
    pub(crate) symbol: Vec<String>,
    #[serde(default)]
    pub(crate) depth: Option<u16>,
    #[serde(default)]
    pub(crate) event_trigger: Option<String>,
    #[serde(default)]
    pub(crate) snapshot: Option<bool>,
}

/// A list a connection can be on: a channel and what it was asked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Interest {
    TickerOnQuote,
    TickerOnTrade,
    Trade,
    /// Index into `DEPTHS`.
    Book(usize),
    Instrument,
}

/// Lists kept for each symbol.
pub(crate) const SYMBOL_LISTS: usize = 3 + DEPTHS.len();

impl Interest {
    /// What the parameters ask for, or why they can't be understood.
    pub(crate) fn parse(params: &Params) -> Result<Self, String> {
        match params.channel.as_str() {
            "ticker" => match params.event_trigger.as_deref() {
                None | Some("trades") => Ok(Self::TickerOnTrade),
                Some("bbo") => Ok(Self::TickerOnQuote),
                Some(other) => Err(format!("Unknown event_trigger {other}")),
            },
            "trade" => Ok(Self::Trade),
            "instrument" => Ok(Self::Instrument),
            "book" => {
                let depth = params.depth.unwrap_or(DEPTHS[0]);
                let found = DEPTHS.iter().position(|&offered| offered == depth);
                found.map(Self::Book).ok_or_else(|| format!("Unsupported depth {depth}"))
            }
            other => Err(format!("Unsupported channel {other}")),
        }
    }

    /// The index of its list among those of a symbol.
    pub(crate) fn list(self) -> usize {
        match self {
            Self::TickerOnQuote => 0,
            Self::TickerOnTrade => 1,
            Self::Trade => 2,
            Self::Book(depth) => 3 + depth,
            Self::Instrument => unreachable!("the instrument channel has no symbol"),
        }
    }

    /// Whether both are of one channel: a connection has at most one subscription of each.
    pub(crate) fn same_channel(self, other: Self) -> bool {
        self.channel() == other.channel()
    }

    pub(crate) fn channel(self) -> &'static str {
        match self {
            Self::TickerOnQuote | Self::TickerOnTrade => "ticker",
            Self::Trade => "trade",
            Self::Book(_) => "book",
            Self::Instrument => "instrument",
        }
    }
}

/// Writes replies to one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replies<'a> {
    pub(crate) method: &'a str,
    pub(crate) req_id: Option<u64>,
    pub(crate) received_ns: u64,
}

impl Replies<'_> {
    /// The ack of one granted symbol (or of a channel without symbols).
    pub(crate) fn granted(
        &self,
        interest: Interest,
        symbol: Option<&str>,
        snapshot: Option<bool>,
        now_ns: u64,
    ) -> String {
        let mut result = json!({ "channel": interest.channel() });
        match interest {
            Interest::TickerOnQuote => result["event_trigger"] = json!("bbo"),
            Interest::TickerOnTrade => result["event_trigger"] = json!("trades"),
            Interest::Book(depth) => result["depth"] = json!(DEPTHS[depth]),
            Interest::Trade | Interest::Instrument => {}
        }
        if let Some(symbol) = symbol {
            result["symbol"] = json!(symbol);
        }
        if let Some(snapshot) = snapshot {
            result["snapshot"] = json!(snapshot);
        }
        self.finish(json!({ "method": self.method, "result": result, "success": true }), now_ns)
    }

    /// The reply to what can't be granted; names the symbol when it is about one.
    pub(crate) fn refused(&self, error: &str, symbol: Option<&str>, now_ns: u64) -> String {
        let mut reply = json!({ "error": error, "method": self.method, "success": false });
        if let Some(symbol) = symbol {
            reply["symbol"] = json!(symbol);
        }
        self.finish(reply, now_ns)
    }

    /// The reply to a ping.
    pub(crate) fn pong(&self, now_ns: u64) -> String {
        self.finish(json!({ "method": "pong" }), now_ns)
    }

    fn finish(&self, mut reply: Value, now_ns: u64) -> String {
        if let Some(req_id) = self.req_id {
            reply["req_id"] = json!(req_id);
        }
        reply["time_in"] = json!(time_text(self.received_ns));
        reply["time_out"] = json!(time_text(now_ns));
        reply.to_string()
    }
}

fn time_text(ns: u64) -> String {
    let mut text = Vec::with_capacity(27);
    write_rfc3339(&mut text, ns);
    String::from_utf8(text).expect("digits and separators are ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(params: &str, expected: Result<Interest, &str>) {
        let params: Params = serde_json::from_str(params).expect("test parameters parse");
        assert_eq!(Interest::parse(&params), expected.map_err(str::to_owned));
    }

    #[test]
    fn parameters_name_a_list_or_the_reason_why_not() {
        check(r#"{"channel":"ticker"}"#, Ok(Interest::TickerOnTrade));
        check(r#"{"channel":"ticker","event_trigger":"bbo"}"#, Ok(Interest::TickerOnQuote));
        check(r#"{"channel":"book"}"#, Ok(Interest::Book(0)));
        check(r#"{"channel":"book","depth":1000}"#, Ok(Interest::Book(4)));
        check(r#"{"channel":"book","depth":11}"#, Err("Unsupported depth 11"));
        check(r#"{"channel":"level3"}"#, Err("Unsupported channel level3"));
    }
}
