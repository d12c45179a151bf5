//! The shard's connections beside the fan-out's sessions: socket events in, frames out.
//!
//! A connection and a session have the same number. Sockets are edge-triggered: whoever stops
//! reading before a socket is dry stays on the list of the unread.

use std::net::IpAddr;

use fanout::{Fanout, SessionKey};
use market::Nanos;
use mio::event::Event;
use mio::{Interest, Registry, Token};
use wire::close::CloseCode;
use wire::frame::Kind;
use wire::inbound::{self, Inbound};

use super::Arrival;
use super::caller::Caller;
use super::connection::{Broken, Connection, Received, Written};
use super::guard::{Fence, guarded};
use crate::clock;
use crate::config;
use crate::faults;
use crate::latency::{Latency, Station, Stretch};
use crate::metrics::CloseReason;
use crate::seat::Seat;

/// Bytes read from one connection at a time.
const READ_BYTES_MAX: usize = 8 * 1024;
/// Reads of one connection per cycle; then others have their turn.
const READS_MAX: usize = 4;
/// From our close frame to the end of the connection, answered or not.
const CLOSE_TIMEOUT_NS: u64 = 2_000_000_000;
/// Fragments of one message.
const FRAGMENTS_MAX: u32 = 1024;
/// What an echo session may send: a suite of tests tries sizes that no dashboard needs.
const ECHO_LIMITS: inbound::Limits =
    inbound::Limits { message_bytes_max: 32 << 20, fragments_max: 1 << 20, is_binary_taken: true };

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

/// All connections of a shard.
pub(super) struct Connections {
    /// Where sockets are watched.
    registry: Registry,
    /// By the number they share with their session; boxed, so that the table grows without moving
    /// them.
    open: Vec<Option<(SessionKey, Box<Connection>)>>,
    /// Who they are, by the same number; what ended stands until its number is used again.
    callers: Vec<Caller>,
    /// Connections whose socket may hold more than was read.
    unread: Vec<SessionKey>,
    /// Empty between two cycles; its memory is what `unread` had before.
    turn: Vec<SessionKey>,
    /// Reasons of the sessions that ended since they were last asked for.
    ended: Vec<CloseReason>,
    /// The next connection's number: the shard's in the upper bits, so that it is the only one.
    next_id: u64,
    /// Bytes read from sockets since they were last asked for.
    received_bytes: u64,
    limits: inbound::Limits,
    fence: Fence,
    /// Plain bytes given to TLS at a time; the last frame may exceed it.
    record_bytes_max: usize,
    /// Where all that comes is opened.
    buffer: Box<[u8]>,
    text: Vec<u8>,
    /// Where all that goes is gathered and sealed.
    arena: Vec<u8>,
    /// When the updates among them were read from their venue, and written into the ring.
    stamps: Vec<(Nanos, Nanos)>,
    /// When the last send returned.
    written_at: Nanos,
    publish_to_sent: Station,
    recv_to_sent: Station,
}

impl Connections {
    pub(super) fn new(
        shard: usize,
        settings: &config::Shard,
        registry: Registry,
        latency: &Latency,
    ) -> Self {
        Self {
            registry,
            open: Vec::new(),
            callers: Vec::new(),
            unread: Vec::new(),
            turn: Vec::new(),
            ended: Vec::new(),
            next_id: (shard as u64) << 40,
            received_bytes: 0,
            limits: inbound::Limits {
                message_bytes_max: settings.message_bytes_max as u32,
                fragments_max: FRAGMENTS_MAX,
                is_binary_taken: false,
            },
            fence: Fence::default(),
            record_bytes_max: settings.record_bytes_max,
            buffer: vec![0; READ_BYTES_MAX].into(),
            text: Vec::new(),
            arena: Vec::with_capacity(2 * record::PLAIN_BYTES_MAX),
            stamps: Vec::new(),
            written_at: Nanos::UNKNOWN,
            publish_to_sent: latency.shard_station(Stretch::PublishToSent, shard),
            recv_to_sent: latency.shard_station(Stretch::RecvToSent, shard),
        }
    }

