//! The shard thread: one core's sessions, from the ring to their sockets.
//!
//! It owns its sessions' sockets and TLS states, its replica of the truth and its fan-out. What it
//! shares: the ring it reads, the mailbox the door fills, counters it alone writes.

mod arrival;
mod attend;
mod caller;
mod command;
mod connection;
mod connections;
mod ear;
mod guard;
mod parts;
mod rights;
mod run;
mod tally;
mod window;
mod writer;

use std::time::Duration;

pub use arrival::{Arrival, Mailbox, Place};
pub use command::{Desk, Filter, PLACES_MAX, Page, Row, SymbolView, Unanswered};
pub use parts::{Ends, Parts, Shared};
pub use run::run;

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
