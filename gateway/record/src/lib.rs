//! Seals and opens TLS records behind a handshake that rustls has made: no sockets, no HTTP, no
//! market word.
//!
//! [`Records`] is one connection's keys, both ways. What it seals lies in a buffer that its caller
//! lends, and is sealed there; what it opens is opened where it was read. **Invariant:** between
//! two calls it holds nothing but keys, and the rest of a record that has not come whole; nothing
//! is allocated by a length that the peer declares. TLS 1.3 (RFC 8446) with key updates both ways,
//! and TLS 1.2 (RFC 5246) with AES-GCM (RFC 5288) and ChaCha20-Poly1305 (RFC 7905). Deliberately
//! absent: handshakes, tickets, renegotiation, early data, compression.
#![forbid(unsafe_code)]

mod opener;
mod protect;
mod records;
#[cfg(fuzzing)]
pub mod rehearsal;
mod sealer;
#[cfg(test)]
mod tests;
mod violation;

pub use opener::Input;
pub use records::{Event, Exhausted, Records};
pub use violation::Violation;

/// Most plain bytes of one record.
pub const PLAIN_BYTES_MAX: usize = 1 << 14;
/// Most bytes of a sealed record behind its head.
const SEALED_BYTES_MAX: usize = PLAIN_BYTES_MAX + 256;
/// Content type, version, length.
const HEAD_BYTES: usize = 5;
/// The tag of all three ciphers.
const TAG_BYTES: usize = 16;

/// What a record carries; its number on the wire.
mod content {
    pub(crate) const ALERT: u8 = 21;
    pub(crate) const HANDSHAKE: u8 = 22;
    pub(crate) const DATA: u8 = 23;
}

/// The one handshake message that may come or go here.
mod key_update {
    pub(crate) const TYPE: u8 = 24;
    pub(crate) const NOT_REQUESTED: [u8; 5] = [TYPE, 0, 0, 1, 0];
}
