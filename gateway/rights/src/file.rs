//! A TOML file of ours, read table by table: every fault is noted with its line and key.
//!
//! Values are never shown in a fault; some are next to secrets. What was not asked for when a table
//! is finished is unknown, and refused by name.

use std::cell::RefCell;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use market::Nanos;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::wall::Wall;

/// One thing that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Counted from 1; none where there is no such place.
    pub line: Option<usize>,
    /// The key's path, such as `rules.symbols`; empty where the file as a whole cannot be read.
    pub key: String,
    /// What would be right.
    pub reason: String,
}

/// A file that cannot be used. Shown as `FILE:LINE: KEY: REASON`, a line for each fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", Lines(self))]
pub struct FileError {
    /// Which file.
    pub file: PathBuf,
    /// Everything that is wrong, in the order of the lines.
    pub faults: Vec<Fault>,
}

struct Lines<'a>(&'a FileError);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.faults.iter().enumerate() {
            let end = if at > 0 { "\n" } else { "" };
            write!(f, "{end}{}", self.0.file.display())?;
            if let Some(line) = fault.line {
                write!(f, ":{line}")?;
            }
            let separator = if fault.key.is_empty() { "" } else { ": " };
            write!(f, ": {}{separator}{}", fault.key, fault.reason)?;
        }
        Ok(())
    }
}

/// A file being read.
pub(crate) struct Document<'t> {
    text: &'t str,
    faults: RefCell<Vec<Fault>>,
}

impl<'t> Document<'t> {
    /// Reads a whole text with `read`; its result counts only where nothing was wrong.
    pub(crate) fn read<T>(
        text: &'t str,
        file: &Path,
        read: impl FnOnce(&mut Table<'_, 't>) -> T,
    ) -> Result<T, FileError> {
        let document = Self { text, faults: RefCell::default() };
        let result = match DeTable::parse(text) {
            Ok(root) => {
                let mut table = Table::new(&document, "", 1, root.into_inner());
                let result = read(&mut table);
                table.finish();
                Some(result)
            }
            Err(error) => {
                let line = error.span().map(|span| document.line(span.start));
                document.note(line, String::new(), error.message().to_owned());
                None
            }
        };
        let mut faults = document.faults.into_inner();
        faults.sort_by_key(|fault| fault.line);
        match result {
            Some(result) if faults.is_empty() => Ok(result),
            _ => Err(FileError { file: file.to_owned(), faults }),
        }
    }

    fn note(&self, line: Option<usize>, key: String, reason: String) {
        self.faults.borrow_mut().push(Fault { line, key, reason });
    }

    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        before.split(|byte| *byte == b'\n').count()
    }
}

struct Entry<'t> {
    name: String,
    line: usize,
    value: Option<Spanned<DeValue<'t>>>,
}

/// A table being read. A wrong value is noted and reads like an absent one.
pub(crate) struct Table<'d, 't> {
    document: &'d Document<'t>,
    path: String,
    line: usize,
    entries: Vec<Entry<'t>>,
}

impl<'d, 't> Table<'d, 't> {
    fn new(document: &'d Document<'t>, path: &str, line: usize, table: DeTable<'t>) -> Self {
        let entry = |(key, value): (Spanned<_>, _)| Entry {
            line: document.line(key.span().start),
            name: String::from(key.into_inner()),
            value: Some(value),
        };
        let entries = table.into_iter().map(entry).collect();
        Self { document, path: path.to_owned(), line, entries }
    }

    /// Notes that a key is wrong, or absent where it must not be.
    pub(crate) fn refuse(&self, name: &str, reason: impl Into<String>) {
        let line = self.entries.iter().find(|e| e.name == name).map_or(self.line, |e| e.line);
        self.document.note(Some(line), self.key(name), reason.into());
    }

    /// Whether the file has the key.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.name == name)
    }

    fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn take(&mut self, name: &str) -> Option<DeValue<'t>> {
        let entry = self.entries.iter_mut().find(|entry| entry.name == name)?;
        entry.value.take().map(Spanned::into_inner)
    }

    /// A table in this one.
    pub(crate) fn table(&mut self, name: &str) -> Option<Table<'d, 't>> {
        let path = self.key(name);
        let line = self.entries.iter().find(|entry| entry.name == name)?.line;
        match self.take(name)? {
            DeValue::Table(table) => Some(Table::new(self.document, &path, line, table)),
            _ => self.wrong(name, &format!("must be a table, [{path}]")),
        }
    }

    /// An array of tables, in order.
    pub(crate) fn tables(&mut self, name: &str) -> Vec<Table<'d, 't>> {
        let path = self.key(name);
        let must = format!("must be tables, each under [[{path}]]");
        let items = match self.take(name) {
            None => return Vec::new(),
            Some(DeValue::Array(items)) => items,
            Some(_) => return self.wrong(name, &must).unwrap_or_default(),
        };
        let mut tables = Vec::new();
        for item in items {
            let line = self.document.line(item.span().start);
            match item.into_inner() {
                DeValue::Table(table) => {
                    tables.push(Table::new(self.document, &path, line, table));
                }
                _ => self.refuse(name, &*must),
            }
        }
        tables
    }

    /// A text.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            DeValue::String(text) => Some(text.into_owned()),
            _ => self.wrong(name, "must be a text in quotes"),
        }
    }

    /// A text that has to be there.
    pub(crate) fn required_text(&mut self, name: &str) -> Option<String> {
        if !self.has(name) {
            self.refuse(name, "is missing, and has no default");
        }
        self.text(name)
    }

    /// A list of texts.
    pub(crate) fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let must = "must be a list of texts, such as [\"a\", \"b\"]";
        let DeValue::Array(items) = self.take(name)? else { return self.wrong(name, must) };
        let mut texts = Vec::new();
        for item in items {
            match item.into_inner() {
                DeValue::String(text) => texts.push(text.into_owned()),
                _ => return self.wrong(name, must),
            }
        }
        Some(texts)
    }

    /// A whole number in a range.
    pub(crate) fn number(&mut self, name: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let number = match self.take(name)? {
            DeValue::Integer(text) => u32::from_str_radix(text.as_str(), text.radix()).ok(),
            _ => None,
        };
        let must = format!("must be a whole number, {} to {}", range.start(), range.end());
        number.filter(|number| range.contains(number)).or_else(|| self.wrong(name, &must))
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, name: &str) -> Option<bool> {
        match self.take(name)? {
            DeValue::Boolean(flag) => Some(flag),
            _ => self.wrong(name, "must be true or false"),
        }
    }

    /// A moment in UTC.
    pub(crate) fn moment(&mut self, name: &str) -> Option<Wall> {
        let moment = match self.take(name)? {
            DeValue::Datetime(date) => Nanos::parse_rfc3339(date.to_string().as_bytes()),
            _ => None,
        };
        let must = "must be a time in UTC without quotes, such as 2027-01-31T00:00:00Z";
        moment.map(Wall).or_else(|| self.wrong(name, must))
    }

    fn wrong<T>(&self, name: &str, reason: &str) -> Option<T> {
        self.refuse(name, reason);
        None
    }

    /// Ends the reading: what was not asked for is not known.
    pub(crate) fn finish(&self) {
        for entry in self.entries.iter().filter(|entry| entry.value.is_some()) {
            self.refuse(&entry.name, "unknown key");
        }
    }
}
