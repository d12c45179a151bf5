//! The newest numbers that any session of a load thread was shown of each symbol and channel, and
//! the quotes behind them: no session may end behind the others, and a ticker of one number must be
//! the same for all, however it was paced or merged. Owned by one load thread.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::stream::StreamKey;

/// What was shown of one symbol and channel.
#[derive(Debug, Default)]
struct Shown {
    /// The newest number, and when the first session read it.
    newest: (u64, u64),
    /// The same as it was before, in steps of time: enough to know what was due at a moment.
    steps: VecDeque<(u64, u64)>,
    /// Hashes of the last quotes by their numbers, oldest first.
    quotes: VecDeque<(u64, u64)>,
}

/// By symbol, channel and bar minutes.
#[derive(Debug, Default)]
pub struct Newest(FxHashMap<StreamKey, Shown>);

/// Quotes kept of each symbol.
const QUOTES_MAX: usize = 64;
/// Steps kept of each: a hundred seconds.
const STEPS_MAX: usize = 2000;
const STEP_NS: u64 = 50_000_000;

impl Newest {
    /// `key`'s session was shown `seq`, with a quote where it is a ticker's. False where another
    /// session was shown another quote under the same number.
    pub fn shown(
        &mut self,
        key: StreamKey,
        seq: u64,
        received_ns: u64,
        quote: Option<u64>,
    ) -> bool {
        let shown = self.0.entry(key.of_anybody()).or_default();
        if seq > shown.newest.0 {
            shown.newest = (seq, received_ns);
            if shown
                .steps
                .back()
                .is_none_or(|(_, at_ns)| received_ns - STEP_NS.min(received_ns) >= *at_ns)
            {
                if shown.steps.len() == STEPS_MAX {
                    shown.steps.pop_front();
                }
                shown.steps.push_back((seq, received_ns));
            }
        }
        let Some(quote) = quote else { return true };
        let quotes = &mut shown.quotes;
        match quotes.binary_search_by_key(&seq, |(one, _)| *one) {
            Ok(at) => quotes[at].1 == quote,
            // Older than all that are kept: nothing to compare it with.
            Err(0) if quotes.len() == QUOTES_MAX => true,
            Err(at) => {
                quotes.insert(at, (seq, quote));
                if quotes.len() > QUOTES_MAX {
                    quotes.pop_front();
                }
                true
            }
        }
    }

    /// A number above `last` that somebody was shown by `due_ns`.
    pub fn missed(&self, key: StreamKey, last: u64, due_ns: u64) -> Option<u64> {
        let shown = self.0.get(&key.of_anybody())?;
        let at = shown.steps.partition_point(|(seq, _)| *seq <= last);
        let found = shown.steps.get(at).unwrap_or(&shown.newest);
        (found.0 > last && found.1 <= due_ns).then_some(found.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::message::Channel;

    #[test]
    fn a_session_that_ends_behind_the_others_is_found_once_it_was_due() {
        let [one, two] = [1, 2].map(|id| StreamKey::new(id, 0, Channel::Ticker, 0));
        let mut newest = Newest::default();
        assert!(newest.shown(one, 5, 100, Some(1)) && newest.shown(two, 5, 120, Some(1)));
        assert!(newest.shown(one, 9, 200, Some(2)));
        assert_eq!(newest.missed(two, 5, 199), None, "it may still be under way");
        assert_eq!(newest.missed(two, 5, 200), Some(9));
        assert_eq!(newest.missed(one, 9, 1000), None);
        assert!(!newest.shown(two, 9, 300, Some(3)), "another quote under the same number");
    }
}
