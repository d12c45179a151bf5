//! The Kraken v2 venue dialect: requests in, acks and channel messages out.
//!
//! Shared by the generated market and the replayed recording, which differ in the `Market` behind
//! the desk.

pub(crate) mod checksum;
pub(crate) mod desk;
pub(crate) mod instrument;
pub(crate) mod request;

/// The path at which this dialect is served.
pub(crate) const PATH: &str = "/v2";
/// The book depths a client may ask for.
pub(crate) const DEPTHS: [u16; 5] = [10, 25, 100, 500, 1000];
