//! The configuration as the threads use it: every value checked, nothing optional that has a
//! default.
//!
//! The meaning, unit, range and default of each key stand in config/gateway.toml, which is the
//! manual; reading and checking live in the neighbouring files.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use rights::BackoffLimits;
use rights::usage::JournalLimits;

use crate::seat::Beyond;

/// Everything `gateway run` needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where dashboards arrive.
    pub door: Door,
    /// Who is let in.
    pub auth: Auth,
    /// The threads that serve them.
    pub shard: Shard,
    /// What stands between ingest and the shards.
    pub ring: Ring,
    /// Where ticks come from.
    pub ingest: Ingest,
    /// Where other gateways may follow; none where they may not.
    pub relay: Option<Relay>,
    /// Where operators ask.
    pub admin: Admin,
}

/// Arrival: TCP, TLS, HTTP.
#[derive(Clone, Debug)]
pub struct Door {
    /// Address of dashboards and page.
    pub listen: SocketAddr,
    /// PEM file of the certificate chain.
    pub cert_file: PathBuf,
    /// PEM file of its private key.
    pub key_file: PathBuf,
    /// How often the two files are looked at for a change; zero is never.
    pub cert_watch: Duration,
    /// The oldest TLS that is spoken.
    pub tls_min: TlsMin,
    /// For how long browsers are told to come by https only; zero says nothing.
    pub hsts: Duration,
    /// From accept to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// From the end of the handshake to a whole request head, and between requests.
    pub header_timeout: Duration,
    /// Size of a request head.
    pub header_bytes_max: usize,
    /// Connections that are between accept and upgrade at once; more are closed at accept.
    pub arriving_max: usize,
    /// How long an upgrade waits while the shards' mailboxes are full; then it is answered 503.
    pub mailbox_wait: Duration,
    /// How many of them may be of one address, and how fast they may come.
    pub crowd: Crowd,
    /// Sessions of the whole gateway; more are answered 503.
    pub sessions_max: usize,
    /// Memory of the process at which upgrades are answered 503; 0 is no budget.
    pub memory_bytes_max: usize,
    /// Options of dashboards' sockets.
    pub sockets: Sockets,
    /// Where the thread runs.
    pub thread: Thread,
    /// Web origins that may connect; empty means the gateway's own page only.
    pub origins: Vec<String>,
    /// Whether who sends no `Origin`, as programs do, is refused.
    pub origin_required: bool,
    /// Serves, besides, sessions that hear their own messages. No key sets it: only a command line
    /// does, for suites of tests, and only on a loopback address.
    pub conformance_echo: bool,
}

/// What one address may take of the door, and how many handshakes a second may; a rate of zero is
/// no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowd {
    /// Connections of one address between accept and upgrade.
    pub arriving_per_address_max: usize,
    /// Connections a second of all addresses.
    pub handshakes_per_second_max: u32,
    /// Connections a second of one address.
    pub handshakes_per_address_per_second_max: u32,
}

impl Default for Crowd {
    fn default() -> Self {
        Self {
            arriving_per_address_max: 512,
            handshakes_per_second_max: 2000,
            handshakes_per_address_per_second_max: 1000,
        }
    }
}

/// The oldest TLS that dashboards may speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMin {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3 alone.
    #[default]
    Tls13,
}

/// Who is let in, and what is recorded of it.
#[derive(Clone, Debug)]
pub struct Auth {
    /// Who may sign in; without it everybody.
    pub credentials_file: Option<PathBuf>,
    /// Who may see what; without it everybody everything.
    pub entitlements_file: Option<PathBuf>,
    /// PEM file of the authority whose client certificates are believed; without it none is asked
    /// for.
    pub client_ca_file: Option<PathBuf>,
    /// The query value that may carry a token; none is looked at without it.
    pub query_key: Option<String>,
    /// From arrival to the first good token.
    pub deadline: Duration,
    /// Sessions of one user.
    pub user_sessions_max: usize,
    /// What happens to one more.
    pub beyond: Beyond,
    /// Sessions of one address; one more is refused.
    pub address_sessions_max: usize,
    /// How long an address waits that fails to sign in.
    pub backoff: BackoffLimits,
    /// Where usage is recorded, if at all.
    pub usage: Option<Usage>,
}

