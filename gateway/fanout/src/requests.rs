//! Requests: what a session asks, answered one symbol at a time.

use std::sync::Arc;

use market::{Nanos, State, SymbolId};
use wire::close::CloseCode;
use wire::notice;
use wire::refusal::{Code, Refusal};
use wire::reply::{self, Ack, Envelope, Granted, Quality};
use wire::request::{self, Method, OnSlow, Request, Subscription};
use wire::topic::Topic;

use crate::encode;
use crate::fanout::Fanout;
use crate::patterns::{Pattern, Watch};
use crate::session::{Held, Payment, SessionKey};

const ALREADY: &str = "already subscribed";
const NOT_HELD: &str = "was not subscribed";

impl Fanout {
    /// Serves one message. `text` is changed in place by the parser.
    pub fn handle_text(&mut self, key: SessionKey, text: &mut [u8], now: Nanos) {
        self.heard(key, now.0);
        let Some(session) = self.outboxes.session_mut(key) else { return };
        let payment = session.pay_for(&self.limits, 1, now.0);
        let envelope = |req_id| Envelope { req_id, time_in: now, time_out: now };
        match payment {
            Payment::Paid => {}
            Payment::Refused => {
                let sentence = "too many requests: slow down or be closed";
                let refusal = Refusal::new(Code::RateLimit, sentence);
                self.refuse(key, None, &refusal, None, &envelope(None));
                return;
            }
            Payment::Excessive => {
                let sentence = "too many requests";
                self.outboxes.close(key, CloseCode::TooManyRequests, sentence);
                return;
            }
        }
        match request::parse(text) {
            Ok(Request { req_id, method }) => {
                let debt = session.pay_for(&self.limits, work_of(&method), now.0);
                if debt == Payment::Excessive {
                    let refusal = Refusal::new(Code::RateLimit, "too much asked for at once");
                    return self.refuse(key, None, &refusal, None, &envelope(req_id));
                }
                session.forgive();
                self.counters.requests += 1;
                self.serve(key, method, &envelope(req_id));
            }
            Err(bad) => {
                let is_last = session.is_bad_request_the_last(&self.limits);
                let method = bad.method.as_deref();
                self.refuse(key, method, &bad.refusal, None, &envelope(bad.req_id));
                if is_last {
                    let sentence = "too many requests that made no sense";
                    self.outboxes.close(key, CloseCode::BadRequests, sentence);
                }
            }
        }
    }

    /// The bytes of a dashboard broke a rule: it is told which, in words first, and closed.
    pub fn handle_violation(&mut self, key: SessionKey, code: CloseCode, rule: &str, now: Nanos) {
        let envelope = Envelope { req_id: None, time_in: now, time_out: now };
        let refusal = Refusal::new(Code::InvalidRequest, rule);
        self.refuse(key, None, &refusal, None, &envelope);
        self.outboxes.close(key, code, rule);
    }

    fn serve(&mut self, key: SessionKey, method: Method, envelope: &Envelope) {
        match method {
            Method::Ping => self.outboxes.control(key, |out| reply::write_pong(envelope, out)),
            Method::Subscribe(wanted) if wanted.topic == Topic::Instrument => {
                self.listen(key, &wanted, envelope);
            }
            Method::Unsubscribe(wanted) if wanted.topic == Topic::Instrument => {
                self.listeners.forget(key);
                self.ack(key, "unsubscribe", &wanted, None, None, None, envelope);
            }
            Method::Subscribe(wanted) => {
                for name in &wanted.symbols {
                    match Pattern::parse(name) {
                        Some(pattern) => self.watch(key, &wanted, name, pattern, envelope),
                        None => self.subscribe(key, &wanted, name, envelope),
                    }
                }
            }
            Method::Unsubscribe(wanted) => {
                for name in &wanted.symbols {
                    self.unsubscribe(key, &wanted, name, envelope);
                }
            }
            Method::Reconfigure(_)
            | Method::ListSubscriptions
            | Method::Auth { .. }
            | Method::Heartbeat { .. } => {
                let refusal = Refusal::new(Code::InvalidRequest, "not served by this gateway");
                self.refuse(key, None, &refusal, None, envelope);
            }
        }
    }

    fn listen(&mut self, key: SessionKey, wanted: &Subscription, envelope: &Envelope) {
        let is_new = self.listeners.add(key, wanted.sequenced);
        let sequence = Some(self.listeners.sequence);
        let warning = (!is_new).then_some(ALREADY);
        self.ack(key, "subscribe", wanted, None, sequence, warning, envelope);
        if is_new && wanted.snapshot {
            self.show_definitions(key, wanted.sequenced);
        }
    }

