//! The query of a request, read key by key; what is not asked for is refused by name.

use std::ops::RangeInclusive;

use super::api::Problem;

/// What stands behind the question mark.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Splits and unescapes it.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((Self::decoded(key)?, Self::decoded(&value.replace('+', " "))?))
        });
        pairs.collect::<Option<_>>().map(Self).ok_or_else(|| Problem::bad("a badly escaped query"))
    }

    /// Resolves `%2F` and the like; none where that is no text.
    pub(super) fn decoded(text: &str) -> Option<String> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let [first, behind @ ..] = rest {
            rest = behind;
            if *first != b'%' {
                bytes.push(*first);
                continue;
            }
            let (digits, behind) = behind.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits).ok()?;
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = behind;
        }
        String::from_utf8(bytes).ok()
    }

    /// Takes a value out.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let at = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(at).1)
    }

    /// Takes a number out.
    pub(super) fn number(
        &mut self,
        key: &str,
        range: RangeInclusive<usize>,
        default: usize,
    ) -> Result<usize, Problem> {
        let Some(text) = self.text(key) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            Problem::bad(format!("{key}: a whole number, {} to {}", range.start(), range.end()))
        })
    }

    /// Ends the reading.
    pub(super) fn finish(self) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((key, _)) => {
                Err(Problem::bad(format!("{key:?} is not known here, or said twice")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_unescaped_and_what_is_left_over_is_refused() {
        let mut query = Query::parse("symbol=BTC%2FUSD&limit=7&x").expect("it is right");
        assert_eq!(query.text("symbol").as_deref(), Some("BTC/USD"));
        assert_eq!(query.number("limit", 1..=10, 5).expect("in range"), 7);
        assert_eq!(query.number("limit", 1..=10, 5).expect("gone"), 5);
        assert!(query.finish().is_err());
        assert!(Query::parse("a=%2").is_err() && Query::parse("a=%+1").is_err());
        assert!(Query::parse("a=%ff").is_err(), "no UTF-8");
        let mut query = Query::parse("limit=11").expect("it is right");
        assert!(query.number("limit", 1..=10, 5).is_err());
    }
}
