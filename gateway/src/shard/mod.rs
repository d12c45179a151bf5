//! The shard thread: one core's sessions, from the ring to their sockets.
//!
//! It owns its sessions' sockets and TLS states, its replica of the truth and its fan-out. What it
//! shares: the ring it reads, the mailbox the door fills, counters it alone writes.

mod arrival;
mod connection;
mod connections;
mod parts;
mod run;
mod tally;
mod window;

pub use arrival::{Arrival, Mailbox};
pub use parts::{Parts, Shared};
pub use run::run;
