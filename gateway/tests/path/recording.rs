//! A recorded Binance market, read straight from its file: every book, trade and quote that was.
//!
//! The book follows the venue's documented rule: the REST snapshot, then every delta that ends
//! after it, whole messages, absolute sizes. Its continuity is checked on the way.

use std::path::Path;

use serde_json::Value;

use super::book::Book;
use super::recorded;
use super::view::{Ticker, Trade};

/// Which documented join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Venue {
    Spot,
    UsdM,
}

/// A depth message that changes something, behind the snapshot.
pub struct Delta {
    pub ts_event_ns: u64,
    /// Sides, levels of price and size.
    levels: [Vec<[String; 2]>; 2],
}

impl Delta {
    pub fn apply(&self, book: &mut Book) {
        for (side, levels) in self.levels.iter().enumerate() {
            for [price, size] in levels {
                // Removing what is not there is allowed to this venue.
                book.set(side, price, size);
            }
        }
    }
}

/// One market.
pub struct Recording {
    pub snapshot: Book,
    /// In order; messages without a level are left out, for they change nothing.
    pub deltas: Vec<Delta>,
    pub trades: Vec<Trade>,
    /// What a ticker on every change has to say: one for each quote and each trade, in order.
    pub tickers: Vec<Ticker>,
    pub quote_count: usize,
    /// All recorded messages.
    pub message_count: usize,
}

impl Recording {
    pub fn read(path: &Path, venue: Venue) -> Self {
        let lines: Vec<Value> = recorded::text(path)
            .lines()
            .map(|line| serde_json::from_str(&line[20..]).expect("JSON behind the time"))
            .collect();
        let snapshot = lines.iter().find(|line| line.get("lastUpdateId").is_some());
        let snapshot = snapshot.expect("a recording holds a snapshot");
        let mut recording = Self {
            snapshot: Book::default(),
            deltas: deltas(&lines, venue, snapshot["lastUpdateId"].as_u64().expect("a number")),
            trades: Vec::new(),
            tickers: Vec::new(),
            quote_count: 0,
            message_count: lines.len(),
        };
        for (side, name) in ["bids", "asks"].into_iter().enumerate() {
            for [price, size] in levels(&snapshot[name]) {
                recording.snapshot.set(side, &price, &size);
            }
        }
        recording.tell(&lines);
        recording
    }

    fn tell(&mut self, lines: &[Value]) {
        let unknown = || [text_of("null"), text_of("null")];
        let mut now = Ticker { bid: unknown(), ask: unknown(), last: text_of("null") };
        for line in lines {
            let (stream, data) = (line["stream"].as_str().unwrap_or(""), &line["data"]);
            if stream.ends_with("@bookTicker") {
                self.quote_count += 1;
                now.bid = [text(&data["b"]), text(&data["B"])];
                now.ask = [text(&data["a"]), text(&data["A"])];
            } else if stream.ends_with("@trade") {
                let trade = trade(data);
                now.last.clone_from(&trade.price);
                self.trades.push(trade);
            } else {
                continue;
            }
            self.tickers.push(now.clone());
        }
    }
}

fn deltas(lines: &[Value], venue: Venue, snapshot: u64) -> Vec<Delta> {
    let mut deltas = Vec::new();
    let mut last = None;
    for line in lines.iter().filter(|line| line["data"]["e"] == "depthUpdate") {
        let data = &line["data"];
        let number = |name: &str| data[name].as_u64().expect("a number");
        let (first, end) = (number("U"), number("u"));
        let is_old = match venue {
            Venue::Spot => end <= snapshot,
            Venue::UsdM => end < snapshot,
        };
        if is_old {
            continue;
        }
        match (last, venue) {
            (None, Venue::Spot) => assert!(first <= snapshot + 1, "the snapshot is joined"),
            (None, Venue::UsdM) => assert!(first <= snapshot, "the snapshot is joined"),
            (Some(last), Venue::Spot) => assert_eq!(first, last + 1, "nothing is missing"),
            (Some(last), Venue::UsdM) => assert_eq!(number("pu"), last, "nothing is missing"),
        }
        last = Some(end);
        let levels = [levels(&data["b"]), levels(&data["a"])];
        if levels.iter().any(|side| !side.is_empty()) {
            let time = data["T"].as_u64().unwrap_or_else(|| number("E"));
            deltas.push(Delta { ts_event_ns: time * 1_000_000, levels });
        }
    }
    deltas
}

fn trade(data: &Value) -> Trade {
    // The maker's side is the other one than the taker's, which a trade is told by.
    let side = if data["m"].as_bool().expect("a flag") { "sell" } else { "buy" };
    Trade {
        side: text_of(side),
        price: text(&data["p"]),
        qty: text(&data["q"]),
        id: data["t"].as_u64().expect("a number"),
    }
}

fn levels(side: &Value) -> Vec<[String; 2]> {
    let levels = side.as_array().expect("a side").iter();
    levels.map(|level| [text(&level[0]), text(&level[1])]).collect()
}

fn text(value: &Value) -> String {
    text_of(value.as_str().expect("a decimal in a text"))
}

fn text_of(text: &str) -> String {
    text.to_owned()
}
