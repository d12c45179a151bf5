//! The state of one shard, and how a tick passes through it.
//!
//! Owned by the shard's thread. Ticks, requests and times come in through `handle_*`; what is to be
//! sent is taken out session by session with `poll_dirty`, `take` and `keep`, then `end_cycle`.

use market::{
    Body, BookSide, Channel, Interval, OutOfStep, Stamps, State, Symbol, SymbolId, Tick, Truth,
};
use wire::close::CloseCode;
use wire::data::{FrameType, Marks};
use wire::topic::{Depth, Topic};
use wire::{frame, notice};

use crate::counters::Counters;
use crate::cycle::{FrameId, Origin};
use crate::encode;
use crate::interest::{Class, ClassAt};
use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::listeners::Listeners;
use crate::outboxes::Outboxes;
use crate::pace::Pending;
use crate::patterns::Patterns;
use crate::rejoin::Rejoining;
use crate::review::Review;
use crate::session::{Held, Session, SessionKey, Standing};
use crate::shown::Shown;
use crate::usage::Usage;
use crate::who::{Petition, Who};

/// One shard's whole state.
#[derive(Debug)]
pub struct Fanout {
    pub(crate) ledger: Ledger,
    pub(crate) limits: Limits,
    /// The life of the numbering, told to sessions that use extensions.
    pub(crate) epoch: u64,
    pub(crate) patterns: Patterns,
    pub(crate) listeners: Listeners,
    pub(crate) outboxes: Outboxes,
    pub(crate) counters: Counters,
    /// The latest time heard of.
    pub(crate) now: u64,
    /// Sessions with requests not wholly worked off.
    pub(crate) workers: Vec<SessionKey>,
    /// Reused: marks of a session that falls behind.
    pub(crate) marks: Vec<Origin>,
    /// Reused: classes whose bucket has ended.
    pub(crate) due: Vec<Pending>,
    /// Tokens to be looked at by who can.
    pub(crate) petitions: Vec<Petition>,
    pub(crate) review: Review,
    pub(crate) rejoining: Rejoining,
    pub(crate) usage: Usage,
}

impl Fanout {
    /// A shard without sessions. `epoch` names this life of the numbering, the same on every shard.
    pub fn new(limits: Limits, epoch: u64) -> Self {
        Self {
            ledger: Ledger::new(limits.history, limits.bases_bytes_max),
            limits,
            epoch,
            patterns: Patterns::default(),
            listeners: Listeners::default(),
            outboxes: Outboxes::new(limits.outbox_bytes_max),
            counters: Counters::default(),
            now: 0,
            workers: Vec::new(),
            marks: Vec::new(),
            due: Vec::new(),
            petitions: Vec::new(),
            review: Review::default(),
            rejoining: Rejoining::default(),
            usage: Usage::default(),
        }
    }

    /// A dashboard that nobody asks who it is, and that may see everything: for stages and
    /// benchmarks. Whoever comes through a door comes by `handle_arrival`.
    pub fn handle_open(&mut self, connection_id: u64, now: u64) -> SessionKey {
        let key = self.outboxes.insert(Session::new(connection_id, Who::Anyone, now));
        self.greet(key);
        key
    }

    /// Greets a session with the status message.
    pub(crate) fn greet(&mut self, key: SessionKey) {
        let Some(connection_id) = self.outboxes.session(key).map(|session| session.id) else {
            return;
        };
        let is_online = self.is_online();
        self.outboxes.control(key, |out| notice::write_status(connection_id, is_online, out));
    }

    /// Some symbol is fresh, or none is defined yet.
    pub(crate) fn is_online(&self) -> bool {
        let truth = &self.ledger.truth;
        truth.symbol_count() == 0
            || truth.originals().any(|(_, symbol)| symbol.state != State::Stale)
    }

    /// A dashboard is gone: everything it held is forgotten.
    pub fn handle_gone(&mut self, key: SessionKey) {
        let Some(session) = self.outboxes.remove(key) else { return };
        self.usage.close(session.who, self.now);
        for held in session.held {
            self.leave(held);
        }
        self.workers.retain(|worker| *worker != key);
        self.patterns.forget(key);
        self.listeners.forget(key);
        self.review.forget(key);
        self.rejoining.forget(key);
    }

