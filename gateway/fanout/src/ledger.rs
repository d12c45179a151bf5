//! What one shard knows of the market, and who wants what of it.
//!
//! Owned by the shard's fan-out. Everything here is by symbol; what is by session lies in the
//! outboxes.

use std::sync::Arc;

use market::{Book, Channel, Level, OutOfStep, Symbol, SymbolId, Tick, Truth};
use wire::topic::Topic;

use crate::bases::Room;
use crate::encode;
use crate::history::{History, HistoryLimits};
use crate::interest::{Class, ClassAt, Interest, Kind};
use crate::pace::{Calendar, Pending};
use crate::session::{Held, SessionKey, Standing};
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
    /// For all bases together.
    pub(crate) room: Room,
    pub(crate) replaced: Replaced,
    /// Classes with a base that somebody gave back in this cycle.
    to_sweep: Vec<ClassAt>,
    /// Symbols with classes that perhaps nobody needs any more.
    to_shrink: Vec<SymbolId>,
}

/// Replicas kept so. More laps in one cycle need a flush window that is longer than the ring.
const LAPS_MAX: usize = 4;

impl Ledger {
    pub(crate) fn new(limits: HistoryLimits, bases_bytes_max: usize) -> Self {
        Self {
            truth: Truth::default(),
            history: History::new(limits),
            interests: Vec::new(),
            calendar: Calendar::default(),
            before: Before::default(),
            levels: [Vec::new(), Vec::new()],
            room: Room::new(bases_bytes_max),
            replaced: Replaced::default(),
            to_sweep: Vec::new(),
            to_shrink: Vec::new(),
        }
    }

