//! The gateway: venues in, dashboards out. This crate runs what the small crates decide.
#![forbid(unsafe_code)]

pub mod access;
pub mod admin;
pub mod catalogue;
pub mod clock;
pub mod config;
pub mod door;
pub mod faults;
pub mod hearing;
pub mod ingest;
pub mod latency;
mod listen;
pub mod live;
mod local;
pub mod logs;
pub mod metrics;
pub mod relay;
pub mod relay_frame;
pub mod reload;
pub mod replica;
pub mod seat;
pub mod shard;
mod sockets;
mod start;
pub mod stop;
pub mod threads;
mod throttle;
mod usage;

pub use start::{Controls, Running, StartError, start, start_with};
