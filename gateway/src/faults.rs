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
    /// While a request at the door is answered; asked for by its `User-Agent`.
    Visit,
    /// While what the door's visits share changes; asked for in the same way.
    Door,
    /// While a venue's message is taken.
    Ingest,
}

impl Place {
    /// What a message has to hold.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Session => "panic, please: session",
            Self::Shard => "panic, please: shard",
            Self::Visit => "panic, please: visit",
            Self::Door => "panic, please: door",
            Self::Ingest => "panic, please: ingest",
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
pub(crate) fn trip(place: Place, text: &[u8]) {
    let is_armed = IS_ARMED.load(std::sync::atomic::Ordering::Relaxed);
    let words = place.words().as_bytes();
    let is_asked = || text.windows(words.len()).any(|part| part == words);
    assert!(!is_armed || !is_asked(), "asked to panic: {place:?}");
}

/// The same for who asks by a header.
#[cfg(debug_assertions)]
pub(crate) fn trip_by_agent(place: Place, headers: &hyper::HeaderMap) {
    if let Some(agent) = headers.get(hyper::header::USER_AGENT) {
        trip(place, agent.as_bytes());
    }
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
pub(crate) const fn trip(_: Place, _: &[u8]) {}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
pub(crate) const fn trip_by_agent(_: Place, _: &hyper::HeaderMap) {}
