//! The usage log: who saw which symbol on which channel, in what quality, from when to when.
//!
//! A [`Tally`] in each session turns subscriptions into [`Record`]s; a bounded [`queue()`] carries
//! them to one background thread; a [`Journal`] writes them as JSON lines into files that rotate.
//! What is lost on the way is counted, and the count is itself a record. Nothing here happens per
//! update.

mod journal;
mod json;
mod queue;
mod record;
mod tally;

pub use journal::{Fsync, Journal, JournalLimits};
pub use queue::{UsageReceiver, UsageSender, queue};
pub use record::{Record, RecordKind};
pub use tally::{Tally, TallyLimits};

use crate::words::words;

words! {
    /// Why a span of usage ended.
    End {
        /// The session asked for it.
        Unsubscribed = "unsubscribed",
        /// The session ended.
        Closed = "closed",
        /// It goes on otherwise; the next span begins at the same moment.
        Altered = "altered",
        /// The right to it ended.
        Revoked = "revoked",
        /// The symbol ended.
        Gone = "gone",
        /// The session has more subscriptions than its tally can hold: the span has a beginning,
        /// and its end is at the latest that of the session.
        Untracked = "untracked",
    }
}
