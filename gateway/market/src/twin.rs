//! A twin: a symbol as it was some time ago, under a number of its own and the same name.
//!
//! To the fold it is a symbol like any other, fed with the original's ticks when they are old
//! enough. By name only originals are found; who may have a symbol later asks for its twin.

use crate::SymbolId;

/// Whose twin a symbol is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Twin {
    /// The original; never a twin itself.
    pub of: SymbolId,
    /// How much later it is told; never zero.
    pub delay_ms: u32,
}
