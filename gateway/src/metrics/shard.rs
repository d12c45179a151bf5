//! What one shard counts. Written by that shard's thread alone.

use super::cell::{Counter, Gauge};
use super::label::{Family, label_set};

label_set! {
    /// The channel of a frame.
    Channel, "channel",
    /// Last values and 24-hour statistics.
    Ticker = "ticker",
    /// Executions.
    Trade = "trade",
    /// Depth by price.
    Book = "book",
    /// Bars.
    Ohlc = "ohlc",
    /// Definitions.
    Instrument = "instrument",
    /// The gateway's own state.
    Status = "status",
    /// Proof of life.
    Heartbeat = "heartbeat",
    /// Notices of the extensions.
    Notice = "notice",
}

label_set! {
    /// Why a session ended.
    CloseReason, "reason",
    /// The dashboard said goodbye (1000, 1001).
    Dashboard = "dashboard",
    /// The connection broke without a close frame.
    ConnectionLost = "connection_lost",
    /// The dashboard broke the WebSocket protocol (1002).
    ProtocolError = "protocol_error",
    /// Binary where text is spoken (1003).
    UnsupportedData = "unsupported_data",
    /// Text that is not UTF-8 (1007).
    InvalidText = "invalid_text",
    /// A message above the limit (1009).
    TooLarge = "too_large",
    /// A fault of ours (1011).
    Internal = "internal",
    /// The gateway stops (1012).
    Restarting = "restarting",
    /// No room (1013).
    Overloaded = "overloaded",
    /// Its outbox grew above the limit (4001).
    TooSlow = "too_slow",
    /// No answer to a ping in time (4002).
    HeartbeatMissed = "heartbeat_missed",
    /// Too many requests a second (4004).
    TooManyRequests = "too_many_requests",
    /// Its stream cannot be joined again (4005).
    ResyncNeeded = "resync_needed",
    /// Too many bad requests (4505).
    BadRequests = "bad_requests",
    /// The TLS layer failed.
    Tls = "tls",
}

label_set! {
    /// Why a request was refused: the `x.code` of the protocol.
    RequestError, "code",
    /// Malformed, or with a value that is not allowed.
    InvalidRequest = "INVALID_REQUEST",
    /// No such channel.
    UnknownChannel = "UNKNOWN_CHANNEL",
    /// No such symbol.
    UnknownSymbol = "UNKNOWN_SYMBOL",
    /// The session may not see it.
    NotEntitled = "NOT_ENTITLED",
    /// The session has to say who it is first.
    AuthRequired = "AUTH_REQUIRED",
    /// The credentials are wrong.
    AuthFailed = "AUTH_FAILED",
    /// The credentials came too late.
    AuthTimeout = "AUTH_TIMEOUT",
    /// The credentials are no longer valid.
    TokenExpired = "TOKEN_EXPIRED",
    /// Too many subscriptions.
    SymbolLimit = "SYMBOL_LIMIT",
    /// Too many sessions.
    ConnectionLimit = "CONNECTION_LIMIT",
    /// Too many requests a second.
    RateLimit = "RATE_LIMIT",
    /// What was missed is no longer held.
    Unrecoverable = "UNRECOVERABLE",
    /// A fault of ours.
    Internal = "INTERNAL",
}

/// One shard's numbers.
#[derive(Debug, Default)]
#[repr(align(128))] // No cache line is shared with another thread's cells.
pub struct ShardMetrics {
    /// Sessions served now.
    pub sessions: Gauge,
    /// Sessions taken over from the door.
    pub sessions_opened: Counter,
    /// Sessions ended, by reason; `too_slow` are the slow ones.
    pub sessions_closed: Family<CloseReason>,
    /// Subscriptions held now, one for each session, channel and symbol.
    pub subscriptions: Gauge,
    /// Frames encoded, each once for all sessions that want it.
    pub frames_encoded: Family<Channel>,
    /// Frames given to sockets: deliveries.
    pub frames_sent: Counter,
    /// Bytes of frames given to TLS.
    pub plain_bytes_sent: Counter,
    /// Bytes given to sockets.
    pub tls_bytes_sent: Counter,
    /// Send system calls.
    pub sends: Counter,
    /// Sends that the kernel took only in part, or not at all.
    pub sends_blocked: Counter,
    /// TLS records sealed.
    pub tls_records: Counter,
    /// Bytes read from sockets.
    pub tls_bytes_received: Counter,
    /// Messages from dashboards that were read to their end.
    pub requests: Counter,
    /// Requests refused, by code.
    pub request_errors: Family<RequestError>,
    /// Messages that were no request at all.
    pub bad_messages: Counter,
    /// Records read from the ring.
    pub ring_records: Counter,
    /// Records behind the ring's writer when last looked.
    pub ring_lag_records: Gauge,
    /// Times the ring's writer overtook this shard.
    pub laps: Counter,
    /// Records lost by that.
    pub lost_records: Counter,
    /// Turns of the loop.
    pub cycles: Counter,
    /// Times the shard slept.
    pub parks: Counter,
    /// Bytes waiting in the outboxes of all its sessions.
    pub outbox_bytes: Gauge,
    /// Sessions now in the conflating state.
    pub sessions_slow: Gauge,
}