/// The usage log.
#[derive(Clone, Debug)]
pub struct Usage {
    /// Its folder.
    pub folder: PathBuf,
    /// Records that wait to be written; more are lost and counted.
    pub queue_max: usize,
    /// Of its files.
    pub limits: JournalLimits,
}

/// Options of dashboards' sockets; a zero, or nothing, is the kernel's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sockets {
    /// `SO_SNDBUF`: what may wait in the kernel for a dashboard's acknowledgement.
    pub send_buffer_bytes: usize,
    /// `TCP_NOTSENT_LOWAT`: what may wait there unsent.
    pub notsent_bytes_max: u32,
    /// `TCP_CONGESTION`, by name.
    pub congestion_control: String,
    /// `TCP_USER_TIMEOUT`: a connection that acknowledges nothing for so long is cut.
    pub user_timeout: Duration,
}

/// Where a thread that waits runs, and how much it may ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thread {
    /// Pin it to a core of its own.
    pub pin: bool,
    /// Its nice value: 0 as the others, 19 whatever is left.
    pub nice: u8,
}

/// One thread per shard, each serving its own sessions.
#[derive(Clone, Debug)]
pub struct Shard {
    /// How many.
    pub count: usize,
    /// Pin each to a core of its own.
    pub pin: bool,
    /// How long an idle shard looks at the ring before it sleeps.
    pub spin: Duration,
    /// Records taken from the ring before sessions are written.
    pub cycle_records_max: usize,
    /// Plain bytes of frames gathered for one TLS record and send.
    pub record_bytes_max: usize,
    /// Least time between two cycles that write; zero writes as soon as there is something.
    pub flush_window: Duration,
    /// Arrivals waiting for one shard; more wait at the door.
    pub mailbox_max: usize,
    /// Bytes of answers and notices waiting for one session, and the most that one may be behind
    /// who asked to be closed then; beyond it the session is closed as too slow (4001).
    pub outbox_bytes_max: usize,
    /// Bytes behind at which a session is warned.
    pub slow_warning_bytes: usize,
    /// Bytes behind at which the warning is taken back.
    pub slow_cleared_bytes: usize,
    /// For how long a socket may take nothing of what waits; then the session is closed (4001).
    pub write_timeout: Duration,
    /// Trades of a symbol that a slow session is still told one by one.
    pub trades_behind_max: usize,
    /// Bytes of books that a shard keeps as they were shown to sessions that are slow or paced.
    pub bases_bytes_max: usize,
    /// Bytes of snapshots and catching up that one session is served per cycle.
    pub slice_bytes_max: usize,
    /// Symbols of a request that are answered at once; of what larger ones leave, so many a cycle.
    pub slice_symbols_max: usize,
    /// Bytes of the latest updates that a shard keeps for who resumes.
    pub history_bytes_max: usize,
    /// Age of the oldest of them.
    pub history: Duration,
    /// Size of one message from a dashboard.
    pub message_bytes_max: usize,
    /// Subscriptions of one session; more are refused one by one (`SYMBOL_LIMIT`).
    pub subscriptions_max: usize,
    /// Requests per second of one session, sustained; bursts of ten seconds' worth pass.
    pub requests_per_second_max: u32,
    /// Bad requests of one session before it is closed (4505).
    pub bad_requests_max: u32,
    /// Quiet time after which a heartbeat is due.
    pub heartbeat: Duration,
    /// Quiet time of a dashboard after which it is pinged.
    pub ping: Duration,
    /// Wait for the answer to a ping.
    pub pong_timeout: Duration,
    /// From SIGTERM to the end of the process.
    pub stop_timeout: Duration,
    /// Over which the closes of its sessions are spread.
    pub drain_window: Duration,
}

/// The ring.
#[derive(Clone, Copy, Debug)]
pub struct Ring {
    /// Its size; a power of two.
    pub bytes: usize,
}

