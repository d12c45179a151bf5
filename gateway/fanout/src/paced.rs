//! The end of a bucket: everybody of the pace gets one frame that stands for all since the last.

use market::{Channel, SymbolId};
use wire::close::CloseCode;
use wire::topic::Topic;

use crate::fanout::Fanout;
use crate::interest::ClassAt;
use crate::shown::Manner;

impl Fanout {
    /// When [`Self::handle_pace`] is to be called next, if at all.
    pub fn pace_due_at(&self) -> Option<u64> {
        self.ledger.calendar.due_at()
    }

    /// Queues the frames of every bucket that has ended.
    pub fn handle_pace(&mut self, now: u64) {
        self.now = now;
        let mut due = std::mem::take(&mut self.due);
        self.ledger.calendar.take_due(now, &mut due);
        for class in due.drain(..) {
            let Some(class) = self.ledger.wake(class) else { continue };
            for position in 0..self.ledger.class(class).subscribers.len() {
                self.bring_to_now(class, position);
            }
        }
        self.due = due;
    }

    /// Sends one subscriber of a paced class what it was not shown.
    fn bring_to_now(&mut self, class: ClassAt, position: usize) {
        let wanted = self.ledger.class(class);
        let (key, shown) = (wanted.subscribers[position], wanted.shown[position]);
        let now = self.ledger.shown_now(class.0, wanted.topic);
        if shown == now {
            return;
        }
        let Self { ledger, limits, outboxes, counters, .. } = self;
        let told = ledger.catch_up(class, shown, Manner::Merge, limits, outboxes, counters);
        let Ok(told) = told else {
            let reason = "the book cannot be made good";
            return self.outboxes.close(key, CloseCode::ResyncNeeded, reason);
        };
        self.tell(key, told);
        self.ledger.stand_at_base(class, now);
        self.ledger.give_back_base(class, shown);
        self.ledger.class_mut(class).shown[position] = now;
    }

    /// A trade is about to be told: whoever is to get it first gets the ticker that still waits for
    /// the end of its bucket.
    pub(crate) fn let_tickers_pass(&mut self, id: SymbolId) {
        let interest = &self.ledger.interests[id.index()];
        if !interest.wanted().any(|class| class.topic == Topic::Trade) {
            return;
        }
        for place in 0..interest.classes.len() {
            let class = (id, place as u32);
            let wanted = self.ledger.class(class);
            let is_ticker =
                matches!(wanted.topic.channel(), Channel::Ticker | Channel::TickerOnTrade);
            if !is_ticker || !wanted.is_pending {
                continue;
            }
            for position in 0..wanted.subscribers.len() {
                let wanted = self.ledger.class(class);
                let key = wanted.subscribers[position];
                let session = self.outboxes.session(key);
                let trades = session.and_then(|session| session.find(id, Topic::Trade));
                if trades.is_some_and(|held| held.standing.is_listed()) {
                    self.bring_to_now(class, position);
                }
            }
        }
    }
}