    fn subscribe(
        &mut self,
        key: SessionKey,
        wanted: &Subscription,
        name: &str,
        envelope: &Envelope,
    ) {
        let Some(id) = self.truth.find(name) else {
            let refusal = Refusal::new(Code::UnknownSymbol, format!("unknown symbol {name:?}"));
            return self.refuse(key, Some("subscribe"), &refusal, Some(name), envelope);
        };
        let joined = self.join(key, id, wanted.topic, wanted.sequenced);
        let warning = match joined {
            Joined::Full => {
                let refusal = self.limit_reached();
                return self.refuse(key, Some("subscribe"), &refusal, Some(name), envelope);
            }
            Joined::Already => Some(ALREADY),
            Joined::New => None,
        };
        let sequence = Some(self.sequence(id, wanted.topic.channel()));
        self.ack(key, "subscribe", wanted, Some(name), sequence, warning, envelope);
        if joined == Joined::New {
            self.welcome(key, id, wanted.topic, wanted.sequenced, wanted.snapshot);
        }
    }

    /// A pattern: one ack, then every symbol that matches, now and later.
    fn watch(
        &mut self,
        key: SessionKey,
        wanted: &Subscription,
        name: &str,
        pattern: Pattern,
        envelope: &Envelope,
    ) {
        if self.patterns.count_of(key) >= self.limits.subscriptions_max {
            let refusal = self.limit_reached();
            return self.refuse(key, Some("subscribe"), &refusal, Some(name), envelope);
        }
        self.ack(key, "subscribe", wanted, Some(name), None, None, envelope);
        let matching = self.matching(&pattern);
        let (topic, sequenced) = (wanted.topic, wanted.sequenced);
        let snapshot = wanted.snapshot;
        self.patterns.add(Watch { session: key, pattern, topic, sequenced, snapshot });
        for (id, symbol) in matching {
            match self.join(key, id, topic, sequenced) {
                Joined::New => self.welcome(key, id, topic, sequenced, wanted.snapshot),
                Joined::Already => {}
                Joined::Full => {
                    let refusal = self.limit_reached();
                    let method = Some("subscribe");
                    return self.refuse(key, method, &refusal, Some(&symbol), envelope);
                }
            }
        }
    }

    /// A symbol appeared that a pattern matches; after a lap it may have a value already.
    pub(crate) fn join_by_pattern(&mut self, watch: &Watch, id: SymbolId) {
        let Watch { session, topic, sequenced, snapshot, .. } = *watch;
        match self.join(session, id, topic, sequenced) {
            Joined::New => self.welcome(session, id, topic, sequenced, snapshot),
            Joined::Already => {}
            Joined::Full => {
                let Some(symbol) = self.truth.symbol(id) else { return };
                let name = Arc::clone(&symbol.instrument.symbol);
                let now = symbol.stamps(Topic::Instrument.channel()).publish;
                let envelope = Envelope { req_id: None, time_in: now, time_out: now };
                let refusal = self.limit_reached();
                self.refuse(session, Some("subscribe"), &refusal, Some(&name), &envelope);
            }
        }
    }

    fn unsubscribe(
        &mut self,
        key: SessionKey,
        wanted: &Subscription,
        name: &str,
        envelope: &Envelope,
    ) {
        let is_meant = |topic: Topic| {
            topic == wanted.topic
                || (!wanted.is_topic_exact && topic.channel_name() == wanted.topic.channel_name())
        };
        let mut was_watched = false;
        let held = if let Some(pattern) = Pattern::parse(name) {
            was_watched = self.patterns.remove(key, &pattern, is_meant);
            self.held_matching(key, &pattern)
        } else if let Some(id) = self.truth.find(name) {
            self.held_of(key, id)
        } else {
            let refusal = Refusal::new(Code::UnknownSymbol, format!("unknown symbol {name:?}"));
            return self.refuse(key, Some("unsubscribe"), &refusal, Some(name), envelope);
        };
        let mut was_held = false;
        for held in held.into_iter().filter(|held| is_meant(held.topic)) {
            self.part(key, held);
            was_held = true;
        }
        let warning = (!was_held && !was_watched).then_some(NOT_HELD);
        self.ack(key, "unsubscribe", wanted, Some(name), None, warning, envelope);
    }

    fn held_of(&self, key: SessionKey, id: SymbolId) -> Vec<Held> {
        let session = self.outboxes.session(key);
        session.map_or(Vec::new(), |s| s.held.iter().filter(|h| h.symbol == id).copied().collect())
    }

    fn held_matching(&self, key: SessionKey, pattern: &Pattern) -> Vec<Held> {
        let Some(session) = self.outboxes.session(key) else { return Vec::new() };
        let is_meant = |held: &&Held| {
            let symbol = self.truth.symbol(held.symbol);
            symbol.is_some_and(|symbol| pattern.matches(&symbol.instrument.symbol))
        };
        session.held.iter().filter(is_meant).copied().collect()
    }

