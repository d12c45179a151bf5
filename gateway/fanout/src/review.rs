//! Rights have changed: every session is looked at again, and what it may no longer have ends.
//!
//! Worked off in slices, so that a shard with many subscriptions does not stand still. A session
//! that was looked at is served by the new rules alone; one that was not yet, by the old.
//!
//! **Invariant:** of a subscription that ends not one frame is made after it was looked at; what
//! tells of the end comes behind the last one.

use std::sync::Arc;

use market::Nanos;
use rights::usage::End;
use rights::{Entitlement, Wall};
use wire::close::CloseCode;
use wire::notice;
use wire::refusal::{Code, Refusal};
use wire::reply::{self, Envelope, Quality};
use wire::topic::Topic;

use crate::fanout::Fanout;
use crate::grant::Served;
use crate::rejoin::PASSED_OVER;
use crate::requests::{Terms, quality};
use crate::session::{Held, SessionKey};
use crate::who::{Permits, Who};

/// Subscriptions looked at per cycle, and a session more: some tenths of a millisecond.
const LOOKED_AT_MAX: usize = 2048;

/// A review, and whose turn is still to come.
#[derive(Debug, Default)]
pub(crate) struct Review {
    /// What is in force; none until it was first replaced.
    permits: Option<(Arc<Permits>, Wall)>,
    waiting: Vec<SessionKey>,
}

impl Review {
    pub(crate) const fn is_under_way(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Somebody came who was let in by `permits`, which may have been replaced on his way here.
    pub(crate) fn admitted(&mut self, key: SessionKey, permits: &Arc<Permits>) {
        if let Some((current, _)) = &self.permits
            && !Arc::ptr_eq(current, permits)
        {
            self.waiting.push(key);
        }
    }

    pub(crate) fn forget(&mut self, key: SessionKey) {
        self.waiting.retain(|waiting| *waiting != key);
    }
}

/// What becomes of a subscription.
enum Fate {
    Stays,
    /// At another pace.
    Changes(Terms),
    /// Ends, and begins anew: less deep, sooner or later.
    Restarts(Terms, Anew),
    Ends(&'static str),
}

/// What is different about what begins anew.
#[derive(Clone, Copy)]
enum Anew {
    LessDeep,
    Later,
    Sooner,
}

impl Anew {
    /// To who uses extensions.
    const fn word(self) -> &'static str {
        match self {
            Self::LessDeep => "now_other_depth",
            Self::Later => "now_delayed",
            Self::Sooner => "now_sooner",
        }
    }

    /// To who does not: it has to subscribe again.
    const fn sentence(self) -> &'static str {
        match self {
            Self::LessDeep => "granted less deep: subscribe again",
            Self::Later | Self::Sooner => "granted with another delay: subscribe again",
        }
    }
}

impl Fanout {
    /// Puts other permits in force, at this moment of the wall clock: sessions are looked at in the
    /// coming cycles.
    pub fn handle_permits(&mut self, permits: Arc<Permits>, wall: Wall) {
        self.review.permits = Some((permits, wall));
        self.review.waiting = self.session_keys();
    }

    pub(crate) fn go_on_reviewing(&mut self, now: Nanos) {
        let mut count = 0;
        while count < LOOKED_AT_MAX
            && let Some(key) = self.review.waiting.pop()
        {
            count += self.outboxes.session(key).map_or(0, |session| 1 + session.held.len());
            if self.listeners.has(key) {
                count += self.ledger.truth.symbol_count() / PASSED_OVER;
            }
            self.renew(key, now);
            self.review_session(key, now);
        }
        self.go_on_rejoining(LOOKED_AT_MAX.saturating_sub(count), now);
    }

    /// Asks anew who a session is and what it may have.
    fn renew(&mut self, key: SessionKey, now: Nanos) {
        let Some((permits, wall)) = &self.review.permits else { return };
        let Some(session) = self.outboxes.session_mut(key) else { return };
        let Who::Known(known) = &mut session.who else { return };
        let Ok(identity) = permits.authenticator.recheck(known.lease.identity()) else {
            let words = "the credentials are no longer good";
            return self.outboxes.close(key, CloseCode::CredentialsRefused, words);
        };
        let entitlement = permits.rules.entitlement(&identity);
        let before = std::mem::replace(&mut known.entitlement, entitlement);
        if let Some(tally) = &mut known.tally {
            tally.refresh(Arc::clone(&identity));
        }
        // One that has ended is closed by time.
        let _ = known.lease.refresh(identity, *wall, now);
        self.entitled_otherwise(key, before);
    }

