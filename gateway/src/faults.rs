//! Panics on demand, so that tests see what a panic does.
//!
//! **Invariant:** a release build holds none of it. In a debug build a message that holds the
//! agreed words panics at the place they name, once a test has armed this process, and never
//! otherwise.

/// Where a panic may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// While one session's bytes are understood.
    Session,
    /// While the shard's state changes.
    Shard,
}

impl Place {
    /// What a message has to hold.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Session => "panic, please: session",
            Self::Shard => "panic, please: shard",
        }
    }
}

#[cfg(debug_assertions)]
static IS_ARMED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Lets messages ask for panics from now on.
#[cfg(debug_assertions)]
pub fn arm() {
    IS_ARMED.store(true, std::sync::atomic::Ordering::Relaxed);
}

/// Panics where `text` asks for it at this place.
#[cfg(debug_assertions)]
pub(crate) fn trip(place: Place, text: &str) {
    let is_armed = IS_ARMED.load(std::sync::atomic::Ordering::Relaxed);
    assert!(!is_armed || !text.contains(place.words()), "asked to panic: {place:?}");
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
pub(crate) const fn trip(_: Place, _: &str) {}
