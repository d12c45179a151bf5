//! The pace that some subscriptions ask for (`conflate_ms`): at most one frame of a symbol in so
//! many milliseconds, but for those that a trade of the symbol flushed. Owned by one load thread.
//!
//! Frames are timed where they are read, so a frame looks early that was sent in time behind one
//! that was late. Lateness is no breach of a pace: a frame that is early by more than the slack,
//! but by no more than half the pace beside, is counted apart. Too many frames are found all the
//! same, because what is early is owed: who sends at three quarters of its pace is half a pace
//! early with its third frame. Of what came while the load thread itself was away it is not known
//! when it came.

use rustc_hash::FxHashMap;

use super::stream::StreamKey;
use crate::load::dashboard::SessionId;
use crate::scan::message::Channel;

/// One stream's pace, as granted.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_field_names, reason = "the unit is part of a name")]
struct Track {
    pace_ns: u64,
    /// What is read before this is not judged: a returning session first catches up.
    from_ns: u64,
    /// The next frame may come from here on.
    next_ns: u64,
    /// When the newest was read; 0 before the first.
    last_ns: u64,
}

/// A frame that came early, unless a trade behind it explains it.
#[derive(Clone, Copy, Debug)]
pub struct Early {
    /// Whose.
    pub key: StreamKey,
    /// How early.
    pub by_ns: u64,
    /// So little that lateness of those before it explains it.
    pub behind_late: bool,
    received_ns: u64,
}

/// A frame that came in time, while a trade may still show that it was let through by it.
#[derive(Clone, Copy, Debug)]
struct Timely {
    key: StreamKey,
    received_ns: u64,
    /// What `Track::next_ns` was before it.
    next_ns: u64,
}

/// All paced streams.
#[derive(Debug, Default)]
pub struct Paces {
    slack_ns: u64,
    tracks: FxHashMap<StreamKey, Track>,
    suspects: Vec<Early>,
    timely: Vec<Timely>,
}

/// How far behind the flushed frame its trade may be read.
const FLUSH_NS: u64 = 100_000_000;
/// Frames remembered before those too old for a trade are sorted out.
const TIMELY_MAX: usize = 4096;
/// How long a returning session may catch up.
const CATCH_UP_NS: u64 = 1_000_000_000;

impl Paces {
    /// Frames may look early by `slack_ns`.
    pub fn new(slack_ns: u64) -> Self {
        Self { slack_ns, ..Self::default() }
    }

    /// The gateway granted `pace_ms` to `key`, read at `received_ns`; `returned` says whether the
    /// session may have something to catch up with.
    pub fn granted(&mut self, key: StreamKey, pace_ms: u64, received_ns: u64, returned: bool) {
        let from_ns = if returned { received_ns + CATCH_UP_NS } else { 0 };
        self.tracks
            .insert(key, Track { pace_ns: pace_ms * 1_000_000, from_ns, ..Track::default() });
    }

    /// `session` hung up: what it is granted next is a new pace.
    pub fn forget(&mut self, session: SessionId) {
        self.tracks.retain(|key, _| key.session() != session);
        self.suspects.retain(|early| early.key.session() != session);
        self.timely.retain(|timely| timely.key.session() != session);
    }

    /// An update of `key`, which came between `since_ns` and `received_ns`, when it was read: that
    /// is not the same where the load thread itself was away.
    pub fn update(&mut self, key: StreamKey, since_ns: u64, received_ns: u64) {
        if key.channel() == Channel::Trade {
            self.suspects.retain(|early| {
                let same =
                    (early.key.session(), early.key.symbol()) == (key.session(), key.symbol());
                !same || received_ns.saturating_sub(early.received_ns) > FLUSH_NS
            });
            self.let_through(key, received_ns);
            return;
        }
        let Some(track) = self.tracks.get_mut(&key) else { return };
        if received_ns < track.from_ns {
            return;
        }
        let is_known = since_ns == received_ns;
        let by_ns = track.next_ns.saturating_sub(received_ns);
        if is_known && by_ns > self.slack_ns + track.pace_ns / 2 {
            self.suspects.push(Early { key, by_ns, behind_late: false, received_ns });
            return;
        }
        let distance_ns = received_ns - track.last_ns;
        if is_known && distance_ns + self.slack_ns < track.pace_ns {
            let by_ns = track.pace_ns - distance_ns;
            self.suspects.push(Early { key, by_ns, behind_late: true, received_ns });
        }
        track.last_ns = received_ns;
        if self.timely.len() >= TIMELY_MAX {
            self.timely.retain(|timely| received_ns.saturating_sub(timely.received_ns) <= FLUSH_NS);
        }
        self.timely.push(Timely { key, received_ns, next_ns: track.next_ns });
        track.next_ns = track.next_ns.max(since_ns) + track.pace_ns;
    }

