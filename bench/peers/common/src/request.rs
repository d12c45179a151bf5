//! What a dashboard asks, as the steps that answer it. Pure but for the clock in the acks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::{Value, json};

/// One thing to do for a session, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Send this text.
    Say(String),
    /// Send the last ticker of the symbol if that is wanted, and every one from then on.
    Join { symbol: String, snapshot: bool },
    /// Send no more of the symbol.
    Leave { symbol: String },
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Request {
    method: String,
    params: Params,
    req_id: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Params {
    channel: String,
    symbol: Vec<String>,
    snapshot: Option<bool>,
}

/// What is said on connect.
pub fn status(peer: &str) -> String {
    static CONNECTIONS: AtomicU64 = AtomicU64::new(1);
    let id = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    let item =
        json!({ "api_version": "v2", "connection_id": id, "system": "online", "version": peer });
    json!({ "channel": "status", "type": "update", "data": [item] }).to_string()
}

/// A ticker update as the snapshot that it makes for who comes later.
pub fn as_snapshot(text: &str) -> String {
    text.replacen(r#""type":"update""#, r#""type":"snapshot""#, 1)
}

/// What answers one message of a dashboard.
pub fn steps(text: &str, knows: impl Fn(&str) -> bool, instruments: &str) -> Vec<Step> {
    let time_in = now();
    let request: Request = serde_json::from_str(text).unwrap_or_default();
    let Request { method, params, req_id } = request;
    let reply = |mut fields: Value| {
        if let Some(req_id) = req_id {
            fields["req_id"] = json!(req_id);
        }
        fields["time_in"] = json!(time_in);
        fields["time_out"] = json!(now());
        Step::Say(fields.to_string())
    };
    let refused =
        |error: &str| vec![reply(json!({ "method": method, "success": false, "error": error }))];
    let is_subscribe = method == "subscribe";
    let snapshot = params.snapshot.unwrap_or(true);
    let granted =
        |result: Value| reply(json!({ "method": method, "result": result, "success": true }));
    match (method.as_str(), params.channel.as_str()) {
        ("ping", _) => vec![reply(json!({ "method": "pong" }))],
        ("subscribe" | "unsubscribe", "instrument") => {
            let mut steps = vec![granted(json!({ "channel": "instrument", "snapshot": snapshot }))];
            if is_subscribe && snapshot {
                steps.push(Step::Say(instruments.to_owned()));
            }
            steps
        }
        ("subscribe" | "unsubscribe", "ticker") => {
            let mut steps = Vec::with_capacity(params.symbol.len() * 2);
            for symbol in params.symbol {
                if !knows(&symbol) {
                    let error = format!("Currency pair not supported {symbol}");
                    steps.extend(refused(&error));
                    continue;
                }
                let result = json!({ "channel": "ticker", "symbol": symbol, "snapshot": snapshot });
                steps.push(granted(result));
                steps.push(if is_subscribe {
                    Step::Join { symbol, snapshot }
                } else {
                    Step::Leave { symbol }
                });
            }
            steps
        }
        ("subscribe" | "unsubscribe", other) => refused(&format!("Unsupported channel {other}")),
        _ => refused("Unsupported method"),
    }
}

/// The time as RFC 3339 with microseconds.
fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let micros = since.subsec_micros();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Year, month and day of a day since 1970, counted through (a reply is no hot path).
fn civil(mut day: u64) -> (u64, u64, u64) {
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    (year, month, day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_found_in_its_month() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_452), (2025, 12, 30));
    }

    #[test]
    fn each_symbol_is_acknowledged_or_refused_by_itself() {
        let ask = r#"{"method":"subscribe","params":{"channel":"ticker","symbol":["A/B","C/D"]}}"#;
        let steps = steps(ask, |symbol| symbol == "A/B", "");
        assert_eq!(steps[1], Step::Join { symbol: "A/B".to_owned(), snapshot: true });
        let Step::Say(refusal) = &steps[2] else { panic!("{steps:?}") };
        assert!(refusal.contains("C/D") && refusal.contains(r#""success":false"#), "{refusal}");
    }
}
