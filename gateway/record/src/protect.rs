//! What TLS 1.2 and 1.3 make of a key, a sequence number and a cipher: nonces, additional data, and
//! how many bytes a record has before and behind its content.

use aws_lc_rs::aead::{self, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use rustls::{ConnectionTrafficSecrets, ProtocolVersion};

use crate::{HEAD_BYTES, TAG_BYTES};

/// Bytes of a nonce that a TLS 1.2 GCM record carries.
const EXPLICIT_BYTES: usize = 8;
/// TLS 1.2 as a record's head names it; 1.3 names it, too (RFC 8446, 5.1).
const VERSION: [u8; 2] = [3, 3];

/// How a record is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The content type stands behind the content, padding behind that.
    Tls13,
    /// Eight bytes of the nonce stand before the content: AES-GCM.
    Tls12Explicit,
    /// Nothing but the content: ChaCha20-Poly1305.
    Tls12Implicit,
}

impl Shape {
    /// None where version or cipher is not known here.
    pub(crate) fn of(version: ProtocolVersion, secrets: &ConnectionTrafficSecrets) -> Option<Self> {
        match (version, secrets) {
            (ProtocolVersion::TLSv1_3, _) => Some(Self::Tls13),
            (ProtocolVersion::TLSv1_2, ConnectionTrafficSecrets::Chacha20Poly1305 { .. }) => {
                Some(Self::Tls12Implicit)
            }
            (ProtocolVersion::TLSv1_2, _) => Some(Self::Tls12Explicit),
            _ => None,
        }
    }

    /// Bytes before the content.
    pub(crate) const fn lead_bytes(self) -> usize {
        match self {
            Self::Tls12Explicit => HEAD_BYTES + EXPLICIT_BYTES,
            Self::Tls13 | Self::Tls12Implicit => HEAD_BYTES,
        }
    }

    /// Bytes behind the content, where nothing is padded.
    pub(crate) const fn tail_bytes(self) -> usize {
        match self {
            Self::Tls13 => 1 + TAG_BYTES,
            Self::Tls12Explicit | Self::Tls12Implicit => TAG_BYTES,
        }
    }

    /// What is authenticated beside the content: the head, and in TLS 1.2 the sequence number.
    pub(crate) fn additional(
        self,
        sequence: u64,
        head: [u8; HEAD_BYTES],
        plain_bytes: usize,
    ) -> Additional {
        let mut bytes = [0; 13];
        if self == Self::Tls13 {
            bytes[..HEAD_BYTES].copy_from_slice(&head);
            return Additional { bytes, used: HEAD_BYTES };
        }
        bytes[..8].copy_from_slice(&sequence.to_be_bytes());
        bytes[8..11].copy_from_slice(&head[..3]);
        // A record's length fits: it was checked, or is ours.
        bytes[11..].copy_from_slice(&(plain_bytes as u16).to_be_bytes());
        Additional { bytes, used: bytes.len() }
    }
}

/// Additional data of either version.
pub(crate) struct Additional {
    bytes: [u8; 13],
    used: usize,
}

impl Additional {
    pub(crate) fn aad(&self) -> Aad<&[u8]> {
        Aad::from(&self.bytes[..self.used])
    }
}

/// A record's head.
pub(crate) const fn head(content: u8, length: usize) -> [u8; HEAD_BYTES] {
    let [high, low] = (length as u16).to_be_bytes();
    [content, VERSION[0], VERSION[1], high, low]
}

/// The start of all nonces of a key.
#[derive(Clone, Copy)]
pub(crate) struct Start([u8; NONCE_LEN]);

impl Start {
    /// The nonce of one record, and its explicit part. The sequence number is laid over the start
    /// in TLS 1.2 GCM as well: rustls has sealed its Finished so, and none may come twice.
    pub(crate) fn nonce(&self, sequence: u64) -> (Nonce, [u8; EXPLICIT_BYTES]) {
        let mut nonce = self.0;
        let mut explicit = [0; EXPLICIT_BYTES];
        for (at, byte) in sequence.to_be_bytes().into_iter().enumerate() {
            nonce[NONCE_LEN - EXPLICIT_BYTES + at] ^= byte;
            explicit[at] = nonce[NONCE_LEN - EXPLICIT_BYTES + at];
        }
        (Nonce::assume_unique_for_key(nonce), explicit)
    }

    /// The nonce of a record that carries its explicit part.
    pub(crate) fn nonce_with(&self, explicit: [u8; EXPLICIT_BYTES]) -> Nonce {
        let mut nonce = self.0;
        nonce[NONCE_LEN - EXPLICIT_BYTES..].copy_from_slice(&explicit);
        Nonce::assume_unique_for_key(nonce)
    }
}

/// The start of the nonces; none where the cipher is not known here.
pub(crate) fn start(secrets: &ConnectionTrafficSecrets) -> Option<Start> {
    let (ConnectionTrafficSecrets::Aes128Gcm { iv, .. }
    | ConnectionTrafficSecrets::Aes256Gcm { iv, .. }
    | ConnectionTrafficSecrets::Chacha20Poly1305 { iv, .. }) = secrets
    else {
        return None;
    };
    iv.as_ref().try_into().ok().map(Start)
}

/// The key, made ready for use; none where the cipher is not known here.
pub(crate) fn key(secrets: &ConnectionTrafficSecrets) -> Option<LessSafeKey> {
    let (algorithm, key) = match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, .. } => (&aead::AES_128_GCM, key),
        ConnectionTrafficSecrets::Aes256Gcm { key, .. } => (&aead::AES_256_GCM, key),
        ConnectionTrafficSecrets::Chacha20Poly1305 { key, .. } => (&aead::CHACHA20_POLY1305, key),
        _ => return None,
    };
    UnboundKey::new(algorithm, key.as_ref()).ok().map(LessSafeKey::new)
}
