//! Every trade that any session of a thread was told, once: what sessions must agree on, and what
//! is held against the published trades at the end.

use rustc_hash::FxHashMap;

use crate::scan::decimal::Decimal;
use crate::scan::items::Trade;

/// A trade's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// Price.
    pub price: Decimal,
    /// Size.
    pub qty: Decimal,
    /// True for `buy`.
    pub buy: bool,
}

impl Content {
    /// The content of `trade`, where its price and size are decimals.
    pub fn of(trade: &Trade<'_>) -> Option<Self> {
        let (price, qty) = (Decimal::parse(trade.price)?, Decimal::parse(trade.qty)?);
        Some(Self { price, qty, buy: trade.side == b"buy" })
    }
}

/// By symbol (position in the watch list), trades by id.
#[derive(Debug, Default)]
pub struct Tapes(FxHashMap<u32, Vec<(u64, Content)>>);

impl Tapes {
    /// Adds a trade; false if one of this id is there with another content.
    pub fn add(&mut self, symbol: u32, trade_id: u64, content: Content) -> bool {
        let tape = self.0.entry(symbol).or_default();
        match tape.last() {
            // By far the most usual: the same trade to the next session, or the next trade.
            Some((last, known)) if *last == trade_id => return *known == content,
            Some((last, _)) if *last > trade_id => {}
            _ => {
                tape.push((trade_id, content));
                return true;
            }
        }
        match tape.binary_search_by_key(&trade_id, |(id, _)| *id) {
            Ok(at) => tape[at].1 == content,
            Err(at) => {
                tape.insert(at, (trade_id, content));
                true
            }
        }
    }

    /// The trades of `symbol`, by id.
    pub fn of(&self, symbol: u32) -> &[(u64, Content)] {
        self.0.get(&symbol).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_must_agree_on_a_trade_in_whatever_order_it_reaches_them() {
        let content = |price: &'static str| {
            Content::of(&Trade { trade_id: 0, price: price.as_bytes(), qty: b"1", side: b"buy" })
                .unwrap()
        };
        let mut tapes = Tapes::default();
        assert!(tapes.add(0, 5, content("1.0")) && tapes.add(0, 7, content("2")));
        assert!(tapes.add(0, 5, content("1.00")) && tapes.add(0, 6, content("3")));
        assert!(!tapes.add(0, 6, content("4")) && !tapes.add(0, 7, content("5")));
        assert_eq!(tapes.of(0).iter().map(|(id, _)| *id).collect::<Vec<_>>(), [5, 6, 7]);
        assert!(tapes.of(1).is_empty());
    }
}
