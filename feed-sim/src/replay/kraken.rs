//! The Kraken side of a replay: recorded book messages passed on, a book kept beside them.
//!
//! Owned by the sim thread, behind a desk. Invariant: the kept book is cut to the recorded depth
//! after each message, as a client's must be, so its checksum is the recorded one.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::book::{TextBook, TextLevel};
use crate::decimal::{Key, decimals, put, write_integer};
use crate::kraken::desk::Market;
use crate::kraken::instrument::{Pair, write_snapshot};
use crate::kraken::request::Interest;
use crate::time::write_rfc3339;

/// A recorded message of the book channel.
#[derive(Debug, Deserialize)]
pub(crate) struct KrakenMessage<'a> {
    pub(crate) channel: &'a str,
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    #[serde(borrow)]
    pub(crate) data: Vec<KrakenBook<'a>>,
}

/// The book of one symbol, or what changed in it.
#[derive(Debug, Deserialize)]
pub(crate) struct KrakenBook<'a> {
    pub(crate) symbol: &'a str,
    #[serde(borrow)]
    pub(crate) bids: Vec<KrakenLevel<'a>>,
    #[serde(borrow)]
    pub(crate) asks: Vec<KrakenLevel<'a>>,
    pub(crate) checksum: u32,
    #[serde(default)]
    pub(crate) timestamp: Option<&'a str>,
}

/// A level, its numbers as they stand in the text.
#[derive(Debug, Deserialize)]
pub(crate) struct KrakenLevel<'a> {
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    qty: &'a RawValue,
}

impl KrakenLevel<'_> {
    /// Price and size as text.
    pub(crate) fn texts(&self) -> (&str, &str) {
        (self.price.get(), self.qty.get())
    }
}

impl KrakenBook<'_> {
    pub(crate) fn has_plain_numbers(&self) -> bool {
        self.bids.iter().chain(&self.asks).all(|level| {
            let (price, qty) = level.texts();
            Key::parse(price).is_some() && Key::parse(qty).is_some()
        })
    }
}

/// A recorded symbol.
#[derive(Debug)]
pub(crate) struct KrakenSymbol {
    pub(crate) name: String,
    /// Levels of the recorded snapshot: what a subscriber may ask for.
    pub(crate) depth: usize,
    price_decimals: u8,
    qty_decimals: u8,
    book: Option<TextBook>,
    ts_ns: u64,
}

impl KrakenSymbol {
    /// Takes precisions and depth from the recorded messages.
    pub(crate) fn new<'a>(name: &str, messages: impl Iterator<Item = KrakenMessage<'a>>) -> Self {
        let (mut price_decimals, mut qty_decimals, mut depth) = (0, 0, 0);
        for message in messages {
            for item in &message.data {
                for (price, qty) in item.bids.iter().chain(&item.asks).map(KrakenLevel::texts) {
                    price_decimals = decimals(price).max(price_decimals);
                    qty_decimals = decimals(qty).max(qty_decimals);
                }
                if message.kind == "snapshot" {
                    depth = depth.max(item.bids.len()).max(item.asks.len());
                }
            }
        }
        let name = name.to_owned();
        Self { name, depth, price_decimals, qty_decimals, book: None, ts_ns: 0 }
    }

    /// Folds a recorded message into the book; the checksum of what it is now.
    pub(crate) fn apply(&mut self, message: &KrakenMessage<'_>, ts_ns: u64) -> u32 {
        self.ts_ns = ts_ns;
        if message.kind == "snapshot" {
            self.book = Some(TextBook::default());
        }
        let depth = self.depth;
        let Some(book) = &mut self.book else { return 0 };
        for item in &message.data {
            for (is_bid, levels) in [(true, &item.bids), (false, &item.asks)] {
                for (price, qty) in levels.iter().map(KrakenLevel::texts) {
                    book.set(is_bid, price, qty);
                }
            }
        }
        book.truncate(depth);
        book.checksum()
    }

    /// Forgets the book, for the recording begins anew.
    pub(crate) fn reset(&mut self) {
        self.book = None;
    }
}

/// All recorded Kraken symbols.
#[derive(Debug, Default)]
pub(crate) struct KrakenTape {
    pub(crate) symbols: Vec<KrakenSymbol>,
}

impl Market for KrakenTape {
    fn find(&self, symbol: &str) -> Option<usize> {
        self.symbols.iter().position(|known| known.name == symbol)
    }

    fn symbol_count(&self) -> usize {
        self.symbols.len()
    }

    fn depth_refusal(&self, depth: u16) -> Option<String> {
        let recorded = self.symbols.iter().map(|symbol| symbol.depth).max()?;
        let is_recorded = usize::from(depth) == recorded;
        (!is_recorded).then(|| format!("Depth {depth} is not recorded, only {recorded}"))
    }

    fn write_instruments(&self, out: &mut Vec<u8>) {
        let pairs = self.symbols.iter().map(|symbol| Pair {
            symbol: &symbol.name,
            price_decimals: symbol.price_decimals,
            qty_decimals: symbol.qty_decimals,
            price_increment: 1,
        });
        write_snapshot(out, pairs);
    }

    fn write_snapshot(&mut self, interest: Interest, index: usize, out: &mut Vec<u8>) -> bool {
        let symbol = &self.symbols[index];
        let (Interest::Book(_), Some(book)) = (interest, &symbol.book) else { return false };
        put(out, r#"{"channel":"book","type":"snapshot","data":[{"symbol":""#);
        put(out, &symbol.name);
        put(out, r#"","bids":["#);
        write_levels(out, book.bids());
        put(out, r#"],"asks":["#);
        write_levels(out, book.asks());
        put(out, r#"],"checksum":"#);
        write_integer(out, u64::from(book.checksum()));
        put(out, r#","timestamp":""#);
        write_rfc3339(out, symbol.ts_ns);
        put(out, r#""}]}"#);
        true
    }
}

fn write_levels<'a>(out: &mut Vec<u8>, levels: impl Iterator<Item = &'a TextLevel>) {
    for (index, level) in levels.enumerate() {
        put(out, if index == 0 { r#"{"price":"# } else { r#",{"price":"# });
        put(out, &level.price);
        put(out, r#","qty":"#);
        put(out, &level.qty);
        put(out, "}");
    }
}
