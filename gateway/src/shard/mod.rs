//! One shard: a thread, its sessions, and their sockets.

mod arrival;

pub use arrival::{Arrival, Mailbox};
