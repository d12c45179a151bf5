//! What one session may hold and do, and how long silence may last.

use crate::history::HistoryLimits;

/// Times are in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Answers and notices waiting for one session, and the most that one may be behind who asked
    /// to be closed then; beyond it the session is closed as too slow.
    pub outbox_bytes_max: usize,
    /// Bytes behind at which a session is told that it is slow.
    pub slow_warning_bytes: u64,
    /// Bytes behind at which it is told that it no longer is.
    pub slow_cleared_bytes: u64,
    /// For how long a socket may take nothing while something waits.
    pub write_timeout_ns: u64,
    /// Trades of a symbol that a slow session is still told one by one.
    pub trades_behind_max: u64,
    /// Bytes of books that are kept as they were shown to sessions that are behind or paced.
    pub bases_bytes_max: usize,
    /// Bytes of snapshots and catching up that one session is served per cycle.
    pub slice_bytes_max: usize,
    /// Symbols of a request that are answered at once; of what larger ones leave, so many a cycle.
    pub slice_symbols_max: usize,
    /// What is kept for resuming.
    pub history: HistoryLimits,
    /// Subscriptions of one session.
    pub subscriptions_max: usize,
    /// Requests per second, sustained.
    pub requests_per_second_max: u32,
    /// Bad requests before a session is closed; each good one forgives one.
    pub bad_requests_max: u32,
    /// From arrival to the first good token, and the longest a token is looked at.
    pub credentials_timeout_ns: u64,
    /// Quiet time after which a heartbeat is due.
    pub heartbeat_ns: u64,
    /// Quiet time of a dashboard after which it is pinged.
    pub ping_ns: u64,
    /// Wait for the pong.
    pub pong_timeout_ns: u64,
}
