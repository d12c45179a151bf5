//! Writes scaled whole numbers as decimal text, without allocation.
//!
//! One place makes every price and size a dashboard reads and every text a checksum covers, so the
//! two cannot disagree.

/// Appends `mantissa x 10^-scale` with exactly `scale` digits behind the point.
pub fn write_fixed(mantissa: i128, scale: u8, out: &mut Vec<u8>) {
    if let Ok(small) = i64::try_from(mantissa) {
        write_fixed_i64(small, scale, out);
        return;
    }
    if mantissa < 0 {
        out.push(b'-');
    }
    let mut text = itoa::Buffer::new();
    place_point(text.format(mantissa.unsigned_abs()).as_bytes(), scale, out);
}

/// As [`write_fixed`], for the common case.
pub fn write_fixed_i64(mantissa: i64, scale: u8, out: &mut Vec<u8>) {
    if mantissa < 0 {
        out.push(b'-');
    }
    let mut text = itoa::Buffer::new();
    place_point(text.format(mantissa.unsigned_abs()).as_bytes(), scale, out);
}

fn place_point(digits: &[u8], scale: u8, out: &mut Vec<u8>) {
    let scale = usize::from(scale);
    if scale == 0 {
        out.extend_from_slice(digits);
    } else if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    } else {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + scale - digits.len(), b'0');
        out.extend_from_slice(digits);
    }
}

/// Appends a whole number.
pub fn write_u64(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_point_stands_where_the_scale_says() {
        let cases: [(i128, u8, &str); 7] = [
            (0, 0, "0"),
            (0, 3, "0.000"),
            (5, 3, "0.005"),
            (-12345, 2, "-123.45"),
            (-1, 1, "-0.1"),
            (i128::from(i64::MAX) * 100, 4, "92233720368547758.0700"),
            (i128::from(i64::MIN), 0, "-9223372036854775808"),
        ];
        for (mantissa, scale, expected) in cases {
            let mut out = Vec::new();
            write_fixed(mantissa, scale, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }
}
