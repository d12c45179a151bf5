//! A message parsed into reused buffers, and a cursor over the result.
//!
//! Owned by one decoder. Deliberately absent: knowledge of any message, which is the dialects'.

use market::{Decimal, Nanos};

use crate::DecodeError;
use crate::json::{self, Node};

/// The reused buffers of one decoder.
pub(crate) struct Document {
    nodes: Vec<Node>,
    unescaped: String,
    /// Below 4 GiB, which `json` can count.
    message_bytes_max: usize,
}

impl Document {
    pub(crate) fn new(message_bytes_max: usize) -> Self {
        Self {
            nodes: Vec::new(),
            unescaped: String::new(),
            message_bytes_max: message_bytes_max.min(u32::MAX as usize),
        }
    }

    /// Parses `message` and lends its root to `read`.
    pub(crate) fn read(
        &mut self,
        message: &[u8],
        read: impl FnOnce(Value<'_>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        if message.len() > self.message_bytes_max {
            let (size, size_max) = (message.len(), self.message_bytes_max);
            return Err(DecodeError::TooLarge { size, size_max });
        }
        let message = std::str::from_utf8(message).map_err(|_| DecodeError::MalformedJson)?;
        json::parse(message, &mut self.nodes, &mut self.unescaped)
            .ok_or(DecodeError::MalformedJson)?;
        let texts = Texts { message, unescaped: &self.unescaped };
        read(Value { nodes: &self.nodes, texts: &texts })
    }
}

/// What the spans of nodes are parts of.
#[derive(Clone, Copy)]
struct Texts<'d> {
    message: &'d str,
    unescaped: &'d str,
}

/// One value of a parsed message: a node and all below it.
#[derive(Clone, Copy)]
pub(crate) struct Value<'d> {
    nodes: &'d [Node],
    texts: &'d Texts<'d>,
}

impl<'d> Value<'d> {
    /// The keys and values of an object, in the venue's order.
    pub(crate) fn entries(self) -> Option<Entries<'d>> {
        let (Node::Object(count), below) = self.nodes.split_first()? else { return None };
        Some(Entries(Self { nodes: below.get(..*count as usize)?, ..self }))
    }

    /// The values of an array.
    pub(crate) fn items(self) -> Option<Items<'d>> {
        let (Node::Array(count), below) = self.nodes.split_first()? else { return None };
        Some(Items(Self { nodes: below.get(..*count as usize)?, ..self }))
    }

    /// The value of the first entry of that name.
    pub(crate) fn field(self, name: &str) -> Option<Self> {
        self.entries()?.find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value)
    }

    /// A string.
    pub(crate) fn text(self) -> Option<&'d str> {
        // Spans come from these very texts, so there always is a part.
        match self.nodes.first()? {
            Node::Text(span) => self.texts.message.get(span.range()),
            Node::Unescaped(span) => self.texts.unescaped.get(span.range()),
            _ => None,
        }
    }

    /// A string's bytes: what a text is held against costs less so.
    #[inline]
    pub(crate) fn word(self) -> Option<&'d [u8]> {
        match self.nodes.first()? {
            Node::Text(span) => self.texts.message.as_bytes().get(span.range()),
            Node::Unescaped(span) => self.texts.unescaped.as_bytes().get(span.range()),
            _ => None,
        }
    }

    /// The text of a number, bare or in quotes.
    #[inline]
    fn digits(self) -> Option<&'d [u8]> {
        match self.nodes.first()? {
            Node::Number(span) => self.texts.message.as_bytes().get(span.range()),
            _ => self.word(),
        }
    }

    /// `true` or `false`.
    pub(crate) fn boolean(self) -> Option<bool> {
        match self.nodes.first() {
            Some(Node::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    /// True for `null`.
    pub(crate) fn is_null(self) -> bool {
        matches!(self.nodes.first(), Some(Node::Null))
    }

    /// A whole number of at least zero, bare or as text.
    pub(crate) fn whole(self) -> Option<u64> {
        let digits = self.digits()?;
        if digits.is_empty() || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        Some(digits.iter().fold(0, |sum, d| sum * 10 + u64::from(d - b'0')))
    }

    /// A decimal number from its text.
    pub(crate) fn decimal(self, name: &'static str) -> Result<Decimal, DecodeError> {
        let text = self.digits().ok_or(DecodeError::BadNumber(name))?;
        Decimal::parse(text).map_err(|_| DecodeError::BadNumber(name))
    }

    /// A decimal number that is not below zero.
    pub(crate) fn amount(self, name: &'static str) -> Result<Decimal, DecodeError> {
        let value = self.decimal(name)?;
        if value.mantissa() < 0 { Err(DecodeError::Negative(name)) } else { Ok(value) }
    }

    /// A time in RFC 3339.
    pub(crate) fn time(self, name: &'static str) -> Result<Nanos, DecodeError> {
        let text = self.word().ok_or(DecodeError::BadValue(name))?;
        Nanos::parse_rfc3339(text).ok_or(DecodeError::BadValue(name))
    }

    /// A time in milliseconds since 1970.
    pub(crate) fn millis(self, name: &'static str) -> Result<Nanos, DecodeError> {
        self.whole().map(Nanos::from_millis).ok_or(DecodeError::BadNumber(name))
    }
}

/// See [`Value::items`].
pub(crate) struct Items<'d>(Value<'d>);

impl<'d> Iterator for Items<'d> {
    type Item = Value<'d>;

    fn next(&mut self) -> Option<Self::Item> {
        let below = match self.0.nodes.first()? {
            Node::Object(count) | Node::Array(count) => *count as usize,
            _ => 0,
        };
        let (nodes, behind) = self.0.nodes.split_at_checked(below + 1)?;
        self.0.nodes = behind;
        Some(Value { nodes, ..self.0 })
    }
}

/// See [`Value::entries`].
pub(crate) struct Entries<'d>(Value<'d>);

