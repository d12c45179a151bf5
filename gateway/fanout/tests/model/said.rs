//! What frames say, as a dashboard of its own code reads them, and the terms it asks for.

use serde::Deserialize;
use serde_json::value::RawValue;

/// Any message of the gateway.
#[derive(Deserialize)]
pub(crate) struct Message<'a> {
    pub(crate) channel: Option<&'a str>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<&'a str>,
    #[serde(borrow)]
    pub(crate) data: Option<&'a RawValue>,
    pub(crate) x: Option<X>,
    pub(crate) success: Option<bool>,
    #[serde(borrow)]
    pub(crate) error: Option<&'a RawValue>,
    pub(crate) method: Option<&'a str>,
    #[serde(borrow)]
    pub(crate) result: Option<Granted<'a>>,
}

/// What an ack grants.
#[derive(Deserialize)]
pub(crate) struct Granted<'a> {
    pub(crate) channel: &'a str,
    /// None where a pattern was asked for.
    pub(crate) symbol: Option<&'a str>,
    pub(crate) interval: Option<u64>,
    pub(crate) x: Option<Extension>,
}

/// What an ack says of the extensions.
#[derive(Deserialize)]
pub(crate) struct Extension {
    pub(crate) recovered: Option<bool>,
    #[allow(dead_code, reason = "only the simulation asks for other paces")]
    pub(crate) conflate_ms: Option<u64>,
}

/// One of a notice's items.
#[derive(Deserialize)]
pub(crate) struct Notice<'a> {
    pub(crate) kind: &'a str,
    pub(crate) symbol: Option<&'a str>,
    pub(crate) channel: Option<&'a str>,
    pub(crate) from_seq: Option<u64>,
    pub(crate) to_seq: Option<u64>,
    pub(crate) reason: Option<&'a str>,
    pub(crate) interval: Option<u64>,
}

/// Numbers of a frame.
#[derive(Deserialize)]
pub(crate) struct X {
    pub(crate) seq: Option<u64>,
    pub(crate) first_seq: Option<u64>,
    pub(crate) merged: Option<u64>,
}

#[derive(Deserialize)]
pub(crate) struct Level<'a> {
    #[serde(borrow)]
    pub(crate) price: &'a RawValue,
    #[serde(borrow)]
    pub(crate) qty: &'a RawValue,
}

/// One thing under `data`, of whichever channel.
#[derive(Deserialize)]
pub(crate) struct Item<'a> {
    pub(crate) symbol: &'a str,
    #[serde(borrow, default)]
    pub(crate) bids: Vec<Level<'a>>,
    #[serde(borrow, default)]
    pub(crate) asks: Vec<Level<'a>>,
    pub(crate) checksum: Option<u32>,
    pub(crate) trade_id: Option<u64>,
    pub(crate) interval: Option<u64>,
    #[serde(borrow)]
    pub(crate) bid: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) close: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) last: Option<&'a RawValue>,
}

/// Where the payload of a frame begins, once that is known.
pub(crate) fn payload_start(frame: &[u8]) -> Option<usize> {
    let start = match frame.get(1)? {
        127 => 10,
        126 => 4,
        _ => 2,
    };
    (frame.len() >= start).then_some(start)
}

/// The digits of a number; none where nothing is known.
pub(crate) fn mantissa(raw: &RawValue) -> Option<i64> {
    raw.get().replace('.', "").parse().ok()
}

/// How a subscription is to be served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) sequenced: bool,
    /// As granted.
    pub(crate) pace_ms: u64,
    /// Ranges are announced instead of merged.
    pub(crate) skip: bool,
}

impl Terms {
    /// The `x` that asks for them.
    pub(crate) fn ask(self) -> String {
        let pace = match self.pace_ms {
            0 => String::new(),
            ms => format!(r#","conflate_ms":{ms}"#),
        };
        let on_slow = if self.skip { r#","on_slow":"skip""# } else { "" };
        format!(r#""seq":{}{pace}{on_slow}"#, self.sequenced)
    }
}