/// Where ticks come from.
#[derive(Clone, Debug)]
pub struct Ingest {
    /// Pin the thread to a core of its own.
    pub pin: bool,
    /// How long the idle thread keeps asking the sockets before it sleeps.
    pub spin: Duration,
    /// Messages decoded before their ticks are shown to the shards.
    pub flush_messages_max: usize,
    /// Bytes of messages decoded before their ticks are shown to the shards.
    pub flush_bytes_max: usize,
    /// A venue that says nothing for so long is taken for dead.
    pub silence_timeout: Duration,
    /// First wait before a reconnect; doubles, with jitter, up to `backoff_max`.
    pub backoff_min: Duration,
    /// Longest wait before a reconnect.
    pub backoff_max: Duration,
    /// From dialling to the first message.
    pub connect_timeout: Duration,
    /// Size of one message from a venue.
    pub message_bytes_max: usize,
    /// Levels kept per side of a book.
    pub book_levels_max: usize,
    /// Symbols of all feeds together; more are refused and counted.
    pub symbols_max: usize,
    /// By how much later symbols can be had beside at once, ascending; none where it is empty.
    pub delays: Vec<Duration>,
    /// What waits for that.
    pub delay_bytes_max: usize,
    /// The gateway that is followed instead of venues.
    pub follow: Option<RelayAddress>,
    /// The venues; none where another gateway is followed.
    pub feeds: Vec<Feed>,
}

impl Ingest {
    /// Levels a side of the deepest book that is kept.
    pub fn deepest_book(&self) -> usize {
        let asked = self.feeds.iter().filter(|feed| feed.dialect == Dialect::Kraken);
        let asked = asked.map(|feed| usize::from(feed.book_depth)).max();
        self.book_levels_max.max(asked.unwrap_or(0))
    }

    /// Whether something is kept here to be told later: where another gateway is followed, that one
    /// does.
    pub fn has_delay_line(&self) -> bool {
        self.follow.is_none() && !self.delays.is_empty()
    }

    /// What the delay line takes.
    pub fn delay_line_bytes(&self) -> u64 {
        if self.has_delay_line() { self.delay_bytes_max as u64 } else { 0 }
    }

    /// The longest delay; zero where there is none.
    pub fn delay_max(&self) -> Duration {
        self.delays.last().copied().unwrap_or_default()
    }
}

/// Lengths in `ingest.delays_ms`. Each costs a replica of everything on every thread that has one.
pub const DELAYS_MAX: usize = 4;

/// Lending the ring to gateways that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// Where they connect.
    pub listen: RelayAddress,
    /// How many there may be at once; more are closed at accept.
    pub followers_max: usize,
    /// For how long one may take nothing of what waits; then it is let go.
    pub write_timeout: Duration,
}

/// A socket of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelayAddress {
    /// A port on loopback.
    Tcp(SocketAddr),
    /// A socket file.
    Unix(PathBuf),
}

/// One connection to one venue.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Unique; it is in logs, metrics and `Instrument::venue`.
    pub name: String,
    /// What the venue speaks.
    pub dialect: Dialect,
    /// `ws://` or `wss://`.
    pub url: String,
    /// `http://` or `https://`, for venues whose snapshots come by REST.
    pub rest_url: Option<String>,
    /// PEM file of the authority that signed the venue's certificate; none means the public ones.
    pub ca_file: Option<PathBuf>,
    /// Extra headers of the upgrade request.
    pub headers: Vec<(String, String)>,
    /// Which symbols.
    pub symbols: FeedSymbols,
    /// Book depth asked from the venue, for venues that let one choose.
    pub book_depth: u16,
}

/// What a venue speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Kraken's public WebSocket API v2.
    Kraken,
    /// Binance spot combined streams and REST depth.
    BinanceSpot,
    /// Binance USD-M futures combined streams and REST depth.
    BinanceUsdM,
}

/// Which symbols of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedSymbols {
    /// Everything the venue lists, under the venue's own names.
    All,
    /// These, in this order.
    List(Vec<FeedSymbol>),
}

/// One symbol of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedSymbol {
    /// What the venue calls it.
    pub venue_symbol: String,
    /// What dashboards call it; unique in the gateway.
    pub symbol: String,
    /// The asset that is traded.
    pub base: String,
    /// The asset it is priced in.
    pub quote: String,
    /// Digits behind the point of a price; none means as in the venue's first message.
    pub price_precision: Option<u8>,
    /// Digits behind the point of a size; none means as in the venue's first message.
    pub size_precision: Option<u8>,
}

/// Where operators ask.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Address of health, metrics and latency; keep it off the public network.
    pub listen: SocketAddr,
    /// File of the token that control and inspection ask for; none asks for none, on loopback.
    pub token_file: Option<PathBuf>,
    /// Wait for a shard's answer.
    pub answer_timeout: Duration,
    /// Where the thread runs.
    pub thread: Thread,
}
