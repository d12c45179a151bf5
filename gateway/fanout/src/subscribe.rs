//! Subscribing and unsubscribing: by name, by pattern, from now on or from where one left off.

use std::sync::Arc;

use market::{Channel, Nanos, State, SymbolId};
use rights::usage::End;
use wire::refusal::{Code, Refusal};
use wire::reply::Envelope;
use wire::request::{Position, Subscription};
use wire::topic::Topic;

use crate::fanout::Fanout;
use crate::grant::{Denied, Served};
use crate::interest::Kind;
use crate::listeners::Listener;
use crate::pace::Pace;
use crate::patterns::{Pattern, Watch};
use crate::requests::{Answer, Terms};
use crate::session::{Held, SessionKey, Standing};
use crate::shown::Shown;

const ALREADY: &str = "already subscribed";
const NOT_HELD: &str = "was not subscribed";
const LEFT_OUT: &str = "symbols that are not granted to you are left out";
const MIXED: &str = "some symbols are told later than others: list_subscriptions says which";
const LEFT_OUT_AND_MIXED: &str = "symbols that are not granted to you are left out, and some are \
    told later than others: list_subscriptions says which";

/// What became of an attempt to subscribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    /// It goes on where the session had left off, or not.
    Resumed(bool),
    New,
    Already,
    Full,
    Denied(Denied),
}

/// How a subscribe is to be served.
pub(crate) fn terms_of(wanted: &Subscription) -> Terms {
    let kind = Kind { sequenced: wanted.sequenced, pace: Pace::not_faster_than(wanted.pace_ms) };
    let (topic, on_slow, snapshot) = (wanted.topic, wanted.on_slow, wanted.snapshot);
    Terms { topic, kind, on_slow, snapshot, delay_ms: 0 }
}

impl Fanout {
    pub(crate) fn listen(&mut self, key: SessionKey, wanted: &Subscription, envelope: &Envelope) {
        if let Err(denied) = self.may_listen(key) {
            let refusal = denied.refusal();
            return self.refuse(key, Some("subscribe"), &refusal, None, envelope);
        }
        let ids = self.granted_definitions(key);
        let channel = Topic::Instrument.channel();
        let sequence = ids.iter().map(|id| self.ledger.sequence(*id, channel)).sum();
        let sequenced = wanted.sequenced;
        let is_new = self.listeners.add(Listener { key, sequenced, sequence });
        let sequence = Some(self.listeners.sequence_of(key));
        let warning = (!is_new).then_some(ALREADY);
        let answer = Answer { method: "subscribe", sequence, warning, ..Answer::default() };
        self.ack(key, &answer, terms_of(wanted), envelope);
        if is_new && wanted.snapshot {
            self.show_definitions(key, wanted.sequenced);
        }
    }

    /// Answers one name. A pattern brings symbols yet to be joined, last first.
    pub(crate) fn subscribe(
        &mut self,
        key: SessionKey,
        wanted: &Subscription,
        name: &str,
        envelope: &Envelope,
    ) -> Vec<SymbolId> {
        let terms = terms_of(wanted);
        if let Some(session) = self.outboxes.session_mut(key) {
            session.is_extended |= terms.is_extended();
        }
        if let Some(pattern) = Pattern::parse(name) {
            return self.watch(key, terms, pattern, envelope);
        }
        let method = "subscribe";
        let Some(id) = self.ledger.truth.find(name) else {
            let refusal = Refusal::new(Code::UnknownSymbol, format!("unknown symbol {name:?}"));
            self.refuse(key, Some(method), &refusal, Some(name), envelope);
            return Vec::new();
        };
        let position = wanted.resume.iter().find(|(symbol, _)| symbol == name).map(|r| r.1);
        let mut recovered = position.map(|_| false);
        let mut warning = None;
        let granted = self.grant(key, id, terms).unwrap_or(Served { symbol: id, terms });
        let mut sequence = self.ledger.sequence(granted.symbol, wanted.topic.channel());
        match self.join(key, id, terms, position) {
            Joined::Denied(denied) => {
                self.note_denied(key, id, terms.topic, denied);
                let refusal = denied.refusal();
                self.refuse(key, Some(method), &refusal, Some(name), envelope);
                return Vec::new();
            }
            Joined::Full => {
                let refusal = self.limit_reached();
                self.refuse(key, Some(method), &refusal, Some(name), envelope);
                return Vec::new();
            }
            // It goes on as it was: no snapshot comes that `recovered: false` would promise.
            Joined::Already => (warning, recovered) = (Some(ALREADY), None),
            Joined::Resumed(is_recovered) => {
                recovered = Some(is_recovered);
                if let (true, Some(position)) = (is_recovered, position) {
                    sequence = position.sequence;
                }
            }
            Joined::New => {}
        }
        let (symbol, sequence) = (Some(name), Some(sequence));
        let answer = Answer { method, symbol, sequence, recovered, warning };
        self.ack(key, &answer, granted.terms, envelope);
        Vec::new()
    }

