//! Division of whole numbers, rounded to the nearest, half away from zero.

/// `numerator / denominator` rounded; none when the denominator is zero or the result does not fit.
pub fn rounded_ratio(numerator: i128, denominator: i128) -> Option<i64> {
    if denominator == 0 {
        return None;
    }
    let (quotient, remainder) = (numerator / denominator, numerator % denominator);
    let rounds_up = remainder.unsigned_abs() >= denominator.unsigned_abs().div_ceil(2);
    let away = if (numerator < 0) == (denominator < 0) { 1 } else { -1 };
    i64::try_from(if rounds_up { quotient + away } else { quotient }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_round_away_from_zero() {
        let cases =
            [(5, 2, 3), (-5, 2, -3), (4, 3, 1), (-4, 3, -1), (5, 3, 2), (7, -2, -4), (1, 3, 0)];
        for (numerator, denominator, expected) in cases {
            assert_eq!(rounded_ratio(numerator, denominator), Some(expected));
        }
        assert_eq!(rounded_ratio(1, 0), None);
        assert_eq!(rounded_ratio(i128::MAX, 1), None);
    }
}
