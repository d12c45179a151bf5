//! What a session is granted of what it asks: each symbol by itself.
//!
//! Less than was asked is served where the rules give less: a book less deep, a slower pace.
//! Delayed data is not served yet: what the rules would give only later is refused.

use market::SymbolId;
use rights::usage::End;
use rights::{Ask, Decision, Grant, Quality};
use wire::refusal::{Code, Refusal};
use wire::topic::{Depth, Topic};

use crate::fanout::Fanout;
use crate::interest::Kind;
use crate::pace::Pace;
use crate::requests::Terms;
use crate::session::{Held, SessionKey};
use crate::who::Who;

/// Why something is not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// Nobody knows yet who asks.
    Unknown,
    /// By the rules.
    Refused(rights::Refusal),
    /// The rules would give it later, which is not served.
    Delayed,
}

impl Denied {
    /// Why, to the dashboard: which rule it was is not its business.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Unknown => "say who you are first: auth",
            Self::Refused(_) => "this is not granted to you",
            Self::Delayed => "this is granted to you delayed only, and delayed data is not served",
        }
    }

    pub(crate) fn refusal(self) -> Refusal {
        let code = match self {
            Self::Unknown => Code::AuthRequired,
            Self::Refused(_) | Self::Delayed => Code::NotEntitled,
        };
        Refusal::new(code, self.words())
    }
}

impl Held {
    /// As it was asked for.
    pub(crate) const fn asked(&self) -> Terms {
        let kind = Kind { pace: self.asked_pace, ..self.kind };
        Terms { topic: self.asked_topic, kind, on_slow: self.on_slow, snapshot: true }
    }

    /// How it is served, for the usage log.
    const fn grant(&self) -> Grant {
        let depth = match self.topic {
            Topic::Book(depth) => depth.levels() as u16,
            _ => 0,
        };
        Grant { quality: Quality::Realtime, depth, pace_ms: self.kind.pace.ms() }
    }
}

/// What somebody is granted of a symbol.
pub(crate) fn granted(who: &Who, symbol: &str, asked: Terms) -> Result<Terms, Denied> {
    let known = match who {
        Who::Anyone => return Ok(asked),
        Who::Unknown { .. } => return Err(Denied::Unknown),
        Who::Known(known) => known,
    };
    let depth = match asked.topic {
        Topic::Book(depth) => depth.levels() as u16,
        _ => 0,
    };
    let pace_ms = asked.kind.pace.ms();
    let ask = Ask { symbol, channel: asked.topic.channel(), depth, pace_ms };
    match known.entitlement.decide(&ask) {
        Decision::Refused(refusal) => Err(Denied::Refused(refusal)),
        Decision::Granted(Grant { quality: Quality::Delayed(_), .. }) => Err(Denied::Delayed),
        Decision::Granted(grant) => Ok(lessened(asked, grant)),
    }
}

/// What was asked, as far as it was granted.
fn lessened(asked: Terms, grant: Grant) -> Terms {
    let topic = match asked.topic {
        Topic::Book(_) => {
            let mut served = Depth::ALL.into_iter().rev();
            // Rules do not know less than the least depth.
            let depth = served.find(|depth| depth.levels() <= usize::from(grant.depth));
            Topic::Book(depth.unwrap_or(Depth::DEFAULT))
        }
        topic => topic,
    };
    let pace = match topic {
        Topic::Trade | Topic::Instrument => asked.kind.pace,
        _ => Pace::not_faster_than(grant.pace_ms),
    };
    Terms { topic, kind: Kind { pace, ..asked.kind }, ..asked }
}

impl Fanout {
    /// What a session is granted of what it asks of a symbol.
    pub(crate) fn grant(
        &self,
        key: SessionKey,
        id: SymbolId,
        asked: Terms,
    ) -> Result<Terms, Denied> {
        let session = self.outboxes.session(key).ok_or(Denied::Unknown)?;
        let symbol = self.ledger.symbol(id).ok_or(Denied::Unknown)?;
        granted(&session.who, &symbol.instrument.symbol, asked)
    }

    /// Whether a session may hear of definitions: of one at least, where there are any.
    pub(crate) fn may_listen(&self, key: SessionKey) -> Result<(), Denied> {
        let asked = Terms::of_definitions();
        let mut outcome = Ok(());
        for (id, _) in self.ledger.truth.symbols() {
            match self.grant(key, id, asked) {
                Ok(_) => return Ok(()),
                Err(denied) => outcome = Err(denied),
            }
        }
        outcome
    }

    /// Those of the symbols whose definition a session may see.
    pub(crate) fn granted_definitions(&self, key: SessionKey, ids: &[SymbolId]) -> Vec<SymbolId> {
        let asked = Terms::of_definitions();
        ids.iter().copied().filter(|id| self.grant(key, *id, asked).is_ok()).collect()
    }

    /// A subscription is served from now on, or otherwise.
    pub(crate) fn note_used(&mut self, key: SessionKey, held: Held) {
        let Self { ledger, outboxes, usage, now, .. } = self;
        let Some(symbol) = ledger.symbol(held.symbol) else { return };
        let Some(session) = outboxes.session_mut(key) else { return };
        let (name, channel) = (&symbol.instrument.symbol, held.topic.channel());
        usage.note(&mut session.who, *now, |tally, now| {
            tally.begin(name, channel, held.grant(), now)
        });
    }

    /// A subscription is served no longer; of a book at two depths, the last of them counts.
    pub(crate) fn note_ended(&mut self, key: SessionKey, held: Held, end: End) {
        let Self { ledger, outboxes, usage, now, .. } = self;
        let Some(symbol) = ledger.symbol(held.symbol) else { return };
        let Some(session) = outboxes.session_mut(key) else { return };
        let channel = held.topic.channel();
        let is_other = |other: &Held| {
            other.symbol == held.symbol
                && other.topic.channel() == channel
                && other.topic != held.topic
        };
        if session.who.has_tally() && !session.held.iter().any(is_other) {
            let name = &symbol.instrument.symbol;
            usage.note(&mut session.who, *now, |tally, now| tally.end(name, channel, end, now));
        }
    }

    /// A symbol was asked for and is not granted.
    pub(crate) fn note_denied(
        &mut self,
        key: SessionKey,
        id: SymbolId,
        topic: Topic,
        denied: Denied,
    ) {
        self.counters.not_granted += 1;
        let Self { ledger, outboxes, usage, now, .. } = self;
        let refusal = match denied {
            Denied::Unknown => return,
            Denied::Refused(refusal) => refusal,
            Denied::Delayed => rights::Refusal::Denied,
        };
        let Some(symbol) = ledger.symbol(id) else { return };
        let Some(session) = outboxes.session_mut(key) else { return };
        let name = &symbol.instrument.symbol;
        usage.note(&mut session.who, *now, |tally, now| {
            tally.refused(name, topic.channel(), refusal, now)
        });
    }
}
