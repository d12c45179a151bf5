//! From the fan-out's frames to one session's socket: gathered, sealed and sent as one record each.
//!
//! Owned by the shard's thread, one for all its connections: the arena and the latency stations are
//! shared, a connection holds only what went in part. Which session is written when is not decided
//! here.

use fanout::{Fanout, SessionKey};
use market::Nanos;

use super::connection::{Broken, Connection, Written};
use super::guard::guarded;
use crate::clock;
use crate::latency::{Latency, Station, Stretch};

/// Totals of one cycle's writing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Output {
    pub(super) frames: u64,
    pub(super) plain_bytes: u64,
    pub(super) tls_bytes: u64,
    pub(super) records: u64,
    pub(super) sends: u64,
    pub(super) blocked: u64,
}

impl Output {
    fn add(&mut self, written: Written) {
        self.tls_bytes += written.bytes as u64;
        self.records += written.records as u64;
        self.sends += written.sends;
        self.blocked += u64::from(written.is_blocked);
    }
}

/// The writing side of a shard's connections.
pub(super) struct Writer {
    /// Plain bytes given to TLS at a time; the last frame may exceed it.
    record_bytes_max: usize,
    /// Where all that goes is gathered and sealed.
    arena: Vec<u8>,
    /// When the updates among them were read from their venue, and written into the ring.
    stamps: Vec<(Nanos, Nanos)>,
    /// When the last send returned.
    written_at: Nanos,
    publish_to_sent: Station,
    recv_to_sent: Station,
}

impl Writer {
    pub(super) fn new(shard: usize, record_bytes_max: usize, latency: &Latency) -> Self {
        Self {
            record_bytes_max,
            arena: Vec::with_capacity(2 * record::PLAIN_BYTES_MAX),
            stamps: Vec::new(),
            written_at: Nanos::UNKNOWN,
            publish_to_sent: latency.shard_station(Stretch::PublishToSent, shard),
            recv_to_sent: latency.shard_station(Stretch::RecvToSent, shard),
        }
    }

    /// Begins a cycle's writing at `now`.
    pub(super) const fn begin(&mut self, now: Nanos) {
        self.written_at = now;
    }

    /// When the last send returned.
    pub(super) const fn written_at(&self) -> Nanos {
        self.written_at
    }

    /// Shows the latencies to who reports them.
    pub(super) fn hand_over(&mut self, now: Nanos) {
        self.recv_to_sent.hand_over(now);
        self.publish_to_sent.hand_over(now);
    }

    /// Writes one session until it has nothing left or its socket takes no more; then the rest is
    /// kept.
    pub(super) fn write(
        &mut self,
        key: SessionKey,
        connection: &mut Connection,
        fanout: &mut Fanout,
        output: &mut Output,
    ) -> Result<(), Broken> {
        // What was sealed before the socket was full goes first.
        if !connection.is_blocked {
            let flushed = guarded(|| connection.flush())?;
            if flushed.bytes > 0 {
                fanout.handle_progress(key, self.written_at.0);
            }
            output.add(flushed);
        }
        let mut is_more = true;
        while is_more && !connection.is_blocked {
            let begin = guarded(|| connection.begin(&mut self.arena))?;
            let lead = self.arena.len();
            self.stamps.clear();
            let mut count = 0;
            let sent = |stamps: Option<market::Stamps>| {
                count += 1;
                self.stamps.extend(stamps.map(|stamps| (stamps.recv, stamps.publish)));
            };
            let bytes_max = lead + self.record_bytes_max;
            is_more = fanout.take(key, bytes_max, &mut self.arena, sent, self.written_at.0);
            output.frames += count;
            output.plain_bytes += (self.arena.len() - lead) as u64;
            output.add(guarded(|| connection.send(&mut self.arena, begin))?);
            // One look at the clock a send: the end of this one is the beginning of the next.
            let now = clock::now();
            self.written_at = now;
            for (received, published) in &self.stamps {
                self.recv_to_sent.record_span(*received, now);
                self.publish_to_sent.record_span(*published, now);
            }
        }
        if is_more {
            fanout.keep(key);
        }
        Ok(())
    }
}
