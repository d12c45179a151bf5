//! One subscription as a dashboard follows it: its numbers, its bucket, the values it was shown.

use std::collections::BTreeSet;

use serde_json::value::RawValue;

use crate::book::Book;
use crate::said::{Item, Terms, X};
use crate::venue::Venue;

/// One subscription as the dashboard sees it.
pub(crate) struct Followed {
    pub(crate) symbol: String,
    pub(crate) channel: &'static str,
    pub(crate) parameter: &'static str,
    pub(crate) terms: Terms,
    pub(crate) sequence: Option<u64>,
    has_snapshot: bool,
    /// It was told that its book is not known any more, and that a snapshot comes.
    begins_anew: bool,
    /// Something happened that lets one frame stand for several updates.
    pub(crate) may_merge: bool,
    /// The bucket of the latest update frame.
    pub(crate) bucket: Option<u64>,
    book: Book,
    trade_ids: BTreeSet<u64>,
    /// Trades the venue had when we subscribed, or that were announced as missed.
    pub(crate) excused: BTreeSet<u64>,
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
            begins_anew: false,
            may_merge: false,
            bucket: None,
            book: Book::default(),
            trade_ids: BTreeSet::new(),
            excused: venue.symbol(symbol).trade_ids.iter().copied().collect(),
            newest: None,
        }
    }

    /// Bars of two intervals differ by it alone.
    pub(crate) fn is_of(&self, interval: Option<u64>) -> bool {
        interval.is_none_or(|i| self.parameter.ends_with(&format!(":{i}")))
    }

    /// A fresh snapshot is to come.
    pub(crate) fn begin_anew(&mut self) {
        self.sequence = None;
        self.has_snapshot = false;
        self.newest = None;
        self.trade_ids.clear();
        self.excused.clear();
        self.book = Book::default();
    }

    /// It is told so, in the middle of its stream.
    pub(crate) fn loses_book(&mut self) {
        (self.has_snapshot, self.begins_anew) = (false, true);
    }

    fn depth(&self) -> usize {
        let digits: String = self.parameter.chars().filter(char::is_ascii_digit).collect();
        digits.parse().expect("book parameters name a depth")
    }

    pub(crate) fn receive(&mut self, kind: &str, items: &[Item<'_>], x: Option<&X>, now: u64) {
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
            // Behind a gap, a book begins with the number that the gap ends with.
            let is_anew = kind == "update" || self.sequence.is_none_or(|sequence| sequence == seq);
            assert!(is_anew, "{name}: a snapshot at {seq} behind {:?}", self.sequence);
            self.sequence = Some(seq);
        } else {
            assert!(kind == "snapshot" || self.newest.is_some(), "a snapshot comes first");
        }
        assert!(kind == "update" || !self.has_snapshot, "{name}: a second snapshot");
        assert!(kind == "snapshot" || !self.begins_anew, "{name}: the snapshot that was told of");
        self.begins_anew = false;
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
                "book" => self.book.receive(kind, item, self.depth()),
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

    pub(crate) fn check(&self, venue: &Venue) {
        let symbol = venue.symbol(&self.symbol);
        match self.channel {
            "book" => assert!(self.book.is_top_of(symbol, self.depth()), "{}", self.symbol),
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

fn text(raw: Option<&RawValue>) -> String {
    raw.map_or_else(|| "null".to_owned(), |raw| raw.get().to_owned())
}

fn price(mantissa: i64) -> String {
    format!("{}.{:02}", mantissa / 100, mantissa % 100)
}
