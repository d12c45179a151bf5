//! One generated symbol: its book, its last trades, its day, and how a tick moves them.
//!
//! Owned by the sim thread. Invariant: trades happen at the touch and take from it; the quote is
//! the top of the book; all numbers are integers (mantissas at the instrument's precision).

use std::collections::VecDeque;

use fastrand::Rng;

use super::book::{Book, Level, Op, Side};
use super::names::Instrument;

/// Trades a snapshot of the trade channel holds.
pub(crate) const TRADES_MAX: usize = 50;
/// The spread in increments above which nobody leaves the touch.
const SPREAD_MAX: i64 = 8;

/// One execution. `side` is the taker's: a buyer takes from the asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trade {
    pub(crate) taker_buys: bool,
    pub(crate) price: i64,
    pub(crate) qty: i64,
    pub(crate) id: u64,
    pub(crate) ts_ns: u64,
}

/// How often each kind of tick occurs, as weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix {
    /// A trade at the touch.
    pub trade: u32,
    /// A change of the best bid or ask.
    pub quote: u32,
    /// A change deeper in the book.
    pub book: u32,
}

impl Default for Mix {
    fn default() -> Self {
        Self { trade: 20, quote: 50, book: 30 }
    }
}

/// What a tick did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) trade: Option<Trade>,
    pub(crate) touch_changed: bool,
}

/// The state of one symbol.
#[derive(Debug)]
pub(crate) struct Symbol {
    pub(crate) book: Book,
    pub(crate) trades: VecDeque<Trade>,
    pub(crate) open: i64,
    pub(crate) high: i64,
    pub(crate) low: i64,
    pub(crate) volume: u128,
    /// Sum of price times size.
    pub(crate) turnover: u128,
    pub(crate) ts_ns: u64,
    /// Updates so far of trade, ticker, book.
    pub(crate) sequences: [u64; 3],
    levels_max: usize,
    trade_id: u64,
}

impl Symbol {
    /// A full book around the first price, and a first trade, so that there is a last price.
    pub(crate) fn new(
        instrument: &Instrument,
        levels_max: usize,
        ts_ns: u64,
        rng: &mut Rng,
    ) -> Self {
        let mut book = Book::default();
        let step = instrument.price_increment;
        let (mut bid, mut ask) = (instrument.price_start - step, instrument.price_start + step);
        for _ in 0..levels_max {
            book.push(Side::Bid, Level { price: bid, qty: any_qty(instrument, rng) });
            book.push(Side::Ask, Level { price: ask, qty: any_qty(instrument, rng) });
            bid -= step * rng.i64(1..=3);
            ask += step * rng.i64(1..=3);
        }
        let open = instrument.price_start;
        let mut symbol = Self {
            book,
            trades: VecDeque::with_capacity(TRADES_MAX),
            open,
            high: open,
            low: open,
            volume: 0,
            turnover: 0,
            ts_ns,
            sequences: [0; 3],
            levels_max,
            trade_id: 0,
        };
        symbol.execute(true, open, any_qty(instrument, rng));
        symbol
    }

    /// One tick at `ts_ns`; `ops` receives what it did to the book, never nothing.
    pub(crate) fn tick(
        &mut self,
        instrument: &Instrument,
        mix: Mix,
        ts_ns: u64,
        rng: &mut Rng,
        ops: &mut Vec<Op>,
    ) -> Outcome {
        ops.clear();
        self.ts_ns = ts_ns;
        let kind = rng.u32(..mix.trade + mix.quote + mix.book);
        let side = if rng.bool() { Side::Bid } else { Side::Ask };
        let trade = if kind < mix.trade {
            Some(self.take(instrument, side, rng, ops))
        } else {
            if kind < mix.trade + mix.quote {
                self.requote(instrument, side, rng, ops);
            } else {
                self.stir(instrument, side, rng, ops);
            }
            None
        };
        let touch_changed = ops.iter().any(|op| op.index == 0);
        Outcome { trade, touch_changed }
    }

    /// The price of the last trade.
    pub(crate) fn last(&self) -> i64 {
        self.trades.back().map_or(self.open, |trade| trade.price)
    }

    /// The mean price by size, cut to the price's precision.
    pub(crate) fn vwap(&self) -> i64 {
        self.turnover.checked_div(self.volume).map_or(self.open, |mean| mean as i64)
    }

    /// A taker takes some or all of the best level of `side`.
    fn take(
        &mut self,
        instrument: &Instrument,
        side: Side,
        rng: &mut Rng,
        ops: &mut Vec<Op>,
    ) -> Trade {
        let best = self.book.side(side)[0];
        let takes_all = best.qty == 1 || rng.u8(..4) == 0;
        let qty = if takes_all && self.may_leave(instrument, side) {
            self.leave(instrument, side, 0, rng, ops);
            best.qty
        } else if best.qty == 1 {
            // The last lot of a level that must stay: it is taken, and offered anew in a larger
            // size at once.
            self.book.change(side, 0, any_qty(instrument, rng) + 1, ops);
            1
        } else {
            let qty = rng.i64(1..best.qty);
            self.book.change(side, 0, best.qty - qty, ops);
            qty
        };
        self.execute(side == Side::Ask, best.price, qty)
    }

    fn execute(&mut self, taker_buys: bool, price: i64, qty: i64) -> Trade {
        self.trade_id += 1;
        let trade = Trade { taker_buys, price, qty, id: self.trade_id, ts_ns: self.ts_ns };
        if self.trades.len() == TRADES_MAX {
            self.trades.pop_front();
        }
        self.trades.push_back(trade);
        self.high = self.high.max(price);
        self.low = self.low.min(price);
        self.volume += qty as u128;
        self.turnover += price as u128 * qty as u128;
        trade
    }

