//! The committed counts: what one operation of each workload costs, and what they were counted
//! with.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;

/// Growth beyond this share fails.
const GROWTH_MAX: f64 = 0.05;

const HEAD: &str = "\
# Instructions and allocations of one operation of each micro-benchmark, counted by callgrind.
# Written by `.ci/instructions --update`; never by hand. CI fails when a count grows by more than
# 5 %, or an allocation is added: a change that means it commits this file with it, and says why.
";

/// What counts depend on besides our code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MadeWith {
    pub(crate) rustc: String,
    pub(crate) valgrind: String,
    /// Of the processor that valgrind plays: what libraries choose their code by.
    pub(crate) cpu: String,
}

/// Counts of one operation.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Count {
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
}

/// The file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Baseline {
    pub(crate) made_with: MadeWith,
    pub(crate) workload: BTreeMap<String, Count>,
}

/// What a comparison says of one workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Same,
    Fewer,
    Grown,
    Allocates,
    Unknown,
}

impl Verdict {
    pub(crate) const fn is_failure(self) -> bool {
        matches!(self, Self::Grown | Self::Allocates | Self::Unknown)
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Same => "",
            Self::Fewer => "fewer: --update keeps the gain",
            Self::Grown => "GROWN by more than 5 %",
            Self::Allocates => "ALLOCATES more",
            Self::Unknown => "NOT in the baseline",
        }
    }
}

impl Baseline {
    pub(crate) fn path() -> PathBuf {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../bench/instructions.toml")).to_owned()
    }

    /// None where there is no file yet.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, String> {
        match fs::read_to_string(path) {
            Ok(text) => toml::from_str(&text)
                .map(Some)
                .map_err(|error| format!("{}: {error}", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), String> {
        let MadeWith { rustc, valgrind, cpu } = &self.made_with;
        let mut text = format!(
            "{HEAD}\n[made_with]\nrustc = {rustc:?}\nvalgrind = {valgrind:?}\ncpu = {cpu:?}\n\n\
             [workload]\n"
        );
        for (name, Count { instructions, allocations }) in &self.workload {
            let count = format!("instructions = {instructions:.1}, allocations = {allocations:.2}");
            writeln!(text, "{name:?} = {{ {count} }}").expect("memory takes all");
        }
        fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    pub(crate) fn judge(&self, name: &str, now: Count) -> Verdict {
        let Some(was) = self.workload.get(name) else { return Verdict::Unknown };
        let ratio = now.instructions / was.instructions;
        if ratio > 1.0 + GROWTH_MAX {
            Verdict::Grown
        } else if now.allocations > was.allocations + 0.01 {
            Verdict::Allocates
        } else if ratio < 1.0 - GROWTH_MAX {
            Verdict::Fewer
        } else {
            Verdict::Same
        }
    }
}