    /// Adds a session to a list of subscribers.
    fn join(&mut self, key: SessionKey, id: SymbolId, topic: Topic, sequenced: bool) -> Joined {
        let Some(session) = self.outboxes.session(key) else { return Joined::Already };
        match session.find(id, topic) {
            Some(held) if held.sequenced == sequenced => return Joined::Already,
            Some(held) => self.part(key, held),
            None if session.held.len() >= self.limits.subscriptions_max => return Joined::Full,
            None => {}
        }
        let class = self.interests[id.index()].class_mut(topic, sequenced);
        let position = class.subscribers.len() as u32;
        class.subscribers.push(key);
        self.counters.subscriptions += 1;
        if let Some(session) = self.outboxes.session_mut(key) {
            session.hold(Held { symbol: id, topic, sequenced, position });
        }
        Joined::New
    }

    fn part(&mut self, key: SessionKey, held: Held) {
        if let Some(session) = self.outboxes.session_mut(key) {
            session.release(held.symbol, held.topic);
        }
        self.leave(held.symbol, held.topic, held.sequenced, held.position);
    }

    /// Shows a new subscriber the value as of now, encoded once per cycle for all who ask.
    fn welcome(
        &mut self,
        key: SessionKey,
        id: SymbolId,
        topic: Topic,
        sequenced: bool,
        snapshot: bool,
    ) {
        let Self { truth, interests, outboxes, counters, .. } = self;
        let Some(symbol) = truth.symbol(id) else { return };
        let sequence = symbol.sequence(topic.channel());
        if snapshot && encode::is_known(symbol, topic) {
            let class = interests[id.index()].class_mut(topic, sequenced);
            let cycle = outboxes.cycle_number();
            let frame = class.snapshot(cycle, sequence).unwrap_or_else(|| {
                counters.frames_encoded[topic.index()] += 1;
                outboxes.encode(None, |out| encode::snapshot(symbol, topic, sequenced, out))
            });
            class.remember_snapshot(cycle, sequence, frame);
            outboxes.push(key, frame);
        }
        if sequenced && symbol.state != State::Ok {
            let (name, state, since) =
                (&symbol.instrument.symbol, symbol.state, symbol.state_since);
            let frame = outboxes.encode(None, |out| notice::write_state(name, state, since, out));
            outboxes.push(key, frame);
        }
    }

    fn matching(&self, pattern: &Pattern) -> Vec<(SymbolId, Arc<str>)> {
        self.truth
            .symbols()
            .map(|(id, symbol)| (id, &symbol.instrument.symbol))
            .filter(|(_, name)| pattern.matches(name))
            .map(|(id, name)| (id, Arc::clone(name)))
            .collect()
    }

    fn limit_reached(&self) -> Refusal {
        let limit = self.limits.subscriptions_max;
        Refusal::new(Code::SymbolLimit, format!("a session may hold {limit} subscriptions"))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one reply, named at its one place")]
    fn ack(
        &mut self,
        key: SessionKey,
        method: &str,
        wanted: &Subscription,
        symbol: Option<&str>,
        sequence: Option<u64>,
        warning: Option<&str>,
        envelope: &Envelope,
    ) {
        let granted = wanted.sequenced.then_some(Granted {
            epoch: self.epoch,
            sequence,
            recovered: None,
            pace_ms: 0,
            qos: Quality::Realtime,
            on_slow: OnSlow::Conflate,
        });
        let (topic, snapshot) = (wanted.topic, wanted.snapshot);
        let ack = Ack { method, topic, symbol, snapshot, granted, warning };
        self.outboxes.answer(key, |out| ack.write(envelope, out));
    }

    fn refuse(
        &mut self,
        key: SessionKey,
        method: Option<&str>,
        refusal: &Refusal,
        symbol: Option<&str>,
        envelope: &Envelope,
    ) {
        self.counters.refusals[refusal.code.index()] += 1;
        self.outboxes.control(key, |out| {
            reply::write_refusal(method, refusal, symbol, envelope, out);
        });
    }
}

/// What a request costs beyond its message: a name is looked up, a pattern looks at every symbol.
fn work_of(method: &Method) -> u64 {
    const NAMES_PER_REQUEST: usize = 50;
    let (Method::Subscribe(wanted) | Method::Unsubscribe(wanted)) = method else { return 0 };
    let patterns = wanted.symbols.iter().filter(|name| name.ends_with('*')).count();
    (wanted.symbols.len() / NAMES_PER_REQUEST + patterns) as u64
}

/// What became of an attempt to subscribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joined {
    New,
    Already,
    Full,
}
