//! Another life of the numbering: the truth is another's, and nothing that was told leads to it.
//!
//! Only a gateway that follows another meets this, when that one was restarted. A session that
//! holds anything is closed (4005, "resync needed"): its numbers would begin anew in mid-stream,
//! its trades of the meantime cannot be counted, and a plain one cannot be told at all. It comes
//! back as after a restart: with an epoch that is no more, it gets `recovered: false` and a
//! snapshot. Who holds nothing stays.
//!
//! **Invariant:** no frame mixes two lives. What was queued for a closed session is dropped, and it
//! leaves every list before the truth is replaced.

use market::Truth;
use wire::close::CloseCode;

use crate::fanout::Fanout;
use crate::session::SessionKey;

impl Fanout {
    /// Replaces the replica by one that does not continue it, under the name of its own life.
    pub fn handle_new_life(&mut self, truth: Truth, epoch: u64) {
        for key in self.session_keys() {
            self.end_stream(key);
        }
        self.ledger.begin_life(truth);
        self.epoch = epoch;
    }

    /// Closes a session that hears the market, or has asked to.
    fn end_stream(&mut self, key: SessionKey) {
        let hears = self.listeners.has(key) || self.patterns.count_of(key) > 0;
        let Some(session) = self.outboxes.session_mut(key) else { return };
        if !hears && session.held.is_empty() && session.jobs.is_none() {
            return;
        }
        session.behind_count = 0;
        session.jobs = None;
        for held in std::mem::take(&mut session.held) {
            self.leave(held);
        }
        self.patterns.forget(key);
        self.listeners.forget(key);
        let reason = "the numbering has begun anew: subscribe again";
        self.outboxes.close(key, CloseCode::ResyncNeeded, reason);
    }
}
