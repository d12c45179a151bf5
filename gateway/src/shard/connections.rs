//! The shard's connections beside the fan-out's sessions: who is open, read, written and ended
//! when.
//!
//! A connection and a session have the same number. What is read goes through an `Ear`, what is
//! written through the `Writer`. Sockets are edge-triggered: whoever stops
//! reading before a socket is dry stays on the list of the unread.

use std::net::IpAddr;

use fanout::{Fanout, SessionKey};
use market::Nanos;
use mio::event::Event;
use mio::{Interest, Registry, Token};
use wire::close::CloseCode;
use wire::inbound::{self, Inbound};

use super::Arrival;
use super::caller::Caller;
use super::connection::{Broken, Connection, Received};
use super::ear::Ear;
use super::guard::Fence;
use super::writer::{Output, Writer};
use crate::config;
use crate::latency::Latency;
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
    /// Where all that comes is opened.
    buffer: Box<[u8]>,
    text: Vec<u8>,
    /// Through which all that goes is written.
    pub(super) writer: Writer,
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
            buffer: vec![0; READ_BYTES_MAX].into(),
            text: Vec::new(),
            writer: Writer::new(shard, settings.record_bytes_max, latency),
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

    /// Writes sessions that have something to send, up to `count_max` of them, in the order in
    /// which it came; true when some may be left.
    pub(super) fn write_some(
        &mut self,
        count_max: usize,
        fanout: &mut Fanout,
        output: &mut Output,
    ) -> bool {
        for _ in 0..count_max {
            let Some(key) = fanout.poll_dirty() else { return false };
            let Some(Some((_, connection))) = self.open.get_mut(key.index()) else { continue };
            if let Err(broken) = self.writer.write(key, connection, fanout, output) {
                self.drop_broken(key, broken, fanout);
            } else {
                self.end_if_closed(key, fanout);
            }
        }
        true
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
        self.writer.hand_over(now);
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
