//! Wall time in nanoseconds since 1970, the only time that two processes share, and the RFC 3339
//! text that venues and gateways write.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in nanoseconds since 1970.
pub fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// Nanoseconds since 1970 of `2024-01-31T12:34:56[.fraction]Z`; none where the text is not that.
pub fn rfc3339_ns(text: &[u8]) -> Option<u64> {
    let (moment, zone) = text.split_at_checked(19)?;
    let fixed = [moment[4], moment[7], moment[10], moment[13], moment[16]];
    if fixed != [b'-', b'-', b'T', b':', b':'] {
        return None;
    }
    let part = |from: usize, to: usize| digits(&moment[from..to]);
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1970 {
        return None;
    }
    let fraction = zone.strip_suffix(b"Z").or_else(|| zone.strip_suffix(b"+00:00"))?;
    let nanos = match fraction {
        [] => 0,
        [b'.', text @ ..] if (1..=9).contains(&text.len()) => {
            digits(text)? * 10u64.pow(9 - text.len() as u32)
        }
        _ => return None,
    };
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(seconds * 1_000_000_000 + nanos)
}

fn digits(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0u64, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0'))
    })
}

/// Days of the proleptic Gregorian calendar: years begin in March, so that the leap day is last.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    365 * year + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_reads_as_nanoseconds_at_any_precision() {
        assert_eq!(rfc3339_ns(b"1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(rfc3339_ns(b"2000-02-29T00:00:00Z"), Some(951_782_400_000_000_000));
        assert_eq!(rfc3339_ns(b"2023-10-06T17:35:55.440295Z"), Some(1_696_613_755_440_295_000));
        assert_eq!(rfc3339_ns(b"2023-10-06T17:35:55.1+00:00"), Some(1_696_613_755_100_000_000));
    }

    #[test]
    fn what_is_no_timestamp_is_none() {
        for text in [
            "",
            "2023-10-06",
            "2023-10-06T17:35:55",
            "2023-13-06T17:35:55Z",
            "x".repeat(20).as_str(),
        ] {
            assert_eq!(rfc3339_ns(text.as_bytes()), None, "{text}");
        }
    }
}
