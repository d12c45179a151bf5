//! A decimal number: a whole mantissa and how many of its digits stand behind the point.
//!
//! Text in is text out, trailing zeros included, because venues checksum the text of their prices.
//! There is no arithmetic with floats anywhere, and no rounding that was not asked for by name.

use thiserror::Error;

use crate::digits;

/// The most digits behind the point; 10^18 is the largest power of ten an `i64` holds.
pub const SCALE_MAX: u8 = 18;

/// `mantissa x 10^-scale`. Two decimals are equal when their texts are: 1.0 is not 1.00.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Decimal {
    mantissa: i64,
    scale: u8,
}

/// Why a text or a conversion was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecimalError {
    /// Not a number in JSON's grammar.
    #[error("not a decimal number")]
    Malformed,
    /// The digits do not fit 63 bits, or more than [`SCALE_MAX`] stand behind the point.
    #[error("decimal number out of range")]
    OutOfRange,
    /// The value has digits finer than the precision asked for.
    #[error("decimal number is finer than the instrument's precision")]
    TooFine,
}

impl Decimal {
    /// Zero without digits behind the point.
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };

    /// `mantissa x 10^-scale`; a scale above [`SCALE_MAX`] is refused.
    pub const fn new(mantissa: i64, scale: u8) -> Result<Self, DecimalError> {
        if scale > SCALE_MAX {
            return Err(DecimalError::OutOfRange);
        }
        Ok(Self { mantissa, scale })
    }

    /// Reads `-12.340`, also `1.2e-5`, as JSON writes numbers (a leading `+` or a bare `.5` is
    /// refused; leading zeros are accepted, since some venues pad).
    pub fn parse(text: &[u8]) -> Result<Self, DecimalError> {
        Self::parse_short(text).map_or_else(|| Self::parse_any(text), Ok)
    }

    /// Nearly every price and size: without exponent, and too short to overflow. None for all else.
    #[inline]
    fn parse_short(text: &[u8]) -> Option<Self> {
        const BYTES_MAX: usize = 18;
        let (negative, digits) = split_sign(text);
        if digits.len() > BYTES_MAX {
            return None;
        }
        let mut mantissa = 0;
        let whole_count = take_digits(digits, &mut mantissa);
        let scale = match &digits[whole_count..] {
            [] => 0,
            [b'.', fraction @ ..] => {
                let count = take_digits(fraction, &mut mantissa);
                if count == 0 || count < fraction.len() {
                    return None;
                }
                count
            }
            _ => return None,
        };
        let mantissa = mantissa as i64;
        let value =
            Self { mantissa: if negative { -mantissa } else { mantissa }, scale: scale as u8 };
        (whole_count > 0).then_some(value)
    }

    fn parse_any(text: &[u8]) -> Result<Self, DecimalError> {
        let (negative, digits) = split_sign(text);
        let mut mantissa: i64 = 0;
        let mut scale: u8 = 0;
        let mut digit_count = 0_usize;
        let mut point_seen = false;
        let mut index = 0;
        while index < digits.len() {
            match digits[index] {
                digit @ b'0'..=b'9' => {
                    mantissa = mantissa
                        .checked_mul(10)
                        .and_then(|m| m.checked_add(i64::from(digit - b'0')))
                        .ok_or(DecimalError::OutOfRange)?;
                    digit_count += 1;
                    scale += u8::from(point_seen);
                    if scale > SCALE_MAX {
                        return Err(DecimalError::OutOfRange);
                    }
                }
                b'.' if !point_seen && digit_count > 0 => point_seen = true,
                b'e' | b'E' if digit_count > 0 => break,
                _ => return Err(DecimalError::Malformed),
            }
            index += 1;
        }
        if digit_count == 0 || digits.get(index.wrapping_sub(1)) == Some(&b'.') {
            return Err(DecimalError::Malformed);
        }
        let value = Self { mantissa: if negative { -mantissa } else { mantissa }, scale };
        if index == digits.len() { Ok(value) } else { value.times_ten_to(&digits[index + 1..]) }
    }

    fn times_ten_to(self, exponent: &[u8]) -> Result<Self, DecimalError> {
        let (sign, digits) = match exponent {
            [b'-', rest @ ..] => (-1_i32, rest),
            [b'+', rest @ ..] => (1, rest),
            _ => (1, exponent),
        };
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(DecimalError::Malformed);
        }
        let size = digits
            .iter()
            .try_fold(0_i32, |e, d| e.checked_mul(10)?.checked_add(i32::from(d - b'0')))
            .ok_or(DecimalError::OutOfRange)?;
        let scale = i32::from(self.scale).saturating_sub(sign * size);
        if scale > i32::from(SCALE_MAX) {
            return Err(DecimalError::OutOfRange);
        }
        if scale >= 0 {
            return Ok(Self { mantissa: self.mantissa, scale: scale as u8 });
        }
        let mantissa = power_of_ten(scale.unsigned_abs())
            .and_then(|p| self.mantissa.checked_mul(p))
            .ok_or(DecimalError::OutOfRange)?;
        Ok(Self { mantissa, scale: 0 })
    }

    /// The whole number before scaling.
    pub const fn mantissa(self) -> i64 {
        self.mantissa
    }

    /// How many digits stand behind the point.
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// The mantissa this value has at `precision` digits behind the point: exact, or refused.
    pub fn at_precision(self, precision: u8) -> Result<i64, DecimalError> {
        if precision >= self.scale {
            return power_of_ten(u32::from(precision - self.scale))
                .and_then(|p| self.mantissa.checked_mul(p))
                .ok_or(DecimalError::OutOfRange);
        }
        let divisor = power_of_ten(u32::from(self.scale - precision)).expect("scale is bounded");
        if self.mantissa % divisor == 0 {
            Ok(self.mantissa / divisor)
        } else {
            Err(DecimalError::TooFine)
        }
    }

    /// Appends the text, with exactly `scale` digits behind the point.
    pub fn write_to(self, out: &mut Vec<u8>) {
        digits::write_fixed(i128::from(self.mantissa), self.scale, out);
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = Vec::with_capacity(24);
        self.write_to(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

impl std::str::FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes())
    }
}

