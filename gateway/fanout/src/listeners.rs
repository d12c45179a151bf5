//! Who listens to definitions.

use crate::session::SessionKey;

/// A session that listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listener {
    pub(crate) key: SessionKey,
    pub(crate) sequenced: bool,
    /// +1 per definition it may see.
    pub(crate) sequence: u64,
}

/// Who listens to definitions, plain and sequenced.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    pub(crate) all: Vec<Listener>,
}

impl Listeners {
    /// True when the session was not listening so already.
    pub(crate) fn add(&mut self, new: Listener) -> bool {
        let is_same = |known: &Listener| (known.key, known.sequenced) == (new.key, new.sequenced);
        let is_new = !self.all.iter().any(is_same);
        if is_new {
            self.forget(new.key);
            self.all.push(new);
        }
        is_new
    }

    pub(crate) fn has(&self, key: SessionKey) -> bool {
        self.all.iter().any(|listener| listener.key == key)
    }

    pub(crate) fn of(&mut self, key: SessionKey) -> Option<&mut Listener> {
        self.all.iter_mut().find(|listener| listener.key == key)
    }

    /// Number of the last definition a session was told; zero for who does not listen.
    pub(crate) fn sequence_of(&self, key: SessionKey) -> u64 {
        self.all.iter().find(|listener| listener.key == key).map_or(0, |found| found.sequence)
    }

    pub(crate) fn forget(&mut self, key: SessionKey) {
        self.all.retain(|listener| listener.key != key);
    }
}
