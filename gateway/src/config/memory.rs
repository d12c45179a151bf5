//! How much memory a config asks for: what its limits add up to, and what a population of a given
//! size takes of it.
//!
//! What a session costs is measured by `tests/faults/machine.rs`, the whole by `.ci/memory`, which
//! runs a gateway in a control group of just the size that is reckoned here. Values only: nothing
//! is looked at or allocated.

use super::types::{Config, Dialect, Feed, FeedSymbols};

/// The program, its threads and tables, and what the allocator keeps for them, rounded up.
const BASE_BYTES: u64 = 64 << 20;
/// Bytes of a price level with its share of the book's bookkeeping; an upper bound.
const LEVEL_BYTES: u64 = 48;
/// Bytes of a connection between its first packet and its session.
const ARRIVAL_BYTES: u64 = 50 << 10;

/// Bytes of a session, measured with ten thousand of one subscription each (4.2 KiB), rounded up.
pub const SESSION_BYTES: u64 = 4352;
/// Bytes of one subscription, its place in the list of its class included, rounded up.
pub const SUBSCRIPTION_BYTES: u64 = 128;
/// Bytes of a session that does not read: a sealed record, and what else waits for it.
pub const STOPPED_BYTES: u64 = 20 << 10;
/// Bytes of a book of ten levels a side that is kept for who does not read, were it shared with
/// nobody.
pub const KEPT_BYTES: u64 = 1 << 10;
/// Bytes that the kernel takes for a connection: the socket, its file, its place in a poller.
pub const SOCKET_BYTES: u64 = 4 << 10;
/// What the kernel lets a connection have by itself (the usual end of `net.ipv4.tcp_wmem`).
const KERNEL_BUFFER_BYTES: u64 = 4 << 20;

/// What the limits add up to, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryEstimate {
    /// Taken at start, or as ring, history and delay line fill.
    pub fixed_bytes: u64,
    /// With every book of every symbol and of its twins full, in ingest and in each shard.
    pub books_bytes_max: u64,
    /// With as many arriving at once as may.
    pub arrivals_bytes_max: u64,
    /// With every session there, and nothing subscribed.
    pub sessions_bytes_max: u64,
    /// With every session's outbox full.
    pub outboxes_bytes_max: u64,
    /// With as many books kept for slow and paced sessions as may be.
    pub bases_bytes_max: u64,
}

/// Who is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Population {
    /// Sessions.
    pub sessions: u64,
    /// Subscriptions of each.
    pub subscriptions: u64,
    /// Sessions that do not read.
    pub stopped: u64,
}

/// What a population takes, everything else included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reckoning {
    /// The process's own.
    pub own_bytes: u64,
    /// The kernel's for connections.
    pub sockets_bytes: u64,
    /// The kernel's for what was sent and not read.
    pub unread_bytes: u64,
}

impl MemoryEstimate {
    /// All of it.
    pub fn bytes_max(&self) -> u64 {
        [
            self.fixed_bytes,
            self.books_bytes_max,
            self.arrivals_bytes_max,
            self.sessions_bytes_max,
            self.outboxes_bytes_max,
            self.bases_bytes_max,
        ]
        .into_iter()
        .fold(BASE_BYTES, u64::saturating_add)
    }
}

impl Reckoning {
    /// What a control group has to allow, where it counts sockets as well.
    pub fn bytes(&self) -> u64 {
        self.own_bytes.saturating_add(self.sockets_bytes).saturating_add(self.unread_bytes)
    }
}

impl Config {
    /// What the limits add up to; an upper bound that is never reached in practice.
    pub fn memory(&self) -> MemoryEstimate {
        let symbols_max = self.ingest.symbols_max;
        let symbols = |feed: &Feed| match &feed.symbols {
            FeedSymbols::All => symbols_max,
            FeedSymbols::List(list) => list.len().min(symbols_max),
        };
        // A venue that sends books of a depth sends no more; others send all they have.
        let levels = |feed: &Feed| match feed.dialect {
            Dialect::Kraken => usize::from(feed.book_depth),
            Dialect::BinanceSpot | Dialect::BinanceUsdM => self.ingest.book_levels_max,
        };
        let feeds = &self.ingest.feeds;
        let deepest = feeds.iter().map(levels).max().unwrap_or_default();
        let levels: usize = feeds.iter().map(|feed| symbols(feed) * levels(feed)).sum();
        // All feeds together have no more symbols than may be.
        let levels = levels.min(symbols_max * deepest);
        // Who is followed may have as many as are taken from it.
        let is_follower = self.ingest.follow.is_some();
        let levels = if is_follower { symbols_max * self.ingest.book_levels_max } else { levels };
        // A book has two sides.
        let levels = 2 * levels as u64;
        // One that is coming from a relay, and one that is on its way to each follower.
        let lent = self.relay.as_ref().map_or(0, |relay| relay.followers_max);
        let replicas = (self.shard.count + 1 + usize::from(is_follower) + lent) as u64;
        // Each symbol, and its twin for each delay.
        let tellings = 1 + self.ingest.delays.len() as u64;
        let history = self.shard.count as u64 * self.shard.history_bytes_max as u64;
        let message = self.ingest.message_bytes_max as u64 * feeds.len() as u64;
        let sessions = self.door.sessions_max as u64;
        MemoryEstimate {
            fixed_bytes: (self.ring.bytes as u64)
                .saturating_add(message)
                .saturating_add(history)
                .saturating_add(self.ingest.delay_line_bytes()),
            books_bytes_max: replicas * tellings * levels * LEVEL_BYTES,
            arrivals_bytes_max: self.door.arriving_max as u64 * ARRIVAL_BYTES,
            sessions_bytes_max: sessions * SESSION_BYTES,
            outboxes_bytes_max: sessions.saturating_mul(self.shard.outbox_bytes_max as u64),
            bases_bytes_max: (self.shard.count as u64)
                .saturating_mul(self.shard.bases_bytes_max as u64),
        }
    }

    /// What `population` takes: sessions x what each costs + ring and history + what is there
    /// without.
    pub fn reckon(&self, population: Population) -> Reckoning {
        let limits = self.memory();
        let Population { sessions, subscriptions, stopped } = population;
        let each = SESSION_BYTES.saturating_add(subscriptions.saturating_mul(SUBSCRIPTION_BYTES));
        let kept = stopped.saturating_mul(subscriptions).saturating_mul(KEPT_BYTES);
        let own = [
            limits.fixed_bytes,
            limits.books_bytes_max,
            limits.arrivals_bytes_max,
            sessions.saturating_mul(each),
            stopped.saturating_mul(STOPPED_BYTES),
            kept.min(limits.bases_bytes_max),
        ];
        // A dashboard that stops has acknowledged all that it has room for: what is unsent waits.
        let limit = |bytes: u64| if bytes == 0 { u64::MAX } else { bytes };
        let sockets = &self.door.sockets;
        let unsent = limit(u64::from(sockets.notsent_bytes_max))
            .saturating_add(self.shard.record_bytes_max as u64)
            .min(limit(sockets.send_buffer_bytes as u64))
            .min(KERNEL_BUFFER_BYTES);
        Reckoning {
            own_bytes: own.into_iter().fold(BASE_BYTES, u64::saturating_add),
            sockets_bytes: sessions.saturating_mul(SOCKET_BYTES),
            // The kernel counts a buffer's bookkeeping as well.
            unread_bytes: stopped.saturating_mul(2 * unsent),
        }
    }
}
