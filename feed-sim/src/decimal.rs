//! Numbers as venues print them: an integer mantissa and a count of decimals, never a float.
//!
//! Pure functions. Invariant: text made from a mantissa and parsed back is the same mantissa.
//! `Key` orders texts of any number of decimals without rounding; it does no arithmetic.

/// Decimals that a `Key` can tell apart.
const KEY_DECIMALS: usize = 12;

/// A non-negative decimal text as a number that sorts: the value times 10^12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(u128);

impl Key {
    /// None when the text is no plain decimal, or is finer than 10^-12.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if whole.is_empty() || whole.len() > 18 || fraction.len() > KEY_DECIMALS {
            return None;
        }
        let mut value = 0u128;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return None;
            }
            value = value * 10 + u128::from(byte - b'0');
        }
        Some(Self(value * 10u128.pow((KEY_DECIMALS - fraction.len()) as u32)))
    }

    /// Whether the text said nothing but zeros.
    pub(crate) fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// Digits after the point.
pub(crate) fn decimals(text: &str) -> u8 {
    text.split_once('.').map_or(0, |(_, fraction)| fraction.len() as u8)
}

/// Appends `mantissa / 10^decimals` with exactly `decimals` digits after the point.
pub(crate) fn write(out: &mut Vec<u8>, mantissa: i64, decimals: u8) {
    if mantissa < 0 {
        out.push(b'-');
    }
    write_unsigned(out, u128::from(mantissa.unsigned_abs()), decimals);
}

/// As [`write`], for sums that outgrow 64 bits.
pub(crate) fn write_unsigned(out: &mut Vec<u8>, mantissa: u128, decimals: u8) {
    let mut buffer = itoa::Buffer::new();
    // 64-bit printing is several times cheaper, and nearly every number fits.
    let digits = match u64::try_from(mantissa) {
        Ok(short) => buffer.format(short),
        Err(_) => buffer.format(mantissa),
    }
    .as_bytes();
    let decimals = usize::from(decimals);
    if decimals == 0 {
        out.extend_from_slice(digits);
    } else if digits.len() > decimals {
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    } else {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + decimals - digits.len(), b'0');
        out.extend_from_slice(digits);
    }
}

/// Appends text as it is.
pub(crate) fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Appends an integer.
pub(crate) fn write_integer(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mantissa: i64, decimals: u8, text: &str) {
        let mut out = Vec::new();
        write(&mut out, mantissa, decimals);
        assert_eq!(String::from_utf8(out).expect("ascii"), text);
    }

    #[test]
    fn a_mantissa_prints_with_every_decimal() {
        check(294_303, 1, "29430.3");
        check(100_000, 8, "0.00100000");
        check(0, 8, "0.00000000");
        check(-5, 2, "-0.05");
        check(42, 0, "42");
    }

    #[test]
    fn keys_compare_by_value_whatever_the_decimals() {
        let key = |text| Key::parse(text).expect(text);
        assert_eq!(key("1.50"), key("1.5000"));
        assert!(key("9.9") < key("10"));
        assert!(key("0.00000000").is_zero());
        for bad in ["", ".5", "1e5", "-1", "1.0000000000001"] {
            assert_eq!(Key::parse(bad), None, "{bad}");
        }
    }
}
