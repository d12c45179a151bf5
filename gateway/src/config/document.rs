//! A TOML document, read key by key: every wrong thing is noted with its line, and reading goes on.
//!
//! Each key is asked for once, with its range and default; what was asked for is the list of known keys,
//! from which unknown ones are told and the manual is checked. Deliberately absent: serde, which stops
//! at the first error.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::refusal::Refusal;

/// Longest value shown in a refusal, in characters.
const SHOWN_MAX: usize = 60;

/// What the code knows about a key; the manual has to say the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// The section, such as `door` or `ingest.feeds`.
    pub section: String,
    /// The key.
    pub name: &'static str,
    /// The allowed numbers; none for other values.
    pub range: Option<(u64, u64)>,
    /// As it would be written; none where the key has no default.
    pub default: Option<String>,
}

/// A document being read.
#[derive(Debug)]
pub(super) struct Document<'t> {
    text: &'t str,
    refusals: RefCell<Vec<Refusal>>,
    facts: RefCell<Vec<KeyFacts>>,
    lines: RefCell<Lines>,
}

/// Keys that were read, with their lines, in the order of reading.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<(String, usize)>);

impl Lines {
    /// The line of the `occurrence`th reading of a key, counted from 0.
    pub(super) fn of(&self, key: &str, occurrence: usize) -> Option<usize> {
        self.0.iter().filter(|(read, _)| read == key).nth(occurrence).map(|(_, line)| *line)
    }

    fn last(&self, key: &str) -> Option<usize> {
        self.0.iter().rev().find(|(read, _)| read == key).map(|(_, line)| *line)
    }
}

/// What is left when a document has been read.
pub(super) struct Remains {
    /// All that is wrong, in the order of the lines.
    pub(super) refusals: Vec<Refusal>,
    /// All keys that were asked for.
    pub(super) facts: Vec<KeyFacts>,
    /// Where they stand.
    pub(super) lines: Lines,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) line: Option<usize>,
}

impl<'t> Document<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            refusals: RefCell::default(),
            facts: RefCell::default(),
            lines: RefCell::default(),
        }
    }

    /// The top of the document; none, and noted, where the text is no TOML.
    pub(super) fn root<'d>(&'d self) -> Option<Section<'d, 't>> {
        match DeTable::parse(self.text) {
            Ok(table) => Some(Section::new(self, String::new(), Some(1), table.into_inner())),
            Err(error) => {
                let line = error.span().map(|span| self.line(&span));
                self.refuse(line, "", None, error.message());
                None
            }
        }
    }

    pub(super) fn refuse(
        &self,
        line: Option<usize>,
        key: impl Into<String>,
        value: Option<String>,
        reason: impl Display,
    ) {
        let reason = reason.to_string();
        self.refusals.borrow_mut().push(Refusal { line, key: key.into(), value, reason });
    }

    /// Where a key stands that was read last under this name.
    pub(super) fn line_of(&self, key: &str) -> Option<usize> {
        self.lines.borrow().last(key)
    }

    /// Ends the reading.
    pub(super) fn finish(self) -> Remains {
        let mut refusals = self.refusals.into_inner();
        refusals.sort_by_key(|refusal| refusal.line.unwrap_or(0));
        Remains { refusals, facts: self.facts.into_inner(), lines: self.lines.into_inner() }
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or(self.text.as_bytes());
        before.split(|&byte| byte == b'\n').count()
    }

    fn shown(&self, span: &Range<usize>) -> String {
        let text = self.text.get(span.clone()).unwrap_or_default();
        let first = text.lines().next().unwrap_or_default();
        let short: String = first.chars().take(SHOWN_MAX).collect();
        if short.len() < text.len() { format!("{short}...") } else { short }
    }
}

struct Entry<'t> {
    name: String,
    line: usize,
    value: Spanned<DeValue<'t>>,
}

/// A table being read.
pub(super) struct Section<'d, 't> {
    document: &'d Document<'t>,
    path: String,
    line: Option<usize>,
    entries: Vec<Entry<'t>>,
    known: Vec<&'static str>,
}

impl<'d, 't> Section<'d, 't> {
    fn new(
        document: &'d Document<'t>,
        path: String,
        line: Option<usize>,
        table: DeTable<'t>,
    ) -> Self {
        let entry = |(key, value): (Spanned<_>, _)| {
            let line = document.line(&key.span());
            Entry { name: String::from(key.into_inner()), line, value }
        };
        let entries = table.into_iter().map(entry).collect();
        Self { document, path, line, entries, known: Vec::new() }
    }

    /// The whole path of a key in this section.
    pub(super) fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Where a key of this section stands that was just read; none where the file leaves it out.
    pub(super) fn line_of(&self, name: &str) -> Option<usize> {
        self.document.line_of(&self.key(name))
    }