    /// Any sign of life.
    pub fn heard(&mut self, key: SessionKey, now: u64) {
        if let Some(session) = self.outboxes.session_mut(key) {
            session.heard_at = now;
            session.pinged_at = None;
        }
    }

    /// Closes a session: the close frame is the last it gets. The shard forgets it with
    /// `handle_gone`.
    pub fn close(&mut self, key: SessionKey, code: CloseCode, reason: &str) {
        self.outboxes.close(key, code, reason);
    }

    /// The dashboard said goodbye: its code is repeated, as RFC 6455 asks.
    pub fn handle_close(&mut self, key: SessionKey, code: Option<u16>) {
        let payload = code.map(u16::to_be_bytes);
        let payload = payload.as_ref().map_or(&[][..], |code| code);
        self.outboxes.close_with(key, CloseCode::Normal, |out| {
            frame::write_control(frame::Kind::Close, payload, out);
        });
    }

    /// Folds a tick and queues its frames for whoever wants them.
    pub fn handle_tick(&mut self, tick: &Tick<'_>) -> Result<(), OutOfStep> {
        let id = tick.symbol;
        self.now = self.now.max(tick.stamps.publish.0);
        let ticker_before = self.ledger.sequence(id, Channel::Ticker);
        let on_trade_before = self.ledger.sequence(id, Channel::TickerOnTrade);
        let was_known = self.ledger.is_known(id, Topic::TickerOnQuote);
        if matches!(tick.body, Body::Trade(_)) {
            self.let_tickers_pass(id);
        }
        if matches!(tick.body, Body::Renewal(_)) {
            return self.renew_symbol(tick);
        }
        self.ledger.fold(tick)?;
        match &tick.body {
            Body::Instrument(_) | Body::Twin(_) => self.defined(id),
            Body::State(state) => self.tell_state(id, *state),
            Body::Quote(_) | Body::Ticker(..) | Body::Renewal(_) => {}
            Body::Trade(_) => {
                let frame_type = self.first_or_later(id, Channel::Trade);
                self.fan_out(id, Topic::Trade, frame_type);
                for interval in Interval::ALL {
                    self.fan_out(id, Topic::Bars(interval), frame_type);
                }
            }
            Body::Book(_) => self.fan_out_book(id),
        }
        if !was_known && self.ledger.is_known(id, Topic::TickerOnQuote) {
            // Whoever subscribed before has seen nothing: the first value is a snapshot.
            self.fan_out(id, Topic::TickerOnQuote, FrameType::Snapshot);
            self.fan_out(id, Topic::TickerOnTrade, FrameType::Snapshot);
            return Ok(());
        }
        if self.ledger.sequence(id, Channel::Ticker) > ticker_before {
            self.fan_out(id, Topic::TickerOnQuote, FrameType::Update);
        }
        if self.ledger.sequence(id, Channel::TickerOnTrade) > on_trade_before {
            self.fan_out(id, Topic::TickerOnTrade, FrameType::Update);
        }
        Ok(())
    }

    /// Lists a session as having something to send: its socket takes bytes again.
    pub fn mark_dirty(&mut self, key: SessionKey) {
        self.outboxes.mark_dirty(key);
    }

    /// The next session with something to send, each once per cycle.
    pub fn poll_dirty(&mut self) -> Option<SessionKey> {
        self.outboxes.pop_dirty()
    }

    /// Ends the cycle: its frames are forgotten. Every session that `poll_dirty` named must have
    /// been taken from until nothing was left, or kept.
    pub fn end_cycle(&mut self) {
        self.outboxes.end_cycle();
        self.ledger.end_cycle(self.now);
        self.counters.bases_bytes = self.ledger.room.bytes() as u64;
        self.counters.bases_refused = self.ledger.room.refused();
    }

