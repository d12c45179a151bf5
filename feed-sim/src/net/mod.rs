//! The venue's sockets: accepting, TLS, HTTP, WebSocket upgrade, reading and batched writing.
//!
//! Runs on the sim thread. Knows what a connection is, and nothing of what a market says: that
//! is behind the `Venue` trait.

pub(crate) mod frame;
pub(crate) mod hub;
pub(crate) mod outbox;
pub(crate) mod rest;
pub(crate) mod server;
pub(crate) mod tls;
