//! A JSON message parsed into reused buffers, and a cursor over the result.
//!
//! simd-json turns numbers into floats and loses their text, which is the price (1.10 is not 1.1,
//! and venues checksum the text). Where a dialect sends prices as bare numbers, the message is
//! copied with every bare number put in quotes, so that all of them arrive as text; that pass reads
//! each byte once and costs less than the parse. Other dialects are copied as they are: the parser
//! unescapes in place and wants padding, and the caller keeps the original for its log.

use market::{Decimal, Nanos};
use simd_json::{Buffers, INPUT_PADDING, Node, StaticNode, Tape};

use crate::DecodeError;

/// No message of these venues nests deeper than six.
const DEPTH_MAX: usize = 32;

/// The reused buffers of one decoder.
pub(crate) struct Document {
    text: Vec<u8>,
    buffers: Buffers,
    /// Empty between messages; only its allocation is kept.
    tape: Tape<'static>,
    message_bytes_max: usize,
}

/// What happens to bare numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Parsed by simd-json: whole numbers only are of use then.
    AsTheyAre,
    /// Put in quotes first.
    AsText,
}

impl Document {
    pub(crate) fn new(message_bytes_max: usize) -> Self {
        Self {
            text: Vec::new(),
            buffers: Buffers::with_max_depth(0, DEPTH_MAX),
            tape: Tape(Vec::new()),
            message_bytes_max,
        }
    }

    /// Parses `message` and lends its root to `read`.
    pub(crate) fn read(
        &mut self,
        message: &[u8],
        numbers: Numbers,
        read: impl FnOnce(Value<'_, '_>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        if message.len() > self.message_bytes_max {
            let (size, size_max) = (message.len(), self.message_bytes_max);
            return Err(DecodeError::TooLarge { size, size_max });
        }
        self.text.clear();
        match numbers {
            Numbers::AsTheyAre => self.text.extend_from_slice(message),
            Numbers::AsText => quote_numbers(message, &mut self.text),
        }
        let size = self.text.len();
        self.text.resize(size + INPUT_PADDING, b' ');
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let parsed =
            simd_json::fill_tape_padded(&mut self.text, size, &mut self.buffers, &mut tape);
        let outcome = match parsed {
            Ok(()) if !tape.0.is_empty() => read(Value(&tape.0)),
            _ => Err(DecodeError::MalformedJson),
        };
        self.tape = tape.reset();
        outcome
    }
}

/// Copies `message`, putting quotes around every number that stands outside strings.
///
/// What merely looks like a number (`1e1e1`, `-`) becomes a text too and is refused by whoever
/// reads it as a number.
fn quote_numbers(message: &[u8], out: &mut Vec<u8>) {
    let mut rest = message;
    while let Some(&first) = rest.first() {
        let (run, behind) = match first {
            b'"' => rest.split_at(string_size(rest)),
            b'0'..=b'9' | b'-' => {
                let (number, behind) = rest.split_at(run_size(rest, is_number_byte));
                out.push(b'"');
                out.extend_from_slice(number);
                out.push(b'"');
                rest = behind;
                continue;
            }
            _ => rest.split_at(run_size(rest, |b| !matches!(b, b'"' | b'0'..=b'9' | b'-'))),
        };
        out.extend_from_slice(run);
        rest = behind;
    }
}

fn is_number_byte(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

fn run_size(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|&b| !belongs(b)).unwrap_or(bytes.len())
}

/// The size of the string that begins `bytes`, both quotes included; all of it when it never ends.
fn string_size(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(step) = bytes[at..].iter().position(|&b| b == b'"' || b == b'\\') {
        at += step;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
        if at >= bytes.len() {
            break;
        }
    }
    bytes.len()
}

/// One value of a parsed message: a node and all below it.
#[derive(Clone, Copy)]
pub(crate) struct Value<'t, 'i>(&'t [Node<'i>]);

impl<'t, 'i> Value<'t, 'i> {
    /// The keys and values of an object, in the venue's order.
    pub(crate) fn entries(self) -> Option<Entries<'t, 'i>> {
        match self.0.split_first() {
            Some((Node::Object { count, .. }, below)) => below.get(..*count).map(Entries),
            _ => None,
        }
    }

    /// The values of an array.
    pub(crate) fn items(self) -> Option<Items<'t, 'i>> {
        match self.0.split_first() {
            Some((Node::Array { count, .. }, below)) => below.get(..*count).map(Items),
            _ => None,
        }
    }

    /// The value of the first entry of that name.
    pub(crate) fn field(self, name: &str) -> Option<Self> {
        self.entries()?.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// A string.
    pub(crate) fn text(self) -> Option<&'i str> {
        match self.0.first() {
            Some(Node::String(text)) => Some(text),
            _ => None,
        }
    }