    /// Replaces everything by a truth that does not follow from what was; nobody holds anything.
    pub(crate) fn begin_life(&mut self, truth: Truth) {
        self.history.begin_life(&truth);
        self.interests.clear();
        self.interests.resize_with(truth.symbol_count(), Interest::default);
        self.calendar = Calendar::default();
        self.before = Before::default();
        self.room.empty();
        self.replaced = Replaced::default();
        self.to_sweep.clear();
        self.to_shrink.clear();
        self.truth = truth;
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

    /// A class, made where there is none yet.
    pub(crate) fn class_at(&mut self, id: SymbolId, topic: Topic, kind: Kind) -> ClassAt {
        let interest = &mut self.interests[id.index()];
        let place = interest.place_of(topic, kind).unwrap_or_else(|| {
            list_to_shrink(interest, id, &mut self.to_shrink);
            interest.add(topic, kind)
        });
        (id, place as u32)
    }

    /// Takes a subscriber off a class's list; returns the one that took its position.
    pub(crate) fn unlist(&mut self, class: ClassAt, position: u32) -> Option<SessionKey> {
        let wanted = self.class_mut(class);
        let moved = wanted.unlist(position);
        if wanted.subscribers.is_empty() {
            let interest = &mut self.interests[class.0.index()];
            list_to_shrink(interest, class.0, &mut self.to_shrink);
        }
        moved
    }

    /// The class that waited, whose bucket has ended; none where nobody is left of it.
    pub(crate) fn wake(&mut self, class: Pending) -> Option<ClassAt> {
        let interest = &mut self.interests[class.symbol.index()];
        let place = interest.place_of(class.topic, class.kind)?;
        interest.classes[place].is_pending = false;
        if interest.classes[place].subscribers.is_empty() {
            list_to_shrink(interest, class.symbol, &mut self.to_shrink);
        }
        Some((class.symbol, place as u32))
    }

    pub(crate) fn class(&self, (id, place): ClassAt) -> &Class {
        &self.interests[id.index()].classes[place as usize]
    }

    pub(crate) fn class_mut(&mut self, (id, place): ClassAt) -> &mut Class {
        &mut self.interests[id.index()].classes[place as usize]
    }

    /// Lists a paced class for the end of its bucket.
    pub(crate) fn list_pending(&mut self, class: ClassAt, now: u64) {
        let Self { interests, calendar, .. } = self;
        interests[class.0.index()].classes[class.1 as usize].wait(calendar, class.0, now);
    }

    /// Lists every paced class of a symbol that has subscribers.
    pub(crate) fn list_paced(&mut self, id: SymbolId, now: u64) {
        let Self { interests, calendar, .. } = self;
        for class in &mut interests[id.index()].classes {
            if class.kind.pace.is_paced() && !class.subscribers.is_empty() {
                class.wait(calendar, id, now);
            }
        }
    }

    /// Counts a user of a class's base at what was shown; false, and not counted, when there is no
    /// room for the book as it was then, or no way back to it. Other topics than books need none.
    pub(crate) fn take_up_base(&mut self, class: ClassAt, shown: Shown) -> bool {
        let Self { truth, history, interests, room, replaced, .. } = self;
        let (id, place) = class;
        let wanted = &mut interests[id.index()].classes[place as usize];
        let (Topic::Book(depth), Shown::UpTo(sequence)) = (wanted.topic, shown) else {
            return true;
        };
        let Some(symbol) = truth.symbol(id) else { return false };
        wanted.bases.take_up(sequence, room, || {
            if sequence == symbol.sequence(Channel::Book) {
                return Some(symbol.book.top(depth.levels()));
            }
            if let Some(book) = replaced.book(id, sequence) {
                return Some(book.top(depth.levels()));
            }
            Some(history.book_at(id, &symbol.book, sequence)?.top(depth.levels()))
        })
    }

    /// As `take_up_base`; where the book cannot be had, its user stands at the number without one.
    pub(crate) fn stand_at_base(&mut self, class: ClassAt, shown: Shown) {
        if !self.take_up_base(class, shown)
            && let Shown::UpTo(sequence) = shown
        {
            self.class_mut(class).bases.stand_without(sequence);
        }
    }

    /// Moves a user of a base to another class of the same depth.
    pub(crate) fn move_base(&mut self, from: ClassAt, to: ClassAt, shown: Shown) {
        let Shown::UpTo(sequence) = shown else { return };
        if matches!(self.class(to).topic, Topic::Book(_)) {
            let top = self.class(from).bases.top(sequence).cloned();
            let Self { interests, room, .. } = self;
            let bases = &mut interests[to.0.index()].classes[to.1 as usize].bases;
            if !bases.take_up(sequence, room, || top) {
                bases.stand_without(sequence);
            }
            self.give_back_base(from, shown);
        }
    }

    pub(crate) fn give_back_base(&mut self, class: ClassAt, shown: Shown) {
        if let Shown::UpTo(sequence) = shown {
            let Self { interests, to_sweep, .. } = self;
            let wanted = &mut interests[class.0.index()].classes[class.1 as usize];
            if wanted.bases.give_back(sequence) && !std::mem::replace(&mut wanted.is_to_sweep, true)
            {
                to_sweep.push(class);
            }
        }
    }

    /// Replaces the replica after a lap. The old one stays until the cycle ends.
    pub(crate) fn begin_anew(&mut self, truth: Truth) -> Arc<Truth> {
        let old = Arc::new(std::mem::replace(&mut self.truth, truth));
        let shown = |id| old.symbol(id).map_or(0, |symbol| symbol.sequence(Channel::Trade));
        self.interests.resize_with(self.truth.symbol_count(), Interest::default);
        self.history.begin_anew(&self.truth, shown);
        if self.replaced.laps.len() == LAPS_MAX {
            self.replaced.laps.remove(0);
        }
        self.replaced.laps.push(Arc::clone(&old));
        old
    }

    pub(crate) fn end_cycle(&mut self, now: u64) {
        self.history.end_cycle(now);
        self.replaced = Replaced::default();
        let Self { interests, room, to_sweep, to_shrink, .. } = self;
        for (id, place) in to_sweep.drain(..) {
            let interest = &mut interests[id.index()];
            let class = &mut interest.classes[place as usize];
            class.bases.end_cycle(room);
            class.is_to_sweep = false;
            if class.bases.is_empty() && class.subscribers.is_empty() {
                list_to_shrink(interest, id, to_shrink);
            }
        }
        for id in to_shrink.drain(..) {
            interests[id.index()].shrink();
        }
    }
}

fn list_to_shrink(interest: &mut Interest, id: SymbolId, to_shrink: &mut Vec<SymbolId>) {
    if !std::mem::replace(&mut interest.is_to_shrink, true) {
        to_shrink.push(id);
    }
}

/// What laps and renewals replaced in this cycle: what was sent before may yet turn out to be all
/// that somebody has.
#[derive(Debug, Default)]
pub(crate) struct Replaced {
    laps: Vec<Arc<Truth>>,
    pub(crate) symbols: Vec<(SymbolId, Symbol)>,
}

impl Replaced {
    /// The book as it was at a sequence, if it was replaced then.
    pub(crate) fn book(&self, id: SymbolId, sequence: u64) -> Option<&Book> {
        let laps = self.laps.iter().filter_map(|truth| truth.symbol(id));
        let renewed = self.symbols.iter().filter(|(of, _)| *of == id).map(|(_, symbol)| symbol);
        let mut then = laps.chain(renewed);
        then.find(|symbol| symbol.sequence(Channel::Book) == sequence).map(|symbol| &symbol.book)
    }
}
