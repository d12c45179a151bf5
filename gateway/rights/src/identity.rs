//! Who somebody is, once believed.

use crate::rule::Rule;
use crate::wall::Wall;
use crate::words::words;

/// Longest user or group name, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 256;
/// Most groups of one user.
pub(crate) const GROUPS_MAX: usize = 256;
/// The user of a gateway that lets people in without credentials; nobody else may be called so.
pub(crate) const ANONYMOUS: &str = "anonymous";

words! {
    /// By what somebody was known.
    CredentialKind {
        /// Nothing: the gateway is open.
        Anonymous = "anonymous",
        /// A key of the register.
        ApiKey = "api_key",
        /// A signed token.
        Token = "token",
        /// A client certificate.
        Certificate = "certificate",
    }
}

/// Somebody who was believed. Immutable: a refresh makes a new one.
#[derive(Clone, Debug)]
pub struct Identity {
    pub(crate) user: Box<str>,
    pub(crate) groups: Box<[Box<str>]>,
    pub(crate) expires_at: Option<Wall>,
    pub(crate) narrowing: Option<Box<[Rule]>>,
    pub(crate) credential: Box<str>,
    pub(crate) source: Source,
}

/// What has to be true still when the register is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Anonymous,
    ApiKey { id: Box<str>, sha256: [u8; 32] },
    Token { signer: [u8; 32], issuer: Box<str>, id: Option<Box<str>> },
    Certificate { subject: Box<crate::Subject> },
}

impl Identity {
    /// The user's name; 1 to 256 bytes, no control characters.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The user's groups.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(AsRef::as_ref)
    }

    /// By what the user was known.
    pub const fn kind(&self) -> CredentialKind {
        match self.source {
            Source::Anonymous => CredentialKind::Anonymous,
            Source::ApiKey { .. } => CredentialKind::ApiKey,
            Source::Token { .. } => CredentialKind::Token,
            Source::Certificate { .. } => CredentialKind::Certificate,
        }
    }

    /// When the credential ends, leeway included; none where it does not.
    pub const fn expires_at(&self) -> Option<Wall> {
        self.expires_at
    }

    /// Which credential it was, for the audit log: `key:ID`, `token:KID/JTI`, `cn:NAME`. Never a
    /// secret.
    pub fn credential(&self) -> &str {
        &self.credential
    }

    /// True where the token itself says what it is good for, which then bounds what the rules give.
    pub const fn is_narrowed(&self) -> bool {
        self.narrowing.is_some()
    }
}

/// Whether a user or group may be called so.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control)
}