    /// Takes over a dashboard from the door.
    pub(super) fn open(&mut self, arrival: Arrival, fanout: &mut Fanout, now: Nanos) {
        let Arrival { socket, records, mut early, is_echo, peer, admission, place } = arrival;
        let mut socket = mio::net::TcpStream::from_std(socket);
        // The session's number is its token, so it is opened first.
        self.next_id += 1;
        let (key, limits) = if is_echo {
            (fanout.handle_open_echo(self.next_id, now.0), ECHO_LIMITS)
        } else {
            (fanout.handle_arrival(self.next_id, admission, now), self.limits)
        };
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.registry.register(&mut socket, Token(key.index()), interest) {
            tracing::warn!(%peer, %error, "a session could not be watched");
            fanout.handle_gone(key);
            self.ended.push(CloseReason::ConnectionLost);
            return;
        }
        if self.open.len() <= key.index() {
            self.open.resize_with(key.index() + 1, || None);
        }
        let inbound = Inbound::new(limits);
        let mut connection = Connection::new(socket, records, inbound, is_echo, place);
        let fence = &self.fence;
        let mut ear = Ear { key, is_echo, fanout, text: &mut self.text, now, fence };
        let heard = ear.listen(|ear| {
            connection.receive_early(&mut early, |said| ear.hear(&said));
            Ok(())
        });
        if heard.is_err() {
            connection.deafen();
        }
        self.callers.resize_with(self.open.len(), Caller::default);
        self.callers[key.index()] = Caller { id: self.next_id, peer: Some(peer), since: now };
        self.open[key.index()] = Some((key, Box::new(connection)));
        self.list_unread(key);
    }

    /// Other limits for messages of dashboards that come from now on.
    pub(super) const fn set_message_bytes_max(&mut self, bytes: usize) {
        self.limits.message_bytes_max = bytes as u32;
    }

    /// The session of that number.
    pub(super) fn find(&self, id: u64) -> Option<(SessionKey, &Caller)> {
        let at = self.callers.iter().position(|caller| caller.id == id)?;
        self.at(at)
    }

    /// The session at a place of the table, and who it is.
    pub(super) fn at(&self, at: usize) -> Option<(SessionKey, &Caller)> {
        let (key, _) = self.open.get(at)?.as_ref()?;
        Some((*key, self.callers.get(at)?))
    }

    /// How many places the table has.
    pub(super) const fn places(&self) -> usize {
        self.open.len()
    }

    fn list_unread(&mut self, key: SessionKey) {
        if let Some(Some((_, connection))) = self.open.get_mut(key.index())
            && !std::mem::replace(&mut connection.is_unread, true)
        {
            self.unread.push(key);
        }
    }

    pub(super) const fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// A socket is readable, writable, or gone.
    pub(super) fn ready(&mut self, event: &Event, fanout: &mut Fanout) {
        let index = event.token().0;
        let Some(Some((key, connection))) = self.open.get_mut(index) else { return };
        let key = *key;
        if event.is_writable() && connection.is_blocked {
            connection.is_blocked = false;
            fanout.mark_dirty(key);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.list_unread(key);
        }
    }

    /// Reads every socket that may hold something, each for its turn.
    pub(super) fn read_on(&mut self, fanout: &mut Fanout, now: Nanos) {
        let mut turn = std::mem::replace(&mut self.unread, std::mem::take(&mut self.turn));
        for key in turn.drain(..) {
            if let Some(Some((_, connection))) = self.open.get_mut(key.index()) {
                connection.is_unread = false;
                self.read(key, fanout, now);
            }
        }
        self.turn = turn;
    }