    /// Notes that something is wrong with a key of this section.
    pub(super) fn refuse(
        &self,
        line: Option<usize>,
        name: &str,
        value: Option<&str>,
        reason: impl Display,
    ) {
        let value = value.map(|text| format!("{text:?}"));
        self.document.refuse(line.or(self.line), self.key(name), value, reason);
    }

    /// The same for a number, which is shown without quotes.
    pub(super) fn refuse_number(
        &self,
        line: Option<usize>,
        name: &str,
        number: u64,
        reason: impl Display,
    ) {
        let value = Some(number.to_string());
        self.document.refuse(line.or(self.line), self.key(name), value, reason);
    }

    /// A table in this one; empty where the file has none.
    pub(super) fn section(&mut self, name: &'static str) -> Section<'d, 't> {
        self.known.push(name);
        let path = self.key(name);
        let (line, table) = match self.take(name) {
            None => (None, DeTable::new()),
            Some(Entry { line, value, .. }) => match value.into_inner() {
                DeValue::Table(table) => (Some(line), table),
                other => {
                    let reason = format!("must be a table, [{path}], not {}", kind(&other));
                    self.refuse(Some(line), name, None, reason);
                    (Some(line), DeTable::new())
                }
            },
        };
        Section::new(self.document, path, line, table)
    }

    /// The tables of an array of tables, in order; empty where the file has none.
    pub(super) fn tables(&mut self, name: &'static str) -> Vec<Section<'d, 't>> {
        self.known.push(name);
        let path = self.key(name);
        let Some(Entry { line, value, .. }) = self.take(name) else { return Vec::new() };
        let DeValue::Array(items) = value.into_inner() else {
            self.refuse(Some(line), name, None, format!("must be tables, each under [[{path}]]"));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in items {
            let line = self.document.line(&item.span());
            match item.into_inner() {
                DeValue::Table(table) => {
                    sections.push(Section::new(self.document, path.clone(), Some(line), table));
                }
                other => {
                    let reason = format!("must be a table, not {}", kind(&other));
                    self.refuse(Some(line), name, None, reason);
                }
            }
        }
        sections
    }

    /// A whole number in a range; the default where the key is absent or wrong.
    pub(super) fn number(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u64>,
        default: u64,
    ) -> u64 {
        let (min, max) = (*range.start(), *range.end());
        self.learn(name, Some((min, max)), Some(default.to_string()));
        self.optional_number(name, range).unwrap_or(default)
    }

    /// A whole number in a range that has no default.
    pub(super) fn number_if_any(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        self.learn(name, Some((*range.start(), *range.end())), None);
        self.optional_number(name, range)
    }

    fn optional_number(&mut self, name: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let Entry { line, value, .. } = self.take(name)?;
        let number = match value.get_ref() {
            DeValue::Integer(digits) => u64::from_str_radix(digits.as_str(), digits.radix()).ok(),
            _ => None,
        };
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return Some(number);
        }
        let reason = format!("must be a whole number, {} to {}", range.start(), range.end());
        let shown = self.document.shown(&value.span());
        self.document.refuse(Some(line), self.key(name), Some(shown), reason);
        None
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, name: &'static str, default: bool) -> bool {
        self.learn(name, None, Some(default.to_string()));
        let Some(Entry { line, value, .. }) = self.take(name) else { return default };
        if let DeValue::Boolean(flag) = value.get_ref() {
            return *flag;
        }
        let shown = self.document.shown(&value.span());
        self.document.refuse(Some(line), self.key(name), Some(shown), "must be true or false");
        default
    }

    /// A text that need not be there.
    pub(super) fn text(&mut self, name: &'static str) -> Option<Placed<String>> {
        self.learn(name, None, None);
        self.optional_text(name)
    }

    /// A text that has a default.
    pub(super) fn text_or(&mut self, name: &'static str, default: &str) -> Placed<String> {
        self.learn(name, None, Some(format!("{default:?}")));
        let absent = || Placed { value: default.to_owned(), line: None };
        self.optional_text(name).unwrap_or_else(absent)
    }

    /// A text that must be there.
    pub(super) fn required_text(&mut self, name: &'static str) -> Option<Placed<String>> {
        let absent = !self.has(name);
        let text = self.text(name);
        if absent {
            self.refuse(None, name, None, "is missing, and has no default");
        }
        text
    }

    fn optional_text(&mut self, name: &str) -> Option<Placed<String>> {
        let Entry { line, value, .. } = self.take(name)?;
        if let DeValue::String(text) = value.get_ref() {
            return Some(Placed { value: text.to_string(), line: Some(line) });
        }
        let shown = self.document.shown(&value.span());
        let reason = format!("must be a text in quotes, not {}", kind(value.get_ref()));
        self.document.refuse(Some(line), self.key(name), Some(shown), reason);
        None
    }

