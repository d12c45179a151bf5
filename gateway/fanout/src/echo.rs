//! Sessions that hear their own messages and nothing else, so that a suite of other people's tests
//! can try the path of every frame: same outbox, same pongs, same closing.
//!
//! Owned by the shard's thread, like all of the fan-out. Deliberately absent: requests, greetings,
//! heartbeats, and words before a close, none of which such a suite expects.

use wire::frame::{self, Kind};

use crate::fanout::Fanout;
use crate::session::{Session, SessionKey};
use crate::who::Who;

impl Fanout {
    /// An echo session has arrived.
    pub fn handle_open_echo(&mut self, connection_id: u64, now: u64) -> SessionKey {
        let mut session = Session::new(connection_id, Who::Anyone, now);
        session.is_echo = true;
        self.outboxes.insert(session)
    }

    /// Gives a message back as it came.
    pub fn handle_echo(&mut self, key: SessionKey, kind: Kind, payload: &[u8], now: u64) {
        self.heard(key, now);
        self.outboxes.control(key, |out| {
            frame::write_message(kind, out, |out| out.extend_from_slice(payload));
        });
    }
}