    fn read(&mut self, key: SessionKey, fanout: &mut Fanout, now: Nanos) {
        for _ in 0..READS_MAX {
            let Some((_, connection)) = self.open[key.index()].as_mut() else { return };
            let is_echo = connection.is_echo;
            let fence = &self.fence;
            let mut ear = Ear { key, is_echo, fanout, text: &mut self.text, now, fence };
            let buffer = &mut self.buffer;
            let received = ear.listen(|ear| connection.receive(buffer, |said| ear.hear(&said)));
            if received == Err(Broken::Bug) {
                // It was closed with 1011; that goes out with this cycle's writing.
                return connection.deafen();
            }
            if connection.owes_update() {
                fanout.mark_dirty(key);
            }
            match received {
                Ok(Received::Dry) => return,
                Ok(Received::Bytes(count)) => self.received_bytes += count as u64,
                Err(broken) => return self.drop_broken(key, broken, fanout),
            }
        }
        self.list_unread(key);
    }

    /// Writes sessions that have something to send, up to `count_max` of them, in the order in which
    /// it came; true when some may be left.
    pub(super) fn write_some(
        &mut self,
        count_max: usize,
        fanout: &mut Fanout,
        output: &mut Output,
    ) -> bool {
        for _ in 0..count_max {
            let Some(key) = fanout.poll_dirty() else { return false };
            if let Err(broken) = self.write(key, fanout, output) {
                self.drop_broken(key, broken, fanout);
            } else {
                self.end_if_closed(key, fanout);
            }
        }
        true
    }

    /// Begins a cycle's writing at `now`.
    pub(super) const fn begin_writing(&mut self, now: Nanos) {
        self.written_at = now;
    }

    /// When the last send returned.
    pub(super) const fn written_at(&self) -> Nanos {
        self.written_at
    }

    fn write(
        &mut self,
        key: SessionKey,
        fanout: &mut Fanout,
        output: &mut Output,
    ) -> Result<(), Broken> {
        let Some(Some((_, connection))) = self.open.get_mut(key.index()) else {
            return Ok(());
        };
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

    /// Twenty times a second: closes that nobody answered, latencies to hand over.
    pub(super) fn look(&mut self, fanout: &mut Fanout, now: Nanos) {
        let overdue: Vec<SessionKey> = self
            .open
            .iter_mut()
            .flatten()
            .filter_map(|(key, connection)| {
                if connection.place.user.as_ref().is_some_and(Seat::is_displaced) {
                    let words = "another session of this user took its place";
                    fanout.close(*key, CloseCode::Displaced, words);
                }
                if fanout.closing(*key).is_some() {
                    // It gets nothing more: whoever comes next may have its place.
                    connection.place.leave();
                }
                if fanout.closing(*key).is_some() && connection.close_by.is_none() {
                    connection.close_by = Some(now.0 + CLOSE_TIMEOUT_NS);
                }
                connection.close_by.filter(|by| now.0 >= *by).map(|_| *key)
            })
            .collect();
        for key in overdue {
            self.end(key, fanout);
        }
        self.recv_to_sent.hand_over(now);
        self.publish_to_sent.hand_over(now);
    }

    /// Where a session comes from; none where it has gone.
    pub(super) fn peer(&self, key: SessionKey) -> Option<IpAddr> {
        let (_, connection) = self.open.get(key.index())?.as_ref()?;
        Some(connection.place.peer)
    }

    /// Gives a session the seat of its user.
    pub(super) fn seat(&mut self, key: SessionKey, seat: Seat) {
        if let Some(Some((_, connection))) = self.open.get_mut(key.index()) {
            connection.place.user = Some(seat);
        }
    }

    /// Bytes of frames kept because sockets were full.
    pub(super) fn backlog_bytes(&self, fanout: &Fanout) -> u64 {
        self.open.iter().flatten().map(|(key, _)| fanout.backlog_bytes(*key) as u64).sum()
    }

    /// Bytes read from sockets since the last call.
    pub(super) const fn take_received(&mut self) -> u64 {
        std::mem::replace(&mut self.received_bytes, 0)
    }

    pub(super) const fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// Why sessions ended since the last call.
    pub(super) fn take_ended(&mut self) -> Vec<CloseReason> {
        std::mem::take(&mut self.ended)
    }

    /// Both sides have said goodbye: nothing is left to wait for. Of a dashboard that broke a rule
    /// no goodbye is read: it has ours, and now TCP's; that it leaves is waited for.
    fn end_if_closed(&mut self, key: SessionKey, fanout: &mut Fanout) {
        let Some(Some((_, connection))) = self.open.get_mut(key.index()) else { return };
        if fanout.closing(key).is_none() || connection.is_blocked {
            return;
        }
        if connection.is_dashboard_done {
            self.end(key, fanout);
        } else if connection.is_refused {
            connection.shut();
        }
    }

    fn end(&mut self, key: SessionKey, fanout: &mut Fanout) {
        let reason = fanout.closing(key).unwrap_or(CloseCode::GoingAway);
        self.forget(key, CloseReason::Code(reason), fanout);
    }

    fn drop_broken(&mut self, key: SessionKey, broken: Broken, fanout: &mut Fanout) {
        let reason = match (fanout.closing(key), broken) {
            (Some(code), _) => CloseReason::Code(code),
            (None, Broken::Lost) => CloseReason::ConnectionLost,
            (None, Broken::Tls) => CloseReason::Tls,
            (None, Broken::Bug) => CloseReason::Code(CloseCode::InternalError),
        };
        self.forget(key, reason, fanout);
    }

    fn forget(&mut self, key: SessionKey, reason: CloseReason, fanout: &mut Fanout) {
        let Some((_, mut connection)) = self.open[key.index()].take() else { return };
        connection.shut();
        if let Err(error) = self.registry.deregister(connection.socket_mut()) {
            tracing::debug!(%error, "a socket was no longer watched");
        }
        fanout.handle_gone(key);
        self.ended.push(reason);
    }
}

impl Output {
    fn add(&mut self, written: Written) {
        self.tls_bytes += written.bytes as u64;
        self.records += written.records as u64;
        self.sends += written.sends;
        self.blocked += u64::from(written.is_blocked);
    }
}

/// Brings what one dashboard says to the fan-out.
struct Ear<'a> {
    key: SessionKey,
    is_echo: bool,
    fanout: &'a mut Fanout,
    /// The parser changes its own copy.
    text: &'a mut Vec<u8>,
    now: Nanos,
    /// Closed while the fan-out's state changes.
    fence: &'a Fence,
}

