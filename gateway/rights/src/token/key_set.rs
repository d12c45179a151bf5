//! The keys that tokens are signed with: a JWKS file (RFC 7517).
//!
//! Each key is good for one algorithm, its `alg` where it says one: HS256, RS256, ES256 or `EdDSA`.
//! Keys for other uses are left out and counted. Keys rotate by being in the file together for as
//! long as tokens of the old one live. A private key in the file is refused: whoever can read the
//! file could sign.

use std::path::Path;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

use crate::api_key::{Digest, sha256};
use crate::failure::Failure;
use crate::file::{Fault, FileError};

/// Most keys of one file.
const KEYS_MAX: usize = 64;
/// Shortest shared secret, in bytes: as long as the digest (RFC 7518, 3.2).
const SHARED_BYTES_MIN: usize = 32;
/// RSA moduli, in bits.
const RSA_BITS_MIN: usize = 2048;
const RSA_BITS_MAX: usize = 8192;

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    kid: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) verifier: DecodingKey,
    /// Of the key itself and its id: what a running session's token was signed with.
    pub(super) fingerprint: Digest,
}

/// The keys of one file.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    left_out: usize,
}

impl KeySet {
    /// Reads a JWKS; `file` is its name in what is said about faults. A file without one usable key
    /// is refused.
    pub fn parse(text: &str, file: &Path) -> Result<Self, FileError> {
        let fault = |line, key: String, reason: String| FileError {
            file: file.to_owned(),
            faults: vec![Fault { line, key, reason }],
        };
        let root: Value = serde_json::from_str(text)
            .map_err(|error| fault(Some(error.line()), String::new(), "is not JSON".into()))?;
        let must = || fault(None, "keys".into(), "must be a list of keys (JWKS)".into());
        let items = root.get("keys").and_then(Value::as_array).ok_or_else(must)?;
        if items.len() > KEYS_MAX {
            let reason = format!("has {} keys, at most {KEYS_MAX}", items.len());
            return Err(fault(None, "keys".into(), reason));
        }
        let mut set = Self::default();
        for (at, item) in items.iter().enumerate() {
            let place = || format!("keys[{at}]");
            match item.as_object().ok_or("must be an object").and_then(Key::read) {
                Ok(None) => set.left_out += 1,
                Ok(Some(key)) if key.kid.is_some() && set.keys.iter().any(|k| k.kid == key.kid) => {
                    return Err(fault(None, place(), "its kid is taken by a key above".into()));
                }
                Ok(Some(key)) => set.keys.push(key),
                Err(reason) => return Err(fault(None, place(), reason.into())),
            }
        }
        if set.keys.is_empty() {
            let reason = "holds no key for HS256, RS256, ES256 or EdDSA signatures";
            return Err(fault(None, "keys".into(), reason.into()));
        }
        Ok(set)
    }

    /// Keys that can be used.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// True where none can.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Keys of the file that are for other uses or algorithms.
    pub const fn left_out(&self) -> usize {
        self.left_out
    }

    /// The keys that may have signed a token: of its key id where it names one, and of its
    /// algorithm.
    pub(super) fn candidates(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<impl Iterator<Item = &Key>, Failure> {
        let is_named = move |key: &&Key| kid.is_none() || key.kid.as_deref() == kid;
        if !self.keys.iter().any(|key| is_named(&key)) {
            return Err(Failure::UnknownSigner);
        }
        let is_candidate = move |key: &&Key| is_named(key) && key.algorithm == algorithm;
        if !self.keys.iter().any(|key| is_candidate(&key)) {
            return Err(Failure::Algorithm);
        }
        Ok(self.keys.iter().filter(is_candidate))
    }

    /// Whether a key is still here.
    pub(crate) fn has_signer(&self, fingerprint: &Digest) -> bool {
        self.keys.iter().any(|key| key.fingerprint == *fingerprint)
    }
}

impl Key {
    /// None where the key is for something else.
    fn read(jwk: &Map<String, Value>) -> Result<Option<Self>, &'static str> {
        let text = |name: &str| match jwk.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err("has a field that must be a text and is none"),
        };
        if jwk.contains_key("d") {
            return Err("holds a private key; put its public half here");
        }
        let operations = jwk.get("key_ops").and_then(Value::as_array);
        let is_for_verifying = text("use")?.is_none_or(|purpose| purpose == "sig")
            && operations.is_none_or(|list| list.iter().any(|item| item == "verify"));
        let curve = text("crv")?;
        let native = match text("kty")?.ok_or("has no kty")? {
            "oct" => Algorithm::HS256,
            "RSA" => Algorithm::RS256,
            "EC" if curve == Some("P-256") => Algorithm::ES256,
            "OKP" if curve == Some("Ed25519") => Algorithm::EdDSA,
            _ => return Ok(None),
        };
        let word = text("alg")?;
        let is_native = word.is_none_or(|word| word.parse().ok() == Some(native));
        if !is_for_verifying || !is_native {
            return Ok(None);
        }
        let bytes = |name: &str| {
            let encoded = text(name)?.ok_or("lacks a part of the key")?;
            URL_SAFE_NO_PAD.decode(encoded).map_err(|_| "has a part that is not base64url")
        };
        let (verifier, material) = match native {
            Algorithm::HS256 => shared(bytes("k")?)?,
            Algorithm::RS256 => rsa(&bytes("n")?, &bytes("e")?)?,
            Algorithm::ES256 => elliptic(&bytes("x")?, &bytes("y")?)?,
            _ => edwards(bytes("x")?)?,
        };
        let kid = text("kid")?.map(str::to_owned);
        let tag = [native as u8, u8::from(kid.is_some())];
        let id = sha256(kid.as_deref().unwrap_or_default().as_bytes());
        let fingerprint = sha256(&[&tag[..], &id, &material].concat());
        Ok(Some(Self { kid, algorithm: native, verifier, fingerprint }))
    }
}

type Material = (DecodingKey, Vec<u8>);

fn shared(secret: Vec<u8>) -> Result<Material, &'static str> {
    if secret.len() < SHARED_BYTES_MIN {
        return Err("is a shared secret of less than 32 bytes");
    }
    Ok((DecodingKey::from_secret(&secret), secret))
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Material, &'static str> {
    let significant = modulus.iter().skip_while(|byte| **byte == 0).copied().collect::<Vec<_>>();
    let head_bits = significant.first().map_or(0, |byte| byte.leading_zeros() as usize);
    let bits = significant.len() * 8 - head_bits;
    if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
        return Err("is an RSA key of less than 2048 or more than 8192 bits");
    }
    let key = DecodingKey::from_rsa_raw_components(&significant, exponent);
    Ok((key, [&significant, exponent].concat()))
}

fn elliptic(x: &[u8], y: &[u8]) -> Result<Material, &'static str> {
    let point = [&[4], x, y].concat();
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point)
        .map_err(|_| "is no point of the curve P-256")?;
    Ok((DecodingKey::from_ec_der(&point), point))
}

fn edwards(x: Vec<u8>) -> Result<Material, &'static str> {
    ParsedPublicKey::new(&ED25519, &x).map_err(|_| "is no Ed25519 key")?;
    Ok((DecodingKey::from_ed_der(&x), x))
}
