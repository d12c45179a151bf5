//! The query part of a request's address: one value by its key, percent-encoding undone.

/// The value of `key` in `a=1&b=2`, the first if there are several; bytes that are no UTF-8 become
/// U+FFFD.
pub(super) fn value(query: &str, key: &str) -> Option<String> {
    query.split('&').find_map(|field| {
        let (name, value) = field.split_once('=')?;
        (name == key).then(|| decoded(value))
    })
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        match rest {
            [b'%', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                bytes.push(hex_digit(*high) << 4 | hex_digit(*low));
                rest = after;
            }
            _ => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex_digit(byte: u8) -> u8 {
    char::from(byte).to_digit(16).unwrap_or(0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, expected: Option<&str>) {
        assert_eq!(value(query, "pair").as_deref(), expected, "{query}");
    }

    #[test]
    fn a_value_is_found_and_decoded() {
        check("pair=BTC/USD", Some("BTC/USD"));
        check("a=1&pair=BTC%2FUSD%2cETH%2fUSD&b", Some("BTC/USD,ETH/USD"));
        check("pair=", Some(""));
        check("pair=%", Some("%"));
        check("pair=%4", Some("%4"));
        check("pair=%zz+", Some("%zz "));
        check("pair=%ff", Some("\u{fffd}"));
        check("pair", None);
        check("pairs=1", None);
        check("", None);
    }
}
