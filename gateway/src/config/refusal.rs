//! What is wrong with a config file, each thing with its line, key, value and reason.

use std::fmt;
use std::path::PathBuf;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Counted from 1; none where the file says nothing about the key.
    pub line: Option<usize>,
    /// The whole path of the key, such as `door.listen`; empty where the file is no TOML.
    pub key: String,
    /// As written, shortened; none where it is absent or may be secret.
    pub value: Option<String>,
    /// What would be right, and why.
    pub reason: String,
}

/// A config that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file itself cannot be had.
    #[error("{}: {reason}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// What it says cannot be used.
    #[error("{}", Lines { file, refusals })]
    Refused {
        /// Which file.
        file: PathBuf,
        /// Everything that is wrong, in the order of the lines.
        refusals: Vec<Refusal>,
    },
}

struct Lines<'a> {
    file: &'a std::path::Path,
    refusals: &'a [Refusal],
}

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, refusal) in self.refusals.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "{}", self.file.display())?;
            if let Some(line) = refusal.line {
                write!(f, ":{line}")?;
            }
            write!(f, ": {}", refusal.key)?;
            if let Some(value) = &refusal.value {
                write!(f, " = {value}")?;
            }
            let separator = if refusal.key.is_empty() { "" } else { ": " };
            write!(f, "{separator}{}", refusal.reason)?;
        }
        Ok(())
    }
}