    /// `true` or `false`.
    pub(crate) fn boolean(self) -> Option<bool> {
        match self.0.first() {
            Some(Node::Static(StaticNode::Bool(value))) => Some(*value),
            _ => None,
        }
    }

    /// True for `null`.
    pub(crate) fn is_null(self) -> bool {
        matches!(self.0.first(), Some(Node::Static(StaticNode::Null)))
    }

    /// A whole number of at least zero, bare or as text.
    pub(crate) fn whole(self) -> Option<u64> {
        match self.0.first()? {
            Node::Static(StaticNode::U64(value)) => Some(*value),
            Node::Static(StaticNode::I64(value)) => u64::try_from(*value).ok(),
            Node::String(text) => {
                let digits = text.as_bytes();
                if digits.is_empty() || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit)
                {
                    return None;
                }
                Some(digits.iter().fold(0, |sum, d| sum * 10 + u64::from(d - b'0')))
            }
            _ => None,
        }
    }

    /// A decimal number from its text.
    pub(crate) fn decimal(self, name: &'static str) -> Result<Decimal, DecodeError> {
        let text = self.text().ok_or(DecodeError::BadNumber(name))?;
        Decimal::parse(text.as_bytes()).map_err(|_| DecodeError::BadNumber(name))
    }

    /// A decimal number that is not below zero.
    pub(crate) fn amount(self, name: &'static str) -> Result<Decimal, DecodeError> {
        let value = self.decimal(name)?;
        if value.mantissa() < 0 { Err(DecodeError::Negative(name)) } else { Ok(value) }
    }

    /// A time in RFC 3339.
    pub(crate) fn time(self, name: &'static str) -> Result<Nanos, DecodeError> {
        let text = self.text().ok_or(DecodeError::BadValue(name))?;
        Nanos::parse_rfc3339(text.as_bytes()).ok_or(DecodeError::BadValue(name))
    }

    /// A time in milliseconds since 1970.
    pub(crate) fn millis(self, name: &'static str) -> Result<Nanos, DecodeError> {
        self.whole().map(Nanos::from_millis).ok_or(DecodeError::BadNumber(name))
    }
}

/// See [`Value::items`].
pub(crate) struct Items<'t, 'i>(&'t [Node<'i>]);

impl<'t, 'i> Iterator for Items<'t, 'i> {
    type Item = Value<'t, 'i>;

    fn next(&mut self) -> Option<Self::Item> {
        let below = match self.0.first()? {
            Node::Object { count, .. } | Node::Array { count, .. } => *count,
            _ => 0,
        };
        let (value, behind) = self.0.split_at_checked(below + 1)?;
        self.0 = behind;
        Some(Value(value))
    }
}

/// See [`Value::entries`].
pub(crate) struct Entries<'t, 'i>(&'t [Node<'i>]);

impl<'t, 'i> Iterator for Entries<'t, 'i> {
    type Item = (&'i str, Value<'t, 'i>);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, behind) = self.0.split_first()?;
        let key = Value(std::slice::from_ref(key)).text()?;
        let mut values = Items(behind);
        let value = values.next()?;
        self.0 = values.0;
        Some((key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, expected: &str) {
        let mut out = Vec::new();
        quote_numbers(message.as_bytes(), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn bare_numbers_become_text_and_nothing_else_does() {
        check(r#"{"p":1.10,"q":-2e-05}"#, r#"{"p":"1.10","q":"-2e-05"}"#);
        check(r#"["a1\"2",3,"4",true]"#, r#"["a1\"2","3","4",true]"#);
        check(r#"{"k\\":[0,[1]]}"#, r#"{"k\\":["0",["1"]]}"#);
        check(r#""never ends 12"#, r#""never ends 12"#);
        check("\"\\", "\"\\");
        check("7", "\"7\"");
    }

    #[test]
    fn a_cursor_walks_over_nested_values() {
        let mut document = Document::new(1 << 10);
        let mut seen = Vec::new();
        let read = document.read(br#"{"a":[[1],{"b":2}],"c":"3"}"#, Numbers::AsTheyAre, |root| {
            for (key, value) in root.entries().expect("an object") {
                seen.push((key.to_owned(), value.items().map(Iterator::count), value.whole()));
            }
            Ok(())
        });
        assert_eq!(read, Ok(()));
        assert_eq!(seen, [("a".to_owned(), Some(2), None), ("c".to_owned(), None, Some(3))]);
    }

    #[test]
    fn nesting_without_end_is_malformed_and_not_a_stack_overflow() {
        let mut document = Document::new(1 << 20);
        let read = document.read(&vec![b'['; 100_000], Numbers::AsTheyAre, |_| Ok(()));
        assert_eq!(read, Err(DecodeError::MalformedJson));
    }
}
