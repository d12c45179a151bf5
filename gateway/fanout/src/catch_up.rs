//! What somebody must hear who has been shown so much: the frames that lead from there to now.
//!
//! Made once a cycle for all who stand at the same mark. Quotes, bars and books are told by one
//! frame that stands for all that were missed; trades one by one, and those no longer held are
//! announced. So is a book that there was no room to keep, and a snapshot follows. A dashboard that
//! uses no numbers cannot be told of either: for it there is a gap, and no way to go on.

use market::{Book, BookChange, BookSide, Channel, Interval, Levels, Nanos, Symbol, SymbolId};
use wire::data::{self, FrameType, Marks};
use wire::notice;
use wire::topic::{Depth, Topic};

use crate::counters::{Counters, Missed};
use crate::cycle::{Frames, Origin};
use crate::encode;
use crate::fanout::measured;
use crate::history::{self, History};
use crate::interest::{Class, ClassAt};
use crate::ledger::{Ledger, Replaced};
use crate::limits::Limits;
use crate::outboxes::Outboxes;
use crate::shown::{Manner, Shown};
use crate::view::{self, Before};

/// What is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) frames: Frames,
    /// Updates that a later one stands for.
    pub(crate) merged: u64,
    /// Updates announced as missed, by [`Missed::index`].
    pub(crate) missed: [u64; Missed::ALL.len()],
}

/// Updates were missed, and their reader cannot be told so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UntoldGap;

/// One making of frames.
struct Making<'a> {
    id: SymbolId,
    symbol: &'a Symbol,
    class: &'a Class,
    history: &'a History,
    replaced: &'a Replaced,
    before: &'a mut Before,
    outboxes: &'a mut Outboxes,
    manner: Manner,
    trades_behind_max: u64,
    merged: u64,
    missed: [u64; Missed::ALL.len()],
}

impl Ledger {
    /// The frames for one of `class` who has been shown so much.
    pub(crate) fn catch_up(
        &mut self,
        class: ClassAt,
        shown: Shown,
        manner: Manner,
        limits: &Limits,
        outboxes: &mut Outboxes,
        counters: &mut Counters,
    ) -> Result<Told, UntoldGap> {
        let (id, place) = class;
        let Self { truth, history, interests, before, replaced, .. } = self;
        let symbol = truth.symbol(id).ok_or(UntoldGap)?;
        let class = &mut interests[id.index()].classes[place as usize];
        let sequence = symbol.sequence(class.topic.channel());
        let cycle = outboxes.cycle_number();
        if let Some(told) = class.made(cycle, shown, manner, sequence) {
            return Ok(told);
        }
        let count = outboxes.frame_count();
        let trades_behind_max = limits.trades_behind_max;
        let (merged, missed) = (0, Default::default());
        let mut making = Making {
            id,
            symbol,
            class,
            history,
            replaced,
            before,
            outboxes,
            manner,
            trades_behind_max,
            merged,
            missed,
        };
        making.make(shown)?;
        let Making { merged, missed, .. } = making;
        let told = Told { frames: outboxes.frames_since(count), merged, missed };
        counters.frames_encoded[class.topic.index()] += told.frames.iter().len() as u64;
        class.remember(cycle, shown, manner, sequence, told);
        Ok(told)
    }
}

