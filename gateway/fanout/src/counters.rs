//! What a shard's fan-out has done so far: plain numbers, read by its own thread.

use wire::refusal::Code;
use wire::topic::Topic;

/// Totals since start, and two levels as of now.
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
    /// Trades announced as missed, summed over sessions.
    pub trades_announced_missed: u64,
    /// Subscriptions held now.
    pub subscriptions: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            frames_encoded: [0; Topic::COUNT],
            requests: 0,
            refusals: [0; Code::ALL.len()],
            heartbeats: 0,
            trades_announced_missed: 0,
            subscriptions: 0,
        }
    }
}
