//! What a venue says: bytes to market events, one file a dialect.
#![forbid(unsafe_code)]