    /// A pattern: one ack, then every symbol that matches, now and later. What matches and is not
    /// granted is left out, and the ack says that there is such; where nothing is granted of what
    /// matches, the pattern is refused.
    fn watch(
        &mut self,
        key: SessionKey,
        terms: Terms,
        pattern: Pattern,
        envelope: &Envelope,
    ) -> Vec<SymbolId> {
        let (method, name) = ("subscribe", pattern.name().to_owned());
        if self.patterns.count_of(key) >= self.limits.subscriptions_max {
            let refusal = self.limit_reached();
            self.refuse(key, Some(method), &refusal, Some(&name), envelope);
            return Vec::new();
        }
        let symbols = self.ledger.truth.originals();
        let matching = symbols.filter(|(_, symbol)| pattern.matches(&symbol.instrument.symbol));
        let mut ids: Vec<_> = matching.map(|(id, _)| id).collect();
        let match_count = ids.len();
        let mut denied = None;
        let mut delays_ms: Option<(u32, u32)> = None;
        ids.retain(|id| match self.grant(key, *id, terms) {
            Ok(Served { terms: Terms { delay_ms, .. }, .. }) => {
                let (min, max) = delays_ms.unwrap_or((delay_ms, delay_ms));
                delays_ms = Some((min.min(delay_ms), max.max(delay_ms)));
                true
            }
            Err(why) => {
                denied = Some(why);
                false
            }
        });
        if let Some(denied) = denied.filter(|_| ids.is_empty()) {
            let refusal = denied.refusal();
            self.refuse(key, Some(method), &refusal, Some(&name), envelope);
            return Vec::new();
        }
        let (least, most) = delays_ms.unwrap_or_default();
        let warning = match (ids.len() < match_count, least < most) {
            (true, true) => Some(LEFT_OUT_AND_MIXED),
            (true, false) => Some(LEFT_OUT),
            (false, true) => Some(MIXED),
            (false, false) => None,
        };
        let answer = Answer { method, symbol: Some(&name), warning, ..Answer::default() };
        // Nothing is promised sooner than all of it comes.
        self.ack(key, &answer, Terms { delay_ms: most, ..terms }, envelope);
        ids.reverse();
        self.patterns.add(Watch { session: key, pattern, terms });
        ids
    }

    /// Joins a symbol that a pattern brought; false when the session holds as many as it may.
    pub(crate) fn join_match(
        &mut self,
        key: SessionKey,
        wanted: &Subscription,
        id: SymbolId,
        envelope: &Envelope,
    ) -> bool {
        if self.join(key, id, terms_of(wanted), None) != Joined::Full {
            return true;
        }
        self.refuse_match(key, id, envelope);
        false
    }

    /// A symbol appeared that a pattern matches, or is granted of late; it may have a value
    /// already.
    pub(crate) fn join_by_pattern(&mut self, watch: &Watch, id: SymbolId, now: Nanos) -> Joined {
        // It appears once for itself and once for each twin.
        let served = self.grant(watch.session, id, watch.terms);
        if served.is_ok_and(|served| served.symbol != id) {
            return Joined::Already;
        }
        let joined = self.join(watch.session, id, watch.terms, None);
        if joined == Joined::Full {
            let envelope = Envelope { req_id: None, time_in: now, time_out: now };
            self.refuse_match(watch.session, id, &envelope);
        }
        joined
    }

    fn refuse_match(&mut self, key: SessionKey, id: SymbolId, envelope: &Envelope) {
        let Some(symbol) = self.ledger.symbol(id) else { return };
        let name = Arc::clone(&symbol.instrument.symbol);
        let refusal = self.limit_reached();
        self.refuse(key, Some("subscribe"), &refusal, Some(&name), envelope);
    }

    fn limit_reached(&self) -> Refusal {
        let limit = self.limits.subscriptions_max;
        Refusal::new(Code::SymbolLimit, format!("a session may hold {limit} subscriptions"))
    }

    /// Adds a subscription. It is behind at first, by everything or from a position on, and is
    /// served with the session's next frames.
    pub(crate) fn join(
        &mut self,
        key: SessionKey,
        id: SymbolId,
        terms: Terms,
        position: Option<Position>,
    ) -> Joined {
        let Served { symbol: id, terms: granted } = match self.grant(key, id, terms) {
            Ok(served) => served,
            Err(denied) => return Joined::Denied(denied),
        };
        let (asked_topic, asked_pace) = (terms.topic, terms.kind.pace);
        let Terms { topic, kind, on_slow, snapshot, .. } = granted;
        self.part_from_family(key, id, topic);
        let Some(session) = self.outboxes.session(key) else { return Joined::Already };
        match session.find(id, topic) {
            Some(held) if (held.kind, held.on_slow) == (kind, on_slow) => return Joined::Already,
            Some(held) => self.part(key, held),
            None if session.held.len() >= self.limits.subscriptions_max => return Joined::Full,
            None => {}
        }
        let standing = Standing::Behind(Shown::Nothing);
        let told = State::Ok;
        let mut held =
            Held { symbol: id, topic, kind, on_slow, asked_topic, asked_pace, told, standing };
        let resumed = position.map(|position| self.can_resume(held, position));
        match (resumed, position) {
            (Some(true), Some(position)) => held.standing = Standing::Resuming(position.sequence),
            _ if !snapshot => {
                let now = self.ledger.shown_now(id, topic);
                let class = self.class_of(held);
                self.ledger.stand_at_base(class, now);
                held.standing = Standing::Behind(now);
            }
            _ => {}
        }
        self.counters.subscriptions += 1;
        if let Some(session) = self.outboxes.session_mut(key) {
            session.hold(held);
        }
        self.note_used(key, held);
        self.outboxes.mark_dirty(key);
        match resumed {
            Some(is_recovered) => {
                self.counters.resumed += u64::from(is_recovered);
                self.counters.not_resumed += u64::from(!is_recovered);
                Joined::Resumed(is_recovered)
            }
            None => Joined::New,
        }
    }

