//! What one dashboard knows, and everything it heard that breaks the protocol's promises.
//!
//! Strict: a frame that is no JSON, a checksum that is not that of the texts, a number that does
//! not follow the one before and was not announced, a trade too many or too few: each is noted in
//! words.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use super::book::Book;
use super::json::Json;

/// Trades that a snapshot holds at most.
const TRADES_SHOWN: u64 = 50;
/// Broken promises that are noted; the first ones say enough.
const VIOLATIONS_MAX: usize = 10;

/// How to read what is heard.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Frames carry numbers.
    pub sequenced: bool,
    /// The depth of every book subscription.
    pub depth: usize,
    /// Keep every book frame.
    pub keeps_frames: bool,
}

/// One execution as told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    pub side: String,
    pub price: String,
    pub qty: String,
    pub id: u64,
}

/// Best bid and ask, and the last price, as told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticker {
    pub bid: [String; 2],
    pub ask: [String; 2],
    pub last: String,
}

/// A kept book frame.
#[derive(Clone, Debug)]
pub struct BookFrame {
    pub seq: u64,
    pub ts_event: u64,
    pub text: String,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Closed(u16),
    Lost(String),
}

/// What is known.
#[derive(Debug)]
pub struct View {
    rules: Rules,
    pub acks: usize,
    /// The life of the numbering, as the last ack said.
    pub epoch: Option<String>,
    /// Of each ack that said so: whether it goes on where it had left off.
    pub recovered: Vec<bool>,
    /// Kind of the system's status.
    pub greeted: bool,
    pub heartbeats: u64,
    pub books: BTreeMap<String, Book>,
    pub trades: BTreeMap<String, Vec<Trade>>,
    pub tickers: BTreeMap<String, Vec<Ticker>>,
    pub frames: BTreeMap<String, Vec<BookFrame>>,
    /// Latest number of each channel and symbol.
    sequences: HashMap<(String, String), u64>,
    /// Number of each symbol's last trade; a venue that was lost may count anew.
    last_trades: HashMap<String, u64>,
    /// Symbol, state and when it was heard.
    pub states: Vec<(String, String, Instant)>,
    /// Numbers that were announced as missing.
    pub announced: u64,
    /// Updates that came as part of a frame that stands for several.
    pub merged: u64,
    pub book_updates: u64,
    pub violations: Vec<String>,
    /// When to come back and when to be gone, as a drain said, milliseconds.
    pub drain: Option<(u64, u64)>,
    pub end: Option<End>,
}

type Told<T = ()> = Result<T, String>;

