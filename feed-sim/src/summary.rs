//! What a run amounted to: counts, lateness, the truth file's fate.
//!
//! Lateness is measured per tick from its intended time to its being queued for the sockets.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::net::hub::Hub;
use crate::truth::TruthReport;

/// How late ticks were queued, in microseconds after their intended time.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Lateness {
    /// Ticks measured.
    pub count: u64,
    /// Half were no later than this.
    pub p50_us: u64,
    /// All but one in a hundred were no later.
    pub p99_us: u64,
    /// All but one in a thousand were no later.
    pub p999_us: u64,
    /// The latest of all.
    pub max_us: u64,
}

/// The final report of a simulator.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Market events played or generated.
    pub ticks: u64,
    /// Messages queued, counted once for each connection.
    pub messages: u64,
    /// Bytes of those messages, frame headers included.
    pub bytes: u64,
    /// WebSocket connections accepted.
    pub connections: u64,
    /// Connections closed because they could not keep up.
    pub connections_closed_slow: u64,
    /// TLS handshakes and upgrades that failed.
    pub upgrades_failed: u64,
    /// Times the recording was played to its end.
    pub loops: u64,
    /// How long ticks flowed, in milliseconds.
    pub elapsed_ms: u64,
    /// How late ticks were.
    pub lateness: Lateness,
    /// The truth file, when there is one.
    pub truth: Option<TruthReport>,
}

/// Collects lateness; one histogram for the whole run.
#[derive(Debug)]
pub(crate) struct LatenessMeter {
    histogram: Histogram<u64>,
    max_ns: u64,
}

impl LatenessMeter {
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, 3_600_000_000, 3)
            .expect("fixed bounds that hdrhistogram accepts");
        Self { histogram, max_ns: 0 }
    }

    pub(crate) fn record(&mut self, late_ns: u64) {
        self.max_ns = self.max_ns.max(late_ns);
        self.histogram.saturating_record((late_ns / 1000).max(1));
    }

    pub(crate) fn max_ns(&self) -> u64 {
        self.max_ns
    }

    pub(crate) fn report(&self) -> Lateness {
        Lateness {
            count: self.histogram.len(),
            p50_us: self.histogram.value_at_quantile(0.5),
            p99_us: self.histogram.value_at_quantile(0.99),
            p999_us: self.histogram.value_at_quantile(0.999),
            max_us: self.max_ns / 1000,
        }
    }
}

impl Summary {
    pub(crate) fn of(hub: &Hub, run: Run) -> Self {
        Self {
            ticks: hub.ticks.get(),
            messages: hub.messages.get(),
            bytes: hub.bytes.get(),
            connections: hub.accepted.get(),
            connections_closed_slow: hub.closed_slow.get(),
            upgrades_failed: hub.upgrades_failed.get(),
            loops: run.loops,
            elapsed_ms: run.elapsed_ns / 1_000_000,
            lateness: run.lateness,
            truth: run.truth,
        }
    }
}

/// What the pacing loop hands back.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) loops: u64,
    pub(crate) elapsed_ns: u64,
    pub(crate) lateness: Lateness,
    pub(crate) truth: Option<TruthReport>,
}
