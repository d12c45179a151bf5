//! When the shards are shown what was decoded: once for all messages that came together.
//!
//! Showing costs the writer a wake-up of each shard that sleeps, and every shard a look; a burst
//! costs that once. Whoever reads a socket shows when it has run dry, this counts what may go
//! before: the first message of a burst waits for no more than that.

use super::Limits;

/// What was decoded and not shown yet.
#[derive(Debug)]
pub(super) struct Hidden {
    messages: usize,
    bytes: usize,
    messages_max: usize,
    bytes_max: usize,
}

impl Hidden {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self {
            messages: 0,
            bytes: 0,
            messages_max: limits.flush_messages_max,
            bytes_max: limits.flush_bytes_max,
        }
    }

    /// Notes a message; true when it is time to show.
    pub(super) const fn add(&mut self, bytes: usize) -> bool {
        self.messages += 1;
        self.bytes += bytes;
        self.messages >= self.messages_max || self.bytes >= self.bytes_max
    }

    /// Notes that everything was shown.
    pub(super) const fn clear(&mut self) {
        self.messages = 0;
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(messages_max: usize, bytes_max: usize) -> Hidden {
        Hidden { messages: 0, bytes: 0, messages_max, bytes_max }
    }

    #[test]
    fn neither_messages_nor_bytes_gather_beyond_their_limit() {
        let mut few = hidden(3, 1000);
        assert_eq!([few.add(1), few.add(1), few.add(1)], [false, false, true]);
        few.clear();
        assert_eq!([few.add(400), few.add(599), few.add(1)], [false, false, true]);
        few.clear();
        assert!(few.add(1000), "one message may be the limit by itself");
    }
}