    /// Something is left to do although nothing comes: the next cycle is not to wait.
    pub fn has_work(&self) -> bool {
        let can_go_on = |key: &SessionKey| {
            let session = self.outboxes.session(*key);
            session.is_none_or(|session| session.blocked_since.is_none())
        };
        self.outboxes.has_dirty()
            || self.review.is_under_way()
            || self.rejoining.is_under_way()
            || self.workers.iter().any(can_go_on)
    }

    /// Why a session is being closed; none while it lives.
    pub fn closing(&self, key: SessionKey) -> Option<CloseCode> {
        self.outboxes.session(key).and_then(|session| session.closing)
    }

    /// Bytes kept for a session beyond the cycle.
    pub fn backlog_bytes(&self, key: SessionKey) -> usize {
        self.outboxes.session(key).map_or(0, |session| session.outbox.backlog_bytes())
    }

    /// How many sessions there are.
    pub fn session_count(&self) -> usize {
        self.outboxes.session_count()
    }

    /// Every session.
    pub fn session_keys(&mut self) -> Vec<SessionKey> {
        self.outboxes.sessions_mut().map(|(key, _)| key).collect()
    }

    /// Totals.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The life of the numbering; zero before the first.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The replica.
    pub const fn truth(&self) -> &Truth {
        &self.ledger.truth
    }

    /// Nobody can have had a snapshot of what did not exist: the first value is one.
    fn first_or_later(&self, id: SymbolId, channel: Channel) -> FrameType {
        if self.ledger.sequence(id, channel) == 1 { FrameType::Snapshot } else { FrameType::Update }
    }

    /// Sends the newest value of a topic to everybody who wants it as it comes.
    fn fan_out(&mut self, id: SymbolId, topic: Topic, frame_type: FrameType) {
        let Self { ledger, outboxes, counters, now, .. } = self;
        let Ledger { truth, interests, calendar, .. } = ledger;
        let Some(symbol) = truth.symbol(id) else { return };
        let channel = topic.channel();
        let marks = Marks::one(symbol.sequence(channel), symbol.stamps(channel));
        for class in &mut interests[id.index()].classes {
            if class.topic != topic || class.subscribers.is_empty() {
                continue;
            }
            if class.kind.pace.is_paced() {
                class.wait(calendar, id, *now);
                continue;
            }
            let origin = Origin { symbol: id, topic, shown: shown_before(&marks, frame_type) };
            let marks_asked = class.kind.sequenced.then_some(&marks);
            let stamps = measured(symbol, marks.stamps);
            let frame = outboxes.encode_data(stamps, origin, |out| match topic {
                _ if frame_type == FrameType::Snapshot => {
                    encode::snapshot(symbol, topic, class.kind.sequenced, out);
                }
                Topic::Trade => encode::latest_trades(symbol, 1, marks_asked, out),
                Topic::Bars(interval) => encode::latest_bars(symbol, interval, 1, marks_asked, out),
                _ => encode::ticker(symbol, topic, frame_type, marks_asked, out),
            });
            deliver(class, frame, outboxes, counters);
        }
    }

