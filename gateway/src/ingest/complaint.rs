//! Complaints about a venue, at most one a second of each kind.
//!
//! A venue that sends nonsense sends much of it; the log says how many complaints it left out. What
//! is counted is counted in full elsewhere.

use market::Nanos;
use venue::DecodeError;

use crate::throttle::Throttle;

/// How much of a message a log line shows.
const SHOWN_BYTES: usize = 120;

/// One feed's complaints.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    decode: [Throttle; venue::KINDS.len()],
    refusal: Throttle,
}

impl Complaints {
    /// About a message that could not be decoded.
    pub(super) fn undecodable(&self, feed: &str, error: DecodeError, message: &[u8], now: Nanos) {
        let kind = venue::KINDS.iter().position(|kind| *kind == error.kind());
        let throttle = kind.and_then(|at| self.decode.get(at));
        if let Some(left_out) = throttle.and_then(|throttle| throttle.pass(now)) {
            let begin = message[..message.len().min(SHOWN_BYTES)].escape_ascii();
            let size = message.len();
            tracing::warn!(feed, %error, size, %begin, left_out, "message not understood");
        }
    }

    /// About a request of ours that the venue refused.
    pub(super) fn refused(&self, feed: &str, ack: &venue::Ack<'_>, now: Nanos) {
        if let Some(left_out) = self.refusal.pass(now) {
            let (symbol, channel) = (ack.symbol.unwrap_or("-"), ack.channel.unwrap_or("-"));
            let error = ack.error.unwrap_or("-");
            tracing::warn!(feed, symbol, channel, error, left_out, "request refused by the venue");
        }
    }
}
