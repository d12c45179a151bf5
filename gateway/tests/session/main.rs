//! What a session makes of dashboards that break rules: real sockets, real TLS, bytes written by
//! hand.
//!
//! ```text
//!   rustls and a bare socket ──TCP──> door: 101 ──> shard: guard, requests, close
//! ```
//!
//! There is no venue, unless a test says so: what is asked for is answers, refusals and the end.
#![allow(dead_code, unreachable_pub, reason = "rig and link are those of the tests of TLS")]

mod frames;
#[path = "../support/hiccups.rs"]
mod hiccups;
#[path = "../tls/link.rs"]
mod link;
mod names;
#[path = "../support/orderly.rs"]
mod orderly;
mod peer;
mod requests;
#[path = "../tls/rig.rs"]
mod rig;
#[path = "../support/trust.rs"]
mod trust;
#[path = "../support/websocket.rs"]
mod websocket;
