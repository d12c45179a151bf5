//! After the ring was lapped: from the replica that was to the truth that is.
//!
//! Every session keeps its socket and is brought up to date by ordinary frames: one update that
//! turns the last book it was sent into the current one, the newest ticker and bars standing for
//! all that were missed, and the missed trades as far as the tape holds them. What the tape no
//! longer holds is announced, number by number, to who asked for numbers; who did not is closed,
//! because it cannot be told.

use market::{Channel, State, Symbol, SymbolId, Truth};
use wire::close::CloseCode;
use wire::topic::Topic;

use crate::encode;
use crate::fanout::Fanout;
use crate::interest::ClassAt;
use crate::shown::{Manner, Shown};

impl Fanout {
    /// Replaces the replica by `truth`, which must come from the same ingest and be newer.
    pub fn handle_truth(&mut self, truth: Truth) {
        let old = self.ledger.begin_anew(truth);
        let channel = Topic::Instrument.channel();
        let mut redefined = Vec::new();
        let mut restated: Vec<(SymbolId, State)> = Vec::new();
        for (id, new) in self.ledger.truth.symbols() {
            let Some(old) = old.symbol(id) else {
                redefined.push((id, new.sequence(channel)));
                continue;
            };
            if old.state != new.state {
                restated.push((id, new.state));
            }
            let count = new.sequence(channel) - old.sequence(channel);
            if count > 0 {
                redefined.push((id, count));
            }
        }
        for (id, old) in old.symbols() {
            self.bring_symbol_to_now(id, old);
        }
        for (id, state) in restated {
            self.tell_state(id, state);
        }
        self.redefine(&old, &redefined);
    }

    /// Everybody who hears a symbol was shown what was `old`, and hears the rest.
    pub(crate) fn bring_symbol_to_now(&mut self, id: SymbolId, old: &Symbol) {
        self.ledger.list_paced(id, self.now);
        if old.sequence(Channel::Trade) < self.ledger.sequence(id, Channel::Trade) {
            self.let_tickers_pass(id);
        }
        for place in 0..self.ledger.interests[id.index()].classes.len() {
            let class = (id, place as u32);
            let topic = self.ledger.class(class).topic;
            let sequence = old.sequence(topic.channel());
            let is_known = encode::is_known(old, topic);
            let shown = if is_known { Shown::UpTo(sequence) } else { Shown::Nothing };
            self.bring_class_to_now(class, shown);
        }
    }

    /// Everybody on a class's list was shown so much, and hears the rest; in a paced class, at the
    /// end of the bucket.
    pub(crate) fn bring_class_to_now(&mut self, class: ClassAt, shown: Shown) {
        let wanted = self.ledger.class(class);
        if wanted.subscribers.is_empty() || wanted.kind.pace.is_paced() {
            return;
        }
        let Self { ledger, limits, outboxes, counters, .. } = self;
        let told = ledger.catch_up(class, shown, Manner::Merge, limits, outboxes, counters);
        for position in 0..self.ledger.class(class).subscribers.len() {
            let key = self.ledger.class(class).subscribers[position];
            if let Ok(told) = told {
                self.tell(key, told);
            } else {
                let reason = "updates were missed that cannot be told";
                self.outboxes.close(key, CloseCode::ResyncNeeded, reason);
            }
        }
    }

    fn redefine(&mut self, old: &Truth, redefined: &[(SymbolId, u64)]) {
        if redefined.is_empty() {
            return;
        }
        self.tell_definitions(redefined);
        for (id, _) in redefined.iter().filter(|(id, _)| old.symbol(*id).is_none()) {
            self.offer_to_patterns(*id);
        }
    }
}
