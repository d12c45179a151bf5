//! Latency stations: where time is stamped, and what was measured between two stamps.
//!
//! A thread that measures owns a [`Station`] and records into a histogram nobody else touches: no
//! lock, no allocation, no formatting. About once a second it swaps that histogram for an empty one
//! through a slot (`try_lock`, two pointers move, it never waits); admin empties the slot. While
//! nobody empties it the station goes on in the histogram it has, and nothing is lost. The price:
//! two histograms of about 110 KB a station, touched only where values fall.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use market::Nanos;

/// Longest latency told apart; longer ones count as this.
pub const LATENCY_NS_MAX: u64 = 60_000_000_000;
/// How often a station offers what it has.
const HAND_OVER: Duration = Duration::from_secs(1);
/// Length of the interval that is reported beside the whole.
const INTERVAL: Duration = Duration::from_secs(10);
const SIGNIFICANT_DIGITS: u8 = 3;

/// From which stamp to which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stretch {
    /// Read from the venue's socket, to written into the ring.
    RecvToPublish,
    /// Written into the ring, to read from it by a shard.
    PublishToDequeue,
    /// Written into the ring, to given to a session's socket.
    PublishToSent,
    /// Read from the venue's socket, to given to a session's socket.
    RecvToSent,
}

impl Stretch {
    /// All of them, in the order a tick passes.
    pub const ALL: [Self; 4] =
        [Self::RecvToPublish, Self::PublishToDequeue, Self::PublishToSent, Self::RecvToSent];

    /// Its name in metrics and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RecvToPublish => "recv_to_publish",
            Self::PublishToDequeue => "publish_to_dequeue",
            Self::PublishToSent => "publish_to_sent",
            Self::RecvToSent => "recv_to_sent",
        }
    }
}

/// What was recorded between two hand-overs.
#[derive(Debug)]
struct Batch {
    histogram: Histogram<u32>,
    sum_ns: u64,
    /// The second stamp was before the first: two clocks that disagree.
    negative: u64,
}

impl Batch {
    fn new() -> Self {
        Self { histogram: histogram(), sum_ns: 0, negative: 0 }
    }

    fn is_empty(&self) -> bool {
        self.histogram.is_empty() && self.negative == 0
    }
}

fn histogram<C: hdrhistogram::Counter>() -> Histogram<C> {
    Histogram::new_with_bounds(1, LATENCY_NS_MAX, SIGNIFICANT_DIGITS)
        .expect("the bounds are constants that the histogram accepts")
}

type Slot = Arc<Mutex<Batch>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One thread's measuring of one stretch.
#[derive(Debug)]
pub struct Station {
    batch: Batch,
    slot: Slot,
    hand_over_at: Nanos,
}

impl Station {
    /// Records one latency; about 10 ns.
    pub fn record(&mut self, latency_ns: u64) {
        self.batch.histogram.saturating_record(latency_ns);
        self.batch.sum_ns = self.batch.sum_ns.saturating_add(latency_ns);
    }

    /// Records the same latency `count` times, for one send that carries many ticks.
    pub fn record_many(&mut self, latency_ns: u64, count: u64) {
        self.batch.histogram.saturating_record_n(latency_ns, count.min(u64::from(u32::MAX)) as u32);
        self.batch.sum_ns = self.batch.sum_ns.saturating_add(latency_ns.saturating_mul(count));
    }

    /// Records the time between two stamps; a span that runs backwards is counted apart, one with
    /// an unknown end not at all.
    pub fn record_span(&mut self, from: Nanos, to: Nanos) {
        if from == Nanos::UNKNOWN || to == Nanos::UNKNOWN {
            return;
        }
        match to.0.checked_sub(from.0) {
            Some(latency_ns) => self.record(latency_ns),
            None => self.batch.negative += 1,
        }
    }

    /// Offers what was recorded, at most once a second; call it each cycle. Never waits: where the
    /// slot is taken the next call tries again.
    pub fn hand_over(&mut self, now: Nanos) {
        if now < self.hand_over_at || self.batch.is_empty() {
            return;
        }
        self.hand_over_at = Nanos(now.0.saturating_add(HAND_OVER.as_nanos() as u64));
        if let Ok(mut slot) = self.slot.try_lock()
            && slot.is_empty()
        {
            std::mem::swap(&mut *slot, &mut self.batch);
        }
    }
}

/// All stations of the process, and what they have handed over.
#[derive(Debug, Default)]
pub struct Latency(Mutex<Collected>);