fn power_of_ten(exponent: u32) -> Option<i64> {
    10_i64.checked_pow(exponent)
}

fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    }
}

/// Appends the digits that `text` begins with to `number`, which has room for them; returns how
/// many they are.
#[inline]
fn take_digits(text: &[u8], number: &mut u64) -> usize {
    let mut count = 0;
    while let Some(eight) = text[count..].first_chunk().and_then(|text| eight_digits(*text)) {
        *number = *number * 100_000_000 + eight;
        count += 8;
    }
    while let Some(byte) = text.get(count)
        && byte.is_ascii_digit()
    {
        *number = *number * 10 + u64::from(byte - b'0');
        count += 1;
    }
    count
}

/// The number that eight digits make, by three multiplications: neighbours become pairs, pairs
/// fours, fours the whole. None where one of them is no digit.
#[inline]
fn eight_digits(text: [u8; 8]) -> Option<u64> {
    const ONES: u64 = u64::MAX / 255;
    // The first digit is the lowest byte.
    let word = u64::from_le_bytes(text);
    let digits = word.wrapping_sub(ONES * u64::from(b'0'));
    let above_nine = word.wrapping_add(ONES * u64::from(0x7f - b'9'));
    if (digits | above_nine) & (ONES << 7) != 0 {
        return None;
    }
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Result<(i64, u8), DecimalError>) {
        let parsed = Decimal::parse(text.as_bytes()).map(|d| (d.mantissa, d.scale));
        assert_eq!(parsed, expected, "{text:?}");
    }

    #[test]
    fn texts_are_read_exactly() {
        check("0", Ok((0, 0)));
        check("61837.63000000", Ok((6_183_763_000_000, 8)));
        check("-0.10", Ok((-10, 2)));
        check("0.00000001", Ok((1, 8)));
        check("007.5", Ok((75, 1)));
        check("1.5e3", Ok((1500, 0)));
        check("1e-05", Ok((1, 5)));
        check("2.50E+1", Ok((250, 1)));
        check("9223372036854775807", Ok((i64::MAX, 0)));
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        for text in
            ["", "-", ".", "1.", ".5", "+1", "1.2.3", "1e", "1e+", "NaN", "1 ", "0x1", "1e1e1"]
        {
            check(text, Err(DecimalError::Malformed));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_not_wrapped() {
        for text in [
            "9223372036854775808",
            "1e400",
            "1e-2147483647",
            "1.5e-2147483647",
            "1e19",
            "0.0000000000000000001",
            "1e-19",
        ] {
            check(text, Err(DecimalError::OutOfRange));
        }
    }

    #[test]
    fn a_precision_is_met_exactly_or_refused() {
        let value = Decimal::parse(b"61837.63000000").expect("a number");
        assert_eq!(value.at_precision(2), Ok(6_183_763));
        assert_eq!(value.at_precision(1), Err(DecimalError::TooFine));
        assert_eq!(value.at_precision(9), Ok(61_837_630_000_000));
        assert_eq!(value.at_precision(18), Err(DecimalError::OutOfRange));
    }

    #[test]
    fn eight_bytes_are_digits_or_none() {
        assert_eq!(eight_digits(*b"01234567"), Some(1_234_567));
        assert_eq!(eight_digits(*b"99999999"), Some(99_999_999));
        for at in 0..8 {
            for byte in 0..=u8::MAX {
                let mut text = *b"12345678";
                text[at] = byte;
                let expected = std::str::from_utf8(&text).ok().filter(|t| !t.contains('+'));
                let expected = expected.and_then(|text| text.parse().ok());
                assert_eq!(eight_digits(text), expected, "{text:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_short_way_and_the_long_one_agree(
            text in r"-?[0-9]{0,12}(\.[0-9]{0,12})?([eE.x-][0-9]?)?",
        ) {
            if let Some(value) = Decimal::parse_short(text.as_bytes()) {
                prop_assert_eq!(Decimal::parse_any(text.as_bytes()), Ok(value));
            }
            let is_plain = text.len() <= 18 && !text.contains(['e', 'E']);
            if is_plain && let Ok(value) = Decimal::parse_any(text.as_bytes()) {
                prop_assert_eq!(Decimal::parse_short(text.as_bytes()), Some(value));
            }
        }

        #[test]
        fn text_in_is_text_out(mantissa in any::<i64>(), scale in 0..=SCALE_MAX) {
            prop_assume!(mantissa != i64::MIN);
            let value = Decimal::new(mantissa, scale).expect("scale in range");
            prop_assert_eq!(Decimal::parse(value.to_string().as_bytes()), Ok(value));
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = Decimal::parse(&bytes);
        }
    }
}
