//! A strict client: reads frames, keeps text, trusts nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::venue::Venue;

#[derive(Deserialize)]
struct Message<'a> {
    channel: Option<&'a str>,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    x: Option<X>,
    success: Option<bool>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    method: Option<&'a str>,
    #[serde(borrow)]
    result: Option<Granted<'a>>,
}

#[derive(Deserialize)]
struct Granted<'a> {
    channel: &'a str,
    symbol: Option<&'a str>,
    interval: Option<u64>,
    x: Option<Extension>,
}

#[derive(Deserialize)]
struct Extension {
    recovered: Option<bool>,
}

#[derive(Deserialize)]
struct X {
    seq: Option<u64>,
    first_seq: Option<u64>,
    merged: Option<u64>,
}

#[derive(Deserialize)]
struct Level<'a> {
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    qty: &'a RawValue,
}

#[derive(Deserialize)]
struct Item<'a> {
    symbol: &'a str,
    #[serde(borrow, default)]
    bids: Vec<Level<'a>>,
    #[serde(borrow, default)]
    asks: Vec<Level<'a>>,
    checksum: Option<u32>,
    trade_id: Option<u64>,
    interval: Option<u64>,
    #[serde(borrow)]
    bid: Option<&'a RawValue>,
    #[serde(borrow)]
    close: Option<&'a RawValue>,
    #[serde(borrow)]
    last: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Notice<'a> {
    kind: &'a str,
    symbol: &'a str,
    channel: Option<&'a str>,
    from_seq: Option<u64>,
    to_seq: Option<u64>,
    reason: Option<&'a str>,
    interval: Option<u64>,
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
            ms => format!(",\"conflate_ms\":{ms}"),
        };
        let on_slow = if self.skip { ",\"on_slow\":\"skip\"" } else { "" };
        format!("\"seq\":{}{pace}{on_slow}", self.sequenced)
    }
}

/// One subscription as the client sees it.
pub(crate) struct Followed {
    pub(crate) symbol: String,
    pub(crate) channel: &'static str,
    pub(crate) parameter: &'static str,
    pub(crate) terms: Terms,
    pub(crate) sequence: Option<u64>,
    has_snapshot: bool,
    /// Something happened that lets one frame stand for several updates.
    pub(crate) may_merge: bool,
    /// The bucket of the latest update frame.
    pub(crate) bucket: Option<u64>,
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
    trade_ids: BTreeSet<u64>,
    /// Trades the venue had when we subscribed, or that were announced as missed.
    excused: BTreeSet<u64>,
    newest: Option<String>,
}

impl Followed {
    pub(crate) fn new(
        symbol: &str,
        channel: &'static str,
        parameter: &'static str,
        terms: Terms,
        venue: &Venue,
    ) -> Self {
        Self {
            symbol: symbol.to_owned(),
            channel,
            parameter,
            terms,
            sequence: None,
            has_snapshot: false,
            may_merge: false,
            bucket: None,
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
            trade_ids: BTreeSet::new(),
            excused: venue.symbol(symbol).trade_ids.iter().copied().collect(),
            newest: None,
        }
    }

    /// Bars of two intervals differ by it alone.
    fn is_of(&self, interval: Option<u64>) -> bool {
        interval.is_none_or(|i| self.parameter.ends_with(&format!(":{i}")))
    }

    /// A fresh snapshot is to come.
    fn begin_anew(&mut self) {
        self.sequence = None;
        self.has_snapshot = false;
        self.newest = None;
        self.trade_ids.clear();
        self.excused.clear();
        self.bids.clear();
        self.asks.clear();
    }

    fn depth(&self) -> usize {
        let digits: String = self.parameter.chars().filter(char::is_ascii_digit).collect();
        digits.parse().expect("book parameters name a depth")
    }

