//! What the door counts. Written by the door thread alone.

use rights::{CredentialKind, Failure};

use super::cell::{Counter, Gauge};
use super::label::{Family, label_set};

label_set! {
    /// Why a TLS handshake came to nothing.
    HandshakeFailure, "kind",
    /// It took too long.
    Timeout = "timeout",
    /// The other side left.
    Closed = "closed",
    /// TLS refused it: no common cipher, a broken message.
    Tls = "tls",
    /// TLS of a version that is not spoken here.
    Version = "version",
    /// HTTP without TLS, HTTP/2's preface among it.
    PlainHttp = "plain_http",
    /// Bytes that no TLS begins with, SSL 2 among them.
    NotTls = "not_tls",
    /// The socket failed.
    Io = "io",
}

label_set! {
    /// Why a connection was closed at accept.
    ArrivalRefusal, "reason",
    /// `arriving_max` is reached.
    Full = "full",
    /// `arriving_per_address_max` is reached.
    AddressFull = "address_full",
    /// `handshakes_per_second_max` is used up.
    Rate = "rate",
    /// `handshakes_per_address_per_second_max` is used up.
    AddressRate = "address_rate",
}

label_set! {
    /// The status of an answer.
    HttpStatus, "status",
    /// Switching to WebSocket.
    SwitchingProtocols = "101",
    /// Found.
    Ok = "200",
    /// The browser's copy is current.
    NotModified = "304",
    /// Malformed.
    BadRequest = "400",
    /// Credentials were refused.
    Unauthorized = "401",
    /// The origin may not.
    Forbidden = "403",
    /// No such page.
    NotFound = "404",
    /// Neither GET nor HEAD.
    MethodNotAllowed = "405",
    /// The head took too long.
    RequestTimeout = "408",
    /// A body, which nothing here takes, or too large a one.
    PayloadTooLarge = "413",
    /// The WebSocket version is not 13, or a plain request where an upgrade is served.
    UpgradeRequired = "426",
    /// As many sessions as allowed.
    TooManyRequests = "429",
    /// The head was too large.
    HeadersTooLarge = "431",
    /// A fault of ours.
    InternalError = "500",
    /// No room.
    Unavailable = "503",
    /// Anything else.
    Other = "other",
}

label_set! {
    /// Why an upgrade was refused.
    UpgradeRefusal, "reason",
    /// Not GET.
    Method = "method",
    /// Not HTTP/1.1.
    HttpVersion = "http_version",
    /// `Connection` or `Upgrade` is missing or says something else.
    Headers = "headers",
    /// `Sec-WebSocket-Key` is missing or no 16 bytes.
    Key = "key",
    /// `Sec-WebSocket-Version` is not 13.
    Version = "version",
    /// The origin is not welcome, or there is none where one is required.
    Origin = "origin",
    /// Only versions of the subprotocol are offered that are not spoken.
    Subprotocol = "subprotocol",
    /// There is no session at this address.
    Path = "path",
    /// The credentials were not good.
    Credentials = "credentials",
    /// The user has as many sessions as allowed.
    UserLimit = "user_limit",
    /// The address has.
    AddressLimit = "address_limit",
    /// `sessions_max` is reached.
    SessionLimit = "session_limit",
    /// `memory_bytes_max` is reached.
    MemoryBudget = "memory_budget",
    /// The shards' mailboxes are full.
    MailboxFull = "mailbox_full",
    /// The gateway that is followed has not sent the market yet.
    NoMarket = "no_market",
}

/// The door thread's numbers.
#[derive(Debug, Default)]
#[repr(align(128))] // No cache line is shared with another thread's cells.
pub struct DoorMetrics {
    /// Connections accepted.
    pub accepted: Counter,
    /// Failures of accept itself: no file descriptors, no memory.
    pub accept_errors: Counter,
    /// Connections closed at once, by reason.
    pub arriving_refused: Family<ArrivalRefusal>,
    /// TLS handshakes that came to nothing, by kind.
    pub handshake_failures: Family<HandshakeFailure>,
    /// HTTP requests answered, by status.
    pub http_requests: Family<HttpStatus>,
    /// Upgrades refused, by reason.
    pub upgrades_refused: Family<UpgradeRefusal>,
    /// Connections between accept and upgrade now.
    pub arriving: Gauge,
    /// Credentials believed, by kind; refreshes too.
    pub authenticated: Family<CredentialKind>,
    /// Credentials refused, by reason.
    pub auth_failures: Family<Failure>,
    /// Refused without a look, because the address has to wait.
    pub backoff_refusals: Counter,
    /// Addresses forgotten because too many had failed.
    pub backoff_evictions: Counter,
    /// Addresses that have failed lately.
    pub backoff_addresses: Gauge,
    /// Sessions handed over to a shard.
    pub handed_over: Counter,
    /// Connections that ended by a fault of ours.
    pub panics: Counter,
}
