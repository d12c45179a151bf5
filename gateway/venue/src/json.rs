//! JSON text to a list of nodes, in one pass, with every number left as its text.
//!
//! Parsers at large turn numbers into floats and lose their text, which is the price (1.10 is not
//! 1.1, and venues checksum the text). Here a node says where its text stands, so nothing is copied
//! but strings that hold escapes, which no tick does. **Invariant:** nothing is refused that JSON
//! (RFC 8259) allows, up to the depth limit; what is accepted beyond it are numbers: any run of
//! their letters is one (`1e1e1`, `-`), and is refused by whoever reads it as a number.
//! Deliberately absent: reading values, which is the cursor's (see `document`).

use std::ops::Range;

/// No message of these venues nests deeper than six.
const DEPTH_MAX: usize = 32;

/// A value, without what is below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Where its text stands in the message.
    Number(Span),
    /// A string without escapes, or a key: where its text stands in the message.
    Text(Span),
    /// A string with escapes: where its text stands among the unescaped ones.
    Unescaped(Span),
    /// How many nodes behind this one are its values and all below them.
    Array(u32),
    /// The same; keys and values take turns.
    Object(u32),
}

/// A part of a text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Texts are below 4 GiB: see `parse`.
    const fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    pub(crate) const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Parses `text`, of less than 4 GiB, into `nodes`; both buffers are emptied first. None when it is
/// not JSON or nested too deeply.
pub(crate) fn parse(text: &str, nodes: &mut Vec<Node>, unescaped: &mut String) -> Option<()> {
    nodes.clear();
    unescaped.clear();
    debug_assert!(u32::try_from(text.len()).is_ok(), "spans would wrap");
    let bytes = text.as_bytes();
    // Moved in and out again: a list behind a reference is reached by two loads for every node.
    let mut parser = Parser { text, bytes, at: 0, nodes: std::mem::take(nodes), unescaped };
    let outcome = parser.document();
    *nodes = parser.nodes;
    outcome
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// Never beyond the end.
    at: usize,
    nodes: Vec<Node>,
    unescaped: &'a mut String,
}

