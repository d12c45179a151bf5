//! JSON text to a list of nodes, in one pass, with every number left as its text.
//!
//! Parsers at large turn numbers into floats and lose their text, which is the price (1.10 is not
//! 1.1, and venues checksum the text). Here a node says where its text stands, so nothing is copied
//! but strings that hold escapes, which no tick does. **Invariant:** nothing is refused that JSON
//! (RFC 8259) allows, up to the depth limit; what is accepted beyond it are numbers: any run of
//! their letters is one (`1e1e1`, `-`), and is refused by whoever reads it as a number.
//! Deliberately absent: reading values, which is the cursor's (see `document`); the inside of a
//! string is that of `string`.

mod string;

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
            b'-' | b'0'..=b'9' => self.number(),
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

    /// A number with zeros in front is none in JSON; what else may be wrong with it is its
    /// reader's.
    #[inline]
    fn number(&mut self) -> Option<()> {
        let start = self.at;
        let is_of_it = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        self.at += 1;
        while self.bytes.get(self.at).is_some_and(is_of_it) {
            self.at += 1;
        }
        let digits = start + usize::from(self.bytes[start] == b'-');
        let is_padded = self.bytes.get(digits) == Some(&b'0')
            && self.bytes.get(digits + 1).is_some_and(u8::is_ascii_digit);
        if is_padded {
            return None;
        }
        self.nodes.push(Node::Number(Span::new(start, self.at)));
        Some(())
    }

    #[inline]
    fn string(&mut self) -> Option<()> {
        let start = self.at + 1;
        let end = string::plain_end(self.bytes, start);
        if self.bytes.get(end) == Some(&b'"') {
            self.at = end + 1;
            self.nodes.push(Node::Text(Span::new(start, end)));
            return Some(());
        }
        self.string_with_escapes(start, end)
    }

    /// `end` is where the first backslash stands, or what no string may hold.
    #[cold]
    fn string_with_escapes(&mut self, start: usize, end: usize) -> Option<()> {
        let first = self.unescaped.len();
        self.at = string::unescape(self.text, start, end, self.unescaped)?;
        self.nodes.push(Node::Unescaped(Span::new(first, self.unescaped.len())));
        Some(())
    }
}

#[cfg(test)]
mod tests;
