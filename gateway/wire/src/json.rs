//! Small pieces of JSON: escaped strings and the house's number texts.

use market::{Instrument, Level, Nanos, Price, Size, digits};

/// Appends a quoted string, escaped as JSON demands.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..=0x1F => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Appends a quoted RFC 3339 time.
pub(crate) fn write_time(time: Nanos, out: &mut Vec<u8>) {
    out.push(b'"');
    time.write_rfc3339(out);
    out.push(b'"');
}

/// Appends a price at its instrument's precision.
pub(crate) fn write_price(price: Price, instrument: &Instrument, out: &mut Vec<u8>) {
    digits::write_fixed_i64(price.0, instrument.price_precision, out);
}

/// Appends a size at its instrument's precision.
pub(crate) fn write_size(size: Size, instrument: &Instrument, out: &mut Vec<u8>) {
    digits::write_fixed_i64(size.0, instrument.size_precision, out);
}

/// Appends a sum of sizes at its instrument's precision.
pub(crate) fn write_volume(volume: i128, instrument: &Instrument, out: &mut Vec<u8>) {
    digits::write_fixed(volume, instrument.size_precision, out);
}

/// Appends `{"price":..,"qty":..}`.
pub(crate) fn write_level(level: Level, instrument: &Instrument, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"price\":");
    write_price(level.price, instrument, out);
    out.extend_from_slice(b",\"qty\":");
    write_size(level.size, instrument, out);
    out.push(b'}');
}

/// Appends items with commas between them.
pub(crate) fn write_list<T>(
    items: impl IntoIterator<Item = T>,
    out: &mut Vec<u8>,
    mut write: impl FnMut(T, &mut Vec<u8>),
) {
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(item, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped() {
        let mut out = Vec::new();
        write_string("a\"b\\c\nd\u{1}\u{20ac}", &mut out);
        assert_eq!(String::from_utf8_lossy(&out), "\"a\\\"b\\\\c\\u000ad\\u0001\u{20ac}\"");
    }
}
