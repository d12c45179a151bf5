//! JSON that keeps every number as the text it was sent as, read strictly.
//!
//! Prices and sizes are compared as texts, so a parser that turns them into floats is of no use,
//! and the gateway's own is not to judge itself.

use std::borrow::Cow;

/// A value; texts are borrowed where nothing in them is escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Map(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// Deeper nesting than any message has.
const DEPTH_MAX: usize = 16;

impl<'a> Json<'a> {
    /// Reads one whole value; none when anything is wrong with it, a key that occurs twice
    /// included.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(0)?;
        reader.space();
        (reader.at == text.len()).then_some(value)
    }

    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(fields) => fields.iter().find(|(name, _)| name == key).map(|(_, v)| v),
            _ => None,
        }
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number as it stands; `null` too, where a figure is not known yet.
    pub fn number(&self, key: &str) -> Option<&'a str> {
        match self.get(key)? {
            Self::Number(text) => Some(text),
            Self::Null => Some("null"),
            _ => None,
        }
    }

    pub fn whole(&self, key: &str) -> Option<u64> {
        self.number(key)?.parse().ok()
    }

    pub fn list(&self, key: &str) -> Option<&[Self]> {
        match self.get(key)? {
            Self::List(items) => Some(items),
            _ => None,
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn take(&mut self, word: &str) -> Option<()> {
        self.text[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn value(&mut self, depth: usize) -> Option<Json<'a>> {
        self.space();
        match self.peek().filter(|_| depth < DEPTH_MAX)? {
            b'n' => self.take("null").map(|()| Json::Null),
            b't' => self.take("true").map(|()| Json::Bool(true)),
            b'f' => self.take("false").map(|()| Json::Bool(false)),
            b'"' => self.string().map(Json::Text),
            b'[' => self.items(b']', |reader| reader.value(depth + 1)).map(Json::List),
            b'{' => {
                let fields = self.items(b'}', |reader| {
                    reader.space();
                    let name = reader.string()?;
                    reader.space();
                    reader.take(":")?;
                    Some((name, reader.value(depth + 1)?))
                })?;
                let twice = |at: usize| fields[..at].iter().any(|(name, _)| *name == fields[at].0);
                (!(0..fields.len()).any(twice)).then_some(Json::Map(fields))
            }
            _ => self.number(),
        }
    }

    fn items<T>(
        &mut self,
        end: u8,
        mut item: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek()? == end {
            self.at += 1;
            return Some(items);
        }
        loop {
            items.push(item(self)?);
            self.space();
            let next = self.peek()?;
            self.at += 1;
            match next {
                b',' => {}
                _ if next == end => return Some(items),
                _ => return None,
            }
        }
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        self.take("\"")?;
        let start = self.at;
        let mut escaped = false;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.at += 2;
                }
                0..=0x1f => return None,
                _ => self.at += 1,
            }
        }
        let raw = self.text.get(start..self.at)?;
        self.at += 1;
        if escaped {
            // Rare, so left to a parser that knows every escape.
            return serde_json::from_str(&self.text[start - 1..self.at]).ok().map(Cow::Owned);
        }
        Some(Cow::Borrowed(raw))
    }

    /// `-?(0|[1-9][0-9]*)(\.[0-9]+)?`: no exponents, for nobody should send them.
    fn number(&mut self) -> Option<Json<'a>> {
        let start = self.at;
        let _ = self.take("-");
        let whole = self.digits();
        let is_padded = self.text[self.at - whole..].starts_with('0') && whole > 1;
        if whole == 0 || is_padded {
            return None;
        }
        if self.take(".").is_some() && self.digits() == 0 {
            return None;
        }
        Some(Json::Number(&self.text[start..self.at]))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }
}

#[test]
fn numbers_stay_texts_and_nonsense_is_refused() {
    let read = Json::parse(r#"{"a":[1.50,-0.0,{"b":"x\"y"}],"c":null,"d":true}"#).expect("JSON");
    assert_eq!(read.list("a").expect("a list")[..2], [Json::Number("1.50"), Json::Number("-0.0")]);
    assert_eq!(read.list("a").expect("a list")[2].text("b"), Some("x\"y"));
    assert_eq!(read.number("c"), Some("null"));
    for bad in ["", "{", "[1,]", "01", "1.", "1e5", "{\"a\":1,\"a\":2}", "[1]x", "\"\n\"", "nul"] {
        assert_eq!(Json::parse(bad), None, "{bad}");
    }
}
