//! Kraken's book checksum: CRC32 over the digits of the top ten asks, then of the top ten bids.
//!
//! Pure. Each number is taken as printed, without its point and without leading zeros; an integer
//! mantissa at the instrument's precision prints as exactly that.
//! (docs.kraken.com, guides/websockets/book-checksum-v2)

use crc32fast::Hasher;

/// Levels of each side that the checksum covers.
pub(crate) const LEVELS: usize = 10;

/// Collects the digits of a book, asks first.
#[derive(Debug, Default)]
pub(crate) struct Checksum {
    digits: Vec<u8>,
}

impl Checksum {
    /// Starts anew, keeping the buffer.
    pub(crate) fn begin(&mut self) -> &mut Self {
        self.digits.clear();
        self
    }

    /// Adds a price or quantity by its mantissa.
    pub(crate) fn add_mantissa(&mut self, mantissa: i64) {
        self.digits.extend_from_slice(itoa::Buffer::new().format(mantissa).as_bytes());
    }

    /// Adds a price or quantity by its text.
    pub(crate) fn add_text(&mut self, text: &str) {
        let digits = text.bytes().filter(|&byte| byte != b'.').skip_while(|&byte| byte == b'0');
        self.digits.extend(digits);
    }

    /// The CRC32 of everything added.
    pub(crate) fn value(&self) -> u32 {
        let mut hasher = Hasher::new();
        hasher.update(&self.digits);
        hasher.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_mantissa_give_the_same_digits() {
        let mut text = Checksum::default();
        text.add_text("0.00100000");
        text.add_text("29430.3");
        let mut mantissa = Checksum::default();
        mantissa.add_mantissa(100_000);
        mantissa.add_mantissa(294_303);
        assert_eq!(text.digits, b"100000294303");
        assert_eq!(text.value(), mantissa.value());
    }
}
