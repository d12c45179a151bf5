//! API keys: `mdg_ID_SECRET`, for programs.
//!
//! The id (16 hex digits) is public and finds the key; the secret is 256 random bits. The register
//! keeps the SHA-256 of the whole text. A slow, salted hash is right for passwords, which can be
//! guessed; nobody can try 2^256 keys, so a fast one gives nothing away, and it lets thousands of
//! programs reconnect at once. Weaker keys cannot exist: [`NewKey::generate`] makes them, and a key
//! of any other shape is refused before it is hashed. Digests are compared in constant time, and an
//! unknown id costs the same work.

use std::fmt::Write;

use aws_lc_rs::{constant_time, digest, rand};

use crate::credentials::API_KEY_PREFIX;
use crate::failure::Failure;
use crate::secret::Secret;
use crate::wall::Wall;

/// Random bytes in an id.
const ID_BYTES: usize = 8;
/// Random bytes in a secret.
const SECRET_BYTES: usize = 32;

/// A SHA-256.
pub(crate) type Digest = [u8; 32];

/// A key that was just made. Its text is shown once; only its digest is kept.
#[derive(Debug)]
pub struct NewKey {
    id: String,
    text: Secret,
}

impl NewKey {
    /// Makes a key from the system's random source; none where that fails.
    pub fn generate() -> Option<Self> {
        let mut random = [0; ID_BYTES + SECRET_BYTES];
        rand::fill(&mut random).ok()?;
        let (id, secret) = random.split_at(ID_BYTES);
        let id = hex(id);
        let text = Secret::new(format!("{API_KEY_PREFIX}{id}_{}", hex(secret)));
        Some(Self { id, text })
    }

    /// The public id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The whole key, for its owner.
    pub const fn text(&self) -> &Secret {
        &self.text
    }

    /// The lines for the register. The names are written as TOML texts, whatever they hold.
    pub fn register_entry(&self, user: &str, groups: &[&str], expires: Option<Wall>) -> String {
        let digest = hex(&sha256(self.text.expose().as_bytes()));
        let text = |name: &str| toml::Value::from(name).to_string();
        let groups: Vec<String> = groups.iter().map(|group| text(group)).collect();
        let expires = expires.map_or(String::new(), |Wall(at)| format!("expires = {at}\n"));
        format!(
            "[[keys]]\nid = \"{}\"\nsha256 = \"{digest}\"\nuser = {}\ngroups = [{}]\n{expires}",
            self.id,
            text(user),
            groups.join(", "),
        )
    }
}

/// What was presented, if it has the shape of a key: its id and the digest of the whole.
pub(crate) fn read(text: &str) -> Result<(&str, Digest), Failure> {
    let parts = text.strip_prefix(API_KEY_PREFIX).and_then(|rest| rest.split_once('_'));
    let (id, secret) = parts.ok_or(Failure::Malformed)?;
    if !is_hex(id, ID_BYTES) || !is_hex(secret, SECRET_BYTES) {
        return Err(Failure::Malformed);
    }
    Ok((id, sha256(text.as_bytes())))
}

/// Whether this can be a key's id.
pub(crate) fn is_id(text: &str) -> bool {
    is_hex(text, ID_BYTES)
}

/// Compares in constant time.
pub(crate) fn is_same(left: &Digest, right: &Digest) -> bool {
    constant_time::verify_slices_are_equal(left, right).is_ok()
}

/// Reads a digest as the register writes it.
pub(crate) fn parse_digest(text: &str) -> Option<Digest> {
    let mut bytes = Digest::default();
    if !is_hex(text, bytes.len()) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16).map(|digit| digit as u8);
        *byte = digit(0)? << 4 | digit(1)?;
    }
    Some(bytes)
}

/// The digest of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    let mut out = Digest::default();
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// Lower case only, so that a key has one spelling.
fn is_hex(text: &str, bytes: usize) -> bool {
    text.len() == bytes * 2 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        _ = write!(text, "{byte:02x}");
        text
    })
}
