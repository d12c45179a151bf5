//! Settings that change while the gateway runs: one writer replaces them whole, threads look when
//! it suits them.
//!
//! Whoever reloads writes; door and shards read. **Invariant:** a reader sees all of one set of
//! settings or all of another. A reader in a hurry compares the version first, which is one relaxed
//! load.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Settings as they stand.
#[derive(Debug)]
pub struct Live<T> {
    version: AtomicU64,
    current: Mutex<Arc<T>>,
}

impl<T> Live<T> {
    /// As they stand at start.
    pub fn new(settings: T) -> Self {
        Self { version: AtomicU64::new(0), current: Mutex::new(Arc::new(settings)) }
    }

    /// Replaces them.
    pub fn replace(&self, settings: T) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        // Relaxed: the lock publishes the settings, and a look that comes a moment early is
        // repeated.
        self.version.fetch_add(1, Ordering::Relaxed);
    }

    /// All of them, as of now.
    pub fn current(&self) -> Arc<T> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The settings, where they were replaced since `seen`, which is brought up to date.
    pub fn if_changed(&self, seen: &mut u64) -> Option<Arc<T>> {
        let version = self.version.load(Ordering::Relaxed);
        if version == *seen {
            return None;
        }
        *seen = version;
        Some(self.current())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_told_of_each_replacement_once() {
        let (live, mut seen) = (Live::new(1), 0);
        assert_eq!(live.if_changed(&mut seen), None);
        live.replace(2);
        assert_eq!(live.if_changed(&mut seen).as_deref(), Some(&2));
        assert_eq!(live.if_changed(&mut seen), None);
        assert_eq!(*live.current(), 2);
    }
}
