//! The kinds of attack, by what a dashboard does.

use serde::{Deserialize, Serialize};

/// What a hostile session does, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Connects and says nothing, not even TLS.
    Silent,
    /// Sends the head of its request a few bytes at a time, and never ends it.
    SlowHead,
    /// Asks for everything with its request, and reads the 101 and what follows byte by byte.
    SlowAnswer,
    /// Announces a message of 2^63 - 1 bytes, or of one byte too many.
    Oversized,
    /// Pings and pongs without end.
    PingFlood,
    /// Says what is no JSON, no request, no text.
    Nonsense,
    /// Asks for everything and stops, as a process does on SIGSTOP.
    Stopped,
}

/// All of them, in the order in which sessions are dealt out.
pub const ALL: [Kind; 7] = [
    Kind::Silent,
    Kind::SlowHead,
    Kind::SlowAnswer,
    Kind::Oversized,
    Kind::PingFlood,
    Kind::Nonsense,
    Kind::Stopped,
];

impl Kind {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::SlowHead => "slow-head",
            Self::SlowAnswer => "slow-answer",
            Self::Oversized => "oversized",
            Self::PingFlood => "ping-flood",
            Self::Nonsense => "nonsense",
            Self::Stopped => "stopped",
        }
    }
}