    /// The best level changes its size, is improved on, or leaves.
    fn requote(&mut self, instrument: &Instrument, side: Side, rng: &mut Rng, ops: &mut Vec<Op>) {
        let step = instrument.price_increment;
        let (bid, ask) = self.book.touch();
        let free_steps = (ask.price - bid.price) / step - 1;
        match rng.u8(..10) {
            0..=1 if free_steps > 0 => {
                let inward = step * rng.i64(1..=free_steps.min(3));
                let price = if side == Side::Bid { bid.price + inward } else { ask.price - inward };
                self.join(side, 0, Level { price, qty: any_qty(instrument, rng) }, ops);
            }
            2..=3 if self.may_leave(instrument, side) => self.leave(instrument, side, 0, rng, ops),
            _ => self.resize(instrument, side, 0, rng, ops),
        }
    }

    /// A level behind the best one changes, joins or leaves; the nearer, the likelier.
    fn stir(&mut self, instrument: &Instrument, side: Side, rng: &mut Rng, ops: &mut Vec<Op>) {
        let levels = self.book.side(side);
        let mut index = 1;
        while index + 1 < levels.len() && rng.u8(..5) != 0 {
            index += 1;
        }
        let step = instrument.price_increment;
        let gap_steps = (levels[index].price - levels[index - 1].price).abs() / step - 1;
        match rng.u8(..10) {
            0..=1 if gap_steps > 0 => {
                let outward = step * rng.i64(1..=gap_steps);
                let before = levels[index - 1].price;
                let price = if side == Side::Bid { before - outward } else { before + outward };
                self.join(side, index, Level { price, qty: any_qty(instrument, rng) }, ops);
            }
            2..=3 if self.can_refill(instrument, side) => {
                self.leave(instrument, side, index, rng, ops);
            }
            _ => self.resize(instrument, side, index, rng, ops),
        }
    }

    fn resize(
        &mut self,
        instrument: &Instrument,
        side: Side,
        index: usize,
        rng: &mut Rng,
        ops: &mut Vec<Op>,
    ) {
        let before = self.book.side(side)[index].qty;
        let qty = any_qty(instrument, rng);
        // A tick that changes nothing would be an update without content.
        self.book.change(side, index, if qty == before { qty + 1 } else { qty }, ops);
    }

    fn join(&mut self, side: Side, index: usize, level: Level, ops: &mut Vec<Op>) {
        self.book.insert(side, index, level, ops);
        if self.book.side(side).len() > self.levels_max {
            self.book.remove(side, self.levels_max, ops);
        }
    }

    /// A level goes, and a new one appears behind the last.
    fn leave(
        &mut self,
        instrument: &Instrument,
        side: Side,
        index: usize,
        rng: &mut Rng,
        ops: &mut Vec<Op>,
    ) {
        let last = self.book.side(side)[self.book.side(side).len() - 1].price;
        self.book.remove(side, index, ops);
        let outward = instrument.price_increment * rng.i64(1..=3);
        let price = if side == Side::Bid { last - outward } else { last + outward };
        let behind = self.book.side(side).len();
        self.book.insert(side, behind, Level { price, qty: any_qty(instrument, rng) }, ops);
    }

    /// Whether the best level may go: the spread stays small, and the price between half and
    /// twice the first one.
    fn may_leave(&self, instrument: &Instrument, side: Side) -> bool {
        let (bid, ask) = self.book.touch();
        let within = match side {
            Side::Bid => bid.price > instrument.price_start / 2,
            Side::Ask => ask.price < instrument.price_start * 2,
        };
        within
            && ask.price - bid.price < SPREAD_MAX * instrument.price_increment
            && self.can_refill(instrument, side)
    }

    fn can_refill(&self, instrument: &Instrument, side: Side) -> bool {
        let levels = self.book.side(side);
        side == Side::Ask || levels[levels.len() - 1].price > 3 * instrument.price_increment
    }
}

fn any_qty(instrument: &Instrument, rng: &mut Rng) -> i64 {
    rng.i64(1..=instrument.qty_usual * 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::names::instruments;

    fn check_book(symbol: &Symbol, instrument: &Instrument) {
        let step = instrument.price_increment;
        for (side, sign) in [(Side::Bid, -1), (Side::Ask, 1)] {
            let levels = symbol.book.side(side);
            assert_eq!(levels.len(), symbol.levels_max);
            assert!(levels.iter().all(|level| level.qty > 0 && level.price > 0));
            assert!(levels.iter().all(|level| level.price % step == 0));
            assert!(levels.windows(2).all(|pair| (pair[1].price - pair[0].price) * sign > 0));
        }
        let (bid, ask) = symbol.book.touch();
        assert!(bid.price < ask.price);
    }

    #[test]
    fn a_long_walk_never_crosses_empties_or_unsorts_a_book() {
        let mut rng = Rng::with_seed(7);
        for instrument in instruments(30, &mut rng) {
            let mut symbol = Symbol::new(&instrument, 12, 0, &mut rng);
            let mut ops = Vec::new();
            for ts_ns in 1..3_000 {
                let before = symbol.book.touch();
                let outcome = symbol.tick(&instrument, Mix::default(), ts_ns, &mut rng, &mut ops);
                check_book(&symbol, &instrument);
                assert_eq!(outcome.touch_changed, symbol.book.touch() != before);
                if let Some(trade) = outcome.trade {
                    let best = if trade.taker_buys { before.1 } else { before.0 };
                    assert_eq!(trade.price, best.price);
                    assert!(trade.qty >= 1 && trade.qty <= best.qty);
                }
            }
        }
    }
}
