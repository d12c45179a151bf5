//! An issuer of tokens, with a secret made anew by each test.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

pub struct Issuer(Vec<u8>);

impl Issuer {
    pub fn new() -> Self {
        let mut secret = vec![0; 32];
        rand::fill(&mut secret).expect("the system has randomness");
        Self(secret)
    }

    pub fn jwks(&self) -> String {
        let key =
            json!({"kty": "oct", "k": b64(&self.0), "alg": "HS256", "use": "sig", "kid": "k"});
        json!({ "keys": [key] }).to_string()
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let signature = b64(hmac::sign(&key, message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// Good for so many seconds.
    pub fn token(&self, user: &str, seconds: u64) -> String {
        self.sign(&header(), &claims(user, seconds))
    }
}

pub fn header() -> Value {
    json!({"alg": "HS256", "typ": "JWT", "kid": "k"})
}

pub fn claims(user: &str, seconds: u64) -> Value {
    json!({"iss": "https://login.test/", "aud": "market-data", "sub": user,
           "exp": now_s() + seconds})
}
