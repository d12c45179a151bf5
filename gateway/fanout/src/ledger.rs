//! What one shard knows of the market, and who wants what of it.
//!
//! Owned by the shard's fan-out. Everything here is by symbol; what is by session lies in the
//! outboxes.

use market::{Book, Channel, Level, OutOfStep, Symbol, SymbolId, Tick, Truth};
use wire::topic::{Depth, Topic};

use crate::encode;
use crate::history::{History, HistoryLimits};
use crate::interest::{Class, Interest};
use crate::pace::{Calendar, Pending};
use crate::session::{Held, Standing};
use crate::shown::Shown;
use crate::view::Before;

/// The replica, its latest history, and the interest in it.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) truth: Truth,
    pub(crate) history: History,
    /// By symbol id.
    pub(crate) interests: Vec<Interest>,
    pub(crate) calendar: Calendar,
    pub(crate) before: Before,
    /// Reused for the levels of a book update.
    pub(crate) levels: [Vec<Level>; 2],
    /// Classes with a base that somebody gave back in this cycle, or that nobody has taken up yet.
    to_sweep: Vec<Pending>,
}

impl Ledger {
    pub(crate) fn new(limits: HistoryLimits) -> Self {
        Self {
            truth: Truth::default(),
            history: History::new(limits),
            interests: Vec::new(),
            calendar: Calendar::default(),
            before: Before::default(),
            levels: [Vec::new(), Vec::new()],
            to_sweep: Vec::new(),
        }
    }

    /// Folds a tick and notes it in the history.
    pub(crate) fn fold(&mut self, tick: &Tick<'_>) -> Result<(), OutOfStep> {
        use market::Body;
        let id = tick.symbol;
        let ticker_before = self.sequence(id, Channel::Ticker);
        if let (Body::Book(change), Some(symbol)) = (&tick.body, self.truth.symbol(id)) {
            self.before.note(&symbol.book, symbol.instrument.book_levels_max as usize, change);
            if !self.interests[id.index()].is_idle() {
                self.before.note_edges(&symbol.book);
            }
        }
        self.truth.apply(tick)?;
        self.interests.resize_with(self.truth.symbol_count(), Interest::default);
        let Some(symbol) = self.truth.symbol(id) else { return Ok(()) };
        match &tick.body {
            Body::Trade(trade) => {
                self.history.note_trade(id, tick.sequence, *trade, tick.stamps);
            }
            Body::Book(_) => {
                let levels = self.before.levels(&symbol.book);
                let numbers = (tick.sequence - 1, tick.sequence);
                self.history.note_book(id, numbers, tick.stamps, levels);
            }
            _ => {}
        }
        if symbol.sequence(Channel::Ticker) > ticker_before {
            self.history.note_ticker(id, symbol);
        }
        Ok(())
    }

    pub(crate) fn symbol(&self, id: SymbolId) -> Option<&Symbol> {
        self.truth.symbol(id)
    }

    /// By how much later than its original a symbol is told.
    pub(crate) fn delay_ms(&self, id: SymbolId) -> u32 {
        self.symbol(id).and_then(|symbol| symbol.twin).map_or(0, |twin| twin.delay_ms)
    }

    pub(crate) fn sequence(&self, id: SymbolId, channel: Channel) -> u64 {
        self.truth.symbol(id).map_or(0, |symbol| symbol.sequence(channel))
    }

    pub(crate) fn is_known(&self, id: SymbolId, topic: Topic) -> bool {
        self.truth.symbol(id).is_some_and(|symbol| encode::is_known(symbol, topic))
    }

    /// What everybody has been shown who got all there was.
    pub(crate) fn shown_now(&self, id: SymbolId, topic: Topic) -> Shown {
        if self.is_known(id, topic) {
            Shown::UpTo(self.sequence(id, topic.channel()))
        } else {
            Shown::Nothing
        }
    }