    /// Whether every update after a position is still held; then its base is taken up.
    fn can_resume(&mut self, held: Held, position: Position) -> bool {
        let (id, topic, shown) = (held.symbol, held.topic, position.sequence);
        let newest = self.ledger.sequence(id, topic.channel());
        if position.epoch != self.epoch || shown > newest || !self.ledger.is_known(id, topic) {
            return false;
        }
        let history = &self.ledger.history;
        let is_held = shown == newest
            || match topic.channel() {
                Channel::Trade | Channel::Bars(_) => history.holds_trades(id, shown, newest),
                Channel::Book => history.books_after(id, shown).is_some(),
                channel => history.tickers_after(id, channel, shown).is_some(),
            };
        let class = self.class_of(held);
        is_held && self.ledger.take_up_base(class, Shown::UpTo(shown))
    }

    pub(crate) fn unsubscribe(
        &mut self,
        key: SessionKey,
        wanted: &Subscription,
        name: &str,
        envelope: &Envelope,
    ) {
        let is_meant = |topic: Topic| is_meant(topic, wanted.topic, wanted.is_topic_exact);
        let pattern = Pattern::parse(name);
        let Some(mut held) = self.held_by_name(key, pattern.as_ref(), name) else {
            let refusal = Refusal::new(Code::UnknownSymbol, format!("unknown symbol {name:?}"));
            return self.refuse(key, Some("unsubscribe"), &refusal, Some(name), envelope);
        };
        let was_watched =
            pattern.is_some_and(|pattern| self.patterns.remove(key, &pattern, is_meant));
        held.retain(|held| is_meant(held.topic) || is_meant(held.asked_topic));
        if let Some(session) = self.outboxes.session_mut(key) {
            session.release_all(&held);
        }
        let warning = (held.is_empty() && !was_watched).then_some(NOT_HELD);
        for held in held {
            self.note_ended(key, held, End::Unsubscribed);
            self.leave(held);
        }
        self.acknowledge_end(key, wanted, Some(name), warning, envelope);
    }

    pub(crate) fn acknowledge_end(
        &mut self,
        key: SessionKey,
        wanted: &Subscription,
        symbol: Option<&str>,
        warning: Option<&str>,
        envelope: &Envelope,
    ) {
        let answer = Answer { method: "unsubscribe", symbol, warning, ..Answer::default() };
        self.ack(key, &answer, terms_of(wanted), envelope);
    }

    /// What a session holds of a symbol, or of all that match a pattern, in its own order; none
    /// when there is no such symbol.
    pub(crate) fn held_by_name(
        &self,
        key: SessionKey,
        pattern: Option<&Pattern>,
        name: &str,
    ) -> Option<Vec<Held>> {
        let truth = &self.ledger.truth;
        let session = self.outboxes.session(key)?;
        let Some(pattern) = pattern else {
            let family = truth.family(truth.find(name)?);
            let mut held: Vec<Held> =
                family.flat_map(|id| session.held_of(id).iter().copied()).collect();
            held.sort_by_key(|held| held.symbol);
            return Some(held);
        };
        let is_named = |held: &&Held| {
            let symbol = truth.symbol(held.symbol);
            symbol.is_some_and(|symbol| pattern.matches(&symbol.instrument.symbol))
        };
        Some(session.held.iter().filter(is_named).copied().collect())
    }

    /// Ends what a session holds of a symbol later or sooner than it is to have it now.
    fn part_from_family(&mut self, key: SessionKey, id: SymbolId, topic: Topic) {
        let Some(session) = self.outboxes.session(key) else { return };
        let truth = &self.ledger.truth;
        let mut others = truth.family(truth.original(id)).filter(|other| *other != id);
        let held = others.find_map(|other| session.find(other, topic));
        drop(others);
        if let Some(held) = held {
            self.part(key, held);
        }
    }

    pub(crate) fn part(&mut self, key: SessionKey, held: Held) {
        if let Some(session) = self.outboxes.session_mut(key) {
            session.release_all(&[held]);
        }
        self.leave(held);
    }
}

/// Whether a request that names a topic, exactly or by its channel alone, means this one.
pub(crate) fn is_meant(topic: Topic, named: Topic, is_exact: bool) -> bool {
    topic == named || (!is_exact && topic.channel_name() == named.channel_name())
}
