//! Requests: what a session asks, answered one symbol at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};

use market::Nanos;
use wire::close::CloseCode;
use wire::refusal::{Code, Refusal};
use wire::reply::{self, Ack, Envelope, Granted, Listed, Quality};
use wire::request::{self, Method, OnSlow, Request};
use wire::topic::Topic;

use crate::fanout::Fanout;
use crate::interest::Kind;
use crate::session::{Payment, SessionKey};
use crate::work::Job;

/// What is answered for one symbol, or for one pattern.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answer<'a> {
    pub(crate) method: &'a str,
    /// None for definitions.
    pub(crate) symbol: Option<&'a str>,
    /// After which updates follow.
    pub(crate) sequence: Option<u64>,
    /// Only for who asked to resume.
    pub(crate) recovered: Option<bool>,
    pub(crate) warning: Option<&'a str>,
}

/// What a request says of how it is to be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) topic: Topic,
    pub(crate) kind: Kind,
    pub(crate) on_slow: OnSlow,
    /// The first value is wanted.
    pub(crate) snapshot: bool,
    /// By how much later it is told. Nobody asks for that; some are granted no better.
    pub(crate) delay_ms: u32,
}

impl Terms {
    /// What the rules are asked about a definition.
    pub(crate) fn of_definitions() -> Self {
        let (kind, on_slow) = (Kind::default(), OnSlow::default());
        Self { topic: Topic::Instrument, kind, on_slow, snapshot: true, delay_ms: 0 }
    }

