//! Why a message was refused; each reason has a label from a closed set, for metrics and logs.
//!
//! The names of fields are ours, static: an error can be kept, compared and counted without copying
//! anything the venue sent.

use thiserror::Error;

/// Every label [`DecodeError::kind`] can return.
pub const KINDS: [&str; 7] = [
    "too_large",
    "malformed_json",
    "missing_field",
    "bad_number",
    "negative",
    "bad_value",
    "unknown_shape",
];

/// Why a message, or one item of it, could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Larger than the limit; it was not looked at.
    #[error("message of {size} bytes, the limit is {size_max}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        size_max: usize,
    },
    /// Not JSON, or nested deeper than any message of these venues.
    #[error("malformed JSON")]
    MalformedJson,
    /// A field this kind of message must have is absent.
    #[error("field {0} is missing")]
    Missing(&'static str),
    /// A field that must be a number is not one we can hold exactly.
    #[error("field {0} is not a number in range")]
    BadNumber(&'static str),
    /// A price, size or volume below zero.
    #[error("field {0} is negative")]
    Negative(&'static str),
    /// A field of the wrong type, or a word it cannot have.
    #[error("field {0} has a value it cannot have")]
    BadValue(&'static str),
    /// JSON, but no message this dialect is known to send.
    #[error("unknown shape of message")]
    UnknownShape,
}

impl DecodeError {
    /// Its label, one of [`KINDS`].
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => KINDS[0],
            Self::MalformedJson => KINDS[1],
            Self::Missing(_) => KINDS[2],
            Self::BadNumber(_) => KINDS[3],
            Self::Negative(_) => KINDS[4],
            Self::BadValue(_) => KINDS[5],
            Self::UnknownShape => KINDS[6],
        }
    }
}
