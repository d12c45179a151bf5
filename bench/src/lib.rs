//! Plays the dashboards: many TLS WebSocket sessions against any gateway, from outside.
//!
//! `load` connects and reads, `scan` understands what is read, `verify` proves that nothing was
//! lost or bent, `fleet` measures the tail, `hostile` attacks beside them, `run` plays whole
//! scenarios, `report` says it. It never imports the gateway: what it knows of books, sequences and
//! checksums is its own, so that it can be the judge.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "in a test a panic is the report"))]

pub mod compare;
pub mod fleet;
pub mod floor;
pub mod hostile;
pub mod load;
pub mod report;
pub mod run;
pub mod scan;
pub mod scenario;
pub mod verify;
