//! Sessions that leave and come back: what they ask to go on with, and whether the gateway's answer
//! is what then happens. Recovered means no gap and nothing twice; otherwise a snapshot begins
//! anew. Who unsubscribes is told nothing more until it subscribes again.

use super::auditor::Auditor;
use super::stream::{Returning, StreamKey};
use super::violation::Kind;
use crate::load::dashboard::SessionId;
use crate::load::frame::Requests;
use crate::load::watch::{Extras, Place};
use crate::scan::message::{Channel, Reply};

/// A gap this old when its session hangs up will not be announced any more.
const ANNOUNCED_WITHIN_NS: u64 = 500_000_000;

/// What one session asks for beside its subscriptions.
struct Beside<'a> {
    auditor: &'a Auditor,
    session: SessionId,
}

impl Extras for Beside<'_> {
    fn conflate_ms(&self) -> Option<u64> {
        let manners = self.auditor.conduct.manners();
        let pace = manners.pace.filter(|_| manners.is_paced(self.session))?;
        Some(pace.as_millis() as u64)
    }

    fn place(&self, symbol: u32, channel: Channel, interval: u64) -> Option<Place> {
        let key = StreamKey::new(self.session, symbol, channel, interval);
        let stream = self.auditor.streams.get(&key)?;
        stream.returning?;
        Some(Place { epoch: stream.epoch?, seq: stream.sequence.last()? })
    }
}

impl Auditor {
    /// The session's connection is there, for the first time or again; it asks for its streams.
    /// Says how many answers it waits for.
    pub(super) fn enter(&mut self, session: SessionId, requests: &mut Requests) -> u64 {
        let again = self.sessions.contains_key(&session);
        self.seen.sessions_opened += u64::from(!again);
        let answers = {
            let beside = Beside { auditor: self, session };
            self.watch.subscribe_with(session, requests, &beside)
        };
        for key in self.keys_of(session) {
            let stream = self.streams.entry(key).or_default();
            self.seen.resumes += u64::from(again && stream.returning.is_some());
        }
        answers
    }

    /// The session hangs up, or was shut out, and comes back.
    pub(super) fn leave(&mut self, session: SessionId, now_ns: u64) {
        self.seen.hung_up += 1;
        if let Some(attendance) = self.sessions.get_mut(&session) {
            (attendance.open, attendance.away) = (false, true);
        }
        self.paces.forget(session);
        for key in self.keys_of(session) {
            let Some(stream) = self.streams.get_mut(&key) else { continue };
            let whole = stream.sequence.gaps().is_empty();
            if whole && !stream.left && stream.epoch.is_some() && stream.sequence.last().is_some() {
                stream.returning = Some(Returning::default());
                continue;
            }
            self.conclude(key, now_ns);
        }
    }

    /// Settles a stream of which nothing more is read; its next value is a first one.
    fn conclude(&mut self, key: StreamKey, now_ns: u64) {
        let Some(stream) = self.streams.get_mut(&key) else { return };
        let whole = stream.sequence.gaps().is_empty();
        // A notice about a young gap may be under way, and nobody will read it.
        stream.odd |= !whole;
        if whole || now_ns.saturating_sub(stream.holed_ns) > ANNOUNCED_WITHIN_NS {
            self.settle(key);
        }
        if let Some(stream) = self.streams.get_mut(&key) {
            stream.begin_anew();
            stream.returning = None;
        }
    }

    /// A churning session asks to be rid of everything, or for everything anew. Says how many
    /// answers it waits for.
    pub(super) fn churn(&mut self, session: SessionId, requests: &mut Requests) -> u64 {
        if !self.conduct.subscribes(session) {
            // Frames may still come until the gateway says that none will.
            self.paces.forget(session);
            return self.watch.unsubscribe(session, requests);
        }
        for key in self.keys_of(session) {
            if let Some(stream) = self.streams.get_mut(&key) {
                stream.left = false;
            }
        }
        self.watch.subscribe_with(session, requests, &Beside { auditor: self, session })
    }

