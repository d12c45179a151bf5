//! The shard's loop: drain the ring, hear the dashboards, write every dirty session once, sleep.
//!
//! One turn is a cycle. It takes a bounded number of records before it writes, so that what arrived
//! together leaves together: the more there is to do, the more each send carries, without a timer
//! unless a flush window is set (see `window`).

use std::sync::atomic::Ordering;
use std::time::Duration;

use fanout::Fanout;
use handoff::{Batch, Read};
use market::{Nanos, Tick};
use mio::Events;

use super::attend::{self, Leaving};
use super::nanos;
use super::parts::{Parts, WAKER};
use super::tally::{self, Tally};
use super::window::{FlushWindow, Rest};
use super::writer::Output;
use crate::clock;
use crate::latency::{Station, Stretch};
use crate::replica::{REPLACED, Replica};

/// Bytes of records copied out of the ring at a time: a run that stays in the first-level cache.
const BATCH_BYTES: usize = 32 * 1024;
/// Readiness events taken per cycle.
const EVENTS_MAX: usize = 1024;
/// Arrivals taken per cycle: each costs a registration and a greeting.
const ARRIVALS_MAX: usize = 32;
/// Sessions written between two looks at the ring: some 70 us of sends.
const HANDFUL: usize = 16;
/// For how long a cycle's writing takes in what comes meanwhile; then it ends with who is listed.
const WRITING_NS_MAX: u64 = 20_000_000;
/// Commands of operators answered per cycle.
const COMMANDS_MAX: usize = 4;
/// How often deadlines, heartbeats and counters are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One shard at work.
pub(super) struct Shard {
    pub(super) parts: Parts,
    pub(super) fanout: Fanout,
    batch: Batch,
    publish_to_dequeue: Station,
    tally: Tally,
    window: FlushWindow,
    /// Taken from the ring in the last turn.
    records: usize,
    /// When deadlines, heartbeats and counters are looked at next.
    look_at: u64,
    /// The settings that were taken over last.
    settings_seen: u64,
    leaving: Leaving,
    /// Of what is in force as this shard knows it.
    pub(super) access_version: u64,
}

/// Runs a shard until it is asked to stop and its sessions are gone, or the deadline has passed.
pub fn run(parts: Parts) {
    let mut events = Events::with_capacity(EVENTS_MAX);
    let mut shard = Shard::new(parts);
    while !shard.cycle(&mut events) {}
    shard.end();
}

impl Shard {
    fn new(parts: Parts) -> Self {
        let settings = &parts.settings;
        let limits = attend::limits(settings, parts.credentials_timeout);
        let latency = &parts.metrics.latency;
        let mut fanout = Fanout::new(limits, parts.life.epoch);
        if parts.usage.is_some() {
            fanout.keep_usage();
        }
        Self {
            fanout,
            batch: Batch::with_size_max(BATCH_BYTES),
            publish_to_dequeue: latency.shard_station(Stretch::PublishToDequeue, parts.index),
            tally: Tally::default(),
            window: FlushWindow::new(settings.flush_window, settings.cycle_records_max),
            records: 0,
            look_at: 0,
            settings_seen: 0,
            leaving: Leaving::default(),
            // Nobody is there yet: whoever comes was let in by what is in force, or is looked at.
            access_version: 0,
            parts,
        }
    }

    /// One turn; true when it was the last. It begins with the wait, so that what woke the shard is
    /// written in the turn it woke for, after one look at the sockets and not two.
    fn cycle(&mut self, events: &mut Events) -> bool {
        if !self.rest(events) {
            self.wait(events);
        }
        // Before anything of this cycle is queued: what a lap did to sessions is told first.
        self.take_replica();
        self.records = self.drain_ring();
        self.take_arrivals();
        self.answer();
        let now = clock::now();
        for event in events.iter().filter(|event| event.token() != WAKER) {
            self.parts.connections.ready(event, &mut self.fanout);
        }
        self.parts.connections.read_on(&mut self.fanout, now);
        self.pass_tokens(now);
        if now.0 >= self.look_at {
            self.look(now);
        }
        self.fanout.handle_work(now);
        self.fanout.handle_pace(now.0);
        self.write(now);
        self.pass_usage();
        if self.parts.connections.has_ended() {
            // The door must not refuse who comes back for want of the place he left.
            self.publish_session_count();
        }
        self.metrics().cycles.inc();
        self.is_over(now)
    }

