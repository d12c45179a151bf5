//! What is counted of relaying: by who lends the ring, and by who follows.

use super::cell::{Counter, Gauge};
use super::label::{Family, label_set};

label_set! {
    /// Why a follower was not served, or no longer.
    RelayRefusal, "reason",
    /// As many as allowed are here.
    Full = "full",
    /// It is of another build.
    Version = "version",
    /// It is to serve by other delays.
    Delays = "delays",
    /// It speaks something else, or nothing.
    Stranger = "stranger",
    /// It took nothing for too long.
    Slow = "slow",
}

label_set! {
    /// Why a connection to a relay ended.
    FollowFault, "reason",
    /// No connection, or no answer in time.
    Unreachable = "unreachable",
    /// It ended.
    Closed = "closed",
    /// Nothing came for too long.
    Silent = "silent",
    /// The relay is of another build.
    Version = "version",
    /// The relay serves by other delays.
    Delays = "delays",
    /// Bytes that make no sense.
    Malformed = "malformed",
    /// A record that does not follow from those before.
    OutOfStep = "out_of_step",
    /// A name that is given to two symbols, or a symbol that is given two.
    Name = "name",
    /// Something beyond a limit of this gateway.
    TooLarge = "too_large",
}

/// Written by the relay thread alone.
#[derive(Debug, Default)]
#[repr(align(128))] // No cache line is shared with another thread's cells.
pub struct RelayMetrics {
    /// Followers that are connected.
    pub followers: Gauge,
    /// How far the slowest is behind, in records.
    pub lag_records: Gauge,
    /// Bytes given to their sockets.
    pub sent_bytes: Counter,
    /// Records among them.
    pub records: Counter,
    /// Truths among them.
    pub truths: Counter,
    /// Times the ring's writer overtook a follower.
    pub laps: Counter,
    /// Records lost by that.
    pub lost_records: Counter,
    /// Who was not served, by reason.
    pub refused: Family<RelayRefusal>,
}

/// Written by the ingest thread alone.
#[derive(Debug, Default)]
pub struct FollowMetrics {
    /// Truths taken over.
    pub truths: Counter,
    /// Connections that went on where the one before had ended.
    pub go_ons: Counter,
    /// Truths that began the numbering anew.
    pub new_lives: Counter,
    /// Connections that ended, by reason.
    pub faults: Family<FollowFault>,
}
