//! How long to wait before trying again: exponential, with full jitter.
//!
//! Full jitter (uniform from zero to the cap) spreads a crowd that was cut off at one moment better
//! than any wait with a fixed part. Attempts are forgotten when none was made for twice the longest
//! wait, so something that fails now and then is retried as if for the first time.

use std::time::Duration;

use market::Nanos;

/// The range of the waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Cap of the first wait; it doubles with each attempt,
    pub(super) min: Duration,
    /// up to this.
    pub(super) max: Duration,
}

/// Attempts at one thing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
    last: Nanos,
}

impl Backoff {
    /// The wait before the attempt that is about to be made.
    pub(super) fn next(&mut self, pace: Pace, now: Nanos) -> Duration {
        let quiet = Duration::from_nanos(now.0.saturating_sub(self.last.0));
        if quiet > pace.max * 2 {
            self.attempts = 0;
        }
        let factor = 1_u32.checked_shl(self.attempts.min(30)).unwrap_or(u32::MAX);
        let cap = pace.min.saturating_mul(factor).min(pace.max);
        self.attempts = self.attempts.saturating_add(1);
        let wait = Duration::from_nanos(fastrand::u64(0..=cap.as_nanos() as u64));
        self.last = Nanos(now.0 + wait.as_nanos() as u64);
        wait
    }

    /// The same, but the first attempt after a quiet time is made at once.
    pub(super) fn next_or_now(&mut self, pace: Pace, now: Nanos) -> Duration {
        let wait = self.next(pace, now);
        if self.attempts == 1 {
            self.last = now;
            return Duration::ZERO;
        }
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { min: Duration::from_millis(100), max: Duration::from_secs(2) };

    #[test]
    fn waits_grow_to_the_longest_and_start_over_after_a_quiet_time() {
        let mut longest = [Duration::ZERO; 8];
        for _ in 0..200 {
            let mut backoff = Backoff::default();
            let mut now = Nanos(1 << 60);
            for slot in &mut longest {
                let wait = backoff.next(PACE, now);
                now = Nanos(now.0 + wait.as_nanos() as u64);
                *slot = wait.max(*slot);
            }
            let later = Nanos(now.0 + 5_000_000_000);
            assert!(backoff.next(PACE, later) <= PACE.min);
        }
        assert!(longest[0] <= PACE.min && longest[1] <= PACE.min * 2, "{longest:?}");
        assert!(longest[3] > PACE.min * 4, "{longest:?}");
        assert!(longest.iter().all(|wait| *wait <= PACE.max), "{longest:?}");
    }

    #[test]
    fn the_first_attempt_can_be_made_at_once() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next_or_now(PACE, Nanos(1 << 60)), Duration::ZERO);
        let waits = (0..20).map(|_| backoff.next_or_now(PACE, Nanos(1 << 60)));
        assert!(waits.max() > Some(Duration::ZERO));
    }
}
