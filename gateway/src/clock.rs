//! The one clock: nanoseconds since 1970.
//!
//! It is anchored to the wall clock once, at start, and runs on the monotonic clock from there: a
//! step of the wall clock never turns a latency negative. The price is that it drifts from a wall
//! clock that is being slewed, by what NTP corrects while the process lives.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use market::Nanos;
use rights::Wall;

struct Anchor {
    wall: u64,
    monotonic: Instant,
}

static ANCHOR: LazyLock<Anchor> = LazyLock::new(|| Anchor {
    wall: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64),
    monotonic: Instant::now(),
});

/// The wall clock as it stands, steps and all: for a credential's own dates, and nothing else.
pub fn wall() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Wall(Nanos(since.map_or(0, |since| since.as_nanos() as u64)))
}

/// Now, in nanoseconds since 1970.
pub fn now() -> Nanos {
    Nanos(ANCHOR.wall + ANCHOR.monotonic.elapsed().as_nanos() as u64)
}