impl Parser<'_> {
    /// One value, and nothing but white space around it.
    fn document(&mut self) -> Option<()> {
        let first = self.solid()?;
        self.value(first, 0)?;
        self.solid().is_none().then_some(())
    }

    /// The next byte that is no white space, which is left where it is; none at the end.
    #[inline]
    fn solid(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        if byte > b' ' { Some(byte) } else { self.solid_behind_space() }
    }

    #[cold]
    fn solid_behind_space(&mut self) -> Option<u8> {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        while self.bytes.get(self.at).is_some_and(is_space) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    /// A value that begins with `first`, inside `depth` others.
    #[inline]
    fn value(&mut self, first: u8, depth: usize) -> Option<()> {
        match first {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => {
                self.number();
                Some(())
            }
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b't' => self.word("true", Node::Bool(true)),
            b'f' => self.word("false", Node::Bool(false)),
            b'n' => self.word("null", Node::Null),
            _ => None,
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        if depth == DEPTH_MAX {
            return None;
        }
        let begin = self.open(Node::Object(0));
        let mut next = self.solid()?;
        if next != b'}' {
            loop {
                if next != b'"' {
                    return None;
                }
                self.string()?;
                if self.solid()? != b':' {
                    return None;
                }
                self.at += 1;
                let first = self.solid()?;
                self.value(first, depth + 1)?;
                match self.solid()? {
                    b',' => self.at += 1,
                    b'}' => break,
                    _ => return None,
                }
                next = self.solid()?;
            }
        }
        self.at += 1;
        self.nodes[begin] = Node::Object(self.below(begin));
        Some(())
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        if depth == DEPTH_MAX {
            return None;
        }
        let begin = self.open(Node::Array(0));
        let mut next = self.solid()?;
        if next != b']' {
            loop {
                self.value(next, depth + 1)?;
                match self.solid()? {
                    b',' => self.at += 1,
                    b']' => break,
                    _ => return None,
                }
                next = self.solid()?;
            }
        }
        self.at += 1;
        self.nodes[begin] = Node::Array(self.below(begin));
        Some(())
    }

    fn open(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.at += 1;
        self.nodes.len() - 1
    }

    fn below(&self, begin: usize) -> u32 {
        (self.nodes.len() - begin - 1) as u32
    }

    fn word(&mut self, word: &str, node: Node) -> Option<()> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return None;
        }
        self.at += word.len();
        self.nodes.push(node);
        Some(())
    }

    #[inline]
    fn number(&mut self) {
        let start = self.at;
        let is_of_it = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        self.at += 1;
        while self.bytes.get(self.at).is_some_and(is_of_it) {
            self.at += 1;
        }
        self.nodes.push(Node::Number(Span::new(start, self.at)));
    }

    #[inline]
    fn string(&mut self) -> Option<()> {
        let start = self.at + 1;
        let end = plain_end(self.bytes, start);
        if self.bytes.get(end) == Some(&b'"') {
            self.at = end + 1;
            self.nodes.push(Node::Text(Span::new(start, end)));
            return Some(());
        }
        self.string_with_escapes(start, end)
    }

    /// `end` is where the first backslash stands, or what no string may hold.
    #[cold]
    fn string_with_escapes(&mut self, start: usize, mut end: usize) -> Option<()> {
        let first = self.unescaped.len();
        self.unescaped.push_str(&self.text[start..end]);
        loop {
            match self.bytes.get(end)? {
                b'"' => break,
                b'\\' => end = self.escape(end + 1)?,
                _ => return None,
            }
            let behind = plain_end(self.bytes, end);
            self.unescaped.push_str(&self.text[end..behind]);
            end = behind;
        }
        self.at = end + 1;
        self.nodes.push(Node::Unescaped(Span::new(first, self.unescaped.len())));
        Some(())
    }

    /// What follows a backslash; returns the place behind it.
    fn escape(&mut self, at: usize) -> Option<usize> {
        let letter = match self.bytes.get(at)? {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.code_point(at + 1),
            byte @ (b'"' | b'\\' | b'/') => char::from(*byte),
            _ => return None,
        };
        self.unescaped.push(letter);
        Some(at + 1)
    }

    /// Four digits, or four and four more of a surrogate pair; half a pair is refused.
    fn code_point(&mut self, at: usize) -> Option<usize> {
        let high = self.four_digits(at)?;
        if let Some(letter) = char::from_u32(high) {
            self.unescaped.push(letter);
            return Some(at + 4);
        }
        if self.bytes.get(at + 4..at + 6)? != b"\\u" {
            return None;
        }
        let low = self.four_digits(at + 6)?;
        if high >= 0xdc00 || !(0xdc00..0xe000).contains(&low) {
            return None;
        }
        let letter = char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))?;
        self.unescaped.push(letter);
        Some(at + 10)
    }

    fn four_digits(&self, at: usize) -> Option<u32> {
        let digits = self.bytes.get(at..at + 4)?;
        digits.iter().try_fold(0, |sum, digit| Some(sum << 4 | char::from(*digit).to_digit(16)?))
    }
}

