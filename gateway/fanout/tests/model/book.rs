//! A book as a dashboard keeps it: cut to its depth after each level, as some dashboards do, and
//! held against the checksum of every frame.

use std::collections::BTreeMap;

use crate::said::{Item, Level, mantissa};
use crate::venue::Symbol;

/// Prices and their sizes.
#[derive(Debug, Default)]
pub(crate) struct Book {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

impl Book {
    /// Takes a snapshot or an update of so many levels a side.
    pub(crate) fn receive(&mut self, kind: &str, item: &Item<'_>, depth: usize) {
        if kind == "snapshot" {
            *self = Self::default();
        }
        for level in &item.bids {
            set(&mut self.bids, level);
            while self.bids.len() > depth {
                self.bids.pop_first();
            }
        }
        for level in &item.asks {
            set(&mut self.asks, level);
            while self.asks.len() > depth {
                self.asks.pop_last();
            }
        }
        let mut text = String::new();
        let asks = self.asks.iter().take(10);
        for (price, size) in asks.chain(self.bids.iter().rev().take(10)) {
            text.extend([price.to_string(), size.to_string()]);
        }
        let sum = crc32(text.as_bytes());
        assert_eq!(item.checksum, Some(sum), "{} {kind}: the book is another", item.symbol);
    }

    /// It is the venue's, as deep as it goes.
    pub(crate) fn is_top_of(&self, venue: &Symbol, depth: usize) -> bool {
        self.bids.iter().rev().eq(venue.bids.iter().rev().take(depth))
            && self.asks.iter().eq(venue.asks.iter().take(depth))
    }
}

fn set(side: &mut BTreeMap<i64, i64>, level: &Level<'_>) {
    let price = mantissa(level.price).expect("a price");
    match mantissa(level.qty).expect("a size") {
        0 => assert!(side.remove(&price).is_some(), "a removal of what is not there"),
        size => drop(side.insert(price, size)),
    }
}

/// The plain bitwise CRC32, to owe nothing to the crate under test.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}
