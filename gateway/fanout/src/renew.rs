//! A twin goes on from what its original was, because ticks on the way to it were lost.
//!
//! The same as after a lap, for one symbol: everybody is brought up to date by ordinary frames, and
//! trades that nobody holds any more are announced, or end the session that cannot be told.

use market::{Channel, OutOfStep, Tick};

use crate::encode;
use crate::fanout::Fanout;
use crate::shown::Shown;

impl Fanout {
    /// Folds a renewal and queues what leads from what was shown to what is.
    pub(crate) fn renew_symbol(&mut self, tick: &Tick<'_>) -> Result<(), OutOfStep> {
        let id = tick.symbol;
        let old = self.ledger.symbol(id).cloned().ok_or(OutOfStep::Undefined(id))?;
        let ledger = &mut self.ledger;
        ledger.truth.apply(tick)?;
        let Some(new) = ledger.truth.symbol(id) else { return Ok(()) };
        let state = new.state;
        ledger.history.note_renewal(id, &old, new);
        ledger.replaced.symbols.push((id, old.clone()));
        self.ledger.list_paced(id, self.now);
        if old.sequence(Channel::Trade) < self.ledger.sequence(id, Channel::Trade) {
            self.let_tickers_pass(id);
        }
        for place in 0..self.ledger.interests[id.index()].classes.len() {
            let class = (id, place as u32);
            let topic = self.ledger.class(class).topic;
            let sequence = old.sequence(topic.channel());
            let is_known = encode::is_known(&old, topic);
            let shown = if is_known { Shown::UpTo(sequence) } else { Shown::Nothing };
            self.bring_class_to_now(class, shown);
        }
        if state != old.state {
            self.tell_state(id, state);
        }
        Ok(())
    }
}