    /// A trade was read: a ticker just before it was let through by it, and the next one is still
    /// due at the end of its bucket.
    fn let_through(&mut self, trade: StreamKey, received_ns: u64) {
        self.timely.retain(|timely| {
            if received_ns.saturating_sub(timely.received_ns) > FLUSH_NS {
                return false;
            }
            let is_its = (timely.key.session(), timely.key.symbol())
                == (trade.session(), trade.symbol())
                && timely.key.channel() == Channel::Ticker;
            if let Some(track) = self.tracks.get_mut(&timely.key).filter(|_| is_its) {
                track.next_ns = timely.next_ns;
            }
            !is_its
        });
    }

    /// Takes out the early frames for which no trade has come by `now_ns`.
    pub fn condemned(&mut self, now_ns: u64) -> Vec<Early> {
        let is_due = |early: &Early| now_ns.saturating_sub(early.received_ns) > FLUSH_NS;
        if !self.suspects.iter().any(is_due) {
            return Vec::new();
        }
        let all = std::mem::take(&mut self.suspects);
        let (due, rest) = all.into_iter().partition(is_due);
        self.suspects = rest;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn key(channel: Channel) -> StreamKey {
        StreamKey::new(3, 5, channel, 0)
    }

    fn early_after(frames: &[(Channel, u64)]) -> usize {
        let mut paces = Paces::new(20 * MS);
        paces.granted(key(Channel::Ticker), 100, 0, false);
        paces.granted(key(Channel::Book), 100, 0, false);
        for (channel, at_ms) in frames {
            paces.update(key(*channel), at_ms * MS, at_ms * MS);
        }
        paces.condemned(100_000 * MS).iter().filter(|early| !early.behind_late).count()
    }

    #[test]
    fn a_frame_in_time_is_no_violation_and_an_early_one_is() {
        let ticker = Channel::Ticker;
        assert_eq!(early_after(&[(ticker, 1000), (ticker, 1100), (ticker, 1185)]), 0);
        assert_eq!(early_after(&[(ticker, 1000), (ticker, 1050), (ticker, 1100)]), 1);
        assert_eq!(early_after(&[(ticker, 1000), (Channel::Book, 1001)]), 0, "each its own pace");
    }

    #[test]
    fn a_trade_right_behind_explains_all_that_it_flushed() {
        let frames = [Channel::Ticker, Channel::Book].map(|one| (one, 1000));
        let flushed = [Channel::Ticker, Channel::Book, Channel::Trade].map(|one| (one, 1030));
        assert_eq!(early_after(&[&frames[..], &flushed].concat()), 0);
        let unrelated = [(Channel::Ticker, 1020), (Channel::Trade, 1500)];
        assert_eq!(early_after(&[&frames[..], &unrelated].concat()), 1);
    }

    #[test]
    fn a_flush_in_time_leaves_the_end_of_the_bucket_as_it_was() {
        let flush = [(Channel::Ticker, 1000), (Channel::Ticker, 1190), (Channel::Trade, 1190)];
        assert_eq!(early_after(&[&flush[..], &[(Channel::Ticker, 1200)]].concat()), 0);
        assert_eq!(early_after(&[&flush[..2], &[(Channel::Ticker, 1200)]].concat()), 1);
    }

    #[test]
    fn our_own_absence_and_a_return_excuse_what_comes_in_a_heap() {
        let mut paces = Paces::new(20 * MS);
        paces.granted(key(Channel::Ticker), 100, 0, false);
        paces.update(key(Channel::Ticker), 700 * MS, 1000 * MS);
        paces.update(key(Channel::Ticker), 700 * MS, 1001 * MS);
        paces.update(key(Channel::Ticker), 1010 * MS, 1010 * MS);
        paces.granted(key(Channel::Book), 100, 1000 * MS, true);
        paces.update(key(Channel::Book), 1001 * MS, 1001 * MS);
        paces.update(key(Channel::Book), 1002 * MS, 1002 * MS);
        assert!(paces.condemned(u64::MAX).iter().all(|early| early.behind_late));
    }

    #[test]
    fn a_frame_in_time_behind_a_late_one_is_counted_apart_and_too_many_are_a_violation() {
        let behind_late = |moments_ms: &[u64]| {
            let mut paces = Paces::new(20 * MS);
            paces.granted(key(Channel::Book), 100, 0, false);
            for at_ms in moments_ms {
                paces.update(key(Channel::Book), at_ms * MS, at_ms * MS);
            }
            let condemned = paces.condemned(u64::MAX);
            let count = condemned.iter().filter(|early| early.behind_late).count();
            (count, condemned.len() - count)
        };
        assert_eq!(behind_late(&[1000, 1100, 1248, 1300, 1400, 1500]), (1, 0), "one was late");
        assert_eq!(behind_late(&[1000, 1100, 1248, 1249]), (0, 1), "two at once");
        assert_eq!(behind_late(&[1000, 1075, 1150, 1225]), (2, 1), "at three quarters of its pace");
    }
}
