//! The instrument channel: every definition, to every session that listens and may see it.
//!
//! A listener's numbers count what it was told, not what there was: a number that it was not told
//! of would be a hint of a definition that it may not see, or not yet. **Invariant:** what a
//! listener was told last of a symbol is what the number says by which it is served, also after its
//! rights have changed.

use market::SymbolId;
use rights::Entitlement;
use wire::data::{self, FrameType, Marks};
use wire::topic::Topic;

use crate::cycle::FrameId;
use crate::fanout::Fanout;
use crate::listeners::Listener;
use crate::requests::Terms;
use crate::session::SessionKey;

/// A frame of definitions and whom it suits.
struct Made {
    sequenced: bool,
    /// The first number and the last; only where it has numbers.
    numbers: Option<(u64, u64)>,
    frame: FrameId,
}

impl Fanout {
    /// A symbol was defined, or anew: listeners hear of it, patterns may want it.
    pub(crate) fn defined(&mut self, id: SymbolId) {
        self.tell_definitions(&[(id, 1)]);
        if self.ledger.sequence(id, Topic::Instrument.channel()) == 1 {
            self.offer_to_patterns(id);
        }
    }

    /// A symbol is new here: patterns that match it want it, unless it is no longer listed.
    pub(crate) fn offer_to_patterns(&mut self, id: SymbolId) {
        let Some(symbol) = self.ledger.truth.symbol(id) else { return };
        if !symbol.is_listed() {
            return;
        }
        let name = symbol.instrument.symbol.clone();
        let now = symbol.stamps(Topic::Instrument.channel()).publish;
        for watch in self.patterns.matching(&name) {
            self.join_by_pattern(&watch, id, now);
        }
    }

    /// Sends definitions as one update; each with how many times it was made since the last one
    /// told.
    pub(crate) fn tell_definitions(&mut self, news: &[(SymbolId, u64)]) {
        // All who may see all of it and count alike share a frame.
        let mut made: Vec<Made> = Vec::new();
        for at in 0..self.listeners.all.len() {
            let Listener { key, sequenced, sequence } = self.listeners.all[at];
            let granted = |(id, _): &&(SymbolId, u64)| self.is_definition_granted(key, *id);
            let granted: Vec<_> = news.iter().filter(granted).copied().collect();
            if granted.is_empty() {
                continue;
            }
            let last = sequence + granted.iter().map(|(_, count)| count).sum::<u64>();
            let numbers = sequenced.then_some((sequence + 1, last));
            let suits = |m: &&Made| (m.sequenced, m.numbers) == (sequenced, numbers);
            let is_whole = granted.len() == news.len();
            let shared = made.iter().find(suits).filter(|_| is_whole).map(|made| made.frame);
            let frame = shared.unwrap_or_else(|| {
                let ids: Vec<_> = granted.iter().map(|(id, _)| *id).collect();
                self.encode_definitions(&ids, FrameType::Update, numbers)
            });
            if is_whole && shared.is_none() {
                made.push(Made { sequenced, numbers, frame });
            }
            self.listeners.all[at].sequence = last;
            self.outboxes.push(key, frame);
        }
    }

    /// Rights have changed this moment: tells a listener what another twin, or the original, says
    /// otherwise than the one whose definitions it has heard so far.
    pub(crate) fn retell_definitions(&mut self, key: SessionKey, before: &Entitlement) {
        if !self.listeners.has(key) {
            return;
        }
        let asked = Terms::of_definitions();
        let truth = &self.ledger.truth;
        let definition = |id| truth.symbol(id).map(|symbol| &symbol.instrument);
        let other = |id| {
            // Few symbols have news that is still on its way to a twin: only those are decided.
            let mut family = truth.family(id).map(definition);
            let first = family.next()?;
            if family.all(|twin| twin == first) {
                return None;
            }
            let heard = self.served_by(before, id, asked).ok()?.symbol;
            let served = self.grant(key, id, asked).ok()?.symbol;
            (definition(heard) != definition(served)).then_some(served)
        };
        let others: Vec<_> = truth.originals().filter_map(|(id, _)| other(id)).collect();
        self.tell_definitions_to(key, &others);
    }

    /// Sends definitions as one update to one listener.
    pub(crate) fn tell_definitions_to(&mut self, key: SessionKey, ids: &[SymbolId]) {
        let Some(listener) = self.listeners.of(key).filter(|_| !ids.is_empty()) else { return };
        let first = listener.sequence + 1;
        listener.sequence += ids.len() as u64;
        let numbers = listener.sequenced.then_some((first, listener.sequence));
        let frame = self.encode_definitions(ids, FrameType::Update, numbers);
        self.outboxes.push(key, frame);
    }

    /// Sends every definition that it may see to one session.
    pub(crate) fn show_definitions(&mut self, key: SessionKey, sequenced: bool) {
        let ids = self.granted_definitions(key);
        let sequence = self.listeners.sequence_of(key);
        let numbers = sequenced.then_some((sequence, sequence));
        let frame = self.encode_definitions(&ids, FrameType::Snapshot, numbers);
        self.outboxes.push(key, frame);
    }

    fn encode_definitions(
        &mut self,
        ids: &[SymbolId],
        frame_type: FrameType,
        numbers: Option<(u64, u64)>,
    ) -> FrameId {
        let truth = &self.ledger.truth;
        let instruments = ids.iter().filter_map(|id| truth.symbol(*id)).map(|s| &s.instrument);
        let channel = Topic::Instrument.channel();
        let newest = ids.iter().rev().find_map(|id| truth.symbol(*id)).map(|s| s.stamps(channel));
        let stamps = newest.unwrap_or_default();
        let marks =
            numbers.map(|(first_sequence, sequence)| Marks { first_sequence, sequence, stamps });
        self.counters.frames_encoded[Topic::Instrument.index()] += 1;
        self.outboxes.encode(|out| {
            data::write_instruments(instruments, frame_type, marks.as_ref(), out);
        })
    }
}
