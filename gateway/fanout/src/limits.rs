//! What one session may hold and do, and how long silence may last.

/// Times are in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Data waiting for one session; beyond it the session is closed as too slow.
    pub outbox_bytes_max: usize,
    /// Subscriptions of one session.
    pub subscriptions_max: usize,
    /// Requests per second, sustained.
    pub requests_per_second_max: u32,
    /// Bad requests before a session is closed; each good one forgives one.
    pub bad_requests_max: u32,
    /// Quiet time after which a heartbeat is due.
    pub heartbeat_ns: u64,
    /// Quiet time of a dashboard after which it is pinged.
    pub ping_ns: u64,
    /// Wait for the pong.
    pub pong_timeout_ns: u64,
}