    /// Sends what a book change means to each depth. Plain frames that would say nothing are not
    /// sent; sequenced ones are, because every number is to be seen.
    fn fan_out_book(&mut self, id: SymbolId) {
        let Self { ledger, outboxes, counters, now, .. } = self;
        let Ledger { truth, interests, before, levels, calendar, .. } = ledger;
        let Some(symbol) = truth.symbol(id) else { return };
        let marks = Marks::one(symbol.sequence(Channel::Book), symbol.stamps(Channel::Book));
        let is_first = marks.sequence == 1;
        let frame_type = if is_first { FrameType::Snapshot } else { FrameType::Update };
        let mut checksum = None;
        let mut levels_of: Option<Depth> = None;
        for class in &mut interests[id.index()].classes {
            let Topic::Book(depth) = class.topic else { continue };
            if class.subscribers.is_empty() {
                continue;
            }
            if class.kind.pace.is_paced() {
                class.wait(calendar, id, *now);
                continue;
            }
            if levels_of.replace(depth) != Some(depth) {
                for (side, levels) in BookSide::BOTH.into_iter().zip(levels.iter_mut()) {
                    before.update(&symbol.book, side, depth, levels);
                }
            }
            let says_nothing = levels.iter().all(Vec::is_empty);
            if says_nothing && !class.kind.sequenced && !is_first {
                continue;
            }
            let (topic, shown) = (class.topic, shown_before(&marks, frame_type));
            let origin = Origin { symbol: id, topic, shown };
            let stamps = measured(symbol, marks.stamps);
            let frame = outboxes.encode_data(stamps, origin, |out| {
                if is_first {
                    encode::snapshot(symbol, topic, class.kind.sequenced, out);
                } else {
                    let levels = [&levels[0], &levels[1]].map(|l| l.iter().copied());
                    let marks = class.kind.sequenced.then_some(&marks);
                    let checksum = *checksum.get_or_insert_with(|| symbol.book.checksum());
                    encode::book(symbol, levels, checksum, FrameType::Update, marks, out);
                }
            });
            deliver(class, frame, outboxes, counters);
        }
    }

    /// Tells every session that is on a list of the symbol and uses extensions; who is behind hears
    /// of it when it is served.
    pub(crate) fn tell_state(&mut self, id: SymbolId, state: State) {
        let Self { ledger, outboxes, .. } = self;
        let Some(symbol) = ledger.symbol(id) else { return };
        let mut frame = None;
        for class in ledger.interests[id.index()].wanted().filter(|class| class.kind.sequenced) {
            for key in &class.subscribers {
                let Some(session) = outboxes.session_mut(*key) else { continue };
                if session.is_news(id, state) {
                    let frame = *frame.get_or_insert_with(|| {
                        let (name, since) = (&symbol.instrument.symbol, symbol.state_since);
                        outboxes.encode(|out| notice::write_state(name, state, since, out))
                    });
                    outboxes.push(*key, frame);
                }
            }
        }
    }

    pub(crate) fn class_of(&mut self, held: Held) -> ClassAt {
        self.ledger.class_at(held.symbol, held.topic, held.kind)
    }

    /// Ends a subscription that its session no longer holds.
    pub(crate) fn leave(&mut self, held: Held) {
        self.counters.subscriptions -= 1;
        let class = self.class_of(held);
        match held.standing {
            Standing::Listed(position) => {
                if held.kind.pace.is_paced() {
                    let shown = self.ledger.class(class).shown[position as usize];
                    self.ledger.give_back_base(class, shown);
                }
                self.unlist(held);
            }
            Standing::Behind(shown) => self.ledger.give_back_base(class, shown),
            Standing::Resuming(shown) => self.ledger.give_back_base(class, Shown::UpTo(shown)),
        }
    }

    /// Takes a session off a class's list.
    pub(crate) fn unlist(&mut self, held: Held) {
        let Standing::Listed(position) = held.standing else { return };
        let class = self.class_of(held);
        let moved = self.ledger.unlist(class, position);
        if let Some(session) = moved.and_then(|key| self.outboxes.session_mut(key)) {
            session.stand(held.symbol, held.topic, Standing::Listed(position));
        }
    }
}

/// Stamps whose age says how fast the gateway is; that of what is told later does not.
pub(crate) fn measured(symbol: &Symbol, stamps: Stamps) -> Option<Stamps> {
    symbol.twin.is_none().then_some(stamps)
}

const fn shown_before(marks: &Marks, frame_type: FrameType) -> Shown {
    match frame_type {
        FrameType::Snapshot => Shown::Nothing,
        FrameType::Update => Shown::UpTo(marks.first_sequence - 1),
    }
}

/// Gives a frame to everybody on a class's list.
fn deliver(class: &mut Class, frame: FrameId, outboxes: &mut Outboxes, counters: &mut Counters) {
    counters.frames_encoded[class.topic.index()] += 1;
    class.frame_bytes = outboxes.frame_size(frame) as u32;
    for key in &class.subscribers {
        outboxes.push(*key, frame);
    }
}
