//! One fixed market: an instrument, a book of 1,000 levels a side, and what happens in it.
//!
//! Prices and sizes are those of BTC/USDT on the day of the recordings, at its precision: two
//! digits and eight. Everything varies over sixteen variants, so that no branch learns one input by
//! heart.

use market::{
    Bar, Bars, BookSide, Instrument, Interval, Level, Nanos, OrderKind, Price, Quote, Side, Size,
    Stamps, Statistics, Trade, Trading,
};

/// Variants of each input; every count of repetitions is a multiple of it.
pub(crate) const VARIANTS: u64 = 16;
/// Levels of the book, each side.
pub(crate) const LEVELS: u64 = 1000;
/// Best bid; the best ask is one increment above.
const BEST_BID: i64 = 6_183_763;
/// 2024-08-08 23:54:15.342 UTC.
pub(crate) const TIME_MS: u64 = 1_723_161_255_342;

pub(crate) fn instrument(name: &str) -> Instrument {
    Instrument {
        symbol: name.into(),
        venue: "bench".into(),
        venue_symbol: name.into(),
        base: "BTC".into(),
        quote: "USDT".into(),
        price_precision: 2,
        size_precision: 8,
        price_increment: Price(1),
        size_increment: Size(1),
        size_min: Size(1000),
        book_levels_max: LEVELS as u32,
        trading: Trading::Online,
    }
}

pub(crate) fn stamps(variant: u64) -> Stamps {
    let event = TIME_MS * 1_000_000 + variant * 1_000_003;
    Stamps { event: Nanos(event), recv: Nanos(event + 310_077), publish: Nanos(event + 311_642) }
}

/// A size between 0.001 and 10, without a pattern.
fn size(seed: u64) -> Size {
    let mixed = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 34;
    Size(100_000 + (mixed % 1_000_000_000) as i64)
}

/// The level at a rank, as of a variant.
pub(crate) fn level(side: BookSide, rank: u64, variant: u64) -> Level {
    // Denser near the touch, as books are: gaps of one to nine increments.
    let distance = rank as i64 * 5 - (rank as i64 * 7) % 4;
    let price = match side {
        BookSide::Bid => BEST_BID - distance,
        BookSide::Ask => BEST_BID + 1 + distance,
    };
    Level { price: Price(price), size: size(rank * 31 + variant * 7) }
}

pub(crate) fn side(side: BookSide, count: u64, variant: u64) -> Vec<Level> {
    (0..count).map(|rank| level(side, rank, variant)).collect()
}

/// A change near the touch: two bids and an ask, one of them gone in every second variant.
pub(crate) fn change(variant: u64) -> [Vec<Level>; 2] {
    let mut leaving = level(BookSide::Bid, 4, variant);
    if variant.is_multiple_of(2) {
        leaving.size = Size(0);
    }
    let bids = vec![level(BookSide::Bid, 1, variant), leaving];
    [bids, vec![level(BookSide::Ask, 2, variant)]]
}

pub(crate) fn quote(variant: u64) -> Quote {
    Quote { bid: level(BookSide::Bid, 0, variant), ask: level(BookSide::Ask, 0, variant + 3) }
}

pub(crate) fn statistics(variant: u64) -> Statistics {
    Statistics {
        last: Price(BEST_BID + (variant % 2) as i64),
        volume: 4_871_452_190_341 + i128::from(variant) * 2_000_000,
        vwap: Price(6_101_132),
        low: Price(5_476_500),
        high: Price(6_270_000),
        change: Price(668_412 - variant as i64),
        change_basis_points: 1212,
    }
}

pub(crate) fn trade(variant: u64) -> Trade {
    Trade {
        price: Price(BEST_BID + (variant % 2) as i64),
        size: size(variant),
        side: if variant.is_multiple_of(2) { Side::Sell } else { Side::Buy },
        order_kind: OrderKind::Market,
        trade_id: 3_735_683_259 + variant,
        ts_event: stamps(0).event,
    }
}

/// A minute's bar after some trades.
pub(crate) fn bar(variant: u64) -> Bar {
    let mut bars = Bars::default();
    (0..=variant).for_each(|earlier| bars.add(&trade(earlier)));
    *bars.current(Interval::Minute1).expect("something traded")
}
