//! The instruments of a generated market: a dozen known names, then `AAA/USD`, `AAB/USD`, ...
//!
//! Pure, seeded. Invariant: a name occurs once; every price is a whole number of increments, and
//! the first price is far enough from zero for the deepest book.

use fastrand::Rng;

/// What a symbol is called and how its numbers are printed. Prices are mantissas.
#[derive(Clone, Debug)]
pub(crate) struct Instrument {
    pub(crate) symbol: String,
    pub(crate) price_decimals: u8,
    pub(crate) qty_decimals: u8,
    pub(crate) price_increment: i64,
    pub(crate) price_start: i64,
    /// The usual size of a level, as a mantissa.
    pub(crate) qty_usual: i64,
}

/// Every generated symbol is priced in this.
pub(crate) const QUOTE: &str = "USD";

/// Base, price decimals, size decimals, first price, usual size (both as mantissas).
const KNOWN: [(&str, u8, u8, i64, i64); 12] = [
    ("BTC", 1, 8, 642_310, 45_000_000),
    ("ETH", 2, 8, 341_277, 600_000_000),
    ("SOL", 2, 8, 15_183, 4_000_000_000),
    ("XRP", 5, 8, 61_240, 90_000_000_000),
    ("ADA", 6, 8, 384_515, 120_000_000_000),
    ("DOGE", 7, 8, 1_243_770, 500_000_000_000),
    ("LTC", 2, 8, 68_410, 2_500_000_000),
    ("LINK", 5, 8, 1_392_840, 8_000_000_000),
    ("DOT", 4, 8, 61_820, 20_000_000_000),
    ("AVAX", 2, 8, 27_410, 6_000_000_000),
    ("ATOM", 4, 8, 66_390, 15_000_000_000),
    ("UNI", 3, 8, 74_160, 9_000_000_000),
];

/// The first `count` instruments of the market with this seed.
pub(crate) fn instruments(count: usize, rng: &mut Rng) -> Vec<Instrument> {
    let known =
        KNOWN.iter().map(|&(base, price_decimals, qty_decimals, price_start, qty_usual)| {
            let symbol = format!("{base}/{QUOTE}");
            let price_increment = 1;
            Instrument {
                symbol,
                price_decimals,
                qty_decimals,
                price_increment,
                price_start,
                qty_usual,
            }
        });
    let unknown = (0..26 * 26 * 26)
        .map(letters)
        .filter(|base| KNOWN.iter().all(|known| known.0 != base))
        .map(|base| synthetic(&base, rng));
    known.chain(unknown).take(count).collect()
}

fn synthetic(base: &str, rng: &mut Rng) -> Instrument {
    let price_increment = [1, 1, 1, 5, 10, 25][rng.usize(..6)];
    let qty_decimals = rng.u8(0..=8);
    Instrument {
        symbol: format!("{base}/{QUOTE}"),
        price_decimals: rng.u8(0..=8),
        qty_decimals,
        price_increment,
        price_start: rng.i64(10_000..2_000_000) * price_increment,
        qty_usual: rng.i64(50..5_000) * 10i64.pow(u32::from(qty_decimals) / 2),
    }
}

fn letters(index: usize) -> String {
    [index / 676, index / 26 % 26, index % 26]
        .map(|at| char::from(b'A' + at as u8))
        .iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ten_thousand_names_are_all_different() {
        let made = instruments(10_000, &mut Rng::with_seed(1));
        let names: BTreeSet<_> = made.iter().map(|instrument| &instrument.symbol).collect();
        assert_eq!(names.len(), 10_000);
        assert_eq!(made[0].symbol, "BTC/USD");
        assert_eq!(made[12].symbol, "AAA/USD");
    }
}
