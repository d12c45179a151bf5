//! The state of one shard, and how a tick passes through it.
//!
//! Owned by the shard's thread. Ticks, requests and times come in through `handle_*`; what is to be
//! sent is taken out session by session with `poll_dirty`, `take` and `keep`, then `end_cycle`.

use market::{Body, BookSide, Channel, Interval, OutOfStep, State, SymbolId, Tick, Truth};
use wire::close::CloseCode;
use wire::data::{FrameType, Marks};
use wire::topic::{Depth, Topic};
use wire::{frame, notice};

use crate::counters::Counters;
use crate::cycle::FrameId;
use crate::encode;
use crate::interest::{Class, Interest};
use crate::limits::Limits;
use crate::listeners::Listeners;
use crate::outboxes::Outboxes;
use crate::patterns::Patterns;
use crate::session::{Session, SessionKey};
use crate::view::Before;

/// One shard's whole state.
#[derive(Debug)]
pub struct Fanout {
    pub(crate) truth: Truth,
    pub(crate) limits: Limits,
    /// The life of the numbering, told to sessions that use extensions.
    pub(crate) epoch: u64,
    /// By symbol id.
    pub(crate) interests: Vec<Interest>,
    pub(crate) patterns: Patterns,
    pub(crate) listeners: Listeners,
    pub(crate) outboxes: Outboxes,
    pub(crate) counters: Counters,
    before: Before,
    /// Reused for the levels of a book update.
    levels: [Vec<market::Level>; 2],
    /// Counts state notices, so that a session is told each once.
    pub(crate) notice_count: u64,
}

impl Fanout {
    /// A shard without sessions. `epoch` names this life of the numbering, the same on every shard.
    pub fn new(limits: Limits, epoch: u64) -> Self {
        Self {
            truth: Truth::default(),
            limits,
            epoch,
            interests: Vec::new(),
            patterns: Patterns::default(),
            listeners: Listeners::default(),
            outboxes: Outboxes::new(limits.outbox_bytes_max),
            counters: Counters::default(),
            before: Before::default(),
            levels: [Vec::new(), Vec::new()],
            notice_count: 0,
        }
    }

    /// A dashboard has arrived; it is greeted with the status message.
    pub fn handle_open(&mut self, connection_id: u64, now: u64) -> SessionKey {
        let key = self.outboxes.insert(Session::new(now));
        let is_online = self.is_online();
        self.outboxes.control(key, |out| notice::write_status(connection_id, is_online, out));
        key
    }

    /// Some symbol is fresh, or none is defined yet.
    fn is_online(&self) -> bool {
        let mut symbols = self.truth.symbols();
        symbols.len() == 0 || symbols.any(|(_, symbol)| symbol.state != State::Stale)
    }

    /// A dashboard is gone: everything it held is forgotten.
    pub fn handle_gone(&mut self, key: SessionKey) {
        let Some(session) = self.outboxes.remove(key) else { return };
        for held in session.held {
            self.leave(held.symbol, held.topic, held.sequenced, held.position);
        }
        self.patterns.forget(key);
        self.listeners.forget(key);
    }

