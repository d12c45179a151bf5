//! One session's view of one symbol and channel, and the key it is found by.

use super::book::Book;
use super::sequence::Sequence;
use crate::scan::message::Channel;

/// Session, symbol, channel and bar minutes, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamKey(u64);

impl StreamKey {
    /// Symbols and sessions stay below a million, bar minutes below 65,536.
    pub fn new(session: u32, symbol: u32, channel: Channel, interval: u64) -> Self {
        debug_assert!(session < 1 << 24 && symbol < 1 << 20);
        let (session, symbol) = (u64::from(session), u64::from(symbol));
        Self(session << 40 | symbol << 20 | (channel as u64) << 16 | interval & 0xffff)
    }

    /// The same stream of nobody in particular.
    #[must_use]
    pub fn of_anybody(self) -> Self {
        Self(self.0 & ((1 << 40) - 1))
    }

    /// Whose.
    pub fn session(self) -> u32 {
        (self.0 >> 40) as u32
    }

    /// Position in the watch list.
    pub fn symbol(self) -> u32 {
        (self.0 >> 20) as u32 & 0xf_ffff
    }

    /// Which channel.
    pub fn channel(self) -> Channel {
        let code = self.0 >> 16 & 0xf;
        [Channel::Ticker, Channel::Trade, Channel::Book, Channel::Ohlc]
            .into_iter()
            .find(|channel| *channel as u64 == code)
            .unwrap_or(Channel::Instrument)
    }

    /// Minutes of a bar; 0 elsewhere.
    pub fn interval(self) -> u64 {
        self.0 & 0xffff
    }
}

/// A session's return to a stream it had left, until it is known how it goes on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Returning {
    /// What the ack said of `recovered`.
    pub recovered: Option<bool>,
    /// Whether the first frame went on (rather than being a snapshot).
    pub went_on: Option<bool>,
}

/// What became of the numbers published while a session watched: all of them are in one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Balance {
    /// Numbers since the first value.
    pub published: u64,
    /// Frames, and trades.
    pub delivered: u64,
    /// Numbers that a frame stands for beside its own.
    pub merged: u64,
    /// Numbers announced as missing.
    pub announced: u64,
    /// Numbers of which nothing was said.
    pub lost: u64,
}

impl Balance {
    /// Adds another stream's.
    pub fn add(&mut self, other: &Self) {
        self.published += other.published;
        self.delivered += other.delivered;
        self.merged += other.merged;
        self.announced += other.announced;
        self.lost += other.lost;
    }

    /// Whether delivered + merged + announced + lost = published.
    pub fn is_even(&self) -> bool {
        self.delivered + self.merged + self.announced + self.lost == self.published
    }
}

/// What has come of one subscription.
#[derive(Debug, Default)]
pub struct Stream {
    /// Its numbers.
    pub sequence: Sequence,
    /// The number its first value stood for.
    pub begin: u64,
    /// Frames of updates, and trades.
    pub delivered: u64,
    /// Numbers that frames said they stand for beside their own.
    pub merged: u64,
    /// Something was blamed that spoils the balance.
    pub odd: bool,
    /// The life of its numbering, as the ack said.
    pub epoch: Option<u64>,
    /// While it is not known how a return goes on.
    pub returning: Option<Returning>,
    /// It was unsubscribed from, and the gateway has said so.
    pub left: bool,
    /// When the newest gap opened.
    pub holed_ns: u64,
    /// Numbers announced as missing.
    pub announced: u64,
    /// The book, for book streams.
    pub book: Book,
    /// The venue's time of the newest update, ns since 1970.
    pub ts_event: u64,
    /// The trades, for trade streams.
    pub trades: TradesSeen,
}

impl Stream {
    /// What became of its numbers.
    pub fn balance(&self) -> Balance {
        Balance {
            published: self.sequence.last().map_or(0, |last| last.saturating_sub(self.begin)),
            delivered: self.delivered,
            merged: self.merged,
            announced: self.announced,
            lost: self.sequence.gaps().iter().map(|gap| gap.count()).sum(),
        }
    }

    /// Forgets all but the life of its numbering: the next value is a first one.
    pub fn begin_anew(&mut self) {
        *self = Self { epoch: self.epoch, returning: self.returning, ..Self::default() };
    }
}

/// The trades of one stream, as far as counting them needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct TradesSeen {
    /// The newest id of the snapshot: updates begin behind it.
    pub anchor: Option<u64>,
    /// The first id of an update.
    pub first: Option<u64>,
    /// The newest id.
    pub last: u64,
    /// Trades of updates.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_back_what_it_was_made_of() {
        let key = StreamKey::new(100_000, 999_999, Channel::Ohlc, 21_600);
        assert_eq!((key.session(), key.symbol()), (100_000, 999_999));
        assert_eq!((key.channel(), key.interval()), (Channel::Ohlc, 21_600));
    }
}
