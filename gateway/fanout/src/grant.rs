//! What a session is granted of what it asks: each symbol by itself.
//!
//! Less than was asked is served where the rules give less: a book less deep, a slower pace, or all
//! of it later: then another symbol is served, the twin that is told so much later or a little
//! more.

use std::time::Duration;

use market::SymbolId;
use rights::usage::End;
use rights::{Ask, Decision, Entitlement, Grant, Quality};
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
    /// The rules would give it later than any twin is told.
    Delayed,
}

impl Denied {
    /// Why, to the dashboard: which rule it was is not its business.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Unknown => "say who you are first: auth",
            Self::Refused(_) => "this is not granted to you",
            Self::Delayed => "this is granted to you later than anything is told here",
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
        let (topic, on_slow) = (self.asked_topic, self.on_slow);
        Terms { topic, kind, on_slow, snapshot: true, delay_ms: 0 }
    }

    /// How it is served, for the usage log.
    const fn grant(&self, delay_ms: u32) -> Grant {
        let depth = match self.topic {
            Topic::Book(depth) => depth.levels() as u16,
            _ => 0,
        };
        let quality = match delay_ms {
            0 => Quality::Realtime,
            ms => Quality::Delayed(Duration::from_millis(ms as u64)),
        };
        Grant { quality, depth, pace_ms: self.kind.pace.ms() }
    }
}

/// What is served of what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    /// The symbol, or its twin.
    pub(crate) symbol: SymbolId,
    pub(crate) terms: Terms,
}

/// What somebody is granted of a symbol, at the earliest so much later.
pub(crate) fn granted(who: &Who, symbol: &str, asked: Terms) -> Result<Terms, Denied> {
    match who {
        Who::Anyone => Ok(asked),
        Who::Unknown { .. } => Err(Denied::Unknown),
        Who::Known(known) => judged(&known.entitlement, symbol, asked),
    }
}

fn judged(entitlement: &Entitlement, symbol: &str, asked: Terms) -> Result<Terms, Denied> {
    let depth = match asked.topic {
        Topic::Book(depth) => depth.levels() as u16,
        _ => 0,
    };
    let pace_ms = asked.kind.pace.ms();
    let ask = Ask { symbol, channel: asked.topic.channel(), depth, pace_ms };
    match entitlement.decide(&ask) {
        Decision::Refused(refusal) => Err(Denied::Refused(refusal)),
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
    let delay_ms = match grant.quality {
        Quality::Realtime => 0,
        Quality::Delayed(delay) => u32::try_from(delay.as_millis()).unwrap_or(u32::MAX).max(1),
    };
    Terms { topic, kind: Kind { pace, ..asked.kind }, delay_ms, ..asked }
}

impl Fanout {
    /// What a session is served of what it asks of a symbol, however it came by its number.
    pub(crate) fn grant(
        &self,
        key: SessionKey,
        id: SymbolId,
        asked: Terms,
    ) -> Result<Served, Denied> {
        let id = self.ledger.truth.original(id);
        let session = self.outboxes.session(key).ok_or(Denied::Unknown)?;
        let name = self.name_of(id).ok_or(Denied::Unknown)?;
        let terms = granted(&session.who, name, asked)?;
        self.served(id, terms)
    }

    /// What somebody with these rights is served of what it asks of a symbol.
    pub(crate) fn served_by(
        &self,
        rights: &Entitlement,
        id: SymbolId,
        asked: Terms,
    ) -> Result<Served, Denied> {
        let id = self.ledger.truth.original(id);
        let name = self.name_of(id).ok_or(Denied::Unknown)?;
        self.served(id, judged(rights, name, asked)?)
    }

    fn name_of(&self, id: SymbolId) -> Option<&str> {
        self.ledger.symbol(id).map(|symbol| &*symbol.instrument.symbol)
    }

    /// The original, or the twin that is told so much later.
    fn served(&self, original: SymbolId, terms: Terms) -> Result<Served, Denied> {
        if terms.delay_ms == 0 {
            return Ok(Served { symbol: original, terms });
        }
        let twin = self.ledger.truth.delayed(original, terms.delay_ms).ok_or(Denied::Delayed)?;
        let terms = Terms { delay_ms: self.ledger.delay_ms(twin), ..terms };
        Ok(Served { symbol: twin, terms })
    }

    /// Whether a session may hear of definitions: of one at least, where there are any.
    pub(crate) fn may_listen(&self, key: SessionKey) -> Result<(), Denied> {
        let asked = Terms::of_definitions();
        let mut outcome = Ok(());
        for (id, _) in self.ledger.truth.originals() {
            match self.grant(key, id, asked) {
                Ok(_) => return Ok(()),
                Err(denied) => outcome = Err(denied),
            }
        }
        outcome
    }

    /// Whether a session may see this definition: of a symbol, or of the twin it is served by.
    pub(crate) fn is_definition_granted(&self, key: SessionKey, id: SymbolId) -> bool {
        let served = self.grant(key, id, Terms::of_definitions());
        served.is_ok_and(|served| served.symbol == id)
    }

    /// Those whose definitions a session may see, each once.
    pub(crate) fn granted_definitions(&self, key: SessionKey) -> Vec<SymbolId> {
        let asked = Terms::of_definitions();
        let originals = self.ledger.truth.originals();
        originals.filter_map(|(id, _)| Some(self.grant(key, id, asked).ok()?.symbol)).collect()
    }

    /// A subscription is served from now on, or otherwise.
    pub(crate) fn note_used(&mut self, key: SessionKey, held: Held) {
        let Self { ledger, outboxes, usage, now, .. } = self;
        let Some(symbol) = ledger.symbol(held.symbol) else { return };
        let Some(session) = outboxes.session_mut(key) else { return };
        let (name, channel) = (&symbol.instrument.symbol, held.topic.channel());
        let grant = held.grant(symbol.twin.map_or(0, |twin| twin.delay_ms));
        usage.note(&mut session.who, *now, |tally, now| tally.begin(name, channel, grant, now));
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
        if session.who.has_tally() && !session.held_of(held.symbol).iter().any(is_other) {
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
