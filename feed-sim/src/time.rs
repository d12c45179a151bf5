//! Time as the simulator tells it: one wall-clock reading at the start, monotonic from there on.
//!
//! Owned by the sim thread. Invariant: `Clock::now_ns` never goes back. Texts are RFC 3339 in UTC
//! with microseconds, as Kraken prints them. Knows no time zones, and no years before 1970.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds in a second.
pub(crate) const SECOND_NS: u64 = 1_000_000_000;

const DAY_S: u64 = 86_400;

/// A wall clock that cannot jump: an NTP step mid-run would otherwise look like lateness.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    started_ns: u64,
}

impl Clock {
    /// Reads the wall clock, once.
    pub(crate) fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { started: Instant::now(), started_ns: since.as_nanos() as u64 }
    }

    /// Nanoseconds since 1970.
    pub(crate) fn now_ns(&self) -> u64 {
        self.started_ns + self.started.elapsed().as_nanos() as u64
    }
}

/// Appends `2023-07-30T15:29:58.343415Z`; below a microsecond is cut off.
pub(crate) fn write_rfc3339(out: &mut Vec<u8>, ns: u64) {
    let seconds = ns / SECOND_NS;
    let (year, month, day) = civil_from_days(seconds / DAY_S);
    let of_day = seconds % DAY_S;
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    digits(&mut text[0..4], year);
    digits(&mut text[5..7], month);
    digits(&mut text[8..10], day);
    digits(&mut text[11..13], of_day / 3600);
    digits(&mut text[14..16], of_day / 60 % 60);
    digits(&mut text[17..19], of_day % 60);
    digits(&mut text[20..26], ns % SECOND_NS / 1000);
    out.extend_from_slice(&text);
}

/// Nanoseconds since 1970 of an RFC 3339 text in UTC (`Z`), with 0 to 9 decimals.
pub(crate) fn parse_rfc3339(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if bytes.len() < 20 || separators.iter().any(|&(at, byte)| bytes[at] != byte) {
        return None;
    }
    let rest = text.get(19..)?.strip_suffix('Z')?;
    let fraction = match rest.strip_prefix('.') {
        Some(decimals) if (1..=9).contains(&decimals.len()) => {
            number(decimals)? * 10u64.pow(9 - decimals.len() as u32)
        }
        None if rest.is_empty() => 0,
        _ => return None,
    };
    let (year, month, day) = (number(&text[0..4])?, number(&text[5..7])?, number(&text[8..10])?);
    let (hour, minute, second) =
        (number(&text[11..13])?, number(&text[14..16])?, number(&text[17..19])?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_from_civil(year, month, day);
    Some((days * DAY_S + hour * 3600 + minute * 60 + second) * SECOND_NS + fraction)
}

fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn digits(field: &mut [u8], mut value: u64) {
    for digit in field.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Gregorian date of a day count since 1970-01-01; eras of 400 years that begin in March, so
/// that the leap day falls at the end (the method is Howard Hinnant's "chrono-compatible
/// low-level date algorithms").
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let (era, year_of_era) = (year / 400, year % 400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, ns: u64) {
        assert_eq!(parse_rfc3339(text), Some(ns), "{text}");
        let mut out = Vec::new();
        write_rfc3339(&mut out, ns);
        assert_eq!(String::from_utf8(out).expect("ascii"), text);
    }

    #[test]
    fn a_printed_time_parses_back_to_itself() {
        check("1970-01-01T00:00:00.000000Z", 0);
        check("2000-02-29T23:59:59.999999Z", 951_868_799_999_999_000);
        check("2023-07-30T15:29:58.343415Z", 1_690_730_998_343_415_000);
        check("2024-03-01T00:00:00.000001Z", 1_709_251_200_000_001_000);
    }

    #[test]
    fn text_that_is_no_time_is_refused() {
        for text in ["", "yesterday", "2023-07-30 15:29:58Z", "2023-13-30T15:29:58Z"] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
        assert_eq!(parse_rfc3339("2023-07-30T15:29:58.3434151234Z"), None);
        assert_eq!(parse_rfc3339("2023-07-30T15:29:58"), None);
    }
}
