//! A book of texts, as a dashboard keeps it and as a recording builds it, with a CRC32 of our own.
//!
//! Shares nothing with the gateway's: sides are maps by price, prices are texts padded to whole
//! numbers, the checksum is the documented one over the texts.

use std::collections::BTreeMap;

/// Price and size as texts.
pub type Level = (String, String);

/// Both sides, best first.
pub type Levels = [Vec<Level>; 2];

/// Digits behind the point that a key holds; no venue sends more.
const KEY_DIGITS: usize = 12;
/// Levels a checksum covers.
const CHECKED: usize = 10;

#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Bids, asks.
    sides: [BTreeMap<u128, Level>; 2],
}

impl Book {
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Sets a level, or removes it when its size is zero. False when there was nothing to remove.
    pub fn set(&mut self, side: usize, price: &str, size: &str) -> bool {
        let key = key(price);
        if size.bytes().all(|byte| matches!(byte, b'0' | b'.')) {
            return self.sides[side].remove(&key).is_some();
        }
        self.sides[side].insert(key, (price.to_owned(), size.to_owned()));
        true
    }

    /// Cuts what lies deeper.
    pub fn truncate(&mut self, depth: usize) {
        while self.sides[0].len() > depth {
            self.sides[0].pop_first();
        }
        while self.sides[1].len() > depth {
            self.sides[1].pop_last();
        }
    }

    pub fn is_crossed(&self) -> bool {
        let [bids, asks] = &self.sides;
        let (bid, ask) = (bids.last_key_value(), asks.first_key_value());
        bid.zip(ask).is_some_and(|(bid, ask)| bid.0 >= ask.0)
    }

    /// The best `depth` levels of each side.
    pub fn top(&self, depth: usize) -> Levels {
        [self.bids().take(depth).cloned().collect(), self.asks().take(depth).cloned().collect()]
    }

    /// Whether the best `depth` levels of each side are the same texts.
    pub fn has_same_top(&self, other: &Self, depth: usize) -> bool {
        self.bids().take(depth).eq(other.bids().take(depth))
            && self.asks().take(depth).eq(other.asks().take(depth))
    }

    /// CRC32 of the top ten asks, then bids: each price and size without point and leading zeros.
    pub fn checksum(&self) -> u64 {
        let mut digits = String::new();
        for (price, size) in self.asks().take(CHECKED).chain(self.bids().take(CHECKED)) {
            for number in [price, size] {
                digits.push_str(number.replace('.', "").trim_start_matches('0'));
            }
        }
        u64::from(crc32(digits.as_bytes()))
    }

    fn bids(&self) -> impl Iterator<Item = &Level> {
        self.sides[0].values().rev()
    }

    fn asks(&self) -> impl Iterator<Item = &Level> {
        self.sides[1].values()
    }
}

fn key(price: &str) -> u128 {
    let (whole, fraction) = price.split_once('.').unwrap_or((price, ""));
    assert!(fraction.len() <= KEY_DIGITS, "a price of more digits than expected: {price}");
    format!("{whole}{fraction:0<KEY_DIGITS$}").parse().expect("a price is a decimal")
}

/// CRC-32 as in IEEE 802.3, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 * (crc & 1)))
    })
}

#[test]
fn the_checksum_is_the_one_everybody_knows() {
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    let mut book = Book::default();
    assert!(
        book.set(0, "9.50", "0.10") && book.set(0, "10.00", "2.00") && book.set(1, "10.5", "1")
    );
    assert!(!book.set(1, "11", "0.00"), "nothing to remove");
    assert_eq!(book.checksum(), u64::from(crc32(b"1051100020095010")));
    book.truncate(1);
    assert_eq!(book.top(5)[0], [("10.00".to_owned(), "2.00".to_owned())]);
    assert!(!book.is_crossed() && book.set(1, "10", "1") && book.is_crossed());
}
