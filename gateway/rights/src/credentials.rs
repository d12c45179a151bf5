//! What a dashboard presents to be known.

use crate::certificate::Subject;
use crate::secret::Secret;

/// How every API key of ours begins, so that scanners of leaked secrets can know it.
pub(crate) const API_KEY_PREFIX: &str = "mdg_";

/// Credentials as presented, not yet believed.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// Nothing.
    None,
    /// A key of ours, `mdg_ID_SECRET`.
    ApiKey(Secret),
    /// A signed token (JWT, compact form).
    Token(Secret),
    /// A client certificate that TLS has verified.
    Certificate {
        /// Whom it names.
        subject: Subject,
    },
}

impl Credentials {
    /// A key or a token, told apart by how it begins: a key of ours never parses as a token.
    pub fn from_text(text: &str) -> Self {
        if text.starts_with(API_KEY_PREFIX) {
            Self::ApiKey(Secret::new(text))
        } else {
            Self::Token(Secret::new(text))
        }
    }
}