struct Collected {
    slots: Vec<(Stretch, Option<usize>, Slot)>,
    /// What the shards' stations brought, shard by shard; only of the last intervals.
    of_shards: BTreeMap<(usize, usize), Recent>,
    /// Always empty between two collections; what stations get back for what they hand over.
    spare: Batch,
    totals: [Total; Stretch::ALL.len()],
    interval_ends_at: Nanos,
}

impl Default for Collected {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            of_shards: BTreeMap::new(),
            spare: Batch::new(),
            totals: std::array::from_fn(|_| Total::default()),
            interval_ends_at: Nanos::UNKNOWN,
        }
    }
}

impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collected").field("stations", &self.slots.len()).finish_non_exhaustive()
    }
}

/// One stretch, over all threads that measure it.
struct Total {
    since_start: Tally,
    running: Tally,
    completed: Tally,
}

impl Default for Total {
    fn default() -> Self {
        Self { since_start: Tally::new(), running: Tally::new(), completed: Tally::new() }
    }
}

/// One stretch of one shard.
struct Recent {
    running: Tally,
    completed: Tally,
}

impl Default for Recent {
    fn default() -> Self {
        Self { running: Tally::new(), completed: Tally::new() }
    }
}

/// Latencies of one stretch over some time.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Nanoseconds.
    pub histogram: Histogram<u64>,
    /// Exact sum of all, nanoseconds.
    pub sum_ns: u64,
    /// Spans that ran backwards; they are not in the histogram.
    pub negative: u64,
}

impl Tally {
    fn new() -> Self {
        Self { histogram: histogram(), sum_ns: 0, negative: 0 }
    }

    fn add(&mut self, batch: &Batch) {
        for step in batch.histogram.iter_recorded() {
            self.histogram
                .saturating_record_n(step.value_iterated_to(), step.count_at_value().into());
        }
        self.sum_ns = self.sum_ns.saturating_add(batch.sum_ns);
        self.negative += batch.negative;
    }

    fn clear(&mut self) {
        self.histogram.reset();
        (self.sum_ns, self.negative) = (0, 0);
    }

    /// How many of the latencies are at most each of `bounds_ns`, which ascend. A value counts by
    /// the histogram's own resolution, a thousandth.
    pub fn cumulative(&self, bounds_ns: &[u64]) -> Vec<u64> {
        let mut counts = vec![0; bounds_ns.len()];
        for step in self.histogram.iter_recorded() {
            let at = bounds_ns.partition_point(|&bound| bound < step.value_iterated_to());
            if let Some(count) = counts.get_mut(at) {
                *count += step.count_at_value();
            }
        }
        let mut sum = 0;
        for count in &mut counts {
            sum += *count;
            *count = sum;
        }
        counts
    }
}

impl Latency {
    /// A new station for one stretch, owned by the calling thread.
    pub fn station(&self, stretch: Stretch) -> Station {
        self.station_of(stretch, None)
    }

    /// The same, for a shard whose latencies are also told apart from those of others.
    pub fn shard_station(&self, stretch: Stretch, shard: usize) -> Station {
        self.station_of(stretch, Some(shard))
    }

    fn station_of(&self, stretch: Stretch, shard: Option<usize>) -> Station {
        let slot = Slot::new(Mutex::new(Batch::new()));
        lock(&self.0).slots.push((stretch, shard, Arc::clone(&slot)));
        Station { batch: Batch::new(), slot, hand_over_at: Nanos::UNKNOWN }
    }

    /// Takes in what the stations have handed over. Admin calls it about twice a second; it costs
    /// its thread a walk over a station's 27,000 cells and the stations nothing.
    pub fn collect(&self, now: Nanos) {
        let collected = &mut *lock(&self.0);
        let interval_ns = INTERVAL.as_nanos() as u64;
        if collected.interval_ends_at == Nanos::UNKNOWN {
            collected.interval_ends_at = Nanos(now.0 + interval_ns);
        } else if now >= collected.interval_ends_at {
            collected.interval_ends_at = Nanos(now.0 + interval_ns);
            for total in &mut collected.totals {
                std::mem::swap(&mut total.running, &mut total.completed);
                total.running.clear();
            }
            for recent in collected.of_shards.values_mut() {
                std::mem::swap(&mut recent.running, &mut recent.completed);
                recent.running.clear();
            }
        }
        for (stretch, shard, slot) in &collected.slots {
            // Held for the swap only, so that a station's `try_lock` almost never fails.
            let mut filled = lock(slot);
            if filled.is_empty() {
                continue;
            }
            std::mem::swap(&mut *filled, &mut collected.spare);
            drop(filled);
            let total = &mut collected.totals[*stretch as usize];
            total.since_start.add(&collected.spare);
            total.running.add(&collected.spare);
            if let Some(shard) = shard {
                let recent = collected.of_shards.entry((*shard, *stretch as usize)).or_default();
                recent.running.add(&collected.spare);
            }
            collected.spare.histogram.reset();
            (collected.spare.sum_ns, collected.spare.negative) = (0, 0);
        }
    }

