//! OHLC bars built from trades.
//!
//! A bar begins at a whole multiple of its length since 1970 and exists only where something
//! traded. A trade that arrives late (its time lies before the current bar) counts in the current
//! bar: bars that were shown as finished never change.

use std::collections::VecDeque;

use crate::{Nanos, Price, Trade, rounded_ratio};

/// Finished and current bars kept per interval.
pub const BAR_HISTORY: usize = 60;

/// Bytes of a bar in a record.
pub(crate) const BAR_BYTES: usize = 7 * 8 + 2 * 16;

/// The length of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Interval {
    /// One second.
    Second1,
    /// One minute.
    Minute1,
    /// Five minutes.
    Minute5,
    /// A quarter of an hour.
    Minute15,
    /// Half an hour.
    Minute30,
    /// An hour.
    Hour1,
    /// Four hours.
    Hour4,
    /// A day.
    Day1,
    /// Seven days.
    Day7,
    /// Fifteen days.
    Day15,
}

impl Interval {
    /// All, shortest first.
    pub const ALL: [Self; 10] = [
        Self::Second1,
        Self::Minute1,
        Self::Minute5,
        Self::Minute15,
        Self::Minute30,
        Self::Hour1,
        Self::Hour4,
        Self::Day1,
        Self::Day7,
        Self::Day15,
    ];

    /// Its length in seconds.
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Second1 => 1,
            Self::Minute1 => 60,
            Self::Minute5 => 5 * 60,
            Self::Minute15 => 15 * 60,
            Self::Minute30 => 30 * 60,
            Self::Hour1 => 3600,
            Self::Hour4 => 4 * 3600,
            Self::Day1 => 86_400,
            Self::Day7 => 7 * 86_400,
            Self::Day15 => 15 * 86_400,
        }
    }

    /// The interval of so many minutes.
    pub fn from_minutes(minutes: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|i| minutes.checked_mul(60) == Some(i.seconds()))
    }

    /// Its length in minutes; zero for one second.
    pub const fn minutes(self) -> u64 {
        self.seconds() / 60
    }

    /// When the bar that holds `time` begins.
    pub const fn begin(self, time: Nanos) -> Nanos {
        let length = self.seconds() * 1_000_000_000;
        Nanos(time.0 / length * length)
    }
}

/// Open, high, low, close of one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Start of the interval.
    pub begin: Nanos,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Latest price.
    pub close: Price,
    /// Sum of sizes, in the instrument's size units.
    pub volume: i128,
    /// Sum of price x size, in both units.
    pub turnover: i128,
    /// How many trades.
    pub trade_count: u64,
    /// Time of the latest trade.
    pub ts_event: Nanos,
}

impl Bar {
    fn open(begin: Nanos, trade: &Trade) -> Self {
        let mut bar = Self {
            begin,
            open: trade.price,
            high: trade.price,
            low: trade.price,
            close: trade.price,
            volume: 0,
            turnover: 0,
            trade_count: 0,
            ts_event: trade.ts_event,
        };
        bar.add(trade);
        bar
    }

    fn add(&mut self, trade: &Trade) {
        let size = i128::from(trade.size.0);
        self.high = self.high.max(trade.price);
        self.low = self.low.min(trade.price);
        self.close = trade.price;
        self.volume += size;
        self.turnover += i128::from(trade.price.0) * size;
        self.trade_count += 1;
        self.ts_event = self.ts_event.max(trade.ts_event);
    }

    /// Volume-weighted average price, rounded to the price precision.
    pub fn vwap(&self) -> Price {
        rounded_ratio(self.turnover, self.volume).map_or(self.close, Price)
    }
}

/// The latest bars of every interval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bars([VecDeque<Bar>; Interval::ALL.len()]);

impl Bars {
    /// Folds a trade into the current bar of every interval.
    pub fn add(&mut self, trade: &Trade) {
        for (interval, bars) in Interval::ALL.into_iter().zip(&mut self.0) {
            let begin = interval.begin(trade.ts_event);
            match bars.back_mut() {
                Some(current) if begin <= current.begin => current.add(trade),
                _ => {
                    if bars.len() == BAR_HISTORY {
                        bars.pop_front();
                    }
                    bars.push_back(Bar::open(begin, trade));
                }
            }
        }
    }

    /// Adds the next bar of an interval as another gateway has it; false, and nothing added, where
    /// it does not follow the ones before or is one too many.
    pub(crate) fn restore(&mut self, interval: Interval, bar: Bar) -> bool {
        let bars = &mut self.0[interval as usize];
        let follows = bars.back().is_none_or(|last| last.begin < bar.begin);
        if !follows || bars.len() == BAR_HISTORY || interval.begin(bar.begin) != bar.begin {
            return false;
        }
        bars.push_back(bar);
        true
    }

    /// Oldest first; the last is the current one.
    pub fn of(&self, interval: Interval) -> impl ExactSizeIterator<Item = &Bar> {
        self.0[interval as usize].iter()
    }

    /// The current bar.
    pub fn current(&self, interval: Interval) -> Option<&Bar> {
        self.0[interval as usize].back()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OrderKind, Side, Size};

    fn trade(seconds: u64, price: i64, size: i64) -> Trade {
        Trade {
            price: Price(price),
            size: Size(size),
            side: Side::Buy,
            order_kind: OrderKind::Market,
            trade_id: 0,
            ts_event: Nanos(seconds * 1_000_000_000),
        }
    }

    #[test]
    fn bars_hold_open_high_low_close_and_weighted_price() {
        let mut bars = Bars::default();
        for t in [trade(60, 100, 1), trade(61, 110, 3), trade(70, 90, 2), trade(119, 95, 4)] {
            bars.add(&t);
        }
        let bar = bars.current(Interval::Minute1).expect("a bar");
        assert_eq!(bar.open, Price(100));
        assert_eq!((bar.high, bar.low, bar.close), (Price(110), Price(90), Price(95)));
        assert_eq!((bar.volume, bar.trade_count), (10, 4));
        // (100 + 330 + 180 + 380) / 10 = 99
        assert_eq!(bar.vwap(), Price(99));
        assert_eq!(bars.of(Interval::Second1).len(), 4);
    }

    #[test]
    fn a_late_trade_counts_in_the_current_bar() {
        let mut bars = Bars::default();
        for t in [trade(59, 1, 1), trade(60, 2, 1), trade(58, 3, 1)] {
            bars.add(&t);
        }
        let minutes: Vec<_> = bars.of(Interval::Minute1).map(|b| b.trade_count).collect();
        assert_eq!(minutes, [1, 2]);
    }

    #[test]
    fn history_is_bounded() {
        let mut bars = Bars::default();
        (0..500).for_each(|s| bars.add(&trade(s, 1, 1)));
        assert_eq!(bars.of(Interval::Second1).len(), BAR_HISTORY);
    }

    #[test]
    fn minutes_name_their_interval() {
        assert_eq!(Interval::from_minutes(240), Some(Interval::Hour4));
        assert_eq!(Interval::from_minutes(21_600), Some(Interval::Day15));
        assert_eq!(Interval::from_minutes(0), None);
        assert_eq!(Interval::from_minutes(u64::MAX), None);
    }
}