impl Making<'_> {
    fn make(&mut self, shown: Shown) -> Result<(), UntoldGap> {
        let topic = self.class.topic;
        let sequence = self.symbol.sequence(topic.channel());
        match shown {
            Shown::UpTo(shown) if shown == sequence => {}
            Shown::Nothing if encode::is_known(self.symbol, topic) => self.snapshot(),
            Shown::Nothing => {}
            Shown::UpTo(shown) => match topic {
                Topic::Trade => self.trades(shown)?,
                Topic::Book(depth) => self.book(depth, shown)?,
                Topic::Bars(interval) => self.bars(interval, shown),
                _ => self.ticker(shown),
            },
        }
        Ok(())
    }

    fn origin(&self, shown: u64) -> Origin {
        Origin { symbol: self.id, topic: self.class.topic, shown: Shown::UpTo(shown) }
    }

    fn snapshot(&mut self) {
        let (symbol, topic) = (self.symbol, self.class.topic);
        let sequenced = self.class.kind.sequenced;
        let origin = Origin { symbol: self.id, topic, shown: Shown::Nothing };
        self.outboxes.encode_data(None, origin, |out| {
            encode::snapshot(symbol, topic, sequenced, out);
        });
    }

    /// Announces updates as missed.
    fn gap(&mut self, first: u64, last: u64, reason: Missed) {
        if first > last {
            return;
        }
        self.missed[reason.index()] += last - first + 1;
        let name = &self.symbol.instrument.symbol;
        let topic = self.class.topic;
        self.outboxes.encode_data(None, self.origin(first - 1), |out| {
            notice::write_gap(name, topic, first, last, reason.as_str(), out);
        });
    }

    /// The newest value, which `write` appends, as one frame for all after `shown`; or, where that
    /// was asked for, behind the announcement of the rest. The two go together: whoever had the one
    /// without the other would stand at a number whose book he does not hold.
    fn newest(&mut self, shown: u64, write: impl FnOnce(Option<&Marks>, &mut Vec<u8>)) {
        let topic = self.class.topic;
        let channel = topic.channel();
        let (sequence, stamps) = (self.symbol.sequence(channel), self.symbol.stamps(channel));
        let others = sequence - shown - 1;
        let is_skip = self.manner == Manner::Skip;
        let first_sequence = if is_skip { sequence } else { shown + 1 };
        if is_skip {
            self.missed[Missed::Skipped.index()] += others;
        } else {
            self.merged += others;
        }
        let marks = Marks { first_sequence, sequence, stamps };
        let asked = self.asked(marks);
        let name = &self.symbol.instrument.symbol;
        let measured = measured(self.symbol, stamps);
        self.outboxes.encode_data(measured, self.origin(shown), |out| {
            if is_skip && others > 0 {
                let reason = Missed::Skipped.as_str();
                notice::write_gap(name, topic, shown + 1, sequence - 1, reason, out);
            }
            write(asked.as_ref(), out);
        });
    }

    fn asked(&self, marks: Marks) -> Option<Marks> {
        self.class.kind.sequenced.then_some(marks)
    }

    fn ticker(&mut self, shown: u64) {
        let (symbol, topic) = (self.symbol, self.class.topic);
        if self.manner == Manner::Replay
            && let Some(missed) = self.history.tickers_after(self.id, topic.channel(), shown)
        {
            for then in missed {
                let sequence = then.sequence(topic.channel());
                let marks = self.asked(Marks::one(sequence, then.stamps));
                self.outboxes.encode_data(None, self.origin(sequence - 1), |out| {
                    data::write_ticker(
                        &symbol.instrument,
                        then.quote.as_ref(),
                        then.statistics.as_ref(),
                        then.stamps,
                        FrameType::Update,
                        marks.as_ref(),
                        out,
                    );
                });
            }
            return;
        }
        self.newest(shown, |marks, out| {
            encode::ticker(symbol, topic, FrameType::Update, marks, out);
        });
    }

    fn bars(&mut self, interval: Interval, shown: u64) {
        let symbol = self.symbol;
        // Bars are numbered as trades are: one each.
        let missed = self.history.trades_after(self.id, shown);
        let is_whole = history::is_whole(&missed, shown);
        let oldest = missed.iter().map(|then| then.trade.ts_event).min().filter(|_| is_whole);
        let begin = oldest.map_or(Nanos(0), |time| interval.begin(time));
        let count = symbol.bars.of(interval).filter(|bar| bar.begin >= begin).count().max(1);
        self.newest(shown, |marks, out| {
            encode::latest_bars(symbol, interval, count, marks, out);
        });
    }

    fn trades(&mut self, shown: u64) -> Result<(), UntoldGap> {
        let mut trades = self.history.trades_after(self.id, shown);
        if self.manner != Manner::Replay {
            let surplus = trades.len().saturating_sub(self.trades_behind_max as usize);
            trades.drain(..surplus);
        }
        let newest = self.symbol.sequence(Channel::Trade);
        let instrument = &self.symbol.instrument;
        let mut shown = shown;
        for then in &trades {
            self.trades_missed(shown + 1, then.sequence - 1)?;
            shown = then.sequence;
            let marks = self.asked(Marks::one(then.sequence, then.stamps));
            let stamps = measured(self.symbol, then.stamps);
            self.outboxes.encode_data(stamps, self.origin(then.sequence - 1), |out| {
                let trade = [&then.trade];
                data::write_trades(instrument, trade, FrameType::Update, marks.as_ref(), out);
            });
        }
        self.trades_missed(shown + 1, newest)
    }

    /// Announces trades that are not held any more.
    fn trades_missed(&mut self, first: u64, last: u64) -> Result<(), UntoldGap> {
        if first > last {
            return Ok(());
        }
        if !self.class.kind.sequenced {
            return Err(UntoldGap);
        }
        let (lost_to, why) = self.history.lost_to(self.id);
        let lost_to = lost_to.min(last);
        self.gap(first, lost_to, why);
        self.gap(first.max(lost_to + 1), last, Missed::Slow);
        Ok(())
    }

    fn book(&mut self, depth: Depth, shown: u64) -> Result<(), UntoldGap> {
        if self.manner == Manner::Replay && self.replay_book(depth, shown).is_some() {
            return Ok(());
        }
        let symbol = self.symbol;
        let kept = self.class.bases.top(shown).or_else(|| self.replaced.book(self.id, shown));
        let Some(base) = kept else { return self.begin_book_anew(depth, shown) };
        let levels = BookSide::BOTH.map(|side| view::difference(base, &symbol.book, side, depth));
        if !self.class.kind.sequenced && levels.iter().all(Vec::is_empty) {
            self.merged += self.symbol.sequence(Channel::Book) - shown;
            return Ok(());
        }
        self.newest(shown, |marks, out| {
            let checksum = symbol.book.checksum();
            encode::book(symbol, levels, checksum, FrameType::Update, marks, out);
        });
        Ok(())
    }

    /// The book that its reader holds is not known any more. Who counts is told that everything
    /// is missed, and shown a book to begin anew with: in one piece, as in `newest`.
    fn begin_book_anew(&mut self, depth: Depth, shown: u64) -> Result<(), UntoldGap> {
        if !self.class.kind.sequenced {
            return Err(UntoldGap);
        }
        let (symbol, topic) = (self.symbol, Topic::Book(depth));
        let newest = symbol.sequence(Channel::Book);
        self.missed[Missed::Memory.index()] += newest - shown;
        let name = &symbol.instrument.symbol;
        self.outboxes.encode_data(None, self.origin(shown), |out| {
            let reason = Missed::Memory.as_str();
            notice::write_gap(name, topic, shown + 1, newest, reason, out);
            encode::snapshot(symbol, topic, true, out);
        });
        Ok(())
    }

    /// Every change as it was; none when they are not all held.
    fn replay_book(&mut self, depth: Depth, shown: u64) -> Option<()> {
        let missed = self.history.books_after(self.id, shown)?;
        let mut book: Book = self.history.book_at(self.id, &self.symbol.book, shown)?;
        let mut levels = [Vec::new(), Vec::new()];
        let mut changes = [Vec::new(), Vec::new()];
        for then in missed {
            changes.iter_mut().for_each(Vec::clear);
            for level in self.history.levels(&then) {
                changes[usize::from(level.side == BookSide::Ask)].push(level.after());
            }
            let change =
                BookChange { bids: Levels::new(&changes[0]), asks: Levels::new(&changes[1]) };
            // What was cut is named among the changes.
            self.before.note(&book, usize::MAX, &change);
            self.before.note_edges(&book);
            for (side, levels) in BookSide::BOTH.into_iter().zip(&mut levels) {
                change.side(side).iter().for_each(|level| book.apply(side, level));
                self.before.update(&book, side, depth, levels);
            }
            let marks = self.asked(Marks::one(then.sequence, then.stamps));
            let instrument = &self.symbol.instrument;
            self.outboxes.encode_data(None, self.origin(then.sequence - 1), |out| {
                let levels = [&levels[0], &levels[1]].map(|l| l.iter().copied());
                data::write_book(
                    instrument,
                    levels,
                    book.checksum(),
                    then.stamps,
                    FrameType::Update,
                    marks.as_ref(),
                    out,
                );
            });
        }
        Some(())
    }
}
