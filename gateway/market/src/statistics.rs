//! The 24-hour statistics a ticker shows, from a venue or rolled from trades.
//!
//! Rolled, the window moves in steps of five minutes: 288 buckets per symbol instead of every trade
//! of a day. It moves when a trade arrives; a symbol that no longer trades keeps its last figures.

use std::collections::VecDeque;

use crate::{Price, Trade, rounded_ratio};

const BUCKET_NANOS: u64 = 300 * 1_000_000_000;
const BUCKET_COUNT: u64 = 24 * 3600 / 300;
/// Bytes of a full [`Roller`] in a record.
pub(crate) const BUCKETS_BYTES_MAX: usize = 64 + BUCKET_COUNT as usize * (4 * 8 + 2 * 16);

/// What a ticker says of the last 24 hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Price of the latest trade.
    pub last: Price,
    /// Sum of sizes, in the instrument's size units.
    pub volume: i128,
    /// Volume-weighted average price.
    pub vwap: Price,
    /// Lowest price.
    pub low: Price,
    /// Highest price.
    pub high: Price,
    /// Latest price minus the first price of the window.
    pub change: Price,
    /// The same in hundredths of a percent.
    pub change_basis_points: i64,
}

/// Five minutes of trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) begin: u64,
    pub(crate) open: Price,
    pub(crate) high: Price,
    pub(crate) low: Price,
    pub(crate) volume: i128,
    pub(crate) turnover: i128,
}

/// Rolls [`Statistics`] from trades.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roller {
    /// Oldest first; only buckets in which something traded.
    buckets: VecDeque<Bucket>,
    volume: i128,
    turnover: i128,
    /// Extremes of the window; looked for anew only when a bucket has left it.
    extremes: Option<(Price, Price)>,
}

impl Roller {
    /// Folds a trade in and returns the figures as of it.
    pub fn add(&mut self, trade: &Trade) -> Statistics {
        let latest = self.buckets.back().map_or(0, |b| b.begin);
        let begin = (trade.ts_event.0 / BUCKET_NANOS * BUCKET_NANOS).max(latest);
        self.expire(begin);
        let size = i128::from(trade.size.0);
        let turnover = i128::from(trade.price.0) * size;
        match self.buckets.back_mut() {
            Some(bucket) if bucket.begin == begin => {
                bucket.high = bucket.high.max(trade.price);
                bucket.low = bucket.low.min(trade.price);
                bucket.volume += size;
                bucket.turnover += turnover;
            }
            _ => self.buckets.push_back(Bucket {
                begin,
                open: trade.price,
                high: trade.price,
                low: trade.price,
                volume: size,
                turnover,
            }),
        }
        self.volume += size;
        self.turnover += turnover;
        self.extremes = self
            .extremes
            .map(|(low, high)| (low.min(trade.price), high.max(trade.price)))
            .or_else(|| self.search_extremes());
        self.figures(trade.price)
    }

    /// Oldest first.
    pub(crate) fn buckets(&self) -> impl ExactSizeIterator<Item = &Bucket> {
        self.buckets.iter()
    }

    /// Adds the next bucket as another gateway has it; false, and nothing added, where it does not
    /// follow the ones before or is one too many.
    pub(crate) fn restore(&mut self, bucket: Bucket) -> bool {
        let follows = self.buckets.back().is_none_or(|last| last.begin < bucket.begin);
        let is_whole = bucket.begin.is_multiple_of(BUCKET_NANOS);
        if !follows || !is_whole || self.buckets.len() as u64 == BUCKET_COUNT {
            return false;
        }
        self.volume += bucket.volume;
        self.turnover += bucket.turnover;
        let (low, high) = self.extremes.unwrap_or((bucket.low, bucket.high));
        self.extremes = Some((low.min(bucket.low), high.max(bucket.high)));
        self.buckets.push_back(bucket);
        true
    }

    fn expire(&mut self, now: u64) {
        let oldest_kept = now.saturating_sub(BUCKET_NANOS * (BUCKET_COUNT - 1));
        while let Some(bucket) = self.buckets.front().filter(|b| b.begin < oldest_kept) {
            self.volume -= bucket.volume;
            self.turnover -= bucket.turnover;
            self.extremes = None;
            self.buckets.pop_front();
        }
    }

    fn search_extremes(&self) -> Option<(Price, Price)> {
        let low = self.buckets.iter().map(|b| b.low).min()?;
        let high = self.buckets.iter().map(|b| b.high).max()?;
        Some((low, high))
    }

    fn figures(&self, last: Price) -> Statistics {
        let open = self.buckets.front().map_or(last, |b| b.open);
        let change = Price(last.0 - open.0);
        let (low, high) = self.extremes.unwrap_or((last, last));
        Statistics {
            last,
            volume: self.volume,
            vwap: rounded_ratio(self.turnover, self.volume).map_or(last, Price),
            low,
            high,
            change,
            change_basis_points: rounded_ratio(i128::from(change.0) * 10_000, i128::from(open.0))
                .unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Nanos, OrderKind, Side, Size};

    /// Time at which nothing of `time`'s bucket counts any more.
    fn expiry(time: Nanos) -> Nanos {
        Nanos(time.0 / BUCKET_NANOS * BUCKET_NANOS + BUCKET_NANOS * BUCKET_COUNT)
    }

    fn trade(time: Nanos, price: i64, size: i64) -> Trade {
        Trade {
            price: Price(price),
            size: Size(size),
            side: Side::Sell,
            order_kind: OrderKind::Market,
            trade_id: 0,
            ts_event: time,
        }
    }

    #[test]
    fn figures_agree_with_a_sum_over_the_window() {
        let mut rng = fastrand::Rng::with_seed(3);
        let mut roller = Roller::default();
        let mut all: Vec<Trade> = Vec::new();
        let mut time = 1_700_000_000_000_000_000_u64;
        for _ in 0..2000 {
            time += rng.u64(..600_000_000_000);
            let t = trade(Nanos(time), rng.i64(1000..2000), rng.i64(1..50));
            all.push(t);
            let figures = roller.add(&t);
            let window: Vec<_> = all.iter().filter(|o| expiry(o.ts_event).0 > time).collect();
            let volume: i128 = window.iter().map(|o| i128::from(o.size.0)).sum();
            assert_eq!(figures.volume, volume);
            assert_eq!(figures.high, window.iter().map(|o| o.price).max().expect("one"));
            assert_eq!(figures.low, window.iter().map(|o| o.price).min().expect("one"));
            assert_eq!(figures.change.0, t.price.0 - window[0].price.0);
        }
        assert!(roller.buckets.len() as u64 <= BUCKET_COUNT);
    }

    #[test]
    fn a_rise_from_100_to_101_is_one_percent() {
        let mut roller = Roller::default();
        roller.add(&trade(Nanos(1), 100, 1));
        let figures = roller.add(&trade(Nanos(2), 101, 1));
        assert_eq!(figures.change_basis_points, 100);
        assert_eq!(figures.vwap, Price(101), "100.5 is rounded half away from zero");
    }
}