    fn receive(&mut self, kind: &str, items: &[Item<'_>], x: Option<&X>, now: u64) {
        let name = format!("{} {}", self.symbol, self.channel);
        if let Some(x) = x {
            let (seq, first) = (x.seq.expect("a number"), x.first_seq);
            let first = first.unwrap_or(seq);
            assert_eq!(x.merged.unwrap_or(1), seq - first + 1);
            if kind == "update" {
                let due = self.sequence.expect("a snapshot comes first") + 1;
                assert_eq!(first, due, "{name}");
                assert!(first == seq || self.may_merge || self.terms.pace_ms > 0, "{name} merged");
                assert!(first == seq || self.channel != "trade", "merged trades");
            }
            self.sequence = Some(seq);
        } else {
            assert!(kind == "snapshot" || self.newest.is_some(), "a snapshot comes first");
        }
        assert!(kind == "update" || !self.has_snapshot, "{name}: a second snapshot");
        self.has_snapshot = true;
        // A ticker may be let through before its time, by a trade.
        if self.terms.pace_ms > 0 && kind == "update" && self.channel != "ticker" {
            let bucket = Some(now / (self.terms.pace_ms * 1_000_000));
            assert!(self.bucket < bucket || self.may_merge, "{name}: two frames in a bucket");
            self.bucket = bucket;
        }
        if let ("trade", "snapshot", Some(first)) = (self.channel, kind, items.first()) {
            self.excused.extend(1..first.trade_id.expect("trades are numbered"));
        }
        for item in items {
            match self.channel {
                "book" => self.receive_book(kind, item),
                "trade" => self.receive_trade(kind, item),
                "ticker" => self.newest = Some(text(item.bid)),
                _ => self.newest = Some(text(item.close)),
            }
            if self.channel == "ticker" && self.parameter.contains("trades") {
                self.newest = Some(text(item.last));
            }
        }
        self.newest.get_or_insert_default();
    }

    fn receive_trade(&mut self, kind: &str, item: &Item<'_>) {
        let id = item.trade_id.expect("trades are numbered");
        let is_new = self.trade_ids.insert(id);
        assert!(is_new || kind == "snapshot", "trade {id} came twice");
        assert!(
            !self.excused.contains(&id) || kind == "snapshot",
            "an old trade {id} as an update"
        );
    }

    fn receive_book(&mut self, kind: &str, item: &Item<'_>) {
        if kind == "snapshot" {
            self.bids.clear();
            self.asks.clear();
        }
        let depth = self.depth();
        for level in &item.bids {
            set(&mut self.bids, level);
            while self.bids.len() > depth {
                self.bids.pop_first();
            }
        }
        for level in &item.asks {
            set(&mut self.asks, level);
            while self.asks.len() > depth {
                self.asks.pop_last();
            }
        }
        let mut text = String::new();
        let asks = self.asks.iter().take(10);
        for (price, size) in asks.chain(self.bids.iter().rev().take(10)) {
            text.extend([price.to_string(), size.to_string()]);
        }
        assert_eq!(item.checksum, Some(crc32(text.as_bytes())), "{} {kind}", self.symbol);
    }

    fn check(&self, venue: &Venue) {
        let symbol = venue.symbol(&self.symbol);
        match self.channel {
            "book" => {
                let depth = self.depth();
                assert!(self.bids.iter().rev().eq(symbol.bids.iter().rev().take(depth)));
                assert!(self.asks.iter().eq(symbol.asks.iter().take(depth)));
            }
            "trade" => {
                let missing: Vec<_> = symbol
                    .trade_ids
                    .iter()
                    .filter(|id| !self.trade_ids.contains(id) && !self.excused.contains(id))
                    .collect();
                assert!(missing.is_empty(), "{missing:?} never came");
            }
            "ticker" if self.parameter.contains("bbo") => {
                if let Some((bid, ..)) = symbol.quote {
                    assert_eq!(self.newest.as_deref(), Some(&*price(bid)), "{}", self.symbol);
                }
            }
            _ => {
                if let (Some(last), Some(newest)) = (symbol.last, &self.newest) {
                    assert_eq!(*newest, price(last), "{} {}", self.symbol, self.channel);
                }
            }
        }
    }
}

/// One dashboard.
#[derive(Default)]
pub(crate) struct Dashboard {
    pub(crate) followed: Vec<Followed>,
    pub(crate) patterns: Vec<(String, &'static str, &'static str, Terms)>,
    pub(crate) is_blocked: bool,
    /// Which of each channel's parameters it uses.
    pub(crate) habit: usize,
    pub(crate) frame_count: usize,
    /// It followed what it cannot be told holes of when the shard was lapped.
    pub(crate) was_fatal: bool,
    /// The code it was closed with.
    pub(crate) closed: Option<u16>,
    /// Frames as they come are of this moment.
    pub(crate) now: u64,
    /// When its socket last took something.
    pub(crate) served_at: u64,
    /// Subscriptions it asked to go on with, and what became of them.
    pub(crate) asked_to_resume: bool,
    pub(crate) resumed_count: usize,
    pub(crate) not_resumed: Vec<(String, String)>,
}

impl Dashboard {
    pub(crate) fn follow(&mut self, new: Followed) {
        let same = |f: &&mut Followed| {
            (&f.symbol, f.channel, f.parameter) == (&new.symbol, new.channel, new.parameter)
        };
        match self.followed.iter_mut().find(same) {
            // Already subscribed in the same way: nothing changes, no second snapshot comes.
            Some(old) if old.terms == new.terms => {}
            Some(old) => *old = new,
            None => self.followed.push(new),
        }
    }

    pub(crate) fn unfollow(&mut self, symbol: &str, channel: &str, parameter: &str) {
        self.followed
            .retain(|f| (&*f.symbol, f.channel, f.parameter) != (symbol, channel, parameter));
    }

    pub(crate) fn follow_patterns(&mut self, name: &str, venue: &Venue) {
        for (pattern, channel, parameter, terms) in self.patterns.clone() {
            if name.starts_with(pattern.trim_end_matches('*')) {
                self.follow(Followed::new(name, channel, parameter, terms, venue));
            }
        }
    }