    /// Folds what the ring holds, up to the bound; returns how many records that were.
    fn drain_ring(&mut self) -> usize {
        if self.parts.asker.is_waiting() {
            return 0;
        }
        let mut count = 0;
        while count < self.parts.settings.cycle_records_max {
            match self.parts.ring.read(&mut self.batch) {
                Read::Records(read) => {
                    count += read;
                    if !self.fold_batch() {
                        self.parts.asker.ask();
                        break;
                    }
                }
                Read::Empty => break,
                Read::Lagged { lost } => {
                    self.metrics().laps.inc();
                    self.metrics().lost_records.add(lost);
                    tracing::warn!(shard = self.parts.index, lost, "lapped by the ring's writer");
                    self.parts.asker.ask();
                    break;
                }
            }
        }
        self.window.took(count);
        count
    }

    /// False where the truth was replaced: what follows is part of the replica to be asked for.
    fn fold_batch(&mut self) -> bool {
        let now = clock::now();
        for record in &self.batch {
            if record == REPLACED {
                return false;
            }
            let tick = Tick::decode(record).expect("ingest wrote this record");
            self.publish_to_dequeue.record_span(tick.stamps.publish, now);
            self.fanout.handle_tick(&tick).expect("the ring is read without a gap");
        }
        self.metrics().ring_records.add(self.batch.len() as u64);
        true
    }

    /// Goes on from a fresh replica after a lap, or where the truth was replaced.
    fn take_replica(&mut self) {
        let Some(Replica { life, truth, position }) = self.parts.asker.take() else { return };
        self.parts.ring.seek(position);
        if life == self.parts.life {
            self.fanout.handle_truth(truth);
        } else {
            self.parts.life = life;
            self.fanout.handle_new_life(truth, life.epoch);
        }
        tracing::info!(shard = self.parts.index, epoch = life.epoch, "resynchronised");
    }

    fn take_arrivals(&mut self) {
        if self.parts.life.epoch == 0 {
            // The door lets nobody in before a market is on its way; it is here in a moment.
            return;
        }
        let now = clock::now();
        let mut count = 0;
        while count < ARRIVALS_MAX && !self.parts.mailbox.is_empty() {
            // Before it leaves the mailbox: see `Mailbox::load`. The exact count follows below.
            self.parts.sessions.fetch_add(1, Ordering::Relaxed);
            count += 1;
            let Ok(arrival) = self.parts.mailbox.try_recv() else { break };
            self.parts.connections.open(arrival, &mut self.fanout, now);
            self.metrics().sessions_opened.inc();
        }
        if count > 0 {
            self.publish_session_count();
        }
    }

    /// Writes every dirty session and ends the fan-out's cycle, unless the flush window is open:
    /// then it goes on.
    fn write(&mut self, now: Nanos) {
        if self.window.is_open(now.0) {
            return;
        }
        let written = self.write_all(now);
        tally::count_output(self.metrics(), &written);
        self.fanout.end_cycle();
        self.window.wrote(now.0, written.frames);
    }

    /// Writes until nobody has anything to get. Between two handfuls of sessions the ring is looked
    /// at: whoever waits for its turn gets what came meanwhile along with the rest, and whoever had
    /// its turn is listed anew, behind the others. So a tick waits for one round of the sessions at
    /// most, not for the rest of one and then its place in the next. Time and records bound it,
    /// because frames are kept until the cycle ends and sockets are not heard meanwhile.
    fn write_all(&mut self, now: Nanos) -> Output {
        let mut output = Output::default();
        self.parts.connections.writer.begin(now);
        let records_max = self.parts.settings.cycle_records_max;
        let mut records = 0;
        while self.parts.connections.write_some(HANDFUL, &mut self.fanout, &mut output) {
            let is_late = self.parts.connections.writer.written_at().0 > now.0 + WRITING_NS_MAX;
            if records < records_max && !is_late && !self.window.is_set() {
                records += self.drain_ring();
            }
        }
        output
    }

    /// Waits for a part of the flush window, where one is open and there is nothing to take now.
    /// The ring's writer is not asked to wake this shard: nothing it brings could be written yet.
    fn rest(&mut self, events: &mut Events) -> bool {
        let is_behind = self.records >= self.parts.settings.cycle_records_max || self.has_callers();
        if !self.window.is_set() || is_behind {
            return false;
        }
        let Some(rest) = self.window.rest(clock::now().0) else { return false };
        let timeout = match rest {
            Rest::Poll(timeout) => timeout,
            Rest::Sleep(time) => {
                std::thread::sleep(time);
                Duration::ZERO
            }
        };
        self.poll(events, timeout);
        true
    }

