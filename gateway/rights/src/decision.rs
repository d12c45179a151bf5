//! A question about one symbol and channel, and its answer.

use std::fmt;
use std::time::Duration;

use market::Channel;

use crate::words::words;

/// What a subscription asks for.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The symbol's name.
    pub symbol: &'a str,
    /// The channel; its parameters do not matter.
    pub channel: Channel,
    /// Levels a side of a book; anything on other channels.
    pub depth: u16,
    /// Least time between two frames that the session wants; 0 is every update.
    pub pace_ms: u32,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is served so, which may be less than was asked for.
    Granted(Grant),
    /// It is not served.
    Refused(Refusal),
}

/// How a subscription is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Now or later.
    pub quality: Quality,
    /// Levels a side, at most what was asked for. A server that knows certain depths only serves
    /// the next smaller one.
    pub depth: u16,
    /// Least time between two frames, at least what was asked for; 0 is every update. Trades are
    /// never merged: for them it is what was asked for.
    pub pace_ms: u32,
}

/// How fresh a subscription is. The order is from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quality {
    /// As it comes.
    Realtime,
    /// So much later: snapshots, too.
    Delayed(Duration),
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Realtime => f.write_str("realtime"),
            Self::Delayed(delay) => write!(f, "delayed {}ms", delay.as_millis()),
        }
    }
}

words! {
    /// Why a subscription is not served. All of them are `NOT_ENTITLED` to the dashboard.
    Refusal {
        /// No rule is about it: what is not granted is refused.
        NoRule = "no_rule",
        /// The first rule that is about it says `none`.
        Denied = "denied",
        /// The rules would give it, the token's own entitlements do not.
        Token = "token",
    }
}

impl Grant {
    /// The lesser of both in every respect.
    pub(crate) fn narrowed(self, other: Self) -> Self {
        Self {
            quality: self.quality.max(other.quality),
            depth: self.depth.min(other.depth),
            pace_ms: self.pace_ms.max(other.pace_ms),
        }
    }
}
