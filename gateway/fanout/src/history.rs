//! The latest updates of every symbol, oldest forgotten first: what resume replays, what a slow
//! session is told of trades, and the way back to the book as it was some updates ago.
//!
//! Owned by one shard; every shard keeps the same updates, so a session may resume on another.
//!
//! **Invariant:** nothing that came in the current cycle is forgotten before the cycle ends:
//! whoever could not be sent it all can be told from here. Bounded in number and age; its memory is
//! asked for once.

use std::collections::VecDeque;

use market::{
    Book, BookSide, Channel, Level, Price, Quote, Size, Stamps, Statistics, Symbol, SymbolId,
    Trade, Truth,
};

use crate::counters::Missed;
use crate::log::{Log, SLACK};

/// Levels that a cycle may bring beyond the bound before they are cut.
const LEVELS_SLACK: usize = 4 * SLACK;

/// Bounds of the history.
#[derive(Clone, Copy, Debug)]
pub struct HistoryLimits {
    /// Bytes, a third each for tickers, trades and books. A cycle's own updates may exceed it until
    /// the cycle ends.
    pub bytes_max: usize,
    /// Age in nanoseconds of the oldest update kept.
    pub age_ns_max: u64,
}

/// The ticker as it was after an update.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TickerThen {
    pub(crate) sequence: u64,
    /// Of the ticker on trades.
    pub(crate) on_trade_sequence: u64,
    pub(crate) quote: Option<Quote>,
    pub(crate) statistics: Option<Statistics>,
    pub(crate) stamps: Stamps,
}

impl TickerThen {
    pub(crate) const fn sequence(&self, channel: Channel) -> u64 {
        match channel {
            Channel::TickerOnTrade => self.on_trade_sequence,
            _ => self.sequence,
        }
    }
}

/// Whether trades follow `shown` and each other without a gap.
pub(crate) fn is_whole(trades: &[TradeThen], shown: u64) -> bool {
    !trades.is_empty() && (shown + 1..).zip(trades).all(|(due, then)| then.sequence == due)
}

/// An execution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TradeThen {
    pub(crate) sequence: u64,
    pub(crate) trade: Trade,
    pub(crate) stamps: Stamps,
}

/// A change of the book.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BookThen {
    pub(crate) sequence: u64,
    /// The sequence before it: the last number, unless others were lost between.
    after: u64,
    pub(crate) stamps: Stamps,
    /// Its levels: number of the first, how many.
    levels: (u64, u32),
}

/// One level, before and after a change; size zero is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LevelThen {
    pub(crate) side: BookSide,
    pub(crate) price: Price,
    pub(crate) was: Size,
    pub(crate) is: Size,
}

impl LevelThen {
    /// The change as the venue would say it.
    pub(crate) const fn after(self) -> Level {
        Level { price: self.price, size: self.is }
    }
}

/// The latest updates of all symbols.
#[derive(Debug)]
pub(crate) struct History {
    age_ns_max: u64,
    tickers: Log<TickerThen>,
    trades: Log<TradeThen>,
    books: Log<BookThen>,
    /// Of the books, in their order.
    levels: VecDeque<LevelThen>,
    /// Number of the first level held.
    levels_first: u64,
    levels_max: usize,
    /// Up to where trades were lost, and to what, by symbol.
    lost_to: Vec<(u64, Missed)>,
}

impl History {
    pub(crate) fn new(limits: HistoryLimits) -> Self {
        let share = limits.bytes_max / 3;
        let levels_max = share * 3 / 4 / size_of::<LevelThen>();
        Self {
            age_ns_max: limits.age_ns_max,
            tickers: Log::with_bytes_max(share),
            trades: Log::with_bytes_max(share),
            books: Log::with_bytes_max(share / 4),
            levels: VecDeque::with_capacity(levels_max + LEVELS_SLACK),
            levels_first: 0,
            levels_max,
            lost_to: Vec::new(),
        }
    }

