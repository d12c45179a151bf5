//! A TOML document, read key by key: every wrong thing is noted with its line, and reading goes on.
//!
//! Each key is asked for once, with its range and default; what was asked for is the list of known
//! keys, from which unknown ones are told and the manual is checked. Deliberately absent: serde,
//! which stops at the first error.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::Range;

use toml::de::DeTable;

use super::refusal::Refusal;
use super::section::Section;

/// Longest value shown in a refusal, in characters.
const SHOWN_MAX: usize = 60;
/// Longest part of a refusal's line, in characters.
const PART_MAX: usize = 300;

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
        let (key, value) = (printable(&key.into()), value.map(|value| printable(&value)));
        let reason = printable(&reason.to_string());
        self.refusals.borrow_mut().push(Refusal { line, key, value, reason });
    }

    /// Where a key stands that was read last under this name.
    pub(super) fn line_of(&self, key: &str) -> Option<usize> {
        self.lines.borrow().last(key)
    }

    /// Notes where a key stands that is being read.
    pub(super) fn note_line(&self, key: String, line: usize) {
        self.lines.borrow_mut().0.push((key, line));
    }

    /// Notes a key that is asked for; once, however many tables have it.
    pub(super) fn note_key(&self, key: KeyFacts) {
        let mut facts = self.facts.borrow_mut();
        if !facts.contains(&key) {
            facts.push(key);
        }
    }

    /// Ends the reading.
    pub(super) fn finish(self) -> Remains {
        let mut refusals = self.refusals.into_inner();
        refusals.sort_by_key(|refusal| refusal.line.unwrap_or(0));
        Remains { refusals, facts: self.facts.into_inner(), lines: self.lines.into_inner() }
    }

    /// The line in which a span begins, counted from 1.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or(self.text.as_bytes());
        before.split(|&byte| byte == b'\n').count()
    }

    /// What stands there, shortened for a refusal.
    pub(super) fn shown(&self, span: &Range<usize>) -> String {
        let text = self.text.get(span.clone()).unwrap_or_default();
        let first = text.lines().next().unwrap_or_default();
        let short: String = first.chars().take(SHOWN_MAX).collect();
        if short.len() < text.len() { format!("{short}...") } else { short }
    }
}

/// A part of a refusal's line: one that cannot begin another line, draw on a terminal or fill it.
fn printable(text: &str) -> String {
    let mut out = String::new();
    for (at, letter) in text.chars().enumerate() {
        if at == PART_MAX {
            out.push_str("...");
            break;
        }
        // Quotes and backslashes stay: what is shown is quoted already.
        if matches!(letter, '"' | '\'' | '\\') {
            out.push(letter);
        } else {
            out.extend(letter.escape_debug());
        }
    }
    out
}
