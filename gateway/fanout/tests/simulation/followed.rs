//! One subscription as a dashboard follows it, each frame held against the past it speaks of.

use crate::book::Book;
use crate::dashboard::Name;
use crate::said::{Item, Terms, X, mantissa};
use crate::timeline::Past;
use crate::venue::Symbol;

/// What a connection excuses.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Leave {
    /// It was slow or its shard was lapped: one frame may stand for several updates.
    pub(crate) to_merge: bool,
    /// The shard's history is so short that what was to be replayed may be gone by then.
    pub(crate) is_late: bool,
    /// The shard cannot keep every book that was shown.
    pub(crate) is_tight: bool,
}

/// The subscription.
#[derive(Debug)]
pub(crate) struct Followed {
    channel: &'static str,
    is_on_trades: bool,
    depth: usize,
    pub(crate) terms: Terms,
    sequence: Option<u64>,
    /// The number of the latest value it had: where it would go on. An announced gap does not move
    /// it, because the value behind the gap may never come.
    pub(crate) position: Option<u64>,
    has_value: bool,
    /// Something happened that lets a frame stand for several updates.
    pub(crate) may_merge: bool,
    /// It was told that everything missed is replayed.
    is_resuming: bool,
    book: Book,
    trade_id: u64,
    /// Bid, last or close.
    newest: Option<i64>,
}

impl Followed {
    pub(crate) fn new(name: &Name, parameter: &str, terms: Terms) -> Self {
        let digits: String = parameter.chars().filter(char::is_ascii_digit).collect();
        Self {
            channel: name.1,
            is_on_trades: parameter.contains("trades"),
            depth: digits.parse().unwrap_or(0),
            terms,
            sequence: None,
            position: None,
            has_value: false,
            may_merge: false,
            is_resuming: false,
            book: Book::default(),
            trade_id: 0,
            newest: None,
        }
    }

    /// It is told that it goes on from its position, and that nothing is missing.
    pub(crate) fn resume(&mut self, terms: Terms) {
        self.terms = terms;
        self.is_resuming = true;
        self.sequence = self.position;
        // Trades are numbered as their channel is.
        self.trade_id = self.position.unwrap_or(0);
    }

    /// Takes one frame; says for how many others it stood.
    pub(crate) fn receive(
        &mut self,
        kind: &str,
        items: &[Item<'_>],
        x: Option<&X>,
        past: &Past,
        leave: Leave,
    ) -> u64 {
        assert_eq!(kind == "update", self.has_value, "{}: one snapshot, first", self.channel);
        let begins = kind == "snapshot" && self.sequence.is_some();
        assert!(!begins || x.map(|x| x.seq) == Some(self.sequence), "it begins where the gap ends");
        self.has_value = true;
        let mut merged = 0;
        if let Some(x) = x {
            let sequence = x.seq.expect("a number");
            let first = x.first_seq.unwrap_or(sequence);
            assert_eq!(x.merged.unwrap_or(1), sequence - first + 1);
            if kind == "update" {
                let shown = self.sequence.expect("a snapshot comes first");
                assert_eq!(first, shown + 1, "{}: the next number", self.channel);
                let paced = self.terms.pace_ms > 0 || self.may_merge;
                let is_late = self.is_resuming && (leave.is_late || self.channel == "ohlc");
                let may = paced || leave.to_merge || is_late;
                assert!(first == sequence || may, "{self:?} merged {first}..={sequence}");
                assert!(first == sequence || self.channel != "trade", "merged trades");
                merged = sequence - first;
            }
            (self.sequence, self.position) = (Some(sequence), Some(sequence));
        }
        for item in items {
            match self.channel {
                "book" => self.book.receive(kind, item, self.depth),
                "trade" => self.receive_trade(kind, item, past),
                "ticker" if self.is_on_trades => self.newest = item.last.and_then(mantissa),
                "ticker" => self.newest = item.bid.and_then(mantissa),
                _ => self.newest = item.close.and_then(mantissa),
            }
        }
        if let Some(sequence) = self.sequence.filter(|_| x.is_some()) {
            self.compare(sequence, items, past);
        }
        merged
    }

    /// What a frame of this number says must have been true then.
    fn compare(&self, sequence: u64, items: &[Item<'_>], past: &Past) {
        let nth = |sequence: u64| past.trades.get((sequence as usize).wrapping_sub(1)).copied();
        match self.channel {
            "book" => {
                let checksum = items.last().and_then(|item| item.checksum);
                assert_eq!(checksum, past.checksums.get(&sequence).copied(), "book {sequence}");
            }
            "trade" => assert_eq!(self.trade_id, sequence),
            "ticker" if self.is_on_trades => assert_eq!(self.newest, nth(sequence)),
            "ticker" => {
                let bid = past.bids.range(..=sequence).next_back().map(|(_, bid)| *bid);
                assert_eq!(self.newest, bid, "ticker {sequence}");
            }
            _ => assert_eq!(self.newest, nth(sequence)),
        }
    }

    fn receive_trade(&mut self, kind: &str, item: &Item<'_>, past: &Past) {
        let id = item.trade_id.expect("trades are numbered");
        let is_first = kind == "snapshot" && self.trade_id == 0;
        assert!(is_first || id == self.trade_id + 1, "trade {id} after {}", self.trade_id);
        assert!(id <= past.trades.len() as u64, "a trade that was none");
        self.trade_id = id;
    }

    /// Updates up to `to` are announced as missed.
    pub(crate) fn gap(&mut self, from: u64, to: u64, reason: &str, leave: Leave) {
        let is_paced = self.terms.pace_ms > 0 && leave.is_tight;
        let is_late = self.is_resuming && leave.is_late;
        let may = leave.to_merge || self.may_merge || is_late || is_paced;
        assert!(may, "a gap {from}..={to} out of nothing: {self:?} {leave:?}");
        let may = match (self.channel, reason) {
            ("book", "memory") => {
                self.has_value = false;
                leave.is_tight
            }
            ("trade", _) => self.terms.sequenced,
            _ => self.terms.skip,
        };
        assert!(may, "a gap in {}: {reason}", self.channel);
        assert_eq!(self.sequence.map(|shown| shown + 1), Some(from), "a gap begins where we are");
        self.sequence = Some(to);
        if self.channel == "trade" {
            self.trade_id = to;
        }
    }

    /// It holds what the venue holds.
    pub(crate) fn is_true(&self, naive: &Symbol) -> bool {
        match self.channel {
            "book" => self.book.is_top_of(naive, self.depth),
            "trade" => self.trade_id == naive.trade_ids.len() as u64,
            "ticker" if !self.is_on_trades => self.newest == naive.quote.map(|quote| quote.0),
            _ => self.newest == naive.last,
        }
    }
}
