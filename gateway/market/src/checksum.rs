//! The book checksum of Kraken's WebSocket API v2: CRC32 of the text of the ten best levels a side.
//!
//! Asks come first (low to high), then bids (high to low); of each level its price, then its size,
//! printed at the instrument's precision, the point and then leading zeros removed. That text is
//! the decimal digits of the whole number we already hold, so the precision is not needed here.
//! Rule: docs.kraken.com, guides/websockets/book-checksum-v2.

use crate::Level;

/// Digits of an `i64` above zero, at most.
const DIGITS_MAX: usize = 19;

/// Collects levels and hashes once.
pub struct Checksum {
    text: [u8; Self::DEPTH * 2 * 2 * DIGITS_MAX],
    length: usize,
}

impl Default for Checksum {
    fn default() -> Self {
        Self { text: [0; Self::DEPTH * 2 * 2 * DIGITS_MAX], length: 0 }
    }
}

impl Checksum {
    /// Levels of each side that count.
    pub const DEPTH: usize = 10;

    /// Adds the next level; at most [`Self::DEPTH`] of each side.
    pub fn add(&mut self, level: Level) {
        let mut digits = itoa::Buffer::new();
        for value in [level.price.0, level.size.0] {
            if value != 0 {
                let text = digits.format(value.unsigned_abs()).as_bytes();
                self.text[self.length..self.length + text.len()].copy_from_slice(text);
                self.length += text.len();
            }
        }
    }

    /// The CRC32 (IEEE) of all that was added.
    pub fn value(&self) -> u32 {
        crc32fast::hash(&self.text[..self.length])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Price, Size};

    #[test]
    fn the_text_has_neither_point_nor_leading_zeros() {
        // 0.05005 x 0.00000500, then 0.05010 x 0.00000500, at precisions 5 and 8.
        let mut sum = Checksum::default();
        sum.add(Level { price: Price(5005), size: Size(500) });
        sum.add(Level { price: Price(5010), size: Size(500) });
        assert_eq!(sum.value(), crc32fast::hash(b"50055005010500"));
    }

    #[test]
    fn the_largest_levels_fit() {
        let mut sum = Checksum::default();
        for _ in 0..2 * Checksum::DEPTH {
            sum.add(Level { price: Price(i64::MAX), size: Size(i64::MAX) });
        }
        let digits = "9223372036854775807".repeat(4 * Checksum::DEPTH);
        assert_eq!(sum.value(), crc32fast::hash(digits.as_bytes()));
    }
}
