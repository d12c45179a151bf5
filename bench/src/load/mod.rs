//! The load side: many TLS 1.3 WebSocket sessions on few threads.
//!
//! ```text
//!   Crew -- spawns --> LoadThread (mio poll loop) -- owns --> Session = Link + Upgrade + Inbound
//!                           |  bytes -> frames -> messages
//!                           +--> Dashboard (verify's auditor, fleet's meter): what messages mean
//! ```
//! Lean on purpose, so that it is not what is measured: one receive buffer a thread, nothing
//! allocated for a message, no buffers in idle sessions.

pub mod aim;
pub mod clock;
pub mod crew;
pub mod dashboard;
pub mod discover;
pub mod frame;
pub mod inbound;
pub mod link;
pub mod plan;
pub mod session;
pub mod sources;
pub mod target;
pub mod thread;
pub mod trust;
pub mod upgrade;
pub mod watch;
