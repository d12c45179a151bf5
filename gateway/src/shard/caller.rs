//! Who is behind a session, for operators: kept apart from the connection, so that looking through
//! all of them reads one table and touches no session.

use std::net::SocketAddr;

use market::Nanos;

/// One dashboard, as it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    /// The number it was greeted with (`connection_id`).
    pub(super) id: u64,
    /// Where it came from; none before there was anybody.
    pub(super) peer: Option<SocketAddr>,
    pub(super) since: Nanos,
}

impl Default for Caller {
    fn default() -> Self {
        Self { id: 0, peer: None, since: Nanos::UNKNOWN }
    }
}