    /// Notes the ticker after it changed.
    pub(crate) fn note_ticker(&mut self, id: SymbolId, symbol: &Symbol) {
        self.tickers.push(
            id,
            TickerThen {
                sequence: symbol.sequence(Channel::Ticker),
                on_trade_sequence: symbol.sequence(Channel::TickerOnTrade),
                quote: symbol.quote,
                statistics: symbol.statistics,
                stamps: symbol.stamps(Channel::Ticker),
            },
        );
    }

    pub(crate) fn note_trade(&mut self, id: SymbolId, sequence: u64, trade: Trade, stamps: Stamps) {
        self.trades.push(id, TradeThen { sequence, trade, stamps });
    }

    pub(crate) fn note_book(
        &mut self,
        id: SymbolId,
        (after, sequence): (u64, u64),
        stamps: Stamps,
        levels: impl Iterator<Item = LevelThen>,
    ) {
        let first = self.levels_first + self.levels.len() as u64;
        self.levels.extend(levels);
        let count = self.levels_first + self.levels.len() as u64 - first;
        let levels = (first, count as u32);
        self.books.push(id, BookThen { sequence, after, stamps, levels });
    }

    /// Tickers after `shown`, oldest first; none unless every one is held.
    pub(crate) fn tickers_after(
        &self,
        id: SymbolId,
        channel: Channel,
        shown: u64,
    ) -> Option<Vec<TickerThen>> {
        // Of the tickers that do not advance the channel, the newest of a number is not the first.
        let mut missed: Vec<TickerThen> = Vec::new();
        let mut is_whole = false;
        for then in self.tickers.newest_first(id) {
            if then.sequence(channel) <= shown {
                is_whole = true;
                break;
            }
            // Of these each has a number of its own: the next one needs none before it as a
            // witness.
            is_whole = channel == Channel::Ticker && then.sequence == shown + 1;
            match missed.last_mut() {
                Some(last) if last.sequence(channel) == then.sequence(channel) => *last = *then,
                _ => missed.push(*then),
            }
        }
        let reaches = missed.last().is_some_and(|then| then.sequence == 1 && shown == 0);
        missed.reverse();
        (is_whole || reaches).then_some(missed)
    }

    /// Trades after `shown` that are held, oldest first; the first may not be the next one, and
    /// where trades were lost on the way to the shard there is a gap.
    pub(crate) fn trades_after(&self, id: SymbolId, shown: u64) -> Vec<TradeThen> {
        let newer = self.trades.newest_first(id).take_while(|then| then.sequence > shown);
        let mut trades: Vec<_> = newer.copied().collect();
        trades.reverse();
        trades
    }

    /// True when every trade after `shown` up to `newest` is held.
    pub(crate) fn holds_trades(&self, id: SymbolId, shown: u64, newest: u64) -> bool {
        shown == newest || is_whole(&self.trades_after(id, shown), shown)
    }

    /// Changes of the book after `shown`, oldest first; none unless every one is held.
    pub(crate) fn books_after(&self, id: SymbolId, shown: u64) -> Option<Vec<BookThen>> {
        let books = self.way_from(id, shown)?;
        books.iter().all(|then| then.sequence == then.after + 1).then_some(books)
    }

    /// What leads from the book at `shown` to the one of now, oldest first; a step of it may stand
    /// for several changes. None where it is forgotten.
    fn way_from(&self, id: SymbolId, shown: u64) -> Option<Vec<BookThen>> {
        let newer = self.books.newest_first(id).take_while(|then| then.sequence > shown);
        let mut books: Vec<_> = newer.copied().collect();
        books.reverse();
        books.first().is_some_and(|then| then.after == shown).then_some(books)
    }

    /// The levels of a change.
    pub(crate) fn levels(&self, then: &BookThen) -> impl DoubleEndedIterator<Item = LevelThen> {
        let start = (then.levels.0 - self.levels_first) as usize;
        self.levels.range(start..start + then.levels.1 as usize).copied()
    }

    /// The whole book as it was at `shown`; none when the way back is forgotten.
    pub(crate) fn book_at(&self, id: SymbolId, now: &Book, shown: u64) -> Option<Book> {
        let missed = self.way_from(id, shown)?;
        let mut book = now.clone();
        for then in missed.iter().rev() {
            for level in self.levels(then) {
                book.apply(level.side, Level { price: level.price, size: level.was });
            }
        }
        Some(book)
    }

