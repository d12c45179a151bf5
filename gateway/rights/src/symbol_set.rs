//! The symbols that one rule is about: names and patterns.
//!
//! Names are looked up, so a list of thousands costs no more than one; patterns are tried one after
//! the other, and most end at their first bytes.

use rustc_hash::FxHashSet;

use crate::glob::Glob;

/// Names and patterns, compiled. The hash is fast and unkeyed: what is *stored* comes from
/// operators and signed tokens, and what strangers send is only looked up.
#[derive(Clone, Debug, Default)]
pub(crate) struct SymbolSet {
    names: FxHashSet<Box<str>>,
    globs: Box<[Glob]>,
}

impl SymbolSet {
    /// Compiles patterns; the first one that is none is handed back.
    pub(crate) fn parse<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<Self, &'p str> {
        let mut names = FxHashSet::default();
        let mut globs = Vec::new();
        for pattern in patterns {
            let glob = Glob::parse(pattern).ok_or(pattern)?;
            match glob.literal() {
                Some(name) => _ = names.insert(name.into()),
                None => globs.push(glob),
            }
        }
        Ok(Self { names, globs: globs.into() })
    }

    pub(crate) fn contains(&self, symbol: &str) -> bool {
        self.globs.iter().any(|glob| glob.matches(symbol)) || self.names.contains(symbol)
    }
}
