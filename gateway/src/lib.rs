//! The gateway: venues in, dashboards out. This crate runs what the small crates decide.
#![forbid(unsafe_code)]

pub mod admin;
pub mod catalogue;
pub mod clock;
pub mod config;
pub mod door;
pub mod ingest;
pub mod latency;
mod listen;
pub mod metrics;
pub mod replica;
pub mod shard;
mod sockets;
mod start;
pub mod threads;

pub use start::{Running, StartError, start};
