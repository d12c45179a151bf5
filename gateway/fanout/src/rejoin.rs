//! What a session has come to be granted joins the patterns that it runs, as a symbol that is new
//! would.
//!
//! Worked off some symbols at a time, after the session itself was reviewed. **Invariant:** only
//! what was not granted before and is now is added: what a session gave up by name stays away.

use std::collections::VecDeque;

use market::{Nanos, SymbolId};
use rights::Entitlement;

use crate::fanout::Fanout;
use crate::patterns::Watch;
use crate::session::SessionKey;
use crate::subscribe::Joined;

/// Patterns of others that cost as much as a symbol looked at.
const PASSED_OVER: usize = 8;

/// A session whose rights have changed, and what it was granted before.
#[derive(Debug)]
struct Returning {
    key: SessionKey,
    before: Entitlement,
    /// The symbol to be looked at next.
    next: usize,
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
        self.0.push_back(Returning { key, before, next: 0 });
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
            if !watches.is_empty() && !self.rejoin(&mut returning, &watches, &mut budget, now) {
                self.rejoining.0.push_front(returning);
            }
        }
    }

    /// True when a session has been looked at wholly, or may hold no more.
    fn rejoin(
        &mut self,
        returning: &mut Returning,
        watches: &[Watch],
        budget: &mut usize,
        now: Nanos,
    ) -> bool {
        while let Some(symbol) = self.ledger.symbol(SymbolId(returning.next as u32)) {
            if *budget == 0 {
                return false;
            }
            *budget = budget.saturating_sub(watches.len());
            let id = SymbolId(returning.next as u32);
            returning.next += 1;
            if !symbol.is_listed() {
                continue;
            }
            let name = &symbol.instrument.symbol;
            let is_new = |watch: &&Watch| {
                watch.pattern.matches(name) && !self.is_granted(&returning.before, id, watch.terms)
            };
            let gained: Vec<&Watch> = watches.iter().filter(is_new).collect();
            for watch in gained {
                if self.join_by_pattern(watch, id, now) == Joined::Full {
                    return true;
                }
            }
        }
        true
    }
}
