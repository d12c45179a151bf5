//! Changing how a running subscription is served, without a gap and without a second snapshot.

use wire::refusal::{Code, Refusal};
use wire::reply::Envelope;
use wire::request::Reconfiguration;

use crate::fanout::Fanout;
use crate::interest::Kind;
use crate::pace::Pace;
use crate::patterns::Pattern;
use crate::requests::{Answer, Terms};
use crate::session::{Held, SessionKey, Standing};
use crate::shown::Shown;
use crate::subscribe::is_meant;

impl Fanout {
    /// Answers one name of the request.
    pub(crate) fn reconfigure(
        &mut self,
        key: SessionKey,
        wanted: &Reconfiguration,
        name: &str,
        envelope: &Envelope,
    ) {
        let method = "reconfigure";
        let pattern = Pattern::parse(name);
        let Some(mut held) = self.held_by_name(key, pattern.as_ref(), name) else {
            let refusal = Refusal::new(Code::UnknownSymbol, format!("unknown symbol {name:?}"));
            return self.refuse(key, Some(method), &refusal, Some(name), envelope);
        };
        let is_wanted = |topic| is_meant(topic, wanted.topic, wanted.is_topic_exact);
        held.retain(|held| is_wanted(held.topic) || is_wanted(held.asked_topic));
        let watched = pattern.and_then(|pattern| {
            let watches = self.patterns.of_mut(key);
            let mut meant = watches.filter(|watch| {
                watch.pattern == pattern
                    && is_meant(watch.terms.topic, wanted.topic, wanted.is_topic_exact)
            });
            let first = meant.next()?;
            first.terms = changed(first.terms, wanted);
            let terms = first.terms;
            meant.for_each(|watch| watch.terms = changed(watch.terms, wanted));
            Some(terms)
        });
        let mut granted = None;
        for held in held {
            let asked = changed(held.asked(), wanted);
            // One that is granted no longer ends by the review that is under way.
            let Ok(served) = self.grant(key, held.symbol, asked) else { continue };
            let terms = Terms { delay_ms: self.ledger.delay_ms(held.symbol), ..served.terms };
            let (kind, on_slow, asked_pace) = (terms.kind, terms.on_slow, asked.kind.pace);
            self.change(key, held, Held { kind, on_slow, asked_pace, ..held });
            granted.get_or_insert(Terms { topic: held.topic, ..terms });
        }
        let Some(terms) = granted.or(watched) else {
            let sentence = format!("{name:?} is not subscribed");
            let refusal = Refusal::new(Code::InvalidRequest, sentence);
            return self.refuse(key, Some(method), &refusal, Some(name), envelope);
        };
        if let Some(session) = self.outboxes.session_mut(key) {
            session.is_extended = true;
        }
        let answer = Answer { method, symbol: Some(name), ..Answer::default() };
        self.ack(key, &answer, terms, envelope);
    }

    /// Moves a subscription to another class. What it was not shown of the old one it hears first.
    pub(crate) fn change(&mut self, key: SessionKey, held: Held, new: Held) {
        if held.kind == new.kind {
            if let Some(session) = self.outboxes.session_mut(key) {
                session.alter(new);
            }
            return;
        }
        let (from, to) = (self.class_of(held), self.class_of(new));
        let standing = match held.standing {
            Standing::Listed(_) => Standing::Behind(self.detach(held)),
            standing => standing,
        };
        match standing {
            Standing::Behind(shown) => self.ledger.move_base(from, to, shown),
            Standing::Resuming(shown) => self.ledger.move_base(from, to, Shown::UpTo(shown)),
            Standing::Listed(_) => {}
        }
        if let Some(session) = self.outboxes.session_mut(key) {
            session.alter(Held { standing, ..new });
        }
        self.note_used(key, new);
        self.outboxes.mark_dirty(key);
    }
}

fn changed(terms: Terms, wanted: &Reconfiguration) -> Terms {
    let pace = wanted.pace_ms.map_or(terms.kind.pace, Pace::not_faster_than);
    let kind = Kind { pace, ..terms.kind };
    Terms { kind, on_slow: wanted.on_slow.unwrap_or(terms.on_slow), ..terms }
}