    /// One stretch since the start of the process, as of the last collection.
    pub fn since_start(&self, stretch: Stretch) -> Tally {
        lock(&self.0).totals[stretch as usize].since_start.clone()
    }

    /// One stretch of one shard over the last whole interval of ten seconds, or, before there was
    /// one, since the start; none before anything was measured.
    pub fn of_shard(&self, stretch: Stretch, shard: usize) -> Option<Tally> {
        let collected = lock(&self.0);
        let recent = collected.of_shards.get(&(shard, stretch as usize))?;
        let is_first = recent.completed.histogram.is_empty();
        Some(if is_first { recent.running.clone() } else { recent.completed.clone() })
    }

    /// One stretch over the last whole interval of ten seconds.
    pub fn last_interval(&self, stretch: Stretch) -> Tally {
        lock(&self.0).totals[stretch as usize].completed.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn nothing_is_lost_while_nobody_collects() {
        let latency = Latency::default();
        let mut station = latency.station(Stretch::RecvToSent);
        for second in 1..=5 {
            station.record(1000 * second);
            station.hand_over(Nanos(second * SECOND));
        }
        latency.collect(Nanos(6 * SECOND));
        assert_eq!(latency.since_start(Stretch::RecvToSent).histogram.len(), 1);
        station.hand_over(Nanos(6 * SECOND));
        latency.collect(Nanos(7 * SECOND));
        let tally = latency.since_start(Stretch::RecvToSent);
        assert_eq!((tally.histogram.len(), tally.sum_ns), (5, 15_000));
    }

    #[test]
    fn a_station_hands_over_at_most_once_a_second() {
        let latency = Latency::default();
        let mut station = latency.station(Stretch::RecvToPublish);
        for step in 0..10 {
            station.record(1);
            station.hand_over(Nanos(SECOND + step * SECOND / 10));
            latency.collect(Nanos(SECOND + step * SECOND / 10));
        }
        assert_eq!(latency.since_start(Stretch::RecvToPublish).histogram.len(), 1);
    }

    #[test]
    fn spans_that_run_backwards_are_counted_apart_and_unknown_ends_not_at_all() {
        let latency = Latency::default();
        let mut station = latency.station(Stretch::RecvToPublish);
        station.record_span(Nanos(20), Nanos(10));
        station.record_span(Nanos::UNKNOWN, Nanos(10));
        station.record_span(Nanos(10), Nanos(10));
        station.record_span(Nanos(1), Nanos(u64::MAX));
        station.hand_over(Nanos(1));
        latency.collect(Nanos(2));
        let tally = latency.since_start(Stretch::RecvToPublish);
        assert_eq!((tally.negative, tally.histogram.len()), (1, 2));
        assert!(tally.histogram.max() >= LATENCY_NS_MAX, "far too long ones count as the longest");
    }

    #[test]
    fn the_last_interval_holds_only_its_own_latencies() {
        let latency = Latency::default();
        let mut station = latency.station(Stretch::PublishToSent);
        latency.collect(Nanos(1));
        station.record_many(5000, 3);
        station.hand_over(Nanos(SECOND));
        latency.collect(Nanos(2 * SECOND));
        assert_eq!(latency.last_interval(Stretch::PublishToSent).histogram.len(), 0);
        latency.collect(Nanos(10 * SECOND + 1));
        assert_eq!(latency.last_interval(Stretch::PublishToSent).histogram.len(), 3);
        latency.collect(Nanos(20 * SECOND + 2));
        assert_eq!(latency.last_interval(Stretch::PublishToSent).histogram.len(), 0);
        assert_eq!(latency.since_start(Stretch::PublishToSent).histogram.len(), 3);
    }

    #[test]
    fn cumulative_counts_agree_with_counting_one_by_one() {
        let mut tally = Tally::new();
        let values = [1, 9_999, 10_000, 10_500, 26_000, 999_999_999, 5_000_000_000];
        for value in values {
            tally.histogram.saturating_record(value);
        }
        let bounds = [10_000, 25_000, 1_000_000_000];
        // A value within a thousandth of a bound may fall on its other side; none here is.
        assert_eq!(tally.cumulative(&bounds), [2, 4, 5]);
    }
}
