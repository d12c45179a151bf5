//! A twin goes on from what its original was, because ticks on the way to it were lost.
//!
//! The same as after a lap, for one symbol: everybody is brought up to date by ordinary frames, and
//! trades that nobody holds any more are announced, or end the session that cannot be told.

use market::{OutOfStep, Tick};

use crate::fanout::Fanout;

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
        self.bring_symbol_to_now(id, &old);
        if state != old.state {
            self.tell_state(id, state);
        }
        Ok(())
    }
}
