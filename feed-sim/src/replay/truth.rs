//! Truth lines of a replay: what each recorded message says, numbers as text.
//!
//! Pure. Invariant: one line a message; the sequence counts messages of a symbol and channel. A
//! Binance REST snapshot is a line of channel `depth_snapshot`.

use serde_json::{Value, json};

use super::kraken::{KrakenLevel, KrakenMessage};
use super::load::Kind;
use super::message::{DepthMessage, DepthSnapshot, QuoteMessage, TradeMessage};

/// The channel of a kind of line, and its position among a market's sequences.
pub(crate) fn channel(kind: Kind) -> Option<(&'static str, usize)> {
    match kind {
        Kind::Trade => Some(("trade", 0)),
        Kind::Quote => Some(("ticker", 1)),
        Kind::Depth | Kind::KrakenBook => Some(("book", 2)),
        Kind::DepthSnapshot => Some(("depth_snapshot", 3)),
        Kind::Other => None,
    }
}

/// The content of a message, to be completed with venue, symbol, channel, sequence and time.
pub(crate) fn content(kind: Kind, text: &[u8]) -> Option<Value> {
    Some(match kind {
        Kind::Trade => {
            let TradeMessage { data } = serde_json::from_slice(text).ok()?;
            // The maker bought, so the taker sold.
            let side = if data.buyer_is_maker { "sell" } else { "buy" };
            json!({ "type": "update", "price": data.price, "qty": data.qty, "side": side,
                "trade_id": data.id })
        }
        Kind::Quote => {
            let QuoteMessage { data } = serde_json::from_slice(text).ok()?;
            json!({ "type": "update", "bid": data.bid, "bid_qty": data.bid_qty, "ask": data.ask,
                "ask_qty": data.ask_qty, "update_id": data.update_id })
        }
        Kind::Depth => {
            let DepthMessage { data } = serde_json::from_slice(text).ok()?;
            json!({ "type": "update", "bids": data.bids, "asks": data.asks,
                "first_update_id": data.first_update_id, "last_update_id": data.last_update_id })
        }
        Kind::DepthSnapshot => {
            let data: DepthSnapshot<'_> = serde_json::from_slice(text).ok()?;
            json!({ "type": "snapshot", "bids": data.bids, "asks": data.asks,
                "last_update_id": data.last_update_id })
        }
        Kind::KrakenBook => {
            let message: KrakenMessage<'_> = serde_json::from_slice(text).ok()?;
            let item = message.data.first()?;
            let side = |levels: &[KrakenLevel<'_>]| {
                levels
                    .iter()
                    .map(|level| <[&str; 2]>::from(level.texts()))
                    .collect::<Vec<_>>()
                    .into_iter()
                    .map(|pair| json!(pair))
                    .collect::<Value>()
            };
            json!({ "type": message.kind, "bids": side(&item.bids), "asks": side(&item.asks),
                "checksum": item.checksum })
        }
        Kind::Other => return None,
    })
}