    /// True when anything is asked that the venue's own protocol does not know.
    pub(crate) fn is_extended(self) -> bool {
        self.kind != Kind::default() || self.on_slow != OnSlow::default()
    }
}

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
        // Parsing touches nothing but the text, so a bug in it costs nobody but who wrote it.
        let Ok(parsed) = catch_unwind(AssertUnwindSafe(|| request::parse(text))) else {
            let sentence = "a fault of the gateway";
            return self.outboxes.close(key, CloseCode::InternalError, sentence);
        };
        match parsed {
            Ok(Request { req_id, method }) => {
                let work = work_of(&method, session.held.len());
                let debt = session.pay_for(&self.limits, work, now.0);
                if debt == Payment::Excessive {
                    let refusal = Refusal::new(Code::RateLimit, "too much asked for at once");
                    return self.refuse(key, None, &refusal, None, &envelope(req_id));
                }
                session.forgive();
                let is_asked_first = session.who.is_unknown();
                self.counters.requests += 1;
                if is_asked_first && !matches!(method, Method::Ping | Method::Auth { .. }) {
                    let refusal = Refusal::new(Code::AuthRequired, "say who you are first: auth");
                    return self.refuse(key, None, &refusal, None, &envelope(req_id));
                }
                self.begin(key, method, envelope(req_id));
            }
            Err(bad) => {
                let is_last = session.is_bad_request_the_last(&self.limits);
                let method = bad.method.as_deref();
                if session.who.is_unknown() && method == Some("auth") {
                    return self.turn_away(key, &envelope(bad.req_id));
                }
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
        if self.outboxes.session(key).is_some_and(|session| !session.is_echo) {
            let envelope = Envelope { req_id: None, time_in: now, time_out: now };
            let refusal = Refusal::new(Code::InvalidRequest, rule);
            self.refuse(key, None, &refusal, None, &envelope);
        }
        self.outboxes.close(key, code, rule);
    }

    fn begin(&mut self, key: SessionKey, method: Method, envelope: Envelope) {
        match method {
            Method::Ping => self.outboxes.control(key, |out| reply::write_pong(&envelope, out)),
            Method::Auth { token } => self.petition(key, token, envelope),
            method => self.take_on(key, Job::new(method, envelope)),
        }
    }

    /// Answers as many symbols of a request as the budget allows; true when all are.
    pub(crate) fn work_off(&mut self, key: SessionKey, job: &mut Job, budget: &mut usize) -> bool {
        let Job { method, envelope, next, matches } = job;
        match method {
            Method::Ping | Method::Auth { .. } => true,
            Method::Heartbeat { detailed } => {
                if let Some(session) = self.outboxes.session_mut(key) {
                    session.is_detailed = *detailed;
                }
                let write =
                    |out: &mut Vec<u8>| reply::write_heartbeat_ack(*detailed, envelope, out);
                self.outboxes.answer(key, write);
                true
            }
            Method::ListSubscriptions => {
                self.list_subscriptions(key, envelope);
                true
            }
            Method::Subscribe(wanted) if wanted.topic == Topic::Instrument => {
                self.listen(key, wanted, envelope);
                true
            }
            Method::Unsubscribe(wanted) if wanted.topic == Topic::Instrument => {
                self.listeners.forget(key);
                self.acknowledge_end(key, wanted, None, None, envelope);
                true
            }
            Method::Subscribe(wanted) => {
                while *budget > 0 {
                    *budget -= 1;
                    if let Some(id) = matches.pop() {
                        if !self.join_match(key, wanted, id, envelope) {
                            matches.clear();
                        }
                    } else if let Some(name) = wanted.symbols.get(*next) {
                        *next += 1;
                        *matches = self.subscribe(key, wanted, name, envelope);
                    } else {
                        return true;
                    }
                }
                matches.is_empty() && *next == wanted.symbols.len()
            }
            Method::Unsubscribe(wanted) => {
                for name in take_names(&wanted.symbols, next, budget) {
                    self.unsubscribe(key, wanted, name, envelope);
                }
                *next == wanted.symbols.len()
            }
            Method::Reconfigure(wanted) => {
                for name in take_names(&wanted.symbols, next, budget) {
                    self.reconfigure(key, wanted, name, envelope);
                }
                *next == wanted.symbols.len()
            }
        }
    }

    fn list_subscriptions(&mut self, key: SessionKey, envelope: &Envelope) {
        let Self { ledger, patterns, outboxes, .. } = self;
        let Some(session) = outboxes.session(key) else { return };
        let held = session.held.iter().filter_map(|held| {
            let name = &ledger.symbol(held.symbol)?.instrument.symbol;
            let (topic, kind, on_slow) = (held.topic, held.kind, held.on_slow);
            let delay_ms = ledger.delay_ms(held.symbol);
            Some(listed(Terms { topic, kind, on_slow, snapshot: true, delay_ms }, name))
        });
        let watched = patterns.of(key).map(|watch| listed(watch.terms, watch.pattern.name()));
        let mut frame = Vec::new();
        reply::write_subscriptions(envelope, held.chain(watched), &mut frame);
        outboxes.answer(key, |out| out.extend_from_slice(&frame));
    }

    pub(crate) fn ack(
        &mut self,
        key: SessionKey,
        answer: &Answer<'_>,
        terms: Terms,
        envelope: &Envelope,
    ) {
        let pace_ms = terms.kind.pace.ms();
        let is_told = terms.is_extended() || terms.delay_ms > 0;
        let granted = is_told.then_some(Granted {
            epoch: self.epoch,
            sequence: answer.sequence,
            recovered: answer.recovered,
            pace_ms,
            qos: quality(terms),
            on_slow: terms.on_slow,
        });
        let ack = Ack {
            method: answer.method,
            topic: terms.topic,
            symbol: answer.symbol,
            snapshot: terms.snapshot,
            granted,
            warning: answer.warning,
        };
        self.outboxes.answer(key, |out| ack.write(envelope, out));
    }

    pub(crate) fn refuse(
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

fn listed(terms: Terms, name: &str) -> Listed<'_> {
    Listed {
        topic: terms.topic,
        symbol: Some(name),
        sequenced: terms.kind.sequenced,
        qos: quality(terms),
        pace_ms: terms.kind.pace.ms(),
        on_slow: terms.on_slow,
    }
}

pub(crate) const fn quality(terms: Terms) -> Quality {
    match terms.delay_ms {
        0 if terms.kind.pace.is_paced() => Quality::Conflated,
        0 => Quality::Realtime,
        ms => Quality::Delayed { ms },
    }
}

/// The names that the budget allows to be answered now.
fn take_names<'a>(names: &'a [String], next: &mut usize, budget: &mut usize) -> &'a [String] {
    let first = *next;
    let count = (names.len() - first).min(*budget);
    *next += count;
    *budget -= count;
    &names[first..first + count]
}

/// What a request costs beyond its message: a name is looked up, a pattern looks at every symbol, a
/// list tells every subscription.
fn work_of(method: &Method, held_count: usize) -> u64 {
    const NAMES_PER_REQUEST: usize = 50;
    let symbols = match method {
        Method::Subscribe(wanted) | Method::Unsubscribe(wanted) => &wanted.symbols,
        Method::Reconfigure(wanted) => &wanted.symbols,
        Method::ListSubscriptions => return (held_count / NAMES_PER_REQUEST) as u64,
        Method::Ping | Method::Auth { .. } | Method::Heartbeat { .. } => return 0,
    };
    let patterns = symbols.iter().filter(|name| name.ends_with('*')).count();
    (symbols.len() / NAMES_PER_REQUEST + patterns) as u64
}
