//! Why a request was refused: one table of codes, and the sentence that goes with it.

/// A code of the protocol's closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// Not understood: not JSON, a wrong type, an unknown method or field.
    InvalidRequest,
    /// No such channel.
    UnknownChannel,
    /// No such symbol.
    UnknownSymbol,
    /// The session would hold more subscriptions than it may.
    SymbolLimit,
    /// More requests a second than it may send.
    RateLimit,
}

impl Code {
    /// All codes, in the order of [`Self::index`].
    pub const ALL: [Self; 5] = [
        Self::InvalidRequest,
        Self::UnknownChannel,
        Self::UnknownSymbol,
        Self::SymbolLimit,
        Self::RateLimit,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::UnknownChannel => "UNKNOWN_CHANNEL",
            Self::UnknownSymbol => "UNKNOWN_SYMBOL",
            Self::SymbolLimit => "SYMBOL_LIMIT",
            Self::RateLimit => "RATE_LIMIT",
        }
    }

    /// Its place in [`Self::ALL`], for tables of counters.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A refusal: the code for programs, the sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: Code,
    /// For people: what was wrong and where.
    pub message: String,
}

impl Refusal {
    /// A refusal with its sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidRequest, message)
    }
}
