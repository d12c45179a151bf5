//! From one dashboard's messages to the fan-out, and what a panic on the way costs.
//!
//! Lives for one read of one connection, on the shard's thread. **Invariant:** a panic while the
//! fan-out's state changes is never survived, because all sessions share it.

use fanout::{Fanout, SessionKey};
use market::Nanos;
use wire::close::CloseCode;
use wire::frame::Kind;
use wire::inbound;

use super::connection::Broken;
use super::guard::Fence;
use crate::faults;

/// Brings what one dashboard says to the fan-out.
pub(super) struct Ear<'a> {
    pub(super) key: SessionKey,
    pub(super) is_echo: bool,
    pub(super) fanout: &'a mut Fanout,
    /// The parser changes its own copy.
    pub(super) text: &'a mut Vec<u8>,
    pub(super) now: Nanos,
    /// Closed while the fan-out's state changes.
    pub(super) fence: &'a Fence,
}

impl Ear<'_> {
    /// Runs what listens. A panic in what belongs to the connection closes this session alone; one
    /// in the fan-out, which all sessions share, goes on and ends the process.
    pub(super) fn listen<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Broken>,
    ) -> Result<T, Broken> {
        let fence = self.fence;
        let outcome = fence.guard(|| work(self));
        if outcome.as_ref().err() == Some(&Broken::Bug) {
            let sentence = "a fault of the gateway";
            self.fanout.close(self.key, CloseCode::InternalError, sentence);
        }
        outcome
    }

    /// Passes on one thing said, or the rule it broke.
    pub(super) fn hear(&mut self, said: &Result<inbound::Event<'_>, inbound::Violation>) {
        let (key, now) = (self.key, self.now);
        if let Ok(inbound::Event::Text(text)) = said {
            faults::trip(faults::Place::Session, text.as_bytes());
        }
        self.fence.close();
        if let Ok(inbound::Event::Text(text)) = said {
            faults::trip(faults::Place::Shard, text.as_bytes());
        }
        match said {
            Ok(inbound::Event::Text(text)) if self.is_echo => {
                self.fanout.handle_echo(key, Kind::Text, text.as_bytes(), now.0);
            }
            Ok(inbound::Event::Binary(bytes)) => {
                self.fanout.handle_echo(key, Kind::Binary, bytes, now.0);
            }
            Ok(inbound::Event::Text(text)) => {
                self.text.clear();
                self.text.extend_from_slice(text.as_bytes());
                self.fanout.handle_text(key, self.text, now);
            }
            Ok(inbound::Event::Ping(payload)) => self.fanout.handle_ping(key, payload, now.0),
            Ok(inbound::Event::Pong) => self.fanout.handle_pong(key, now.0),
            Ok(inbound::Event::Close(code)) => {
                self.fanout.handle_close(key, *code);
                // Our close may have gone first; then nothing is left to say.
                self.fanout.mark_dirty(key);
            }
            Err(violation) => {
                self.fanout.handle_violation(key, violation.code, violation.reason, now);
            }
        }
        self.fence.open();
    }
}
