//! The wall clock's time, read afresh.
//!
//! A type of its own, so that it cannot be mistaken for the gateway's one clock: that one is
//! anchored at start and never steps, this one is what a token's dates mean.

use std::time::Duration;

use market::Nanos;

/// Wall-clock time since 1970 (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wall(pub Nanos);

impl Wall {
    /// From whole seconds since 1970; saturates in the year 2554.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(Nanos(seconds.saturating_mul(1_000_000_000)))
    }

    /// How long it is until then; zero where it is past.
    pub(crate) const fn until(self, then: Self) -> Duration {
        Duration::from_nanos(then.0.0.saturating_sub(self.0.0))
    }

    pub(crate) const fn plus(self, wait: Duration) -> Self {
        Self(Nanos(self.0.0.saturating_add(nanos(wait))))
    }
}

/// A duration in nanoseconds, saturating at 584 years.
pub(crate) const fn nanos(duration: Duration) -> u64 {
    let nanos = duration.as_nanos();
    if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 }
}
