//! The delay line: records in the order they came, until the longest delay has passed over them.
//!
//! Owned by the ingest thread. A ring of bytes asked for once; each delay reads it at a place of
//! its own, so a record is held once however many delays there are. It knows nothing of ticks.
//!
//! **Invariant:** a record is given out by a delay once, in order, and never before it is that old.
//! What finds no room is refused; nothing that is held gives way.

/// In front of each record: its length, and when it came.
const HEAD_BYTES: usize = 4 + 8;
/// A length that says that the record lies at the beginning of the ring.
const WRAPPED: u32 = u32::MAX;

/// Where one delay reads.
#[derive(Clone, Copy, Debug)]
struct Place {
    delay_ns: u64,
    /// Bytes behind it since the start.
    at: u64,
}

/// The line.
#[derive(Debug)]
pub(super) struct DelayLine {
    bytes: Box<[u8]>,
    /// Bytes written since the start, those left out at the end of the ring included.
    end: u64,
    /// Ascending by delay: the last of them lets go.
    places: Vec<Place>,
}

impl DelayLine {
    /// Of so many bytes; memory is used as it fills. The delays ascend.
    pub(super) fn new(bytes_max: usize, delays_ns: impl IntoIterator<Item = u64>) -> Self {
        let places = delays_ns.into_iter().map(|delay_ns| Place { delay_ns, at: 0 });
        let bytes = vec![0; bytes_max].into_boxed_slice();
        Self { bytes, end: 0, places: places.collect() }
    }

    /// Appends a record that came at `now`. False where it would leave less than `spare` bytes.
    pub(super) fn keep(&mut self, record: &[u8], now: u64, spare: usize) -> bool {
        let size = HEAD_BYTES + record.len();
        let left_out = self.left_out(size);
        if left_out + size + spare > self.free() {
            return false;
        }
        let start = self.index(self.end);
        if left_out >= 4 {
            self.bytes[start..start + 4].copy_from_slice(&WRAPPED.to_le_bytes());
        }
        let start = self.index(self.end + left_out as u64);
        let (head, rest) = self.bytes[start..start + size].split_at_mut(HEAD_BYTES);
        head[..4].copy_from_slice(&(record.len() as u32).to_le_bytes());
        head[4..].copy_from_slice(&now.to_le_bytes());
        rest.copy_from_slice(record);
        self.end += (left_out + size) as u64;
        true
    }

    /// The next record of a delay, once it is old enough. It stays the next until it is `passed`.
    pub(super) fn due(&self, delay: usize, now: u64) -> Option<&[u8]> {
        let place = self.places[delay];
        let (start, came_at, length) = self.at(place.at)?;
        let is_due = now >= came_at.saturating_add(place.delay_ns);
        is_due.then(|| &self.bytes[self.index(start) + HEAD_BYTES..][..length])
    }

    /// A delay is done with its next record.
    pub(super) fn pass(&mut self, delay: usize) {
        if let Some((start, _, length)) = self.at(self.places[delay].at) {
            self.places[delay].at = start + (HEAD_BYTES + length) as u64;
        }
    }

    /// Bytes that are held.
    pub(super) fn held(&self) -> usize {
        let begin = self.places.last().map_or(self.end, |place| place.at);
        (self.end - begin) as usize
    }

    /// Bytes that are not.
    pub(super) fn free(&self) -> usize {
        self.bytes.len() - self.held()
    }

    /// Its size.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// When the oldest record that is held came.
    pub(super) fn oldest(&self) -> Option<u64> {
        let (_, came_at, _) = self.at(self.places.last()?.at)?;
        Some(came_at)
    }

    /// The record at a place or, where the ring ends first, the one it stands for: its own place,
    /// when it came, its length.
    fn at(&self, place: u64) -> Option<(u64, u64, usize)> {
        if place == self.end {
            return None;
        }
        let rest = &self.bytes[self.index(place)..];
        let length = rest.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        let is_whole = length.is_some_and(|length| length != WRAPPED);
        let start = if is_whole { place } else { place + rest.len() as u64 };
        let head = &self.bytes[self.index(start)..];
        let length = u32::from_le_bytes(*head.first_chunk()?);
        let came_at = u64::from_le_bytes(*head[4..].first_chunk()?);
        Some((start, came_at, length as usize))
    }

    /// Bytes at the end of the ring that a record of this size leaves out, so as to lie in one
    /// piece.
    fn left_out(&self, size: usize) -> usize {
        let rest = self.bytes.len() - self.index(self.end);
        if rest < size { rest } else { 0 }
    }

    fn index(&self, at: u64) -> usize {
        (at % self.bytes.len() as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    #[test]
    fn each_delay_gives_out_each_record_once_in_order_and_never_early() {
        for seed in 0..60 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let delays = [rng.u64(1..50), rng.u64(50..400)];
            let mut line = DelayLine::new(rng.usize(300..2000), delays);
            let mut queues: [VecDeque<(u64, Vec<u8>)>; 2] = Default::default();
            let (mut now, mut refused) = (1, 0);
            for _ in 0..4000 {
                now += rng.u64(..6);
                let record: Vec<u8> = (0..rng.usize(..120)).map(|_| rng.u8(..)).collect();
                if line.keep(&record, now, 20) {
                    for queue in &mut queues {
                        queue.push_back((now, record.clone()));
                    }
                } else {
                    refused += 1;
                    assert!(line.free() < 2 * (HEAD_BYTES + record.len()) + 20, "seed {seed}");
                }
                for (delay, queue) in queues.iter_mut().enumerate() {
                    for _ in 0..rng.usize(..4) {
                        let next = queue.front().filter(|(at, _)| now - at >= delays[delay]);
                        let expected = next.map(|(_, record)| &record[..]);
                        assert_eq!(line.due(delay, now), expected, "seed {seed}");
                        if expected.is_some() {
                            line.pass(delay);
                            queue.pop_front();
                        }
                    }
                }
                assert_eq!(line.oldest(), queues[1].front().map(|(at, _)| *at), "seed {seed}");
                if queues[1].is_empty() {
                    assert_eq!(line.held(), 0, "seed {seed}");
                }
            }
            assert!(refused > 0, "the line was never full: seed {seed}");
        }
    }
}