impl<'d> Iterator for Entries<'d> {
    type Item = (&'d [u8], Value<'d>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.0.word()?;
        let mut values = Items(Value { nodes: self.0.nodes.get(1..)?, ..self.0 });
        let value = values.next()?;
        self.0 = values.0;
        Some((key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_walks_over_nested_values() {
        let mut document = Document::new(1 << 10);
        let mut seen = Vec::new();
        let read = document.read(br#"{"a":[[1],{"b":2}],"c":"3"}"#, |root| {
            for (key, value) in root.entries().expect("an object") {
                seen.push((
                    String::from_utf8_lossy(key).into_owned(),
                    value.items().map(Iterator::count),
                    value.whole(),
                ));
            }
            Ok(())
        });
        assert_eq!(read, Ok(()));
        assert_eq!(seen, [("a".to_owned(), Some(2), None), ("c".to_owned(), None, Some(3))]);
    }

    #[test]
    fn numbers_are_read_bare_and_in_quotes_and_texts_are_no_numbers() {
        let mut document = Document::new(1 << 10);
        let read =
            document.read(br#"[1.10,"1.10","x",7,-7,"\u0037",18446744073709551616]"#, |root| {
                let values: Vec<_> = root.items().expect("an array").collect();
                let decimals: Vec<_> = values.iter().map(|value| value.decimal("n").ok()).collect();
                assert_eq!(decimals[0], Decimal::new(110, 2).ok());
                assert_eq!(decimals[1], decimals[0]);
                assert_eq!([decimals[2], decimals[6]], [None, None]);
                let wholes: Vec<_> = values.iter().map(|value| value.whole()).collect();
                assert_eq!(wholes, [None, None, None, Some(7), None, Some(7), None]);
                let texts: Vec<_> = values.iter().map(|value| value.text()).collect();
                assert_eq!(texts, [None, Some("1.10"), Some("x"), None, None, Some("7"), None]);
                Ok(())
            });
        assert_eq!(read, Ok(()));
    }

    #[test]
    fn bytes_that_are_no_text_are_malformed() {
        let mut document = Document::new(1 << 20);
        assert_eq!(document.read(b"[\"\xff\"]", |_| Ok(())), Err(DecodeError::MalformedJson));
    }
}
