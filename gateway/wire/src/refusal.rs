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
    /// The dashboard's user may not see this.
    NotEntitled,
    /// Nobody is served here before he has said who he is.
    AuthRequired,
    /// The token proves nothing: malformed, wrongly signed, revoked.
    AuthFailed,
    /// No token came in time.
    AuthTimeout,
    /// The token was good once.
    TokenExpired,
    /// The session would hold more subscriptions than it may.
    SymbolLimit,
    /// The user would hold more sessions than he may.
    ConnectionLimit,
    /// More requests a second than it may send.
    RateLimit,
    /// The missed updates are no longer held, so nothing can be resumed.
    Unrecoverable,
    /// Our fault, not the dashboard's.
    Internal,
}

impl Code {
    /// All codes, in the order of [`Self::index`].
    pub const ALL: [Self; 13] = [
        Self::InvalidRequest,
        Self::UnknownChannel,
        Self::UnknownSymbol,
        Self::NotEntitled,
        Self::AuthRequired,
        Self::AuthFailed,
        Self::AuthTimeout,
        Self::TokenExpired,
        Self::SymbolLimit,
        Self::ConnectionLimit,
        Self::RateLimit,
        Self::Unrecoverable,
        Self::Internal,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::UnknownChannel => "UNKNOWN_CHANNEL",
            Self::UnknownSymbol => "UNKNOWN_SYMBOL",
            Self::NotEntitled => "NOT_ENTITLED",
            Self::AuthRequired => "AUTH_REQUIRED",
            Self::AuthFailed => "AUTH_FAILED",
            Self::AuthTimeout => "AUTH_TIMEOUT",
            Self::TokenExpired => "TOKEN_EXPIRED",
            Self::SymbolLimit => "SYMBOL_LIMIT",
            Self::ConnectionLimit => "CONNECTION_LIMIT",
            Self::RateLimit => "RATE_LIMIT",
            Self::Unrecoverable => "UNRECOVERABLE",
            Self::Internal => "INTERNAL",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_place_of_its_own() {
        for (at, code) in Code::ALL.iter().enumerate() {
            assert_eq!(code.index(), at, "{code:?}");
        }
    }

    #[test]
    fn codes_are_the_words_of_the_protocol() {
        let words = Code::ALL.map(Code::as_str).join(" ");
        assert_eq!(
            words,
            "INVALID_REQUEST UNKNOWN_CHANNEL UNKNOWN_SYMBOL NOT_ENTITLED AUTH_REQUIRED AUTH_FAILED \
             AUTH_TIMEOUT TOKEN_EXPIRED SYMBOL_LIMIT CONNECTION_LIMIT RATE_LIMIT UNRECOVERABLE \
             INTERNAL"
        );
    }
}
