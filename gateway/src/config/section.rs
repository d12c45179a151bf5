//! One table of a config document: every key is asked for once, with its range and default.
//!
//! A value of the wrong kind or out of range is noted in the document, and reading goes on with the
//! default. What is left when the reading ends is unknown, and told with the key that was meant.

use std::fmt::Display;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::{Document, KeyFacts, Placed};

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
    /// A table that stands at `path` and begins in `line`.
    pub(super) fn new(
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

    /// A list of whole numbers, each in a range; its default is the empty one.
    pub(super) fn numbers(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u64>,
    ) -> Placed<Vec<u64>> {
        let (min, max) = (*range.start(), *range.end());
        self.learn(name, Some((min, max)), Some("[]".to_owned()));
        let none = Placed { value: Vec::new(), line: None };
        let Some(Entry { line, value, .. }) = self.take(name) else { return none };
        let shown = self.document.shown(&value.span());
        let number = |item: Spanned<DeValue<'_>>| match item.get_ref() {
            DeValue::Integer(digits) => u64::from_str_radix(digits.as_str(), digits.radix())
                .ok()
                .filter(|number| range.contains(number)),
            _ => None,
        };
        let numbers = match value.into_inner() {
            DeValue::Array(items) => items.into_iter().map(number).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        if let Some(value) = numbers {
            return Placed { value, line: Some(line) };
        }
        let reason = format!("must be a list of whole numbers, each {min} to {max}");
        self.document.refuse(Some(line), self.key(name), Some(shown), reason);
        none
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

    /// Names and texts of a table whose keys are free; the values are never shown, they may be
    /// secret.
    pub(super) fn pairs(&mut self, name: &'static str) -> Vec<(String, Placed<String>)> {
        self.learn(name, None, Some("{}".to_owned()));
        let table = self.section(name);
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
        let section = self.path.clone();
        self.document.note_key(KeyFacts { section, name, range, default });
    }

    fn take(&mut self, name: &str) -> Option<Entry<'t>> {
        let at = self.entries.iter().position(|entry| entry.name == name)?;
        let entry = self.entries.remove(at);
        self.document.note_line(self.key(name), entry.line);
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
