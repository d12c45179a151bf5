//! `bench compare A B`: the same scenario for two servers in turn (A B B A), and A once more under
//! another name. What is told is the ratio of medians, with an interval by bootstrap over the
//! blocks; the ratio of A to itself shows how much of that is noise.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::report::result::{Block, median};

/// A figure of a block, where it has it.
type Pick = fn(&Block) -> Option<f64>;
/// What is compared, lower is better.
const FIGURES: [(&str, Pick); 4] = [
    ("CPU per delivery", |block| block.server.cpu_seconds_per_million),
    ("p50", |block| Some(block.latency.p50_us)),
    ("p99", |block| Some(block.latency.p99_us)),
    ("p99.9", |block| Some(block.latency.p99_9_us)),
];
const RESAMPLES: usize = 10_000;

/// The ratio of one figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ratio {
    /// What.
    pub figure: String,
    /// Median of the first.
    pub before: f64,
    /// Median of the second.
    pub after: f64,
    /// Second by first.
    pub ratio: f64,
    /// 95 % of resampled ratios lie between these.
    pub interval: (f64, f64),
}

impl Ratio {
    /// Whether the interval holds 1: no difference was shown.
    pub fn holds_one(&self) -> bool {
        (self.interval.0..=self.interval.1).contains(&1.0)
    }
}

/// The ratios of all figures, from `before` to `after`.
pub fn ratios(before: &[&Block], after: &[&Block]) -> Vec<Ratio> {
    let mut random = fastrand::Rng::with_seed(1);
    let compared = FIGURES.iter().filter_map(|(name, pick)| {
        let values = |blocks: &[&Block]| -> Vec<f64> {
            blocks.iter().filter_map(|block| pick(block)).collect()
        };
        let (before, after) = (values(before), values(after));
        let ratio = median(after.clone())? / median(before.clone())?;
        let mut resampled: Vec<f64> = (0..RESAMPLES)
            .filter_map(|_| {
                let mut draw = |from: &[f64]| {
                    median((0..from.len()).map(|_| from[random.usize(..from.len())]).collect())
                };
                Some(draw(&after)? / draw(&before)?)
            })
            .collect();
        resampled.sort_by(f64::total_cmp);
        let at = |part: f64| resampled[((resampled.len() - 1) as f64 * part) as usize];
        Some(Ratio {
            figure: (*name).to_owned(),
            before: median(before)?,
            after: median(after)?,
            ratio,
            interval: (at(0.025), at(0.975)),
        })
    });
    compared.collect()
}

/// The ratios for people.
pub fn text(title: &str, ratios: &[Ratio]) -> String {
    let mut out = format!("{title}\n");
    for one in ratios {
        // Of a single block each, nothing can be resampled.
        let single = one.interval.0.total_cmp(&one.interval.1).is_eq();
        let word = match (one.holds_one(), one.ratio < 1.0) {
            _ if single => "too few blocks for an interval",
            (true, _) => "no difference shown",
            (false, true) => "better",
            (false, false) => "worse",
        };
        let _ = writeln!(
            out,
            "  {:<18} {:>10.2} -> {:>10.2}   ratio {:.3}  [{:.3}, {:.3}]  {word}",
            one.figure, one.before, one.after, one.ratio, one.interval.0, one.interval.1
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(p99s: &[f64]) -> Vec<Block> {
        let block = |p99: &f64| {
            let mut block = Block::default();
            block.latency.p99_us = *p99;
            block.latency.p50_us = 1.0;
            block.latency.p99_9_us = 1.0;
            block
        };
        p99s.iter().map(block).collect()
    }

    #[test]
    fn the_same_against_itself_holds_one_and_a_clear_difference_does_not() {
        let slow = blocks(&[100.0, 104.0, 98.0, 101.0, 97.0, 103.0]);
        let fast = blocks(&[50.0, 52.0, 49.0, 51.0, 48.0, 53.0]);
        let (slow, fast): (Vec<_>, Vec<_>) = (slow.iter().collect(), fast.iter().collect());
        let p99 = |ratios: Vec<Ratio>| ratios.into_iter().find(|one| one.figure == "p99").unwrap();
        assert!(p99(ratios(&slow, &slow)).holds_one());
        let better = p99(ratios(&slow, &fast));
        assert!(!better.holds_one() && (0.4..0.6).contains(&better.ratio), "{better:?}");
        assert!(ratios(&slow, &fast).iter().all(|one| one.figure != "CPU per delivery"));
    }
}
