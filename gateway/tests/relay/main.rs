//! Gateways that follow a gateway: programs of their own, real TLS, one simulated venue.
//!
//! The layout of a rolling restart: a hub with the venue and a relay, two edges that follow. What
//! dashboards are told goes into the strict view that `path` and `faults` use too. Each wait has a
//! condition and a deadline.
#![allow(missing_docs, unreachable_pub, dead_code, reason = "a test program has no public face")]

#[path = "../path/book.rs"]
mod book;
mod chain;
mod client;
mod cut;
#[path = "../path/json.rs"]
mod json;
mod lapped;
mod later;
#[path = "../faults/link.rs"]
mod link;
mod lost;
mod restart;
#[path = "../faults/rig.rs"]
mod rig;
mod site;
mod stranger;
#[path = "../path/view.rs"]
mod view;
