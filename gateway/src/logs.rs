//! What the rest of the gateway may ask of the log: which lines are shown, how many were dropped.
//!
//! The program owns the log and hands this out; a gateway without one (a test, a library's user)
//! has a handle that refuses. Deliberately absent: lines.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Puts another level in force, or says what is wrong with it.
type Set = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// A handle on the log.
#[derive(Clone, Default)]
pub struct Logs(Option<Arc<Inner>>);

struct Inner {
    level: Mutex<String>,
    set: Set,
    /// The command line or the environment said the level, which goes before the config.
    is_overridden: bool,
    dropped: Arc<AtomicU64>,
}

impl Logs {
    /// A handle on a log that shows `level` now; `dropped` counts lines that nobody took in time.
    pub fn new(level: &str, is_overridden: bool, dropped: Arc<AtomicU64>, set: Set) -> Self {
        let level = Mutex::new(level.to_owned());
        Self(Some(Arc::new(Inner { level, set, is_overridden, dropped })))
    }

    /// Which lines are shown.
    pub fn level(&self) -> Option<String> {
        let inner = self.0.as_ref()?;
        Some(inner.level.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Shows others.
    pub fn set_level(&self, level: &str) -> Result<(), String> {
        let inner = self.0.as_ref().ok_or("this gateway keeps no log")?;
        (inner.set)(level)?;
        level.clone_into(&mut inner.level.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }

    /// Whether the config's level is without effect.
    pub fn is_overridden(&self) -> bool {
        self.0.as_ref().is_none_or(|inner| inner.is_overridden)
    }

    /// Lines that were dropped because standard error took none.
    pub fn dropped(&self) -> u64 {
        self.0.as_ref().map_or(0, |inner| inner.dropped.load(Ordering::Relaxed))
    }
}

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Logs").field(&self.level()).finish()
    }
}
