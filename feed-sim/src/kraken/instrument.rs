//! The snapshot of the instrument channel: every asset and every pair, with their precisions.
//!
//! Pure. Field names are those of docs.kraken.com, spot-websocket-v2/instrument.

use std::collections::BTreeSet;

use crate::decimal::{put, write, write_integer};

/// A pair as its instrument message describes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair<'a> {
    pub(crate) symbol: &'a str,
    pub(crate) price_decimals: u8,
    pub(crate) qty_decimals: u8,
    /// The step of prices, as a mantissa.
    pub(crate) price_increment: i64,
}

impl<'a> Pair<'a> {
    fn assets(&self) -> (&'a str, &'a str) {
        self.symbol.split_once('/').unwrap_or((self.symbol, ""))
    }
}

/// Appends the whole message.
pub(crate) fn write_snapshot<'a>(out: &mut Vec<u8>, pairs: impl Iterator<Item = Pair<'a>> + Clone) {
    put(out, r#"{"channel":"instrument","type":"snapshot","data":{"assets":["#);
    let assets: BTreeSet<&str> =
        pairs.clone().flat_map(|pair| <[&str; 2]>::from(pair.assets())).collect();
    for (index, asset) in assets.iter().enumerate() {
        put(out, if index == 0 { r#"{"id":""# } else { r#",{"id":""# });
        put(out, asset);
        put(out, r#"","status":"enabled","precision":8,"precision_display":5,"borrowable":false,"#);
        put(out, r#""collateral_value":0.00,"margin_rate":0.00}"#);
    }
    put(out, r#"],"pairs":["#);
    for (index, pair) in pairs.enumerate() {
        if index > 0 {
            put(out, ",");
        }
        write_pair(out, pair);
    }
    put(out, "]}}");
}

fn write_pair(out: &mut Vec<u8>, pair: Pair<'_>) {
    let (base, quote) = pair.assets();
    for (name, text) in
        [(r#"{"symbol":""#, pair.symbol), (r#"","base":""#, base), (r#"","quote":""#, quote)]
    {
        put(out, name);
        put(out, text);
    }
    put(out, r#"","status":"online","qty_precision":"#);
    write_integer(out, u64::from(pair.qty_decimals));
    put(out, r#","qty_increment":"#);
    write(out, 1, pair.qty_decimals);
    put(out, r#","price_precision":"#);
    write_integer(out, u64::from(pair.price_decimals));
    for name in [r#","price_increment":"#, r#","tick_size":"#] {
        put(out, name);
        write(out, pair.price_increment, pair.price_decimals);
    }
    put(out, r#","cost_precision":5,"cost_min":0.50,"qty_min":"#);
    write(out, 1, pair.qty_decimals);
    put(out, r#","marginable":false,"has_index":false"#);
    put(out, r#","position_limit_long":0,"position_limit_short":0}"#);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_json_with_the_increments_at_full_precision() {
        let pair =
            Pair { symbol: "BTC/USD", price_decimals: 1, qty_decimals: 8, price_increment: 5 };
        let mut out = Vec::new();
        write_snapshot(&mut out, [pair].into_iter());
        let message: serde_json::Value = serde_json::from_slice(&out).expect("valid JSON");
        assert_eq!(message["data"]["assets"].as_array().expect("assets").len(), 2);
        assert_eq!(message["data"]["pairs"][0]["base"], "BTC");
        let text = String::from_utf8(out).expect("ascii");
        assert!(text.contains(r#""price_increment":0.5,"#), "{text}");
        assert!(text.contains(r#""qty_increment":0.00000001,"#), "{text}");
    }
}