    /// A session may have something else than `before`.
    pub(crate) fn entitled_otherwise(&mut self, key: SessionKey, before: Entitlement) {
        self.retell_definitions(key, &before);
        self.rejoining.add(key, before);
    }

    /// Compares what a session has with what it may have.
    pub(crate) fn review_session(&mut self, key: SessionKey, now: Nanos) {
        let Some(session) = self.outboxes.session(key) else { return };
        let is_extended = session.is_extended;
        let fates: Vec<(Held, Fate)> =
            session.held.iter().map(|held| (*held, self.fate(key, held))).collect();
        let gone =
            fates.iter().filter(|(_, fate)| matches!(fate, Fate::Ends(_) | Fate::Restarts(..)));
        let gone: Vec<Held> = gone.map(|(held, _)| *held).collect();
        if let Some(session) = self.outboxes.session_mut(key).filter(|_| !gone.is_empty()) {
            session.release_all(&gone);
        }
        for held in gone {
            self.note_ended(key, held, End::Revoked);
            self.leave(held);
        }
        for (held, fate) in fates {
            match fate {
                Fate::Stays => {}
                Fate::Changes(terms) => {
                    self.change(key, held, Held { kind: terms.kind, ..held });
                    let pace = terms.kind.pace;
                    let words = if pace.is_paced() { "now_conflated" } else { "now_every_update" };
                    self.tell_change(key, &held, words, Some(quality(terms)), now);
                }
                // A book without numbers is merged by its reader: it must ask for another itself.
                Fate::Restarts(terms, anew) if is_extended => {
                    self.tell_change(key, &held, anew.word(), Some(quality(terms)), now);
                    self.join(key, held.symbol, held.asked(), None);
                }
                Fate::Restarts(_, anew) => self.tell_change(key, &held, anew.sentence(), None, now),
                Fate::Ends(words) => self.tell_change(key, &held, words, None, now),
            }
        }
    }

    fn fate(&self, key: SessionKey, held: &Held) -> Fate {
        let Served { symbol, terms } = match self.grant(key, held.symbol, held.asked()) {
            Ok(served) => served,
            Err(denied) => return Fate::Ends(denied.words()),
        };
        if terms.delay_ms > self.ledger.delay_ms(held.symbol) {
            return Fate::Restarts(terms, Anew::Later);
        }
        // Who cannot be told goes on as late as he was: it is less than he may have.
        let can_be_told = self.outboxes.session(key).is_some_and(|session| session.is_extended);
        if symbol != held.symbol && can_be_told {
            return Fate::Restarts(terms, Anew::Sooner);
        }
        if terms.topic < held.topic && matches!(terms.topic, Topic::Book(_)) {
            Fate::Restarts(terms, Anew::LessDeep)
        } else if terms.kind == held.kind {
            Fate::Stays
        } else {
            Fate::Changes(terms)
        }
    }

    /// Tells of a change behind the last frame: as a notice to who uses extensions, as a refusal to
    /// who does not and has lost something.
    fn tell_change(
        &mut self,
        key: SessionKey,
        held: &Held,
        words: &str,
        goes_on: Option<Quality>,
        now: Nanos,
    ) {
        self.counters.revoked += 1;
        let Self { ledger, outboxes, .. } = self;
        let Some(symbol) = ledger.symbol(held.symbol) else { return };
        let name = &*symbol.instrument.symbol;
        let is_extended = outboxes.session(key).is_some_and(|session| session.is_extended);
        if !is_extended && goes_on.is_some() {
            return;
        }
        let frame = outboxes.encode(|out| {
            if is_extended {
                let channel = held.topic.channel_name();
                notice::write_revoked(name, channel, words, goes_on, out);
            } else {
                let envelope = Envelope { req_id: None, time_in: now, time_out: now };
                let refusal = Refusal::new(Code::NotEntitled, words);
                reply::write_refusal(Some("subscribe"), &refusal, Some(name), &envelope, out);
            }
        });
        outboxes.push(key, frame);
    }
}
