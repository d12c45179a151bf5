//! When ticks happen and to whom: Poisson arrivals with optional bursts, symbols by Zipf.
//!
//! Pure, seeded. Invariant: offsets never fall. Floats stand for times and chances only.

use fastrand::Rng;

/// A burst: so many ticks at one instant, every so often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// Ticks due at the same instant, on top of the steady ones.
    pub count: u32,
    /// Milliseconds from one burst to the next.
    pub every_ms: u32,
}

/// Offsets of ticks from the start, in nanoseconds.
#[derive(Debug)]
pub(crate) struct Arrivals {
    mean_gap_ns: f64,
    steady_ns: f64,
    burst: Option<Burst>,
    burst_ns: u64,
    burst_left: u32,
}

impl Arrivals {
    pub(crate) fn new(rate: f64, burst: Option<Burst>, rng: &mut Rng) -> Self {
        let mean_gap_ns = 1e9 / rate;
        let burst_ns = burst.map_or(u64::MAX, |burst| u64::from(burst.every_ms) * 1_000_000);
        let burst_left = burst.map_or(0, |burst| burst.count);
        let steady_ns = gap(mean_gap_ns, rng);
        Self { mean_gap_ns, steady_ns, burst, burst_ns, burst_left }
    }

    /// The offset of the next tick.
    pub(crate) fn next(&mut self, rng: &mut Rng) -> u64 {
        let steady_ns = self.steady_ns as u64;
        if steady_ns < self.burst_ns {
            self.steady_ns += gap(self.mean_gap_ns, rng);
            return steady_ns;
        }
        let due_ns = self.burst_ns;
        self.burst_left = self.burst_left.saturating_sub(1);
        if let (0, Some(burst)) = (self.burst_left, self.burst) {
            self.burst_ns += u64::from(burst.every_ms) * 1_000_000;
            self.burst_left = burst.count;
        }
        due_ns
    }
}

fn gap(mean_ns: f64, rng: &mut Rng) -> f64 {
    // 1 - u lies in (0, 1], where the logarithm is finite.
    -(1.0 - rng.f64()).ln() * mean_ns
}

/// Picks an index with a chance of 1 / (index + 1)^exponent, scaled to sum to one.
#[derive(Debug)]
pub(crate) struct Zipf {
    /// Cumulative chances, rising to one.
    upto: Vec<f64>,
}

impl Zipf {
    pub(crate) fn new(count: usize, exponent: f64) -> Self {
        let weights = (1..=count).map(|rank| (rank as f64).powf(-exponent));
        let total: f64 = weights.clone().sum();
        let upto = weights
            .scan(0.0, |sum, weight| {
                *sum += weight / total;
                Some(*sum)
            })
            .collect();
        Self { upto }
    }

    pub(crate) fn pick(&self, rng: &mut Rng) -> usize {
        let chance = rng.f64();
        self.upto.partition_point(|&upto| upto <= chance).min(self.upto.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_keep_their_mean_rate() {
        let mut rng = Rng::with_seed(3);
        let mut arrivals = Arrivals::new(1000.0, None, &mut rng);
        let last = (0..20_000).map(|_| arrivals.next(&mut rng)).last().expect("some");
        assert!((19_500_000_000..20_500_000_000).contains(&last), "{last}");
    }

    #[test]
    fn a_burst_is_due_at_one_instant() {
        let mut rng = Rng::with_seed(3);
        let burst = Some(Burst { count: 50, every_ms: 100 });
        let mut arrivals = Arrivals::new(10.0, burst, &mut rng);
        let all: Vec<_> = (0..500).map(|_| arrivals.next(&mut rng)).collect();
        assert_eq!(all.iter().filter(|&&due| due == 200_000_000).count(), 50);
        assert!(all.is_sorted());
    }

    #[test]
    fn the_first_symbol_is_picked_most() {
        let (mut rng, zipf) = (Rng::with_seed(3), Zipf::new(100, 1.0));
        let mut counts = [0u32; 100];
        (0..100_000).for_each(|_| counts[zipf.pick(&mut rng)] += 1);
        // 1 / H(100) = 0.1928 of all.
        assert!((18_500..20_100).contains(&counts[0]), "{}", counts[0]);
        assert!(counts.iter().all(|&count| count > 50));
    }
}