impl Ear<'_> {
    /// Runs what listens. A panic in what belongs to the connection closes this session alone; one
    /// in the fan-out, which all sessions share, goes on and ends the process.
    fn listen<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Broken>,
    ) -> Result<T, Broken> {
        let fence = self.fence;
        let outcome = fence.guard(|| work(self));
        if outcome.as_ref().err() == Some(&Broken::Bug) {
            let sentence = "a fault of the gateway";
            self.fanout.close(self.key, CloseCode::InternalError, sentence);
        }
        outcome
    }

    fn hear(&mut self, said: &Result<inbound::Event<'_>, inbound::Violation>) {
        let (key, now) = (self.key, self.now);
        if let Ok(inbound::Event::Text(text)) = said {
            faults::trip(faults::Place::Session, text.as_bytes());
        }
        self.fence.close();
        if let Ok(inbound::Event::Text(text)) = said {
            faults::trip(faults::Place::Shard, text.as_bytes());
        }
        match said {
            Ok(inbound::Event::Text(text)) if self.is_echo => {
                self.fanout.handle_echo(key, Kind::Text, text.as_bytes(), now.0);
            }
            Ok(inbound::Event::Binary(bytes)) => {
                self.fanout.handle_echo(key, Kind::Binary, bytes, now.0);
            }
            Ok(inbound::Event::Text(text)) => {
                self.text.clear();
                self.text.extend_from_slice(text.as_bytes());
                self.fanout.handle_text(key, self.text, now);
            }
            Ok(inbound::Event::Ping(payload)) => self.fanout.handle_ping(key, payload, now.0),
            Ok(inbound::Event::Pong) => self.fanout.handle_pong(key, now.0),
            Ok(inbound::Event::Close(code)) => {
                self.fanout.handle_close(key, *code);
                // Our close may have gone first; then nothing is left to say.
                self.fanout.mark_dirty(key);
            }
            Err(violation) => {
                self.fanout.handle_violation(key, violation.code, violation.reason, now);
            }
        }
        self.fence.open();
    }
}
