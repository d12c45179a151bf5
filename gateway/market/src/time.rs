//! Nanoseconds since 1970 (UTC) and their RFC 3339 text.
//!
//! No clock is read here: times come in as arguments. Leap seconds do not exist in this count, as
//! on every venue we know.

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const SECONDS_PER_DAY: u64 = 86_400;

/// Nanoseconds since 1970-01-01T00:00:00Z; zero means "not stated".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The venue did not say.
    pub const UNKNOWN: Self = Self(0);

    /// From milliseconds since 1970; saturates at the end of the range (year 2554).
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// This time, or `other` where it is not stated.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        if self.0 == 0 { other } else { self }
    }

    /// Reads `2023-07-30T15:29:58.343415Z`: 0 to 9 digits of fraction, `Z` or `+00:00`.
    pub fn parse_rfc3339(text: &[u8]) -> Option<Self> {
        let (head, tail) = text.split_at_checked(19)?;
        let pair = |at: usize| -> Option<u64> {
            let (tens, ones) = (head[at].wrapping_sub(b'0'), head[at + 1].wrapping_sub(b'0'));
            (tens < 10 && ones < 10).then(|| u64::from(tens) * 10 + u64::from(ones))
        };
        let separators = [head[4], head[7], head[10], head[13], head[16]];
        if !matches!(separators, [b'-', b'-', b'T' | b't' | b' ', b':', b':']) {
            return None;
        }
        let year = pair(0)? * 100 + pair(2)?;
        let (month, day) = (pair(5)?, pair(8)?);
        let (hour, minute, second) = (pair(11)?, pair(14)?, pair(17)?);
        let in_range = (1970..=2550).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && hour < 24
            && minute < 60
            && second <= 60;
        if !in_range {
            return None;
        }
        let (fraction, zone) = fraction_nanos(tail)?;
        if !matches!(zone, b"Z" | b"z" | b"+00:00" | b"-00:00") {
            return None;
        }
        let seconds = days_from_civil(year, month, day) * SECONDS_PER_DAY
            + hour * 3600
            + minute * 60
            + second;
        Some(Self(seconds * NANOS_PER_SECOND + fraction))
    }

    /// Appends `2023-07-30T15:29:58.343415Z`: microseconds, cut and not rounded.
    pub fn write_rfc3339(self, out: &mut Vec<u8>) {
        let seconds = self.0 / NANOS_PER_SECOND;
        let (year, month, day) = civil_from_days(seconds / SECONDS_PER_DAY);
        let in_day = seconds % SECONDS_PER_DAY;
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        write_padded(&mut text[0..4], year);
        write_padded(&mut text[5..7], month);
        write_padded(&mut text[8..10], day);
        write_padded(&mut text[11..13], in_day / 3600);
        write_padded(&mut text[14..16], in_day / 60 % 60);
        write_padded(&mut text[17..19], in_day % 60);
        write_padded(&mut text[20..26], self.0 % NANOS_PER_SECOND / 1000);
        out.extend_from_slice(&text);
    }
}

impl std::fmt::Display for Nanos {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = Vec::with_capacity(27);
        self.write_rfc3339(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

fn fraction_nanos(tail: &[u8]) -> Option<(u64, &[u8])> {
    let Some(digits) = tail.strip_prefix(b".") else { return Some((0, tail)) };
    let count = digits.iter().take_while(|d| d.is_ascii_digit()).count();
    if !(1..=9).contains(&count) {
        return None;
    }
    let value = digits[..count].iter().fold(0, |v, d| v * 10 + u64::from(d - b'0'));
    Some((value * 10_u64.pow(9 - count as u32), &digits[count..]))
}

fn write_padded(out: &mut [u8], mut value: u64) {
    for byte in out.iter_mut().rev() {
        *byte = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Days since 1970-01-01 of a Gregorian date. The year is counted from March, so that the leap day
/// is its last and month lengths follow 153 days in five months.
fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let leap_days = shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
    shifted_year * 365 + leap_days + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_times_are_read_and_written() {
        let cases = [
            ("1970-01-01T00:00:00.000000Z", 0),
            ("2000-02-29T23:59:59.999999Z", 951_868_799_999_999_000),
            ("2023-07-30T15:29:58.343415Z", 1_690_730_998_343_415_000),
            ("2024-12-31T00:00:00.000001Z", 1_735_603_200_000_001_000),
        ];
        for (text, nanos) in cases {
            assert_eq!(Nanos::parse_rfc3339(text.as_bytes()), Some(Nanos(nanos)), "{text}");
            assert_eq!(Nanos(nanos).to_string(), text);
        }
    }

    #[test]
    fn what_is_not_a_utc_time_is_refused() {
        for text in ["", "2023-07-30", "2023-07-30T15:29:58", "2023-13-30T15:29:58Z", "x"] {
            assert_eq!(Nanos::parse_rfc3339(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn microseconds_survive_the_round_trip(micros in 0..17_000_000_000_000_000_u64) {
            let time = Nanos(micros * 1000);
            prop_assert_eq!(Nanos::parse_rfc3339(time.to_string().as_bytes()), Some(time));
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = Nanos::parse_rfc3339(&bytes);
        }
    }
}
