//! Decides whether credentials are to be believed.
//!
//! Immutable: when a file changes, a new one is made and put in its place. It costs a hash for a
//! key, a signature check for a token, so it belongs to the door,
//! never to a shard's cycle.

use std::sync::Arc;

use market::Nanos;

use crate::api_key;
use crate::certificate::Subject;
use crate::credentials::Credentials;
use crate::failure::{AuthError, Failure};
use crate::identity::{ANONYMOUS, Identity, Source};
use crate::register::{Holder, Register};
use crate::secret::Secret;
use crate::token::{KeySet, TOKEN_BYTES_MAX};
use crate::wall::Wall;

/// What is known of who may sign in, and by what.
#[derive(Debug)]
pub struct Authenticator {
    register: Register,
    token_keys: KeySet,
}

impl Authenticator {
    /// From the register, and the keys of the file it names; without keys no token is good.
    pub fn new(register: Register, token_keys: Option<KeySet>) -> Self {
        Self { register, token_keys: token_keys.unwrap_or_default() }
    }

    /// The register it was made from.
    pub const fn register(&self) -> &Register {
        &self.register
    }

    /// Believes credentials or refuses them. Whatever the reason, the error reads the same.
    pub fn authenticate(
        &self,
        credentials: &Credentials,
        wall: Wall,
    ) -> Result<Arc<Identity>, AuthError> {
        let identity = match credentials {
            Credentials::None => self.anonymous()?,
            Credentials::ApiKey(key) => self.by_key(key, wall)?,
            Credentials::Token(token) => self.by_token(token, wall)?,
            Credentials::Certificate { subject } => self.by_certificate(subject, wall)?,
        };
        self.register.blocked.check(&identity)?;
        Ok(Arc::new(identity))
    }

    /// Whether somebody who is inside would still be believed by this authenticator, which has
    /// replaced the one that let them in: the same key, neither disabled nor exchanged; the
    /// certificate's name; the key that signed the token; nobody blocked. The identity that comes
    /// back has the groups of today, and goes to [`crate::Lease::refresh`] and
    /// [`crate::Rules::entitlement`]. Ends are the lease's to watch: no clock is asked here.
    pub fn recheck(&self, identity: &Identity) -> Result<Arc<Identity>, AuthError> {
        // Nothing has ended in 1970.
        let wall = Wall(Nanos(0));
        let fresh = match &identity.source {
            Source::Anonymous => self.anonymous()?,
            Source::ApiKey { id, sha256 } => self.by_digest(id, sha256, wall)?,
            Source::Certificate { subject } => self.by_certificate(subject, wall)?,
            Source::Token { signer, issuer, .. } => {
                let policy = self.register.tokens.as_ref().ok_or(Failure::NotAccepted)?;
                if !self.token_keys.has_signer(signer) {
                    return Err(Failure::UnknownSigner.into());
                }
                if !policy.issuers.iter().any(|known| **known == **issuer) {
                    return Err(Failure::Issuer.into());
                }
                identity.clone()
            }
        };
        if fresh.user != identity.user {
            return Err(Failure::UnknownSubject.into());
        }
        self.register.blocked.check(&fresh)?;
        Ok(Arc::new(fresh))
    }

    fn anonymous(&self) -> Result<Identity, Failure> {
        let groups = self.register.anonymous.clone().ok_or(Failure::Missing)?;
        Ok(Identity {
            user: ANONYMOUS.into(),
            groups,
            expires_at: None,
            narrowing: None,
            credential: ANONYMOUS.into(),
            source: Source::Anonymous,
        })
    }

    fn by_key(&self, key: &Secret, wall: Wall) -> Result<Identity, Failure> {
        if key.expose().len() > TOKEN_BYTES_MAX {
            return Err(Failure::TooLarge);
        }
        let (id, sha256) = api_key::read(key.expose())?;
        self.by_digest(id, &sha256, wall)
    }

    fn by_digest(&self, id: &str, sha256: &[u8; 32], wall: Wall) -> Result<Identity, Failure> {
        let known = self.register.keys.get(id);
        // An unknown id is compared, too: the time taken must not tell which ids exist.
        let expected = known.map_or(&[0; 32], |known| &known.sha256);
        let is_same = api_key::is_same(expected, sha256);
        let known = known.ok_or(Failure::UnknownKey)?;
        if !is_same {
            return Err(Failure::WrongSecret);
        }
        let source = Source::ApiKey { id: id.into(), sha256: *sha256 };
        identity(&known.holder, known.holder.expires, format!("key:{id}"), source, wall)
    }

    fn by_token(&self, token: &Secret, wall: Wall) -> Result<Identity, Failure> {
        if token.expose().len() > TOKEN_BYTES_MAX {
            return Err(Failure::TooLarge);
        }
        let policy = self.register.tokens.as_ref().ok_or(Failure::NotAccepted)?;
        policy.verify(token.expose(), &self.token_keys, wall)
    }

    fn by_certificate(&self, subject: &Subject, wall: Wall) -> Result<Identity, Failure> {
        let certificates = &self.register.certificates;
        let mut known = subject.names().filter_map(|name| certificates.get_key_value(name));
        let (name, holder) = known.next().ok_or(Failure::UnknownSubject)?;
        if known.any(|(_, other)| other.user != holder.user) {
            return Err(Failure::UnknownSubject);
        }
        let end = holder.expires.map_or(subject.not_after(), |at| at.min(subject.not_after()));
        let source = Source::Certificate { subject: Box::new(subject.clone()) };
        identity(holder, Some(end), name.clone(), source, wall)
    }
}

fn identity(
    holder: &Holder,
    expires_at: Option<Wall>,
    credential: String,
    source: Source,
    wall: Wall,
) -> Result<Identity, Failure> {
    if holder.disabled {
        return Err(Failure::Disabled);
    }
    if expires_at.is_some_and(|at| at <= wall) {
        return Err(Failure::Expired);
    }
    Ok(Identity {
        user: holder.user.clone(),
        groups: holder.groups.clone(),
        expires_at,
        narrowing: None,
        credential: credential.into(),
        source,
    })
}