impl View {
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            acks: 0,
            epoch: None,
            recovered: Vec::new(),
            greeted: false,
            heartbeats: 0,
            books: BTreeMap::new(),
            trades: BTreeMap::new(),
            tickers: BTreeMap::new(),
            frames: BTreeMap::new(),
            sequences: HashMap::new(),
            last_trades: HashMap::new(),
            states: Vec::new(),
            announced: 0,
            merged: 0,
            book_updates: 0,
            violations: Vec::new(),
            drain: None,
            end: None,
        }
    }

    /// The state a symbol was told last; one that nothing was told of is ok.
    pub fn state(&self, symbol: &str) -> &str {
        let told = self.states.iter().rev().find(|told| told.0 == symbol);
        told.map_or("ok", |told| &told.1)
    }

    /// Updates of a channel, over all symbols, that were told or announced as missing.
    pub fn numbered(&self, channel: &str) -> u64 {
        self.sequences.iter().filter(|(key, _)| key.0 == channel).map(|(_, seq)| seq).sum()
    }

    /// The latest number of each channel and symbol.
    pub const fn numbers(&self) -> &HashMap<(String, String), u64> {
        &self.sequences
    }

    /// How much was heard, for who waited in vain.
    pub fn summary(&self) -> String {
        let trades: usize = self.trades.values().map(Vec::len).sum();
        let tickers: usize = self.tickers.values().map(Vec::len).sum();
        format!(
            "heard {} acks, {trades} trades, {tickers} tickers, {} book updates, {} announced, \
             numbers {:?}, states {:?}",
            self.acks, self.book_updates, self.announced, self.sequences, self.states
        )
    }

    /// Takes one message.
    pub fn hear(&mut self, text: &str) {
        let outcome = match Json::parse(text) {
            Some(message) => self.understand(&message, text),
            None => Err("is no JSON".to_owned()),
        };
        if let Err(reason) = outcome
            && self.violations.len() < VIOLATIONS_MAX
        {
            let head: String = text.chars().take(400).collect();
            self.violations.push(format!("{reason}: {head}"));
        }
    }

    fn understand(&mut self, message: &Json<'_>, text: &str) -> Told {
        if !self.greeted {
            self.greeted = message.text("channel") == Some("status");
            return if self.greeted { Ok(()) } else { Err("the first is no status".to_owned()) };
        }
        if message.get("method").is_some() {
            let granted = message.get("success") == Some(&Json::Bool(true));
            self.acks += usize::from(granted);
            if let Some(x) = message.get("result").and_then(|result| result.get("x")) {
                self.epoch = x.text("epoch").map(str::to_owned).or(self.epoch.take());
                let recovered = x.get("recovered").map(|told| *told == Json::Bool(true));
                self.recovered.extend(recovered);
            }
            return if granted { Ok(()) } else { Err("refused".to_owned()) };
        }
        let channel = message.text("channel").ok_or("neither channel nor method")?;
        if channel == "heartbeat" {
            self.heartbeats += 1;
            return Ok(());
        }
        let items = message.list("data").ok_or("no data")?;
        match channel {
            "notice" => items.iter().try_for_each(|item| self.notice(item)),
            "ticker" | "trade" | "book" => self.data(channel, message, items, text),
            "status" => Ok(()),
            _ => Err("a channel nobody asked for".to_owned()),
        }
    }

    fn notice(&mut self, item: &Json<'_>) -> Told {
        if !self.rules.sequenced {
            return Err("a notice to one who did not ask for extensions".to_owned());
        }
        let symbol = item.text("symbol").unwrap_or_default().to_owned();
        match item.text("kind") {
            Some("state") => {
                let state = item.text("state").ok_or("no state")?.to_owned();
                if state == "stale" {
                    self.last_trades.remove(&symbol);
                }
                self.states.push((symbol, state, Instant::now()));
            }
            Some("gap") => {
                let channel = item.text("channel").ok_or("no channel")?.to_owned();
                let (from, to) = item.whole("from_seq").zip(item.whole("to_seq")).ok_or("range")?;
                let known = self.sequences.entry((channel, symbol)).or_default();
                if from != *known + 1 || to < from || item.whole("count") != Some(to - from + 1) {
                    return Err(format!("a gap that does not follow {known}"));
                }
                *known = to;
                self.announced += to - from + 1;
            }
            Some("drain") => {
                let times = item.whole("reconnect_after_ms").zip(item.whole("deadline_ms"));
                self.drain = Some(times.ok_or("a drain without its times")?);
            }
            Some("slow_warning" | "slow_cleared") => {}
            _ => return Err("a notice of no known kind".to_owned()),
        }
        Ok(())
    }

    fn data(&mut self, channel: &str, message: &Json<'_>, items: &[Json<'_>], text: &str) -> Told {
        let first = items.first().ok_or("data without items")?;
        let symbol = first.text("symbol").ok_or("no symbol")?.to_owned();
        if items.iter().any(|item| item.text("symbol") != Some(&symbol)) {
            return Err("two symbols in one frame".to_owned());
        }
        let is_snapshot = match message.text("type") {
            Some("snapshot") => true,
            Some("update") => false,
            _ => return Err("neither snapshot nor update".to_owned()),
        };
        let count = match (self.rules.sequenced, message.get("x")) {
            (true, Some(x)) => Some(self.number(channel, &symbol, is_snapshot, x)?),
            (false, None) => None,
            (asked, _) => return Err(format!("numbers asked for: {asked}")),
        };
        match channel {
            "trade" => self.trades(symbol, items, is_snapshot, count),
            "ticker" => {
                let ticker = ticker(first).ok_or("a ticker without its fields")?;
                self.tickers.entry(symbol).or_default().push(ticker);
                if items.len() == 1 { Ok(()) } else { Err("two tickers in one frame".to_owned()) }
            }
            _ => {
                if items.len() != 1 {
                    return Err("two books in one frame".to_owned());
                }
                if self.rules.keeps_frames {
                    let x = message.get("x").ok_or("no x")?;
                    let ts_event = x.text("ts_event").and_then(|ts| ts.parse().ok());
                    let frame = BookFrame {
                        seq: x.whole("seq").ok_or("no seq")?,
                        ts_event: ts_event.ok_or("no ts_event")?,
                        text: text.to_owned(),
                    };
                    self.frames.entry(symbol.clone()).or_default().push(frame);
                }
                self.book_updates += 1;
                let book = self.books.entry(symbol).or_default();
                apply_book(book, first, is_snapshot, self.rules.depth)
            }
        }
    }

    /// Checks that a frame's number follows; returns how many updates it stands for. A snapshot
    /// stands for all up to its number.
    fn number(
        &mut self,
        channel: &str,
        symbol: &str,
        is_snapshot: bool,
        x: &Json<'_>,
    ) -> Told<u64> {
        let seq = x.whole("seq").ok_or("x without seq")?;
        let first = x.whole("first_seq").unwrap_or(seq);
        let key = (channel.to_owned(), symbol.to_owned());
        let known = self.sequences.insert(key, seq);
        match known {
            None if is_snapshot => Ok(seq),
            None => Err("an update before any snapshot".to_owned()),
            Some(_) if is_snapshot => Err("a second snapshot".to_owned()),
            Some(known) if first != known + 1 || seq < first => {
                Err(format!("{first} to {seq} after {known}"))
            }
            Some(_) => {
                let count = seq - first + 1;
                if count > 1 {
                    self.merged += count;
                }
                let is_told = x.whole("merged").unwrap_or(1) == count;
                if is_told { Ok(count) } else { Err("merged is another number".to_owned()) }
            }
        }
    }

    fn trades(
        &mut self,
        symbol: String,
        items: &[Json<'_>],
        is_snapshot: bool,
        count: Option<u64>,
    ) -> Told {
        let due = |count: u64| if is_snapshot { count.min(TRADES_SHOWN) } else { count };
        if count.is_some_and(|count| due(count) != items.len() as u64) {
            return Err(format!("{} trades for {count:?} numbers", items.len()));
        }
        let last = self.last_trades.entry(symbol.clone()).or_default();
        let known = self.trades.entry(symbol).or_default();
        for item in items {
            let trade = trade(item).ok_or("a trade without its fields")?;
            if self.rules.sequenced && *last >= trade.id {
                return Err(format!("a trade twice or out of order: {} after {last}", trade.id));
            }
            *last = trade.id;
            known.push(trade);
        }
        Ok(())
    }
}

