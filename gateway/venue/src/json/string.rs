//! The inside of a JSON string: where it ends, and what its escapes stand for.
//!
//! Works on places in the whole message, so that a string without escapes need not be copied.

/// Where the first quote, backslash or control letter stands at or behind `at`; the end, if there
/// is none.
///
/// Eight bytes at a time: in `hits`, the lowest set top bit belongs to the first byte sought (bits
/// above it may be wrong, by the borrow of the subtraction).
#[inline]
pub(super) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES << 7;
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word & TOPS;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let word = u64::from_le_bytes(*chunk);
        let quotes = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslashes = below(word ^ (ONES * u64::from(b'\\')), 1);
        let hits = quotes | backslashes | below(word, 0x20);
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_plain = |byte: &u8| !matches!(byte, b'"' | b'\\' | 0..0x20);
    while bytes.get(at).is_some_and(is_plain) {
        at += 1;
    }
    at
}

/// Appends to `out` what the string that begins at `start` says; `end` is where its first backslash
/// stands, or what no string may hold. Returns the place behind the closing quote.
pub(super) fn unescape(
    text: &str,
    start: usize,
    mut end: usize,
    out: &mut String,
) -> Option<usize> {
    let bytes = text.as_bytes();
    out.push_str(&text[start..end]);
    loop {
        match bytes.get(end)? {
            b'"' => return Some(end + 1),
            b'\\' => end = escape(bytes, end + 1, out)?,
            _ => return None,
        }
        let behind = plain_end(bytes, end);
        out.push_str(&text[end..behind]);
        end = behind;
    }
}

/// What follows a backslash; returns the place behind it.
fn escape(bytes: &[u8], at: usize, out: &mut String) -> Option<usize> {
    let letter = match bytes.get(at)? {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return code_point(bytes, at + 1, out),
        byte @ (b'"' | b'\\' | b'/') => char::from(*byte),
        _ => return None,
    };
    out.push(letter);
    Some(at + 1)
}

/// Four digits, or four and four more of a surrogate pair; half a pair is refused.
fn code_point(bytes: &[u8], at: usize, out: &mut String) -> Option<usize> {
    let high = four_digits(bytes, at)?;
    if let Some(letter) = char::from_u32(high) {
        out.push(letter);
        return Some(at + 4);
    }
    if bytes.get(at + 4..at + 6)? != b"\\u" {
        return None;
    }
    let low = four_digits(bytes, at + 6)?;
    if high >= 0xdc00 || !(0xdc00..0xe000).contains(&low) {
        return None;
    }
    let letter = char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))?;
    out.push(letter);
    Some(at + 10)
}

fn four_digits(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 4)?;
    digits.iter().try_fold(0, |sum, digit| Some(sum << 4 | char::from(*digit).to_digit(16)?))
}
