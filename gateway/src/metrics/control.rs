//! What reloading and the log count. Written under the reloader's lock, the log's by admin alone.

use super::cell::Gauge;
use super::label::{Family, label_set};

label_set! {
    /// What became of a reload.
    ReloadOutcome, "outcome",
    /// It is in force.
    Applied = "applied",
    /// It could not be used, and nothing was changed.
    Refused = "refused",
}

label_set! {
    /// Why a connection of the admin port was ended.
    AdminCut, "reason",
    /// For a newer one: as many as may be were there.
    MadeRoom = "made_room",
    /// At accept: all who were there steer the gateway.
    NoRoom = "no_room",
    /// It took too long.
    Timeout = "timeout",
}

/// The numbers of steering.
#[derive(Debug, Default)]
#[repr(align(128))] // No cache line is shared with another thread's cells.
pub struct ControlMetrics {
    /// Reloads of the config, by outcome.
    pub config_reloads: Family<ReloadOutcome>,
    /// Certificates read anew: exchanged, or refused.
    pub certificate_reloads: Family<ReloadOutcome>,
    /// Seconds since 1970 until which the one in use is valid; zero while unknown.
    pub certificate_valid_until_s: Gauge,
    /// Connections of the admin port that were ended, by reason.
    pub admin_cut: Family<AdminCut>,
    /// Log lines that standard error did not take in time.
    pub log_lines_dropped: Gauge,
}
