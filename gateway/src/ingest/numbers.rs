//! From a venue's decimals to an instrument's whole units.
//!
//! Prices and sizes are exact or refused. Statistics may be finer than the instrument (an average
//! price is) and are rounded to the nearest unit, half away from zero.

use market::{Decimal, DecimalError, Level, Price, Quote, Size, Statistics, rounded_ratio};

/// Digits behind the point of an instrument's prices and sizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Precision {
    pub(super) price: u8,
    pub(super) size: u8,
}

impl Precision {
    /// The coarsest that holds all of `levels`.
    pub(super) fn of<'a>(levels: impl IntoIterator<Item = &'a venue::Level>) -> Option<Self> {
        levels.into_iter().fold(None, |finest: Option<Self>, level| {
            let so_far = finest.unwrap_or_default();
            Some(Self {
                price: so_far.price.max(level.price.scale()),
                size: so_far.size.max(level.size.scale()),
            })
        })
    }

    pub(super) fn price(self, value: Decimal) -> Result<Price, DecimalError> {
        value.at_precision(self.price).map(Price)
    }

    pub(super) fn size(self, value: Decimal) -> Result<Size, DecimalError> {
        value.at_precision(self.size).map(Size)
    }

    pub(super) fn level(self, level: &venue::Level) -> Result<Level, DecimalError> {
        Ok(Level { price: self.price(level.price)?, size: self.size(level.size)? })
    }

    /// Appends `levels` to `out`.
    pub(super) fn levels(
        self,
        levels: &[venue::Level],
        out: &mut Vec<Level>,
    ) -> Result<(), DecimalError> {
        for level in levels {
            out.push(self.level(level)?);
        }
        Ok(())
    }

    pub(super) fn quote(
        self,
        bid: &venue::Level,
        ask: &venue::Level,
    ) -> Result<Quote, DecimalError> {
        Ok(Quote { bid: self.level(bid)?, ask: self.level(ask)? })
    }

    /// The venue's statistics; none unless it stated all of them.
    pub(super) fn statistics(self, ticker: &venue::Ticker<'_>) -> Option<Statistics> {
        let price = |value: Option<Decimal>| rounded(value?, self.price).map(Price);
        Some(Statistics {
            last: price(ticker.last)?,
            volume: scaled(ticker.volume?, self.size).filter(|volume| market::is_sum(*volume))?,
            vwap: price(ticker.vwap)?,
            low: price(ticker.low)?,
            high: price(ticker.high)?,
            change: price(ticker.change)?,
            change_basis_points: rounded(ticker.change_pct?, 2)?,
        })
    }
}

/// True when a bid would trade with the ask: no honest venue says that.
pub(super) fn is_crossed(quote: &Quote) -> bool {
    quote.bid.size.0 > 0 && quote.ask.size.0 > 0 && quote.bid.price >= quote.ask.price
}

/// Sums may be finer than the instrument says, and larger than one order can be.
fn scaled(value: Decimal, precision: u8) -> Option<i128> {
    let Some(finer) = precision.checked_sub(value.scale()) else {
        return rounded(value, precision).map(i128::from);
    };
    i128::from(value.mantissa()).checked_mul(10_i128.checked_pow(u32::from(finer))?)
}

fn rounded(value: Decimal, precision: u8) -> Option<i64> {
    match value.at_precision(precision) {
        Ok(exact) => Some(exact),
        Err(DecimalError::TooFine) => {
            let unit = 10_i128.checked_pow(u32::from(value.scale() - precision))?;
            rounded_ratio(value.mantissa().into(), unit)
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_rounded_half_away_from_zero() {
        for (text, precision, expected) in [
            ("105904.39279", 1, 1_059_044),
            ("-0.25", 1, -3),
            ("-0.24", 1, -2),
            ("0.049", 1, 0),
            ("12", 2, 1200),
        ] {
            let value = Decimal::parse(text.as_bytes()).expect("a number");
            assert_eq!(rounded(value, precision), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_days_volume_may_exceed_any_order() {
        let value = Decimal::parse(b"123456789012345").expect("a number");
        assert_eq!(scaled(value, 8), Some(12_345_678_901_234_500_000_000));
    }
}