    /// The gateway says that nothing more comes of one stream.
    pub(super) fn unsubscribed(&mut self, key: StreamKey, received_ns: u64) {
        self.seen.unsubscribed += 1;
        self.conclude(key, received_ns);
        if let Some(stream) = self.streams.get_mut(&key) {
            stream.left = true;
        }
    }

    /// The ack of one stream.
    pub(super) fn granted(&mut self, key: StreamKey, reply: &Reply<'_>, received_ns: u64) {
        let Some(stream) = self.streams.get_mut(&key) else { return };
        let (known, returning) = (stream.epoch, stream.returning.is_some());
        stream.epoch = reply.epoch.or(known);
        if returning {
            self.answered(key, reply, known);
        } else if let Some(seq) = reply.seq {
            stream.sequence.granted(seq);
        }
        let paced = self.conduct.manners().is_paced(key.session());
        if !paced || key.channel() == Channel::Trade {
            return;
        }
        match reply.conflate_ms {
            None => self.seen.paces_ignored += 1,
            Some(pace_ms) => {
                self.seen.paces += 1;
                self.paces.granted(key, pace_ms, received_ns, returning);
            }
        }
    }

    /// The ack of a stream that asked to go on, before or behind its first frame.
    fn answered(&mut self, key: StreamKey, reply: &Reply<'_>, known: Option<u64>) {
        let recovered = reply.recovered.unwrap_or(false);
        let Some(stream) = self.streams.get_mut(&key) else { return };
        let Some(mut returning) = stream.returning else { return };
        returning.recovered = Some(recovered);
        stream.returning = returning.went_on.is_none().then_some(returning);
        self.seen.recovered += u64::from(recovered);
        match (recovered, returning.went_on) {
            (true, Some(false)) => {
                self.blame(Kind::Resume, key, || "a snapshot, though recovered".to_owned());
            }
            (false, Some(true)) => self.blame(Kind::Resume, key, || {
                "updates without a snapshot, though not recovered".to_owned()
            }),
            (true, _) if reply.epoch != known => self.blame(Kind::Resume, key, || {
                let epoch = reply.epoch.unwrap_or_default();
                format!("recovered, but epoch {epoch} is not {}", known.unwrap_or_default())
            }),
            (false, None) => {
                self.settle(key);
                let stream = self.streams.get_mut(&key).expect("looked up above");
                stream.begin_anew();
                if let Some(seq) = reply.seq {
                    stream.sequence.granted(seq);
                }
            }
            _ => {}
        }
    }

    /// The first frame of a stream that asked to go on, before or behind the ack.
    pub(super) fn returned(&mut self, key: StreamKey, snapshot: bool, first_seq: u64) {
        let Some(stream) = self.streams.get_mut(&key) else { return };
        let Some(mut returning) = stream.returning else { return };
        returning.went_on = Some(!snapshot);
        stream.returning = returning.recovered.is_none().then_some(returning);
        let next = stream.sequence.last().map_or(0, |last| last + 1);
        match (snapshot, returning.recovered) {
            (true, Some(true)) => {
                self.blame(Kind::Resume, key, || "a snapshot, though recovered".to_owned());
            }
            (true, None) => {
                self.settle(key);
                self.streams.get_mut(&key).expect("looked up above").begin_anew();
            }
            (false, Some(true)) if first_seq > next => self.blame_number(Kind::Resume, key, || {
                format!("recovered, but {next}..={} is missing", first_seq - 1)
            }),
            _ => {}
        }
    }

    fn keys_of(&self, session: SessionId) -> Vec<StreamKey> {
        let symbols = &self.watch.by_session[session as usize];
        let each = symbols.iter().flat_map(|symbol| {
            self.watch
                .topics()
                .map(move |(channel, interval)| StreamKey::new(session, *symbol, channel, interval))
        });
        each.collect()
    }
}
