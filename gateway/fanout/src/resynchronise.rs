//! After the ring was lapped: from the replica that was to the truth that is.
//!
//! Every session keeps its socket and is brought up to date by ordinary frames: one update that
//! turns the last book it was sent into the current one, the newest ticker and bars standing for
//! all that were missed, and the missed trades as far as the tape holds them. What the tape no
//! longer holds is announced, number by number, to who asked for numbers.

use market::{BookSide, Channel, Symbol, SymbolId, TAPE_LENGTH, Truth};
use wire::data::{FrameType, Marks};
use wire::notice;
use wire::topic::Topic;

use crate::counters::Counters;
use crate::encode;
use crate::fanout::{Fanout, deliver};
use crate::interest::{Class, Interest};
use crate::outboxes::Outboxes;
use crate::view;

/// The reason in the notice of a gap.
const REASON: &str = "lagged";

impl Fanout {
    /// Replaces the replica by `truth`, which must come from the same ingest and be newer.
    pub fn handle_truth(&mut self, truth: Truth) {
        let old = std::mem::replace(&mut self.truth, truth);
        self.interests.resize_with(self.truth.symbol_count(), Interest::default);
        let mut redefined = Vec::new();
        let mut restated = Vec::new();
        for (id, new) in self.truth.symbols() {
            let interest = &self.interests[id.index()];
            match old.symbol(id) {
                Some(old) => {
                    for class in interest.wanted() {
                        catch_up(class, old, new, &mut self.outboxes, &mut self.counters);
                    }
                    if old.state != new.state {
                        restated.push((id, new.state));
                    }
                    if sequence_of(old, new, Channel::Instrument).is_some() {
                        redefined.push(id);
                    }
                }
                None => redefined.push(id),
            }
        }
        for (id, state) in restated {
            self.tell_state(id, state);
        }
        self.redefine(&old, &redefined);
    }

    fn redefine(&mut self, old: &Truth, redefined: &[SymbolId]) {
        if redefined.is_empty() {
            return;
        }
        let channel = Channel::Instrument;
        let first_missed = self.listeners.sequence + 1;
        self.listeners.sequence = self.truth.symbols().map(|(_, s)| s.sequence(channel)).sum();
        self.tell_definitions(redefined, first_missed);
        for id in redefined.iter().filter(|id| old.symbol(**id).is_none()) {
            self.offer_to_patterns(*id);
        }
    }
}

/// The range of updates that lie between two states of a channel.
fn sequence_of(old: &Symbol, new: &Symbol, channel: Channel) -> Option<Marks> {
    let (before, now) = (old.sequence(channel), new.sequence(channel));
    let stamps = new.stamps(channel);
    (now > before).then_some(Marks { first_sequence: before + 1, sequence: now, stamps })
}

fn catch_up(
    class: &Class,
    old: &Symbol,
    new: &Symbol,
    outboxes: &mut Outboxes,
    counters: &mut Counters,
) {
    let topic = class.topic;
    let is_first = !encode::is_known(old, topic) && encode::is_known(new, topic);
    let missed = sequence_of(old, new, topic.channel());
    if let (Topic::Trade, Some(marks)) = (topic, missed) {
        return catch_up_trades(class, new, marks, outboxes, counters);
    }
    if missed.is_none() && !is_first {
        return;
    }
    let frame = outboxes.encode(None, |out| {
        let marks = missed.as_ref().filter(|_| class.sequenced);
        match topic {
            _ if is_first => encode::snapshot(new, topic, class.sequenced, out),
            Topic::Book(depth) => {
                let levels =
                    BookSide::BOTH.map(|side| view::difference(&old.book, &new.book, side, depth));
                encode::book(new, levels, new.book.checksum(), FrameType::Update, marks, out);
            }
            Topic::Bars(interval) => {
                let shown = old.bars.current(interval).map_or(0, |bar| bar.begin.0);
                let count = new.bars.of(interval).filter(|bar| bar.begin.0 >= shown).count();
                encode::latest_bars(new, interval, count, marks, out);
            }
            _ => encode::ticker(new, topic, FrameType::Update, marks, out),
        }
    });
    deliver(class, frame, outboxes, counters);
}

fn catch_up_trades(
    class: &Class,
    new: &Symbol,
    missed: Marks,
    outboxes: &mut Outboxes,
    counters: &mut Counters,
) {
    let missed_count = missed.sequence - missed.first_sequence + 1;
    let kept_count = missed_count.min(TAPE_LENGTH as u64);
    let first_kept = missed.sequence - kept_count + 1;
    if first_kept > missed.first_sequence {
        let (first, last) = (missed.first_sequence, first_kept - 1);
        counters.trades_announced_missed += (last - first + 1) * class.subscribers.len() as u64;
        if class.sequenced {
            let name = &new.instrument.symbol;
            let frame = outboxes.encode(None, |out| {
                notice::write_gap(name, class.topic.channel_name(), first, last, REASON, out);
            });
            class.subscribers.iter().for_each(|key| outboxes.push(*key, frame));
        }
    }
    let marks = Marks { first_sequence: first_kept, ..missed };
    let frame = outboxes.encode(None, |out| {
        if missed.first_sequence == 1 {
            return encode::snapshot(new, class.topic, class.sequenced, out);
        }
        let marks = class.sequenced.then_some(&marks);
        encode::latest_trades(new, kept_count as usize, marks, out);
    });
    deliver(class, frame, outboxes, counters);
}
