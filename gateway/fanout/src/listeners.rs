//! Who listens to definitions.

use crate::session::SessionKey;

/// Who listens to definitions, plain and sequenced.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    sessions: Vec<(SessionKey, bool)>,
    /// +1 per definition folded; the same on every shard.
    pub(crate) sequence: u64,
}

impl Listeners {
    /// True when the session was not listening so already.
    pub(crate) fn add(&mut self, key: SessionKey, sequenced: bool) -> bool {
        let is_new = !self.sessions.contains(&(key, sequenced));
        if is_new {
            self.forget(key);
            self.sessions.push((key, sequenced));
        }
        is_new
    }

    pub(crate) fn has(&self, key: SessionKey) -> bool {
        self.sessions.iter().any(|(session, _)| *session == key)
    }

    pub(crate) fn forget(&mut self, key: SessionKey) {
        self.sessions.retain(|(session, _)| *session != key);
    }

    /// The sessions of one kind.
    pub(crate) fn of(&self, sequenced: bool) -> impl Iterator<Item = SessionKey> {
        self.sessions.iter().filter(move |(_, s)| *s == sequenced).map(|(key, _)| *key)
    }
}
