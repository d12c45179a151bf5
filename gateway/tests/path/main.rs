//! The whole path over real sockets and real TLS: a simulated venue, the gateway, strict
//! dashboards.
//!
//! Nothing here shares a decoder, a book or a checksum with the gateway. Each wait has a condition
//! and a deadline. What every dashboard hears is held against the protocol's promises all the time.
#![allow(missing_docs, unreachable_pub, reason = "a test program has no public face")]

mod book;
mod certificate;
mod compare;
mod crowd;
mod dashboard;
mod drain;
mod faults;
#[path = "../support/hiccups.rs"]
mod hiccups;
mod json;
mod kraken;
mod lap;
mod life;
mod operate;
#[path = "../support/orderly.rs"]
mod orderly;
#[cfg(debug_assertions)]
mod panics;
mod program;
#[path = "../support/recorded.rs"]
mod recorded;
mod recording;
mod records;
mod reload;
mod replay;
mod rig;
mod split;
mod stop;
#[path = "../support/trust.rs"]
mod trust;
mod venue;
mod view;
#[path = "../support/websocket.rs"]
mod websocket;
mod window;
