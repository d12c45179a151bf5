//! What one shard counts. Written by that shard's thread alone.

use fanout::Missed;
use wire::close::CloseCode;
use wire::refusal::Code;

use super::cell::{Counter, Gauge};
use super::label::{Family, Label, label_of, label_set};

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
    /// Proof of life.
    Heartbeat = "heartbeat",
}

label_set! {
    /// What became of a wish to resume.
    Resume, "outcome",
    /// Every missed update followed.
    Recovered = "recovered",
    /// A snapshot followed.
    NotRecovered = "not_recovered",
}

/// Why a session ended: a close code of the one table, or no close frame at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// Closed with this code, by us or by the dashboard.
    Code(CloseCode),
    /// The connection broke without a close frame.
    ConnectionLost,
    /// The TLS layer failed.
    Tls,
}

const CODES: usize = CloseCode::ALL.len();

impl CloseReason {
    const ALL: [Self; CODES + 2] = {
        let mut all = [Self::ConnectionLost; CODES + 2];
        let mut at = 0;
        while at < CODES {
            all[at] = Self::Code(CloseCode::ALL[at]);
            at += 1;
        }
        all[CODES + 1] = Self::Tls;
        all
    };
}

impl Label for CloseReason {
    const KEY: &'static str = "reason";
    const ALL: &'static [Self] = &Self::ALL;
    type Cells<C: Default> = [C; CODES + 2];

    fn index(self) -> usize {
        match self {
            Self::Code(code) => code.index(),
            Self::ConnectionLost => CODES,
            Self::Tls => CODES + 1,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Code(code) => code.label(),
            Self::ConnectionLost => "connection_lost",
            Self::Tls => "tls",
        }
    }
}

label_of!(Code, "code");

label_of!(Missed, "reason");

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
    /// Data frames given to sockets, whatever their age: deliveries.
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
    pub request_errors: Family<Code>,
    /// Records read from the ring.
    pub ring_records: Counter,
    /// Records behind the ring's writer when last looked.
    pub ring_lag_records: Gauge,
    /// Times the ring's writer overtook this shard.
    pub laps: Counter,
    /// Records lost by that.
    pub lost_records: Counter,
    /// Updates announced to sessions as missed, by reason.
    pub updates_missed: Family<Missed>,
    /// Updates that a later one stood for, summed over sessions.
    pub updates_merged: Counter,
    /// Times a session's socket was full and it went on with marks instead of frames.
    pub fallen_behind: Counter,
    /// Sessions that are behind now.
    pub sessions_behind: Gauge,
    /// Bytes of books kept as they were shown to sessions that are behind or paced.
    pub bases_bytes: Gauge,
    /// Such books for which there was no room.
    pub bases_refused: Counter,
    /// Warnings of being slow.
    pub slow_warnings: Counter,
    /// Subscriptions that asked to go on where they had left off, by outcome.
    pub resumes: Family<Resume>,
    /// Subscriptions that ended or were lowered because rights changed.
    pub revoked: Counter,
    /// Symbols asked for and not granted.
    pub not_granted: Counter,
    /// Turns of the loop.
    pub cycles: Counter,
    /// Times the shard slept.
    pub parks: Counter,
    /// Bytes waiting in the outboxes of all its sessions.
    pub outbox_bytes: Gauge,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_close_reason_has_a_cell_of_its_own() {
        for (at, reason) in CloseReason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), at, "{reason:?}");
        }
    }
}
