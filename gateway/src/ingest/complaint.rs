//! Complaints about a venue, at most one a second of each kind.
//!
//! A venue that sends nonsense sends much of it; the log says how many complaints it left out. What
//! is counted is counted in full elsewhere.

use market::Nanos;
use venue::DecodeError;

const EVERY_NANOS: u64 = 1_000_000_000;
/// How much of a message a log line shows.
const SHOWN_BYTES: usize = 120;

/// When a kind of complaint was last made.
#[derive(Clone, Copy, Debug, Default)]
struct Pause {
    until: Nanos,
    left_out: u64,
}

impl Pause {
    /// How many were left out before this one, if this one is to be made.
    fn take(&mut self, now: Nanos) -> Option<u64> {
        if now < self.until {
            self.left_out += 1;
            return None;
        }
        self.until = Nanos(now.0 + EVERY_NANOS);
        Some(std::mem::take(&mut self.left_out))
    }
}

/// One feed's complaints.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    decode: [Pause; venue::KINDS.len()],
    refusal: Pause,
}

impl Complaints {
    /// About a message that could not be decoded.
    pub(super) fn undecodable(
        &mut self,
        feed: &str,
        error: DecodeError,
        message: &[u8],
        now: Nanos,
    ) {
        let kind = venue::KINDS.iter().position(|kind| *kind == error.kind());
        let pause = kind.and_then(|at| self.decode.get_mut(at));
        if let Some(left_out) = pause.and_then(|pause| pause.take(now)) {
            let begin = message[..message.len().min(SHOWN_BYTES)].escape_ascii();
            let size = message.len();
            tracing::warn!(feed, %error, size, %begin, left_out, "message not understood");
        }
    }

    /// About a request of ours that the venue refused.
    pub(super) fn refused(&mut self, feed: &str, ack: &venue::Ack<'_>, now: Nanos) {
        if let Some(left_out) = self.refusal.take(now) {
            let (symbol, channel) = (ack.symbol.unwrap_or("-"), ack.channel.unwrap_or("-"));
            let error = ack.error.unwrap_or("-");
            tracing::warn!(feed, symbol, channel, error, left_out, "request refused by the venue");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_complaint_a_second_says_how_many_were_left_out() {
        let mut pause = Pause::default();
        let made: Vec<_> = (0..25).map(|i| pause.take(Nanos(i * EVERY_NANOS / 10))).collect();
        assert_eq!(made.iter().flatten().collect::<Vec<_>>(), [&0, &9, &9]);
    }
}
