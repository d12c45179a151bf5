//! Signed tokens (JWT): whether one is to be believed, and whom it names.
//!
//! The order is: size, header, key, algorithm, signature, and only then claims. **The key decides
//! the algorithm**: each key is good for one, a token that names another is refused before any
//! signature is looked at; so a public key can never be taken for a shared secret, and `none` is
//! nobody's algorithm. What a token says about its own key (`jku`, `jwk`, `x5u`, `x5c`) is not
//! looked at.

mod claims;
mod key_set;

use jsonwebtoken::{Validation, decode, decode_header};

use crate::failure::Failure;
use crate::file::Table;
use crate::identity::{ANONYMOUS, GROUPS_MAX, Identity, Source, is_name};
use crate::wall::Wall;
use claims::Claims;
use key_set::Key;
pub use key_set::KeySet;

/// Largest token or key that is looked at.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Longest part of a token's own ids that goes into the audit log.
const SHOWN_BYTES_MAX: usize = 64;
const LEEWAY_S_MAX: u32 = 300;
const LEEWAY_S_DEFAULT: u32 = 30;

/// Which tokens are for us.
#[derive(Debug)]
pub(crate) struct TokenPolicy {
    pub(crate) keys_file: Box<str>,
    pub(crate) issuers: Vec<String>,
    audiences: Vec<String>,
    leeway: std::time::Duration,
    groups_claim: String,
    entitlements_claim: String,
}

impl TokenPolicy {
    /// The section `[tokens]` of the register.
    pub(crate) fn read(table: &mut Table<'_, '_>) -> Option<Self> {
        let keys_file = table.required_text("keys_file");
        let issuers = required_names(table, "issuers");
        let audiences = required_names(table, "audiences");
        let leeway_s = table.number("leeway_s", 0..=LEEWAY_S_MAX).unwrap_or(LEEWAY_S_DEFAULT);
        let claim = |name: Option<String>, default: &str| name.unwrap_or_else(|| default.into());
        let groups_claim = claim(table.text("groups_claim"), "groups");
        let entitlements_claim = claim(table.text("entitlements_claim"), "entitlements");
        Some(Self {
            keys_file: keys_file?.into(),
            issuers: issuers?,
            audiences: audiences?,
            leeway: std::time::Duration::from_secs(u64::from(leeway_s)),
            groups_claim,
            entitlements_claim,
        })
    }

    /// Believes a token or refuses it. The caller has bounded its size.
    pub(crate) fn verify(
        &self,
        token: &str,
        keys: &KeySet,
        wall: Wall,
    ) -> Result<Identity, Failure> {
        let header = decode_header(token).map_err(|error| malformed_or_algorithm(&error))?;
        if header.crit.is_some() {
            // It demands that something be understood, and nothing is.
            return Err(Failure::Malformed);
        }
        let candidates = keys.candidates(header.kid.as_deref(), header.alg)?;
        let mut outcome = Err(Failure::Signature);
        for key in candidates {
            outcome = claims_signed_by(key, token);
            if !matches!(outcome, Err(Failure::Signature)) {
                return self.identity(&outcome?, key, header.kid.as_deref(), wall);
            }
        }
        Err(outcome.err().unwrap_or(Failure::Signature))
    }

    fn identity(
        &self,
        claims: &Claims,
        key: &Key,
        kid: Option<&str>,
        wall: Wall,
    ) -> Result<Identity, Failure> {
        let issuer = claims.text("iss")?.ok_or(Failure::Issuer)?;
        if !self.issuers.contains(&issuer) {
            return Err(Failure::Issuer);
        }
        if !claims.texts("aud")?.iter().any(|audience| self.audiences.contains(audience)) {
            return Err(Failure::Audience);
        }
        let expires_at = claims.moment("exp")?.ok_or(Failure::Claims)?.plus(self.leeway);
        if expires_at <= wall {
            return Err(Failure::Expired);
        }
        for begin in ["nbf", "iat"] {
            if claims.moment(begin)?.is_some_and(|at| at > wall.plus(self.leeway)) {
                return Err(Failure::NotYetValid);
            }
        }
        let user = claims.text("sub")?.ok_or(Failure::Claims)?;
        let groups = claims.texts(&self.groups_claim)?;
        let are_names = is_name(&user) && groups.iter().all(|group| is_name(group));
        if !are_names || groups.len() > GROUPS_MAX || user == ANONYMOUS {
            return Err(Failure::Claims);
        }
        let id = claims.text("jti")?;
        let [kid, shown_id] = [kid, id.as_deref()].map(|part| shown(part.unwrap_or("-")));
        Ok(Identity {
            user: user.into(),
            groups: groups.into_iter().map(Into::into).collect(),
            expires_at: Some(expires_at),
            narrowing: claims.rules(&self.entitlements_claim)?,
            credential: format!("token:{kid}/{shown_id}").into(),
            source: Source::Token {
                signer: key.fingerprint,
                issuer: issuer.into(),
                id: id.map(Into::into),
            },
        })
    }
}

fn required_names(table: &mut Table<'_, '_>, key: &'static str) -> Option<Vec<String>> {
    if !table.has(key) {
        table.refuse(key, "is missing, and has no default");
    }
    let names = table.texts(key)?;
    if names.is_empty() || names.iter().any(String::is_empty) {
        table.refuse(key, "must name at least one, and none may be empty");
        return None;
    }
    Some(names)
}

/// Checks the signature, with the one algorithm of the key. Dates, issuer and audience are ours to
/// check: the library would ask the system for the time.
fn claims_signed_by(key: &Key, token: &str) -> Result<Claims, Failure> {
    use jsonwebtoken::errors::ErrorKind;
    let mut validation = Validation::new(key.algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let data = decode::<Claims>(token, &key.verifier, &validation);
    data.map(|data| data.claims).map_err(|error| match error.kind() {
        ErrorKind::InvalidSignature | ErrorKind::Base64(_) => Failure::Signature,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidKeyFormat => Failure::Algorithm,
        ErrorKind::Json(_) => Failure::Claims,
        _ => Failure::Malformed,
    })
}

/// The library knows no `none`: an algorithm it does not know is a fault in the header's JSON.
fn malformed_or_algorithm(error: &jsonwebtoken::errors::Error) -> Failure {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::Json(error) if error.to_string().contains("unknown variant") => {
            Failure::Algorithm
        }
        _ => Failure::Malformed,
    }
}

/// A token's own id, fit for a log: plain characters, shortened.
fn shown(id: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() { c } else { '?' };
    id.chars().take(SHOWN_BYTES_MAX).map(plain).collect()
}
