//! TLS as dashboards meet it: real sockets, a whole gateway, clients that behave and others.
//!
//! ```text
//!   rustls, OpenSSL, Python ──TCP──> door: handshake, HTTP, 101 ──> shard: pings and pongs
//! ```
//!
//! There is no venue: what is said is pings, whose answers name their request.
#![allow(clippy::print_stdout, unreachable_pub, reason = "a test says what it leaves out")]

mod foreign;
mod link;
#[path = "../support/orderly.rs"]
mod orderly;
mod records;
mod rig;
#[path = "../support/trust.rs"]
mod trust;
#[path = "../support/websocket.rs"]
mod websocket;