    /// Up to where trades of a symbol were lost on the way to the shard, and to what.
    pub(crate) fn lost_to(&self, id: SymbolId) -> (u64, Missed) {
        self.lost_to.get(id.index()).copied().unwrap_or((0, Missed::Lagged))
    }

    /// A symbol was renewed from `old`: its tickers begin anew, its trades may have a gap, its book
    /// has one step that stands for all changes between.
    pub(crate) fn note_renewal(&mut self, id: SymbolId, old: &Symbol, new: &Symbol) {
        self.tickers.forget_symbol(id);
        let trades_shown = old.sequence(Channel::Trade);
        self.note_tape(id, new, (trades_shown, trades_shown), Missed::DelayLine);
        let mut levels = Vec::new();
        for side in BookSide::BOTH {
            let mut changes = Vec::new();
            old.book.diff_to(&new.book, side, usize::MAX, &mut changes);
            levels.extend(changes.iter().map(|level| LevelThen {
                side,
                price: level.price,
                was: old.book.size_at(side, level.price).unwrap_or_default(),
                is: level.size,
            }));
        }
        let numbers = (old.sequence(Channel::Book), new.sequence(Channel::Book));
        if numbers.0 < numbers.1 {
            self.note_book(id, numbers, new.stamps(Channel::Book), levels.into_iter());
        }
    }

    /// Notes the trades after `held` that a symbol's tape still knows, where those after `shown`
    /// came another way than one by one. What lies between is lost.
    fn note_tape(&mut self, id: SymbolId, symbol: &Symbol, (held, shown): (u64, u64), why: Missed) {
        let tape = symbol.tape.iter();
        let last = symbol.sequence(Channel::Trade);
        let before = last - tape.len() as u64;
        if before > shown {
            if self.lost_to.len() <= id.index() {
                self.lost_to.resize(id.index() + 1, (0, why));
            }
            self.lost_to[id.index()] = (before, why);
        }
        for (sequence, trade) in (before + 1..).zip(tape).filter(|(at, _)| *at > held) {
            self.note_trade(id, sequence, *trade, symbol.stamps(Channel::Trade));
        }
    }

    /// Begins anew after a lap, with the trades that the truth still knows. `shown` is the sequence
    /// of trades before the lap, by symbol.
    pub(crate) fn begin_anew(&mut self, truth: &Truth, shown: impl Fn(SymbolId) -> u64) {
        self.tickers.clear();
        self.trades.clear();
        self.books.clear();
        self.levels_first += self.levels.len() as u64;
        self.levels.clear();
        for (id, symbol) in truth.symbols() {
            self.note_tape(id, symbol, (0, shown(id)), Missed::Lagged);
            if symbol.sequence(Channel::Ticker) > 0 {
                // Whoever was shown this one missed nothing before the next.
                self.note_ticker(id, symbol);
            }
        }
    }

    /// Begins another life, in which nobody was shown anything.
    pub(crate) fn begin_life(&mut self, truth: &Truth) {
        self.lost_to.clear();
        self.begin_anew(truth, |_| u64::MAX);
    }

    /// Forgets what is too old or too much, by the clock of the newest update.
    pub(crate) fn end_cycle(&mut self, now: u64) {
        let oldest = now.saturating_sub(self.age_ns_max);
        self.tickers.forget(|then| then.stamps.publish.0 < oldest);
        self.trades.forget(|then| then.stamps.publish.0 < oldest);
        let mut levels_count = self.levels.len();
        let mut gone_count = 0;
        let levels_max = self.levels_max;
        self.books.forget(|then| {
            let is_gone = then.stamps.publish.0 < oldest || levels_count > levels_max;
            if is_gone {
                levels_count -= then.levels.1 as usize;
            }
            is_gone
        });
        if let Some(first) = self.books.oldest() {
            gone_count = (first.levels.0 - self.levels_first) as usize;
        } else {
            gone_count += self.levels.len();
        }
        self.levels.drain(..gone_count);
        self.levels_first += gone_count as u64;
    }
}
