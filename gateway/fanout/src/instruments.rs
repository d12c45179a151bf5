//! The instrument channel: every definition, to every session that listens.

use market::{State, SymbolId, Trading};
use wire::data::{self, FrameType, Marks};
use wire::topic::Topic;

use crate::cycle::FrameId;
use crate::fanout::Fanout;
use crate::session::SessionKey;

impl Fanout {
    /// A symbol was defined, or anew: listeners hear of it, patterns may want it.
    pub(crate) fn defined(&mut self, id: SymbolId) {
        self.listeners.sequence += 1;
        self.tell_definitions(&[id], self.listeners.sequence);
        if self.ledger.sequence(id, Topic::Instrument.channel()) == 1 {
            self.offer_to_patterns(id);
        }
    }

    /// A symbol is new here: patterns that match it want it, unless it is no longer listed.
    pub(crate) fn offer_to_patterns(&mut self, id: SymbolId) {
        let Some(symbol) = self.ledger.truth.symbol(id) else { return };
        if symbol.instrument.trading == Trading::Delisted || symbol.state == State::Closed {
            return;
        }
        let name = symbol.instrument.symbol.clone();
        for watch in self.patterns.matching(&name) {
            self.join_by_pattern(&watch, id);
        }
    }

    /// Sends definitions as one update, which stands for all from `first_sequence` on.
    pub(crate) fn tell_definitions(&mut self, ids: &[SymbolId], first_sequence: u64) {
        for sequenced in [false, true] {
            let keys: Vec<_> = self.listeners.of(sequenced).collect();
            let mut whole = None;
            for key in keys {
                let granted = self.granted_definitions(key, ids);
                let is_whole = granted.len() == ids.len();
                // Who counts has to see every number, also that of a definition he may not see.
                if granted.is_empty() && !sequenced {
                    continue;
                }
                let frame = whole.filter(|_| is_whole).unwrap_or_else(|| {
                    self.encode_definitions(&granted, FrameType::Update, first_sequence, sequenced)
                });
                whole = whole.or(is_whole.then_some(frame));
                self.outboxes.push(key, frame);
            }
        }
    }

    /// Sends every definition that it may see to one session.
    pub(crate) fn show_definitions(&mut self, key: SessionKey, sequenced: bool) {
        let ids: Vec<_> = self.ledger.truth.symbols().map(|(id, _)| id).collect();
        let ids = self.granted_definitions(key, &ids);
        let sequence = self.listeners.sequence;
        let frame = self.encode_definitions(&ids, FrameType::Snapshot, sequence, sequenced);
        self.outboxes.push(key, frame);
    }

    fn encode_definitions(
        &mut self,
        ids: &[SymbolId],
        frame_type: FrameType,
        first_sequence: u64,
        sequenced: bool,
    ) -> FrameId {
        let truth = &self.ledger.truth;
        let instruments = ids.iter().filter_map(|id| truth.symbol(*id)).map(|s| &s.instrument);
        let channel = Topic::Instrument.channel();
        let newest = ids.iter().rev().find_map(|id| truth.symbol(*id)).map(|s| s.stamps(channel));
        let sequence = self.listeners.sequence;
        let marks = Marks { first_sequence, sequence, stamps: newest.unwrap_or_default() };
        self.counters.frames_encoded[Topic::Instrument.index()] += 1;
        self.outboxes.encode(|out| {
            data::write_instruments(instruments, frame_type, sequenced.then_some(&marks), out);
        })
    }
}
