//! One direction of a connection: a socket's buffer, then the way through the network.

use std::collections::VecDeque;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// How good a way is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quality {
    pub(crate) latency_ns: u64,
    pub(crate) bytes_per_second: u64,
    /// What the sender's socket holds.
    pub(crate) buffer_bytes_max: usize,
}

impl Quality {
    pub(crate) const GOOD: Self =
        Self { latency_ns: 1_000_000, bytes_per_second: 10_000_000, buffer_bytes_max: 65_536 };

    pub(crate) fn random(rng: &mut fastrand::Rng) -> Self {
        Self {
            latency_ns: [0, 5_000_000, 80_000_000][rng.usize(..3)],
            bytes_per_second: [3_000, 30_000, 500_000, 10_000_000][rng.usize(..4)],
            buffer_bytes_max: [1, 97, 700, 3_000, 65_536][rng.usize(..5)],
        }
    }
}

/// Bytes under way, in order; none is lost while the connection lives.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) quality: Quality,
    buffer: VecDeque<u8>,
    flight: VecDeque<(u64, Vec<u8>)>,
    flight_bytes: usize,
    /// Bytes the way may carry now, in billionths.
    credit: u64,
}

impl Link {
    pub(crate) fn new(quality: Quality) -> Self {
        let (buffer, flight) = (VecDeque::new(), VecDeque::new());
        Self { quality, buffer, flight, flight_bytes: 0, credit: 0 }
    }

    /// As a socket that does not wait: takes what it has room for.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> usize {
        let room = self.quality.buffer_bytes_max.saturating_sub(self.buffer.len());
        let count = room.min(bytes.len());
        self.buffer.extend(&bytes[..count]);
        count
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.buffer.len() < self.quality.buffer_bytes_max
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.flight.is_empty()
    }

    /// Time passes. Who does not read closes the window: bytes stay where they are.
    pub(crate) fn pass(&mut self, now: u64, passed_ns: u64) {
        let most = self.quality.bytes_per_second * 100_000_000;
        self.credit = (self.credit + passed_ns * self.quality.bytes_per_second).min(most);
        let window = self.quality.buffer_bytes_max.max(500) * 2;
        let room = window.saturating_sub(self.flight_bytes);
        let may = usize::try_from(self.credit / NANOS_PER_SECOND).unwrap_or(usize::MAX);
        let count = may.min(self.buffer.len()).min(room);
        if count > 0 {
            self.credit -= count as u64 * NANOS_PER_SECOND;
            self.flight_bytes += count;
            let arrives_at = now + self.quality.latency_ns;
            self.flight.push_back((arrives_at, self.buffer.drain(..count).collect()));
        }
    }

    /// What has arrived, for who reads now.
    pub(crate) fn read(&mut self, now: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.flight.front().is_some_and(|(at, _)| *at <= now) {
            bytes.extend(self.flight.pop_front().into_iter().flat_map(|(_, piece)| piece));
        }
        self.flight_bytes -= bytes.len();
        bytes
    }

    /// The connection is reset: only some of what is under way is still delivered.
    pub(crate) fn cut(&mut self, rng: &mut fastrand::Rng) {
        let mut bytes: Vec<u8> = self.flight.drain(..).flat_map(|(_, piece)| piece).collect();
        bytes.extend(self.buffer.drain(..));
        bytes.truncate(rng.usize(..=bytes.len()));
        self.flight_bytes = bytes.len();
        self.flight.push_back((0, bytes));
    }
}
