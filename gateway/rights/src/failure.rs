//! Why credentials were refused: for us a reason with a label, for everybody else one and the same
//! answer.

use thiserror::Error;

use crate::words::words;

words! {
    /// Why credentials were refused. For metrics and logs only: told to the outside, it would help
    /// whoever guesses.
    Failure {
        /// None were presented, and the gateway is not open.
        Missing = "missing",
        /// They were presented in two places at once.
        Ambiguous = "ambiguous",
        /// Not the shape of a credential.
        Malformed = "malformed",
        /// Larger than 16 KiB; it was not looked at.
        TooLarge = "too_large",
        /// This way of signing in is not configured.
        NotAccepted = "not_accepted",
        /// No key has this id.
        UnknownKey = "unknown_key",
        /// The key's id is known, its secret is not.
        WrongSecret = "wrong_secret",
        /// Switched off in the register.
        Disabled = "disabled",
        /// The user, or this token, is on the register's list of the blocked.
        Blocked = "blocked",
        /// Its time is over.
        Expired = "expired",
        /// Its time has not come.
        NotYetValid = "not_yet_valid",
        /// The token is meant for somebody else.
        Audience = "audience",
        /// The token comes from somebody else.
        Issuer = "issuer",
        /// The token names an algorithm that is not its key's, `none` among them.
        Algorithm = "algorithm",
        /// No key of ours has the token's key id.
        UnknownSigner = "unknown_signer",
        /// The signature does not fit.
        Signature = "signature",
        /// A claim is missing, or has a value it cannot have.
        Claims = "claims",
        /// No name of the certificate is in the register, or names of two users are.
        UnknownSubject = "unknown_subject",
    }
}

/// Credentials were refused. Its text is the same whatever the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("credentials refused")]
pub struct AuthError {
    failure: Failure,
}

impl AuthError {
    /// The reason, for metrics and logs.
    pub const fn failure(self) -> Failure {
        self.failure
    }
}

impl From<Failure> for AuthError {
    fn from(failure: Failure) -> Self {
        Self { failure }
    }
}