    /// It follows trades without numbers: holes cannot be told to it.
    pub(crate) fn has_fatal(&self) -> bool {
        self.followed.iter().any(|f| f.channel == "trade" && !f.terms.sequenced)
    }

    /// From now on, until it holds everything again, one frame may stand for several updates.
    pub(crate) fn may_merge(&mut self) {
        self.followed.iter_mut().for_each(|followed| followed.may_merge = true);
    }

    /// Reads whole frames.
    pub(crate) fn receive(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let length = wire::frame::length(bytes);
            let (frame, rest) = bytes.split_at(length);
            bytes = rest;
            let start = match frame[1] {
                127 => 10,
                126 => 4,
                _ => 2,
            };
            if frame[0] == 0x88 {
                self.closed = Some(u16::from_be_bytes([frame[start], frame[start + 1]]));
                continue;
            }
            let text = std::str::from_utf8(&frame[start..]).expect("UTF-8");
            self.message(text);
        }
    }

    fn message(&mut self, text: &str) {
        self.frame_count += 1;
        let message: Message<'_> = serde_json::from_str(text).expect("well-formed");
        assert!(message.error.is_none() || message.success == Some(false));
        if let (Some("subscribe"), Some(result)) = (message.method, &message.result) {
            match result.x.as_ref().and_then(|x| x.recovered) {
                Some(true) => self.resumed_count += 1,
                Some(false) => {
                    let symbol = result.symbol.expect("patterns do not resume").to_owned();
                    self.not_resumed.push((symbol, result.channel.to_owned()));
                    let is_it = |f: &&mut Followed| {
                        Some(&*f.symbol) == result.symbol
                            && f.channel == result.channel
                            && f.is_of(result.interval)
                    };
                    self.followed.iter_mut().filter(is_it).for_each(Followed::begin_anew);
                }
                None => assert!(!self.asked_to_resume, "an ack does not say what was asked"),
            }
        }
        let Some(data) = message.data else { return };
        match message.channel.expect("data has a channel") {
            "status" | "heartbeat" => {}
            "notice" => self.notice(data.get()),
            channel => {
                let items: Vec<Item<'_>> = serde_json::from_str(data.get()).expect("items");
                self.data(channel, message.kind.expect("a type"), &items, message.x.as_ref());
            }
        }
    }

    fn data(&mut self, channel: &str, kind: &str, items: &[Item<'_>], x: Option<&X>) {
        let Some(first) = items.first() else { return };
        // Frames name neither depth nor trigger, so a dashboard of the model uses one of each.
        let followed = self
            .followed
            .iter_mut()
            .filter(|f| f.symbol == first.symbol && f.channel == channel)
            .filter(|f| f.terms.sequenced == x.is_some())
            .find(|f| f.is_of(first.interval));
        match followed {
            Some(followed) => followed.receive(kind, items, x, self.now),
            None => panic!("nobody asked for {channel} of {}", first.symbol),
        }
    }

    fn notice(&mut self, data: &str) {
        let notices: Vec<Notice<'_>> = serde_json::from_str(data).expect("notices");
        for notice in notices.iter().filter(|n| n.kind == "gap") {
            let (from, to) = (notice.from_seq.expect("from"), notice.to_seq.expect("to"));
            for followed in self.followed.iter_mut().filter(|f| {
                f.symbol == notice.symbol
                    && Some(f.channel) == notice.channel
                    && f.terms.sequenced
                    && f.is_of(notice.interval)
            }) {
                assert!(followed.may_merge, "a gap out of nothing");
                let is_fair = match notice.reason.expect("a reason") {
                    "skipped" => followed.terms.skip && followed.channel != "trade",
                    _ => followed.channel == "trade",
                };
                assert!(is_fair, "{} {:?}", followed.channel, notice.reason);
                assert_eq!(followed.sequence.unwrap_or(0) + 1, from, "a gap begins where we are");
                followed.sequence = Some(to);
                // The model numbers trades as the channel does.
                followed.excused.extend(from..=to);
            }
        }
    }

    /// It must hold what the venue holds; who is paced, only when every bucket has ended.
    pub(crate) fn check(&mut self, venue: &Venue, is_paced_due: bool) {
        for followed in &mut self.followed {
            if followed.terms.pace_ms == 0 || is_paced_due {
                followed.check(venue);
                followed.may_merge = false;
            }
        }
    }
}

fn set(side: &mut BTreeMap<i64, i64>, level: &Level<'_>) {
    let digits = |raw: &RawValue| raw.get().replace('.', "").parse::<i64>().expect("a number");
    let (price, size) = (digits(level.price), digits(level.qty));
    if size == 0 {
        assert!(side.remove(&price).is_some(), "a removal of what is not there");
    } else {
        side.insert(price, size);
    }
}

fn text(raw: Option<&RawValue>) -> String {
    raw.map_or_else(|| "null".to_owned(), |raw| raw.get().to_owned())
}

fn price(mantissa: i64) -> String {
    format!("{}.{:02}", mantissa / 100, mantissa % 100)
}

/// The plain bitwise CRC32, to owe nothing to the crate under test.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}
