//! Who gets what: the whole state of one shard, as a state machine without I/O.
//!
//! A replica of the truth, subscriptions both ways, each wanted frame encoded once and shared, an
//! outbox per session. Deliberately absent: sockets, TLS, threads, clocks, tokio. Time comes in as
//! nanoseconds; what comes out is bytes to be sent.
#![forbid(unsafe_code)]

mod counters;
mod cycle;
mod encode;
mod fanout;
mod instruments;
mod interest;
mod limits;
mod listeners;
mod outbox;
mod outboxes;
mod patterns;
mod requests;
mod resynchronise;
mod session;
mod timing;
mod view;

pub use counters::Counters;
pub use fanout::Fanout;
pub use limits::Limits;
pub use session::SessionKey;
