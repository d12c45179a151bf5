//! The flush window: the least time between two cycles of a shard that write frames.
//!
//! Owned by the shard's loop, which brings the time. While the window is open the ring is drained
//! and the dashboards are heard, and what they are to get gathers, answers included; it goes when
//! the window ends, or once as many records were taken as one cycle may take, so that what gathers
//! has a bound. A window of zero is never open, and costs a comparison. Deliberately absent:
//! sleeping, which is the loop's.

use std::time::Duration;

/// How long the loop looks neither at the ring nor at its sockets, at most.
const REST_MAX: Duration = Duration::from_millis(10);
/// What the poll can sleep: it counts whole ones.
const POLL_UNIT: Duration = Duration::from_millis(1);

/// When the shard may write again.
#[derive(Debug)]
pub(super) struct FlushWindow {
    window_ns: u64,
    records_max: usize,
    /// Zero: nothing was written that is worth waiting behind.
    ends_at: u64,
    /// Records taken since frames were last written.
    records: usize,
}

/// How to wait while the window is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// In the poll, which hears the sockets.
    Poll(Duration),
    /// Asleep: too short a time for the poll to count.
    Sleep(Duration),
}

impl FlushWindow {
    /// `records_max` taken records end a window early.
    pub(super) fn new(window: Duration, records_max: usize) -> Self {
        let window_ns = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
        Self { window_ns, records_max, ends_at: 0, records: 0 }
    }

    /// Notes records taken from the ring.
    pub(super) const fn took(&mut self, records: usize) {
        self.records += records;
    }

    /// Whether what there is to write waits.
    pub(super) const fn is_open(&self, now: u64) -> bool {
        now < self.ends_at && self.records < self.records_max
    }

    /// Notes that frames were written, which opens the window.
    pub(super) const fn wrote(&mut self, now: u64, frames: u64) {
        self.records = 0;
        self.ends_at = if frames > 0 { now.saturating_add(self.window_ns) } else { 0 };
    }

    /// How to wait for its end; none when it is not open.
    pub(super) fn rest(&self, now: u64) -> Option<Rest> {
        if !self.is_open(now) {
            return None;
        }
        let left = Duration::from_nanos(self.ends_at - now);
        Some(if left < POLL_UNIT {
            Rest::Sleep(left)
        } else {
            Rest::Poll(Duration::from_millis(left.min(REST_MAX).as_millis() as u64))
        })
    }

    /// Whether there is one at all.
    pub(super) const fn is_set(&self) -> bool {
        self.window_ns > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn window(ms: u64) -> FlushWindow {
        FlushWindow::new(Duration::from_millis(ms), 100)
    }

    #[test]
    fn without_a_window_nothing_ever_waits() {
        let mut none = window(0);
        none.wrote(7, 3);
        assert!(!none.is_open(7) && none.rest(7).is_none() && !none.is_set());
    }

    #[test]
    fn what_comes_behind_a_writing_waits_for_the_window_and_no_longer() {
        let mut five = window(5);
        assert!(!five.is_open(MS), "the first goes at once");
        five.wrote(MS, 1);
        assert!(five.is_open(MS) && five.is_open(6 * MS - 1));
        assert!(!five.is_open(6 * MS));
        assert_eq!(five.rest(MS), Some(Rest::Poll(Duration::from_millis(5))));
        assert_eq!(five.rest(MS + 1), Some(Rest::Poll(Duration::from_millis(4))));
        assert_eq!(five.rest(5 * MS + 400), Some(Rest::Sleep(Duration::from_nanos(MS - 400))));
        assert_eq!(five.rest(6 * MS), None);
    }

    #[test]
    fn a_cycle_that_wrote_no_frame_opens_no_window() {
        let mut five = window(5);
        five.wrote(MS, 0);
        assert!(!five.is_open(MS));
    }

    #[test]
    fn a_flood_ends_the_window_early() {
        let mut five = window(5);
        five.wrote(MS, 1);
        five.took(99);
        assert!(five.is_open(2 * MS));
        five.took(1);
        assert!(!five.is_open(2 * MS) && five.rest(2 * MS).is_none());
        five.wrote(2 * MS, 1);
        assert!(five.is_open(3 * MS), "the count begins anew");
    }

    #[test]
    fn a_long_window_is_slept_in_pieces_so_that_the_ring_is_drained() {
        let mut long = window(100);
        long.wrote(0, 1);
        assert_eq!(long.rest(1), Some(Rest::Poll(REST_MAX)));
    }
}
