//! One execution, and the tape of the latest ones.

use std::collections::VecDeque;

use crate::{Nanos, Price, Size};

/// How many trades a new subscriber is shown.
pub const TAPE_LENGTH: usize = 50;

/// Bytes of a trade in a record.
pub(crate) const TRADE_BYTES: usize = 4 * 8 + 2;

/// Who crossed the spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The taker bought.
    Buy,
    /// The taker sold.
    Sell,
}

/// The taker's order kind; venues that do not say are read as market orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKind {
    /// Took what stood there.
    Market,
    /// A priced order that crossed.
    Limit,
}

/// One execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Price paid.
    pub price: Price,
    /// Size exchanged.
    pub size: Size,
    /// Who crossed the spread.
    pub side: Side,
    /// The taker's order kind.
    pub order_kind: OrderKind,
    /// The venue's number of this execution.
    pub trade_id: u64,
    /// When the venue says it happened.
    pub ts_event: Nanos,
}

/// The latest [`TAPE_LENGTH`] trades, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tape(VecDeque<Trade>);

impl Default for Tape {
    fn default() -> Self {
        Self(VecDeque::with_capacity(TAPE_LENGTH))
    }
}

impl Tape {
    /// Adds the newest trade; the oldest falls off.
    pub fn push(&mut self, trade: Trade) {
        if self.0.len() == TAPE_LENGTH {
            self.0.pop_front();
        }
        self.0.push_back(trade);
    }

    /// Oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Trade> {
        self.0.iter()
    }
}