    /// A ping of a dashboard. The pong goes before data; what is not read counts towards the limit.
    pub fn handle_ping(&mut self, key: SessionKey, payload: &[u8], now: u64) {
        self.heard(key, now);
        self.outboxes.control(key, |out| frame::write_control(frame::Kind::Pong, payload, out));
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
        let ticker_before = self.sequence(id, Channel::Ticker);
        let on_trade_before = self.sequence(id, Channel::TickerOnTrade);
        let was_known = self.is_ticker_known(id);
        if let (Body::Book(change), Some(symbol)) = (&tick.body, self.truth.symbol(id))
            && self.interests.get(id.index()).is_some_and(|interest| !interest.is_idle())
        {
            let levels_max = symbol.instrument.book_levels_max as usize;
            self.before.note(&symbol.book, levels_max, change);
        }
        self.truth.apply(tick)?;
        if self.interests.len() < self.truth.symbol_count() {
            self.interests.resize_with(self.truth.symbol_count(), Interest::default);
        }
        match &tick.body {
            Body::Instrument(_) => self.defined(id),
            Body::State(state) => self.tell_state(id, *state),
            Body::Quote(_) | Body::Ticker(..) => {}
            Body::Trade(_) => {
                let frame_type = self.first_or_later(id, Channel::Trade);
                self.fan_out(id, Topic::Trade, frame_type);
                for interval in Interval::ALL {
                    self.fan_out(id, Topic::Bars(interval), frame_type);
                }
            }
            Body::Book(_) => self.fan_out_book(id),
        }
        if !was_known && self.is_ticker_known(id) {
            // Whoever subscribed before has seen nothing: the first value is a snapshot.
            self.fan_out(id, Topic::TickerOnQuote, FrameType::Snapshot);
            self.fan_out(id, Topic::TickerOnTrade, FrameType::Snapshot);
            return Ok(());
        }
        if self.sequence(id, Channel::Ticker) > ticker_before {
            self.fan_out(id, Topic::TickerOnQuote, FrameType::Update);
        }
        if self.sequence(id, Channel::TickerOnTrade) > on_trade_before {
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

    /// Appends whole frames of a session to `out` until it holds `bytes_max`; `sent` hears of each
    /// data frame, with stamps where its age says something. True when more is left: take again, or
    /// `keep`.
    pub fn take(
        &mut self,
        key: SessionKey,
        bytes_max: usize,
        out: &mut Vec<u8>,
        sent: impl FnMut(Option<market::Stamps>),
        now: u64,
    ) -> bool {
        if let Some(session) = self.outboxes.session_mut(key) {
            session.sent_at = now;
        }
        self.outboxes.take(key, bytes_max, out, sent)
    }

    /// Keeps a session's frames beyond this cycle, because its socket takes no more now. One that
    /// holds too much is closed as too slow.
    pub fn keep(&mut self, key: SessionKey) {
        self.outboxes.keep(key);
    }

    /// Ends the cycle: its frames are forgotten. Every session that `poll_dirty` named must have
    /// been taken from until nothing was left, or kept.
    pub fn end_cycle(&mut self) {
        self.outboxes.end_cycle();
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

    /// The replica.
    pub const fn truth(&self) -> &Truth {
        &self.truth
    }

    pub(crate) fn sequence(&self, id: SymbolId, channel: Channel) -> u64 {
        self.truth.symbol(id).map_or(0, |symbol| symbol.sequence(channel))
    }

    fn is_ticker_known(&self, id: SymbolId) -> bool {
        self.truth.symbol(id).is_some_and(|s| encode::is_known(s, Topic::TickerOnQuote))
    }

    /// Nobody can have had a snapshot of what did not exist: the first value is one.
    fn first_or_later(&self, id: SymbolId, channel: Channel) -> FrameType {
        if self.sequence(id, channel) == 1 { FrameType::Snapshot } else { FrameType::Update }
    }

    /// Sends the newest value of a topic to everybody who wants it.
    fn fan_out(&mut self, id: SymbolId, topic: Topic, frame_type: FrameType) {
        let Self { truth, interests, outboxes, counters, .. } = self;
        let Some(symbol) = truth.symbol(id) else { return };
        let channel = topic.channel();
        let marks = Marks::one(symbol.sequence(channel), symbol.stamps(channel));
        for class in interests[id.index()].wanting(topic) {
            let marks_asked = class.sequenced.then_some(&marks);
            let frame = outboxes.encode(Some(marks.stamps), |out| match topic {
                _ if frame_type == FrameType::Snapshot => {
                    encode::snapshot(symbol, topic, class.sequenced, out);
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
        let Self { truth, interests, outboxes, counters, before, levels, .. } = self;
        let Some(symbol) = truth.symbol(id) else { return };
        let marks = Marks::one(symbol.sequence(Channel::Book), symbol.stamps(Channel::Book));
        let mut checksum = None;
        for depth in Depth::ALL {
            let topic = Topic::Book(depth);
            let mut is_known = false;
            for class in interests[id.index()].wanting(topic) {
                if !is_known {
                    for (side, levels) in BookSide::BOTH.into_iter().zip(levels.iter_mut()) {
                        before.update(&symbol.book, side, depth, levels);
                    }
                    is_known = true;
                }
                let says_nothing = levels.iter().all(Vec::is_empty);
                if says_nothing && !class.sequenced && marks.sequence > 1 {
                    continue;
                }
                let frame = outboxes.encode(Some(marks.stamps), |out| {
                    if marks.sequence == 1 {
                        encode::snapshot(symbol, topic, class.sequenced, out);
                    } else {
                        let levels = [&levels[0], &levels[1]].map(|l| l.iter().copied());
                        let marks = class.sequenced.then_some(&marks);
                        let checksum = *checksum.get_or_insert_with(|| symbol.book.checksum());
                        encode::book(symbol, levels, checksum, FrameType::Update, marks, out);
                    }
                });
                deliver(class, frame, outboxes, counters);
            }
        }
    }

    /// Tells every session that uses extensions and holds something of the symbol.
    pub(crate) fn tell_state(&mut self, id: SymbolId, state: State) {
        self.notice_count += 1;
        let Self { truth, interests, outboxes, notice_count, .. } = self;
        let Some(symbol) = truth.symbol(id) else { return };
        let mut frame = None;
        for class in interests[id.index()].wanted().filter(|class| class.sequenced) {
            let frame = *frame.get_or_insert_with(|| {
                let (name, since) = (&symbol.instrument.symbol, symbol.state_since);
                outboxes.encode(None, |out| notice::write_state(name, state, since, out))
            });
            for key in &class.subscribers {
                let Some(session) = outboxes.session_mut(*key) else { continue };
                if session.noticed != *notice_count {
                    session.noticed = *notice_count;
                    outboxes.push(*key, frame);
                }
            }
        }
    }

    /// Takes a session out of a list of subscribers.
    pub(crate) fn leave(&mut self, id: SymbolId, topic: Topic, sequenced: bool, position: u32) {
        let Some(interest) = self.interests.get_mut(id.index()) else { return };
        let moved = interest.remove(topic, sequenced, position);
        self.counters.subscriptions -= 1;
        if let Some(session) = moved.and_then(|key| self.outboxes.session_mut(key))
            && let Some(held) = session.find_mut(id, topic)
        {
            held.position = position;
        }
    }
}

pub(crate) fn deliver(
    class: &Class,
    frame: FrameId,
    outboxes: &mut Outboxes,
    counters: &mut Counters,
) {
    counters.frames_encoded[class.topic.index()] += 1;
    for key in &class.subscribers {
        outboxes.push(*key, frame);
    }
}