/// Where the first quote, backslash or control letter stands at or behind `at`; the end, if there
/// is none.
///
/// Eight bytes at a time: in `hits`, the lowest set top bit belongs to the first byte sought (bits
/// above it may be wrong, by the borrow of the subtraction).
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// The value a list of nodes stands for, and what is left of the list. Numbers become texts,
    /// marked.
    fn rebuild<'n>(nodes: &'n [Node], text: &str, unescaped: &str) -> (Value, &'n [Node]) {
        let (first, mut rest) = nodes.split_first().expect("a node");
        let part = |of: &str, span: &Span| of[span.range()].to_owned();
        let value = match first {
            Node::Null => Value::Null,
            Node::Bool(value) => Value::Bool(*value),
            Node::Number(span) => Value::String(format!("number {}", part(text, span))),
            Node::Text(span) => Value::String(part(text, span)),
            Node::Unescaped(span) => Value::String(part(unescaped, span)),
            Node::Array(below) => {
                let (mut inside, behind) = rest.split_at(*below as usize);
                let mut values = Vec::new();
                while !inside.is_empty() {
                    let (value, left) = rebuild(inside, text, unescaped);
                    values.push(value);
                    inside = left;
                }
                rest = behind;
                Value::Array(values)
            }
            Node::Object(below) => {
                let (mut inside, behind) = rest.split_at(*below as usize);
                let mut entries = serde_json::Map::new();
                while !inside.is_empty() {
                    let (key, left) = rebuild(inside, text, unescaped);
                    let (value, left) = rebuild(left, text, unescaped);
                    entries.insert(key.as_str().expect("a key").to_owned(), value);
                    inside = left;
                }
                rest = behind;
                Value::Object(entries)
            }
        };
        (value, rest)
    }

    fn ours(text: &str) -> Option<Value> {
        let (mut nodes, mut unescaped) = (Vec::new(), String::new());
        parse(text, &mut nodes, &mut unescaped)?;
        let (value, rest) = rebuild(&nodes, text, &unescaped);
        assert!(rest.is_empty(), "{text}: {rest:?} belong to nothing");
        Some(value)
    }

    /// Numbers of both as floats, as far as that goes, since the other parser keeps no text.
    fn comparable(value: Value) -> Value {
        match value {
            Value::Number(number) => {
                Value::String(format!("float {}", number.as_f64().expect("a float")))
            }
            Value::String(text) => Value::String(match text.strip_prefix("number ") {
                Some(number) => match serde_json::from_str::<f64>(number) {
                    Ok(float) => format!("float {float}"),
                    Err(_) => "no number".to_owned(),
                },
                None => text,
            }),
            Value::Array(values) => values.into_iter().map(comparable).collect(),
            Value::Object(entries) => {
                entries.into_iter().map(|(key, value)| (key, comparable(value))).collect()
            }
            other => other,
        }
    }

    /// Both parsers agree, bad numbers aside, which ours leaves to its reader.
    fn check(text: &str) {
        let theirs = serde_json::from_str::<Value>(text).ok().map(comparable);
        let ours = ours(text).map(comparable);
        let has_bad_number = ours.as_ref().is_some_and(|v| v.to_string().contains("\"no number\""));
        if theirs.is_some() || !has_bad_number {
            assert_eq!(ours, theirs, "{text:?}");
        }
    }

    #[test]
    fn what_a_standing_parser_reads_is_read_alike() {
        for text in [
            r#"{"channel":"ticker","data":[{"bid":105944.20,"s":"BTC/USD","n":-1.5e-7}],"t":true}"#,
            " [ 1 , [ ] , { } , null , false , \"\" ]\r\n\t",
            r#"["\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00 and behind", "ä😀", {"k\u0041":0}]"#,
            "",
            " ",
            "{",
            "}",
            "[",
            "]",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{1:1}",
            "{,}",
            "\"",
            "\"\\",
            "\"\\\"",
            r#""\x""#,
            r#""\u12""#,
            r#""\u12g4""#,
            r#""\ud83d""#,
            r#""\ud83dx""#,
            r#""\ud83d\u0041""#,
            r#""\ude00\ud83d""#,
            r#""\ud83d\ud83d""#,
            "\"a\nb\"",
            "\"a\u{1}b\"",
            "\"\u{7f}\"",
            "tru",
            "trues",
            "true false",
            "nul",
            "fals",
            "1 1",
            "1,",
            "-",
            "1e",
            "01",
            "+1",
            ".5",
            "1e1e1",
            "\u{feff}1",
            "'a'",
        ] {
            check(text);
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(ours(&nested(DEPTH_MAX)).is_some());
        assert!(ours(&nested(DEPTH_MAX + 1)).is_none());
        assert!(ours(&"[{\"a\":".repeat(50_000)).is_none());
    }

    #[test]
    fn a_string_ends_where_it_ends_wherever_it_stands_in_a_word() {
        for size in 0..40 {
            let plain: String = ('a'..='z').cycle().take(size).collect();
            for end in ["\"", "\\n\"", "\u{e9}\"", "\u{1f}\"", ""] {
                check(&format!("[\"{plain}{end}"));
                check(&format!("[\"{plain}{end}, \"{plain}\"]"));
            }
            for byte in 0..128_u8 {
                let letter = char::from(byte);
                check(&format!("\"{plain}{letter}{plain}\""));
            }
        }
    }

    proptest! {
        #[test]
        fn texts_like_json_are_read_alike(text in r#"[\[\]{}":,0-9eE+.a-z\\ \nä-]{0,60}"#) {
            check(&text);
        }

        #[test]
        fn lists_of_pieces_are_read_alike(
            pieces in proptest::collection::vec(
                prop::sample::select(vec![
                    "[", "]", "{", "}", "\"", ",", ":", "\"key\"", "\"key\":", "1.50", "-2e5", " ",
                    "true", "null", "\\", "\\u00e9", "\\ud83d\\ude00", "\\\"", "ä",
                ]),
                0..24,
            ),
        ) {
            check(&pieces.concat());
        }
    }
}