    /// Up to where the holder of a subscription was told everything; none before its first value.
    pub(crate) fn shown_to(&self, held: &Held) -> Option<u64> {
        let shown = match held.standing {
            Standing::Listed(position) if held.kind.pace.is_paced() => {
                let interest = &self.interests[held.symbol.index()];
                interest.class(held.topic, held.kind)?.shown[position as usize]
            }
            Standing::Listed(_) => self.shown_now(held.symbol, held.topic),
            Standing::Behind(shown) => shown,
            Standing::Resuming(shown) => Shown::UpTo(shown),
        };
        match shown {
            Shown::UpTo(shown) => Some(shown),
            Shown::Nothing => None,
        }
    }

    pub(crate) fn class(&self, (id, place): Pending) -> &Class {
        &self.interests[id.index()].classes[place as usize]
    }

    pub(crate) fn class_mut(&mut self, (id, place): Pending) -> &mut Class {
        &mut self.interests[id.index()].classes[place as usize]
    }

    /// Lists a paced class for the end of its bucket.
    pub(crate) fn list_pending(&mut self, class: Pending, now: u64) {
        let Self { interests, calendar, .. } = self;
        interests[class.0.index()].classes[class.1 as usize].wait(calendar, class, now);
    }

    /// Counts a user of a class's base at what was shown; false when the book as it was then cannot
    /// be had any more. Other topics than books need none.
    pub(crate) fn take_up_base(&mut self, class: Pending, shown: Shown) -> bool {
        let Self { truth, history, interests, .. } = self;
        let (id, place) = class;
        let wanted = &mut interests[id.index()].classes[place as usize];
        let (Topic::Book(depth), Shown::UpTo(sequence)) = (wanted.topic, shown) else {
            return true;
        };
        let Some(symbol) = truth.symbol(id) else { return false };
        wanted.bases.take_up(sequence, || {
            if sequence == symbol.sequence(Channel::Book) {
                return Some(symbol.book.top(depth.levels()));
            }
            Some(history.book_at(id, &symbol.book, sequence)?.top(depth.levels()))
        })
    }

    /// Counts a user of a base that another class of the same depth held.
    pub(crate) fn move_base(&mut self, class: Pending, shown: Shown, top: Option<Book>) {
        let wanted = self.class_mut(class);
        if let (Some(top), Shown::UpTo(sequence)) = (top, shown) {
            wanted.bases.take_up(sequence, || Some(top));
        }
    }

    pub(crate) fn give_back_base(&mut self, class: Pending, shown: Shown) {
        if let Shown::UpTo(sequence) = shown {
            let Self { interests, to_sweep, .. } = self;
            let wanted = &mut interests[class.0.index()].classes[class.1 as usize];
            if wanted.bases.give_back(sequence) {
                list_to_sweep(wanted, class, to_sweep);
            }
        }
    }

    /// Keeps the book of before a lap, or a renewal, for every class that shows it.
    pub(crate) fn keep_bases_ready(&mut self, id: SymbolId, old: &Symbol) {
        for (place, class) in self.interests[id.index()].classes.iter_mut().enumerate() {
            let Topic::Book(depth) = class.topic else { continue };
            if class.subscribers.is_empty() || class.kind.pace.is_paced() {
                continue;
            }
            list_to_sweep(class, (id, place as u32), &mut self.to_sweep);
            let sequence = old.sequence(Channel::Book);
            class.bases.keep_ready(sequence, old.book.top(Depth::levels(depth)));
        }
    }

    pub(crate) fn end_cycle(&mut self, now: u64) {
        self.history.end_cycle(now);
        let interests = &mut self.interests;
        for (id, place) in self.to_sweep.drain(..) {
            let class = &mut interests[id.index()].classes[place as usize];
            class.bases.end_cycle();
            class.is_to_sweep = false;
        }
    }
}

fn list_to_sweep(class: &mut Class, place: Pending, to_sweep: &mut Vec<Pending>) {
    if !std::mem::replace(&mut class.is_to_sweep, true) {
        to_sweep.push(place);
    }
}
