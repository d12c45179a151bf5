//! What `verify` saw, good or bad, in numbers: of one load thread, and added up.

use super::stream::Balance;

/// What was seen, good or bad.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Seen {
    /// Sessions upgraded, each once.
    pub sessions_opened: u64,
    /// Times a session hung up to come back.
    pub hung_up: u64,
    /// Streams unsubscribed from, to be subscribed anew.
    pub unsubscribed: u64,
    /// Times a session stopped reading.
    pub stopped_reading: u64,
    /// Slow sessions ended by the gateway for being slow; they come back.
    pub closed_slow: u64,
    /// Streams that asked to go on where they had been.
    pub resumes: u64,
    /// Of these, those that were told that nothing is missing.
    pub recovered: u64,
    /// Paces granted.
    pub paces: u64,
    /// Paces asked for of which the ack said nothing.
    pub paces_ignored: u64,
    /// Paced frames that came soon behind one that was late.
    pub paced_behind_late: u64,
    /// Text messages.
    pub messages: u64,
    /// First values.
    pub snapshots: u64,
    /// Later values.
    pub updates: u64,
    /// Updates that stand for more than one sequence.
    pub merged: u64,
    /// Numbers announced as missing.
    pub announced_missing: u64,
    /// Book checksums computed and compared.
    pub checksums: u64,
    /// Trades of updates.
    pub trades: u64,
    /// Heartbeats.
    pub heartbeats: u64,
    /// Subscriptions granted.
    pub granted: u64,
    /// Subscriptions refused.
    pub refused: u64,
    /// Streams that never sent anything.
    pub streams_silent: u64,
    /// What became of all numbers.
    pub balance: Balance,
}

impl Seen {
    /// Adds what another thread saw.
    pub fn add(&mut self, other: &Self) {
        self.sessions_opened += other.sessions_opened;
        self.hung_up += other.hung_up;
        self.unsubscribed += other.unsubscribed;
        self.stopped_reading += other.stopped_reading;
        self.closed_slow += other.closed_slow;
        self.resumes += other.resumes;
        self.recovered += other.recovered;
        self.paces += other.paces;
        self.paces_ignored += other.paces_ignored;
        self.paced_behind_late += other.paced_behind_late;
        self.messages += other.messages;
        self.snapshots += other.snapshots;
        self.updates += other.updates;
        self.merged += other.merged;
        self.announced_missing += other.announced_missing;
        self.checksums += other.checksums;
        self.trades += other.trades;
        self.heartbeats += other.heartbeats;
        self.granted += other.granted;
        self.refused += other.refused;
        self.streams_silent += other.streams_silent;
        self.balance.add(&other.balance);
    }
}