    /// Collects readiness. An idle shard looks at the ring for the spin time, then sleeps until the
    /// ring's writer, the door, a socket or the next deadline wakes it.
    fn wait(&mut self, events: &mut Events) {
        let is_idle = !self.has_callers() && !self.fanout.has_work();
        let is_waiting = self.parts.asker.is_waiting();
        let timeout = if is_idle && (is_waiting || !self.spin()) {
            self.park_timeout()
        } else {
            Duration::ZERO
        };
        self.poll(events, timeout);
        self.parts.ring.unpark_done();
    }

    /// Whether somebody waits whose call this shard has heard already, and will not hear again.
    fn has_callers(&self) -> bool {
        self.parts.connections.has_unread()
            || !self.parts.mailbox.is_empty()
            || !self.parts.commands.is_empty()
    }

    fn poll(&mut self, events: &mut Events, timeout: Duration) {
        if let Err(error) = self.parts.poll.poll(events, Some(timeout))
            && error.kind() != std::io::ErrorKind::Interrupted
        {
            tracing::error!(shard = self.parts.index, %error, "the poll failed");
        }
    }

    /// Looks at the ring for the configured time; true as soon as something is there.
    fn spin(&self) -> bool {
        let spin = nanos(self.parts.settings.spin);
        if spin == 0 {
            return false;
        }
        let start = clock::now().0;
        while clock::now().0 - start < spin {
            if self.parts.ring.lag().records > 0 {
                return true;
            }
            std::hint::spin_loop();
        }
        false
    }

    fn park_timeout(&mut self) -> Duration {
        let may_sleep = self.parts.asker.is_waiting() || self.parts.ring.prepare_park();
        if !may_sleep {
            return Duration::ZERO;
        }
        self.metrics().parks.inc();
        let due_at = self.fanout.pace_due_at().map_or(self.look_at, |at| at.min(self.look_at));
        Duration::from_nanos(due_at.saturating_sub(clock::now().0)).min(LOOK_EVERY)
    }

    /// What is done some twenty times a second.
    fn look(&mut self, now: Nanos) {
        self.look_at = now.0 + nanos(LOOK_EVERY);
        self.take_settings();
        self.look_at_access();
        self.leave(now);
        self.fanout.handle_time(now.0);
        self.parts.connections.look(&mut self.fanout, now);
        self.publish_to_dequeue.hand_over(now);
        let metrics = &self.parts.metrics.shards[self.parts.index];
        metrics.tls_bytes_received.add(self.parts.connections.take_received());
        metrics.ring_lag_records.set(self.parts.ring.lag().records);
        metrics.outbox_bytes.set(self.parts.connections.backlog_bytes(&self.fanout));
        self.tally.count(metrics, self.fanout.counters());
        self.publish_session_count();
    }

    fn publish_session_count(&mut self) {
        let count = self.fanout.session_count();
        // A plain count: nothing is published through it.
        self.parts.sessions.store(count, Ordering::Relaxed);
        self.metrics().sessions.set(count as u64);
        for reason in self.parts.connections.take_ended() {
            self.metrics().sessions_closed.of(reason).inc();
        }
    }

    /// Takes over what was changed in the config.
    fn take_settings(&mut self) {
        let Some(settings) = self.parts.live.if_changed(&mut self.settings_seen) else { return };
        self.fanout.set_limits(attend::limits(&settings, self.parts.credentials_timeout));
        self.parts.connections.set_message_bytes_max(settings.message_bytes_max);
    }

    /// Answers operators.
    fn answer(&mut self) {
        for _ in 0..COMMANDS_MAX {
            let Ok(command) = self.parts.commands.try_recv() else { return };
            attend::answer(command, &self.parts.connections, &mut self.fanout);
        }
    }

    fn leave(&mut self, now: Nanos) {
        if let Some(plan) = self.parts.ending.plan() {
            let shards = self.parts.metrics.shards.len();
            self.leaving.go_on(plan, shards, &mut self.fanout, now);
        }
    }

    fn is_over(&self, now: Nanos) -> bool {
        self.leaving.is_over(self.fanout.session_count(), now)
    }

    /// The last words: what was counted since the last look.
    fn end(&mut self) {
        self.look(clock::now());
        let left = self.fanout.session_count();
        for key in self.fanout.session_keys() {
            self.fanout.handle_gone(key);
        }
        self.pass_usage();
        tracing::info!(shard = self.parts.index, left, "stopped");
    }

    fn metrics(&self) -> &crate::metrics::ShardMetrics {
        &self.parts.metrics.shards[self.parts.index]
    }
}
