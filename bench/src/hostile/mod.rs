//! Dashboards that attack, beside a fleet that is measured: who they are, what each does, how each
//! attempt ended.
//!
//! They run in a process of their own at the lowest priority, so that the measuring core is theirs
//! only when nobody else wants it: what they are kept from shows as fewer attempts, not as others'
//! latency. Each is a blocking thread that mostly sleeps, comes again when it is thrown out, and no
//! more often than it is allowed to. It deliberately measures nothing: the others do.

pub mod acts;
pub mod crew;
pub mod kind;
pub mod link;
pub mod process;
pub mod told;
