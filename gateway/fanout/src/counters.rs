//! What a shard's fan-out has done so far: plain numbers, read by its own thread.

use wire::refusal::Code;
use wire::topic::Topic;

/// Why updates were announced as missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// The session could not keep up, and more trades came than are kept for it.
    Slow,
    /// The session could not keep up and had asked to be told ranges instead of merged values.
    Skipped,
    /// The shard itself was lapped.
    Lagged,
    /// The delay line was full when they came.
    DelayLine,
    /// A session that could not keep up, or asked for a pace, held a book that there was no room to
    /// keep: it begins anew with a snapshot.
    Memory,
}

impl Missed {
    /// Every reason, in the order of [`Self::index`].
    pub const ALL: [Self; 5] =
        [Self::Slow, Self::Skipped, Self::Lagged, Self::DelayLine, Self::Memory];

    /// The word in the notice and on the metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Skipped => "skipped",
            Self::Lagged => "lagged",
            Self::DelayLine => "delay_line",
            Self::Memory => "memory",
        }
    }

    /// Its place in [`Self::ALL`], for tables of counters.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Totals since start, and levels as of now.
#[derive(Clone, Debug)]
pub struct Counters {
    /// Frames encoded, by [`Topic::index`]; notices and replies are not among them.
    pub frames_encoded: [u64; Topic::COUNT],
    /// Requests that made sense.
    pub requests: u64,
    /// Refusals, by [`Code::index`].
    pub refusals: [u64; Code::ALL.len()],
    /// Heartbeats sent.
    pub heartbeats: u64,
    /// Updates announced as missed, summed over sessions, by [`Missed::index`].
    pub updates_missed: [u64; Missed::ALL.len()],
    /// Updates that a later one stood for, summed over sessions.
    pub updates_merged: u64,
    /// Times a session's socket was full and it was taken off the lists.
    pub fallen_behind: u64,
    /// Warnings of being slow.
    pub slow_warnings: u64,
    /// Subscriptions that went on where they had left off.
    pub resumed: u64,
    /// Those that asked to and got a snapshot instead.
    pub not_resumed: u64,
    /// Subscriptions that ended or were lowered because rights changed.
    pub revoked: u64,
    /// Symbols that were asked for and not granted.
    pub not_granted: u64,
    /// Subscriptions held now.
    pub subscriptions: u64,
    /// Sessions behind now, as of the last look.
    pub sessions_behind: u64,
    /// Bytes of books kept for sessions that are behind or paced, as of the last cycle.
    pub bases_bytes: u64,
    /// Such books for which there was no room.
    pub bases_refused: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            frames_encoded: [0; Topic::COUNT],
            requests: 0,
            refusals: [0; Code::ALL.len()],
            heartbeats: 0,
            updates_missed: [0; Missed::ALL.len()],
            updates_merged: 0,
            fallen_behind: 0,
            slow_warnings: 0,
            resumed: 0,
            not_resumed: 0,
            revoked: 0,
            not_granted: 0,
            subscriptions: 0,
            sessions_behind: 0,
            bases_bytes: 0,
            bases_refused: 0,
        }
    }
}
