//! Counters and gauges of all threads, and their Prometheus text.
//!
//! Each thread has a struct of its own and is the only one that writes it; admin reads all of them
//! with relaxed loads, so a scrape costs the other threads nothing but shared cache lines. The
//! numbers of one scrape are not of one instant.

mod cell;
mod control;
mod door;
mod exposition;
mod ingest;
mod label;
mod process;
mod relay;
mod shard;
mod text;

pub use cell::{Counter, Gauge};
pub use control::{AdminCut, ControlMetrics, ReloadOutcome};
pub use door::{ArrivalRefusal, DoorMetrics, HandshakeFailure, HttpStatus, UpgradeRefusal};
pub use ingest::{DecodeFailure, DelayMetrics, FeedMetrics, IngestMetrics, TickKind, TickRefusal};
pub use label::{Family, Label};
pub(crate) use process::resident_bytes;
pub use relay::{FollowFault, FollowMetrics, RelayMetrics, RelayRefusal};
pub use shard::{Channel, CloseReason, Resume, ShardMetrics};

use crate::latency::Latency;

/// What becomes of usage records.
#[derive(Debug, Default)]
#[repr(align(128))] // No cache line is shared with another thread's cells.
pub struct UsageMetrics {
    /// Times the log could not be written.
    pub write_errors: Counter,
    /// Records lost, as the first shard sees it; the log itself says where.
    pub lost: Gauge,
}

/// Everything that is counted, shared by all threads.
#[derive(Debug)]
pub struct Metrics {
    /// The ingest thread's.
    pub ingest: IngestMetrics,
    /// The door thread's.
    pub door: DoorMetrics,
    /// One for each shard thread.
    pub shards: Vec<ShardMetrics>,
    /// Of reloads and of the log.
    pub control: ControlMetrics,
    /// The relay thread's.
    pub relay: RelayMetrics,
    /// The usage log's.
    pub usage: UsageMetrics,
    /// The stations.
    pub latency: Latency,
}

impl Metrics {
    /// All at zero, for these feeds and so many shards.
    pub fn new<'a>(feeds: impl IntoIterator<Item = &'a str>, shards: usize) -> Self {
        let feeds = feeds
            .into_iter()
            .map(|name| FeedMetrics { name: name.to_owned(), ..FeedMetrics::default() })
            .collect();
        Self {
            ingest: IngestMetrics { feeds, ..IngestMetrics::default() },
            door: DoorMetrics::default(),
            shards: (0..shards).map(|_| ShardMetrics::default()).collect(),
            control: ControlMetrics::default(),
            relay: RelayMetrics::default(),
            usage: UsageMetrics::default(),
            latency: Latency::default(),
        }
    }

    /// Everything in Prometheus' text format, version 0.0.4.
    pub fn exposition(&self) -> String {
        exposition::write(self)
    }
}
