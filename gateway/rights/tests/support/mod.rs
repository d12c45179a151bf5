//! An issuer of tokens with keys of its own, made anew by each test. It signs with the primitives,
//! not with the library under test.
#![allow(dead_code, unreachable_pub, reason = "each test file needs a part of it")]

use std::path::Path;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SystemRandom, fill};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rights::{Authenticator, Credentials, Failure, Identity, KeySet, Register, Secret, Wall};
use serde_json::{Value, json};

/// When all tests take place, in seconds since 1970.
pub const NOW: u64 = 1_800_000_000;

pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A private key and its algorithm.
pub enum Signer {
    Hs256(Vec<u8>),
    Rs256(Box<RsaKeyPair>),
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl Signer {
    pub fn hs256() -> Self {
        let mut secret = vec![0; 32];
        fill(&mut secret).expect("the system has randomness");
        Self::Hs256(secret)
    }

    pub fn rs256() -> Self {
        Self::Rs256(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key is made")))
    }

    pub fn es256() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Self::Es256(key.expect("a key is made"))
    }

    pub fn eddsa() -> Self {
        Self::EdDsa(Ed25519KeyPair::generate().expect("a key is made"))
    }

    pub fn all() -> [Self; 4] {
        [Self::hs256(), Self::rs256(), Self::es256(), Self::eddsa()]
    }

    pub fn alg(&self) -> &'static str {
        match self {
            Self::Hs256(_) => "HS256",
            Self::Rs256(_) => "RS256",
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    /// What verifies it, as JWK.
    pub fn jwk(&self, kid: &str) -> Value {
        let mut jwk = match self {
            Self::Hs256(secret) => json!({"kty": "oct", "k": b64(secret)}),
            Self::Rs256(key) => {
                let (n, e) = (key.public_key().modulus(), key.public_key().exponent());
                let (n, e) =
                    (n.big_endian_without_leading_zero(), e.big_endian_without_leading_zero());
                json!({"kty": "RSA", "n": b64(n), "e": b64(e)})
            }
            Self::Es256(key) => {
                let point = key.public_key().as_ref();
                let (x, y) = (b64(&point[1..33]), b64(&point[33..]));
                json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})
            }
            Self::EdDsa(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key().as_ref())})
            }
        };
        jwk["alg"] = self.alg().into();
        jwk["use"] = "sig".into();
        jwk["kid"] = kid.into();
        jwk
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Hs256(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
            Self::Rs256(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .expect("it can sign");
                signature
            }
            Self::Es256(key) => {
                let signature = key.sign(&SystemRandom::new(), message).expect("it can sign");
                signature.as_ref().to_vec()
            }
            Self::EdDsa(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    pub fn token(&self, kid: &str, claims: &Value) -> String {
        self.token_with(&json!({"alg": self.alg(), "typ": "JWT", "kid": kid}), claims)
    }

    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let signature = b64(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

/// Claims that are good for an hour.
pub fn claims() -> Value {
    json!({
        "iss": "https://login.test/", "aud": ["other", "market-data"], "sub": "alice",
        "exp": NOW + 3600, "nbf": NOW - 10, "iat": NOW - 10, "jti": "t-1", "groups": ["desk", "eu"],
    })
}

/// [`claims`] with one of them set, or taken out where `value` is null.
pub fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => _ = claims.as_object_mut().expect("claims are an object").remove(name),
        value => claims[name] = value,
    }
    claims
}

pub const TOKENS: &str = r#"
[tokens]
keys_file = "jwks.json"
issuers = ["https://login.test/"]
audiences = ["market-data"]
leeway_s = 30
"#;

pub fn key_set(jwks: &[Value]) -> KeySet {
    let text = json!({"keys": jwks}).to_string();
    KeySet::parse(&text, Path::new("jwks.json")).expect("the keys are good")
}

pub fn register(text: &str) -> Register {
    Register::parse(text, Path::new("credentials.toml")).expect("the register is good")
}

pub fn authenticator(jwks: &[Value]) -> Authenticator {
    Authenticator::new(register(TOKENS), Some(key_set(jwks)))
}

/// What becomes of a text that is presented at [`NOW`].
pub fn present(authenticator: &Authenticator, text: &str) -> Result<Identity, Failure> {
    present_at(authenticator, text, NOW)
}

pub fn present_at(
    authenticator: &Authenticator,
    text: &str,
    seconds: u64,
) -> Result<Identity, Failure> {
    let credentials = Credentials::from_text(text);
    let outcome = authenticator.authenticate(&credentials, Wall::from_seconds(seconds));
    outcome.map(|identity| (*identity).clone()).map_err(|error| {
        assert_eq!(error.to_string(), "credentials refused", "all failures read the same");
        error.failure()
    })
}

/// The same for a text that must be taken for a token.
pub fn present_token(authenticator: &Authenticator, text: &str) -> Result<Identity, Failure> {
    let credentials = Credentials::Token(Secret::new(text));
    let outcome = authenticator.authenticate(&credentials, Wall::from_seconds(NOW));
    outcome.map(|identity| (*identity).clone()).map_err(rights::AuthError::failure)
}
