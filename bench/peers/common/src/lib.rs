//! What the Rust peers share: options, TLS, following the feed, and understanding dashboards.
//!
//! Nothing here touches a dashboard's socket: how ticks reach sessions is what the peers differ in,
//! and what is compared.

#![forbid(unsafe_code)]

mod feed;
mod options;
mod request;

pub use feed::Feed;
pub use options::{Options, announce, runtime};
pub use request::{Step, as_snapshot, status, steps};
