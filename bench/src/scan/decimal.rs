//! Decimals as the gateway wrote them: digits and scale, never a float.
//!
//! The text matters: 1.50 and 1.5 are equal as prices, but their checksums differ.

use std::cmp::Ordering;
use std::fmt;

/// A number that is not negative, with the decimals it was written with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decimal {
    /// All its digits as one number.
    digits: u128,
    /// How many of them stand behind the point.
    scale: u8,
}

/// More digits than any instrument has; 10^38 still fits.
const DIGITS_MAX: usize = 38;

impl Decimal {
    /// Reads `123.4500`; an exponent moves the point. None for anything else.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let exponent_at = text.iter().position(|byte| matches!(byte, b'e' | b'E'));
        let (plain, exponent) = match exponent_at {
            None => (text, 0i32),
            Some(at) => (&text[..at], std::str::from_utf8(&text[at + 1..]).ok()?.parse().ok()?),
        };
        let mut digits = 0u128;
        let mut point = None;
        for (at, byte) in plain.iter().enumerate() {
            match byte {
                b'0'..=b'9' if at <= DIGITS_MAX => {
                    digits = digits.checked_mul(10)?.checked_add(u128::from(byte - b'0'))?;
                }
                b'.' if point.is_none() && at > 0 => point = Some(at),
                _ => return None,
            }
        }
        let behind = point.map_or(0, |at| plain.len() - at - 1);
        if plain.is_empty() || (point.is_some() && behind == 0) {
            return None;
        }
        let scale = i32::try_from(behind).ok()?.checked_sub(exponent)?;
        if scale < 0 {
            let factor = 10u128.checked_pow(scale.unsigned_abs())?;
            return Some(Self { digits: digits.checked_mul(factor)?, scale: 0 });
        }
        let scale = u8::try_from(scale).ok().filter(|scale| usize::from(*scale) <= DIGITS_MAX)?;
        Some(Self { digits, scale })
    }

    /// Whether it is nothing: a level of this size is removed.
    pub fn is_zero(self) -> bool {
        self.digits == 0
    }

    /// What a book checksum sees of it: no point, no leading zeros.
    pub fn digits(self) -> u128 {
        self.digits
    }

    fn scaled_to(self, scale: u8) -> Option<u128> {
        self.digits.checked_mul(10u128.checked_pow(u32::from(scale - self.scale))?)
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.scale == other.scale {
            return self.digits.cmp(&other.digits);
        }
        let scale = self.scale.max(other.scale);
        match (self.scaled_to(scale), other.scaled_to(scale)) {
            (Some(one), Some(two)) => one.cmp(&two),
            // The one that does not fit is the larger.
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (None, None) => Ordering::Equal,
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = usize::from(self.scale);
        if scale == 0 {
            return write!(f, "{}", self.digits);
        }
        let text = format!("{:0width$}", self.digits, width = scale + 1);
        let (whole, behind) = text.split_at(text.len() - scale);
        write!(f, "{whole}.{behind}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn text_in_is_text_out() {
        for text in ["0", "0.00000100", "45285.2", "123456789012345678.12345678", "1.50"] {
            assert_eq!(decimal(text).to_string(), text);
        }
        assert_eq!(decimal("1e-8").to_string(), "0.00000001");
        assert_eq!(decimal("2.5E3").to_string(), "2500");
    }

    #[test]
    fn equal_prices_are_equal_whatever_their_zeros_but_their_digits_are_not() {
        assert_eq!(decimal("1.50"), decimal("1.5"));
        assert_ne!(decimal("1.50").digits(), decimal("1.5").digits());
        assert!(decimal("1.51") > decimal("1.5"));
        assert!(decimal("0.000").is_zero());
    }

    #[test]
    fn what_is_no_plain_number_is_none() {
        let long = "9".repeat(60);
        for text in ["", ".", "1.", ".5", "-1", "1.2.3", "abc", "1e", "1e99", long.as_str()] {
            assert_eq!(Decimal::parse(text.as_bytes()), None, "{text}");
        }
    }
}
