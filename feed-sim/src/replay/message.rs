//! Recorded Binance messages as far as they are understood: depth, trade, quote, REST snapshot.
//!
//! Borrowed from the recorded text; numbers stay text. Used to check files, to keep books and to
//! write the truth, never to make what is sent.

use serde::Deserialize;

use super::load::Kind;

/// Price and size as texts.
type Pair<'a> = [&'a str; 2];

/// A depth stream message.
#[derive(Debug, Deserialize)]
pub(crate) struct DepthMessage<'a> {
    #[serde(borrow)]
    pub(crate) data: Depth<'a>,
}

/// Its content.
#[derive(Debug, Deserialize)]
pub(crate) struct Depth<'a> {
    #[serde(rename = "U")]
    pub(crate) first_update_id: u64,
    #[serde(rename = "u")]
    pub(crate) last_update_id: u64,
    #[serde(borrow, rename = "b")]
    pub(crate) bids: Vec<Pair<'a>>,
    #[serde(borrow, rename = "a")]
    pub(crate) asks: Vec<Pair<'a>>,
}

/// A recorded REST answer.
#[derive(Debug, Deserialize)]
pub(crate) struct DepthSnapshot<'a> {
    #[serde(rename = "lastUpdateId")]
    pub(crate) last_update_id: u64,
    #[serde(borrow)]
    pub(crate) bids: Vec<Pair<'a>>,
    #[serde(borrow)]
    pub(crate) asks: Vec<Pair<'a>>,
}

/// A trade stream message.
#[derive(Debug, Deserialize)]
pub(crate) struct TradeMessage<'a> {
    #[serde(borrow)]
    pub(crate) data: TradeData<'a>,
}

/// Its content.
#[derive(Debug, Deserialize)]
pub(crate) struct TradeData<'a> {
    #[serde(rename = "t")]
    pub(crate) id: u64,
    #[serde(rename = "p")]
    pub(crate) price: &'a str,
    #[serde(rename = "q")]
    pub(crate) qty: &'a str,
    #[serde(rename = "m")]
    pub(crate) buyer_is_maker: bool,
}

/// A bookTicker stream message.
#[derive(Debug, Deserialize)]
pub(crate) struct QuoteMessage<'a> {
    #[serde(borrow)]
    pub(crate) data: QuoteData<'a>,
}

/// Its content.
#[derive(Debug, Deserialize)]
pub(crate) struct QuoteData<'a> {
    #[serde(rename = "u")]
    pub(crate) update_id: u64,
    #[serde(rename = "b")]
    pub(crate) bid: &'a str,
    #[serde(rename = "B")]
    pub(crate) bid_qty: &'a str,
    #[serde(rename = "a")]
    pub(crate) ask: &'a str,
    #[serde(rename = "A")]
    pub(crate) ask_qty: &'a str,
}

/// Whether a line is what its kind says.
pub(crate) fn check(kind: Kind, json: &str) -> Result<(), serde_json::Error> {
    match kind {
        Kind::DepthSnapshot => serde_json::from_str::<DepthSnapshot<'_>>(json).map(drop),
        Kind::Depth => serde_json::from_str::<DepthMessage<'_>>(json).map(drop),
        Kind::Quote => serde_json::from_str::<QuoteMessage<'_>>(json).map(drop),
        Kind::Trade => serde_json::from_str::<TradeMessage<'_>>(json).map(drop),
        Kind::Other | Kind::KrakenBook => Ok(()),
    }
}