    /// A list; its default is the empty one.
    pub(super) fn list(&mut self, name: &'static str) -> Vec<Placed<Item<'d, 't>>> {
        self.learn(name, None, Some("[]".to_owned()));
        let Some(Entry { line, value, .. }) = self.take(name) else { return Vec::new() };
        match value.into_inner() {
            DeValue::Array(items) => items.into_iter().map(|item| self.item(name, item)).collect(),
            other => {
                let reason = format!("must be a list in brackets, not {}", kind(&other));
                self.refuse(Some(line), name, None, reason);
                Vec::new()
            }
        }
    }

    /// A text or a list, for a key that takes both.
    pub(super) fn text_or_list(&mut self, name: &'static str) -> Option<Choice<'d, 't>> {
        self.learn(name, None, None);
        let Some(Entry { line, value, .. }) = self.take(name) else {
            self.refuse(None, name, None, "is missing, and has no default");
            return None;
        };
        match value.into_inner() {
            DeValue::String(text) => {
                Some(Choice::Text(Placed { value: text.into_owned(), line: Some(line) }))
            }
            DeValue::Array(items) => {
                let items = items.into_iter().map(|item| self.item(name, item)).collect();
                Some(Choice::List(Placed { value: items, line: Some(line) }))
            }
            other => {
                let reason = format!("must be a text or a list, not {}", kind(&other));
                self.refuse(Some(line), name, None, reason);
                None
            }
        }
    }

    fn item(&self, name: &'static str, item: Spanned<DeValue<'t>>) -> Placed<Item<'d, 't>> {
        let line = Some(self.document.line(&item.span()));
        let value = match item.into_inner() {
            DeValue::String(text) => Item::Text(text.into_owned()),
            DeValue::Table(table) => {
                Item::Table(Section::new(self.document, self.key(name), line, table))
            }
            other => Item::Wrong(kind(&other)),
        };
        Placed { value, line }
    }

    /// Names and texts of a table whose keys are free; the values are never shown, they may be secret.
    pub(super) fn pairs(&mut self, name: &'static str) -> Vec<(String, Placed<String>)> {
        self.learn(name, None, Some("{}".to_owned()));
        let facts = self.document.facts.borrow().len();
        let table = self.section(name);
        self.document.facts.borrow_mut().truncate(facts);
        let mut pairs = Vec::new();
        for Entry { name: key, line, value } in table.entries {
            match value.into_inner() {
                DeValue::String(text) => {
                    pairs.push((key, Placed { value: text.into_owned(), line: Some(line) }));
                }
                other => {
                    let reason = format!("must be a text in quotes, not {}", kind(&other));
                    self.document.refuse(Some(line), format!("{}.{key}", table.path), None, reason);
                }
            }
        }
        pairs
    }

    /// Whether the file has the key and it was not read yet.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.name == name)
    }

    /// Ends the reading: whatever was not asked for is not known.
    pub(super) fn finish(self) {
        for entry in &self.entries {
            let near = self.known.iter().min_by_key(|known| distance(known, &entry.name));
            let hint = near
                .filter(|known| distance(known, &entry.name) <= entry.name.len().div_ceil(3))
                .map_or(String::new(), |known| format!("; did you mean {known}?"));
            let reason = format!("unknown key{hint}");
            self.document.refuse(Some(entry.line), self.key(&entry.name), None, reason);
        }
    }

    fn learn(&mut self, name: &'static str, range: Option<(u64, u64)>, default: Option<String>) {
        self.known.push(name);
        let facts = KeyFacts { section: self.path.clone(), name, range, default };
        let mut all = self.document.facts.borrow_mut();
        if !all.contains(&facts) {
            all.push(facts);
        }
    }

    fn take(&mut self, name: &str) -> Option<Entry<'t>> {
        let at = self.entries.iter().position(|entry| entry.name == name)?;
        let entry = self.entries.remove(at);
        self.document.lines.borrow_mut().0.push((self.key(name), entry.line));
        Some(entry)
    }
}

/// One thing in a list.
pub(super) enum Item<'d, 't> {
    Text(String),
    Table(Section<'d, 't>),
    /// Neither; in words.
    Wrong(&'static str),
}

/// The value of a key that takes a text or a list.
pub(super) enum Choice<'d, 't> {
    Text(Placed<String>),
    List(Placed<Vec<Placed<Item<'d, 't>>>>),
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// How many letters have to be inserted, removed or exchanged (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, from) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, to) in right.bytes().enumerate() {
            let exchanged = diagonal + usize::from(from != to);
            diagonal = row[column + 1];
            row[column + 1] = exchanged.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_of_two_words_is_the_number_of_slips() {
        assert_eq!(distance("listen", "listen"), 0);
        assert_eq!(distance("listen", "lsiten"), 2);
        assert_eq!(distance("count", "counts"), 1);
        assert_eq!(distance("", "pin"), 3);
    }
}