/// Applies one book item, whatever is wrong with it, and says what is.
pub fn apply_book(book: &mut Book, item: &Json<'_>, is_snapshot: bool, depth: usize) -> Told {
    if is_snapshot {
        book.clear();
    }
    let mut missing = None;
    for (side, name) in ["bids", "asks"].into_iter().enumerate() {
        for level in item.list(name).ok_or("a side is missing")? {
            let (price, qty) = level.number("price").zip(level.number("qty")).ok_or("no level")?;
            if !book.set(side, price, qty) {
                missing = Some(price);
            }
        }
    }
    book.truncate(depth);
    let (told, own) = (item.whole("checksum").ok_or("no checksum")?, book.checksum());
    match missing {
        _ if told != own => Err(format!("checksum {told} where the texts give {own}")),
        _ if book.is_crossed() => Err("a crossed book".to_owned()),
        Some(price) => Err(format!("removes {price}, which is not there")),
        None => Ok(()),
    }
}

fn trade(item: &Json<'_>) -> Option<Trade> {
    item.text("timestamp")?;
    Some(Trade {
        side: item.text("side")?.to_owned(),
        price: item.number("price")?.to_owned(),
        qty: item.number("qty")?.to_owned(),
        id: item.whole("trade_id")?,
    })
}

fn ticker(item: &Json<'_>) -> Option<Ticker> {
    item.text("timestamp")?;
    let text = |name| item.number(name).map(str::to_owned);
    Some(Ticker {
        bid: [text("bid")?, text("bid_qty")?],
        ask: [text("ask")?, text("ask_qty")?],
        last: text("last")?,
    })
}
