//! What a session has come to be granted joins the patterns that it runs, as a symbol that is new
//! would, and is told to it where it listens to definitions.
//!
//! Worked off some symbols at a time, after the session itself was reviewed. **Invariant:** only
//! what was not granted before and is now is added: what a session gave up by name stays away.

use std::collections::VecDeque;

use market::{Nanos, SymbolId};
use rights::Entitlement;

use crate::fanout::Fanout;
use crate::patterns::Watch;
use crate::requests::Terms;
use crate::session::SessionKey;
use crate::subscribe::Joined;

/// What is only passed over costs the rest of that which is looked at: patterns of others, symbols.
pub(crate) const PASSED_OVER: usize = 8;

/// A session whose rights have changed, and what it was granted before.
#[derive(Debug)]
struct Returning {
    key: SessionKey,
    before: Entitlement,
    /// The symbol to be looked at next.
    next: usize,
    /// It holds as many subscriptions as it may.
    is_full: bool,
    /// Of what it is to hear the definitions, all in one frame: many small ones would count against
    /// its outbox, as what a subscribe is answered does not.
    defined: Vec<SymbolId>,
}

/// Sessions whose patterns may have something to gain, each with its rights of before. One entry a
/// session and reload, so a reload that comes before the last was worked off adds to it.
#[derive(Debug, Default)]
pub(crate) struct Rejoining(VecDeque<Returning>);

impl Rejoining {
    pub(crate) fn is_under_way(&self) -> bool {
        !self.0.is_empty()
    }

    pub(crate) fn add(&mut self, key: SessionKey, before: Entitlement) {
        self.0.push_back(Returning { key, before, next: 0, is_full: false, defined: Vec::new() });
    }

    pub(crate) fn forget(&mut self, key: SessionKey) {
        self.0.retain(|returning| returning.key != key);
    }
}

impl Fanout {
    /// Looks at as many symbols as `budget` allows, each once for each pattern of its session.
    pub(crate) fn go_on_rejoining(&mut self, mut budget: usize, now: Nanos) {
        while budget > 0
            && let Some(mut returning) = self.rejoining.0.pop_front()
        {
            let watches: Vec<Watch> = self.patterns.of(returning.key).cloned().collect();
            // All patterns of the shard were passed over to find this session's.
            budget = budget.saturating_sub(1 + self.patterns.count() / PASSED_OVER);
            if self.rejoin(&mut returning, &watches, &mut budget, now) {
                self.tell_definitions_to(returning.key, &returning.defined);
            } else {
                self.rejoining.0.push_front(returning);
            }
        }
    }

    /// True when a session has been looked at wholly, or has nothing more to gain.
    fn rejoin(
        &mut self,
        returning: &mut Returning,
        watches: &[Watch],
        budget: &mut usize,
        now: Nanos,
    ) -> bool {
        let key = returning.key;
        let listens = self.listeners.has(key);
        while let Some(symbol) = self.ledger.symbol(SymbolId(returning.next as u32)) {
            let looks = if returning.is_full { 0 } else { watches.len() } + usize::from(listens);
            if looks == 0 {
                return true;
            }
            if *budget == 0 {
                return false;
            }
            *budget = budget.saturating_sub(looks);
            let id = SymbolId(returning.next as u32);
            returning.next += 1;
            let is_listed = symbol.is_listed();
            if listens && symbol.twin.is_none() {
                let gained = self.newly_defined(key, &returning.before, id);
                returning.defined.extend(gained);
            }
            if returning.is_full || !is_listed {
                continue;
            }
            let name = &symbol.instrument.symbol;
            let is_new = |watch: &&Watch| {
                watch.pattern.matches(name)
                    && self.served_by(&returning.before, id, watch.terms).is_err()
            };
            let gained: Vec<&Watch> = watches.iter().filter(is_new).collect();
            for watch in gained {
                if self.join_by_pattern(watch, id, now) == Joined::Full {
                    returning.is_full = true;
                    break;
                }
            }
        }
        true
    }

    /// What a session is served definitions by, of an original that it was not granted before.
    fn newly_defined(
        &self,
        key: SessionKey,
        before: &Entitlement,
        id: SymbolId,
    ) -> Option<SymbolId> {
        let asked = Terms::of_definitions();
        if self.served_by(before, id, asked).is_ok() {
            return None;
        }
        Some(self.grant(key, id, asked).ok()?.symbol)
    }
}
