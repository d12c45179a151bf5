//! What passes between a relay and a gateway that follows it: a greeting each way, then frames.
//!
//! A frame is its length (kind included), its kind, its body; numbers are little-endian. Bodies are
//! the ring's own records and the images of symbols (`market`), so the greeting names the version
//! of those layouts beside its own. Bytes in, frames out; no sockets. **Invariant:** a length is
//! looked at before anything is kept for it, so memory follows the limits and not what was
//! declared.

mod greeting;

use std::sync::Arc;

use market::{LAYOUT_VERSION, Nanos};
use thiserror::Error;

pub use self::greeting::{Delays, GREETING_BYTES, Greeting, VERSION, greeting, put_greeting};
use crate::catalogue::FeedStatus;

/// Bytes in front of a frame's body.
pub const HEAD_BYTES: usize = 5;
/// Bytes of a list of feeds; what does not fit is left out.
const FEEDS_BYTES_MAX: usize = 64 * 1024;
/// Bytes of one text in it.
const TEXT_BYTES_MAX: usize = 512;

const TRUTH: u8 = 1;
const SYMBOL: u8 = 2;
const GO_ON: u8 = 3;
const RECORD: u8 = 4;
const BEAT: u8 = 5;
const FEEDS: u8 = 6;

/// Where somebody stands: in which life, in whose ring, and how many records of it he has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Zero is none.
    pub epoch: u64,
    /// Names the ring: drawn by the process that lends it, because one that is restarted counts its
    /// records anew, in the same epoch where it follows another. Zero is none.
    pub ring: u64,
    /// Records of the relay's ring before the next one.
    pub records: u64,
}

/// Bytes that are not what was agreed on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Somebody else speaks there.
    #[error("this is no relay")]
    Stranger,
    /// Another build.
    #[error(
        "it speaks version {frames}.{layout} where this gateway speaks \
         {VERSION}.{LAYOUT_VERSION}: run the same build on both sides"
    )]
    Version {
        /// Of frames.
        frames: u32,
        /// Of records and images.
        layout: u32,
    },
    /// A frame of no known kind or shape.
    #[error("a malformed frame")]
    Malformed,
    /// A frame larger than can be used here.
    #[error(
        "a frame of {size} bytes where {size_max} are the most: ring.bytes and \
         ingest.book_levels_max must not be smaller here than there"
    )]
    TooLarge {
        /// Its size.
        size: usize,
        /// What is taken.
        size_max: usize,
    },
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// The whole truth as of a place: so many symbols follow, each in a frame.
    Truth(Place, u32),
    /// A symbol's image.
    Symbol(&'a [u8]),
    /// Records follow from exactly where the greeting said.
    GoOn(Place),
    /// A record of the ring.
    Record(&'a [u8]),
    /// Nothing is new.
    Beat,
    /// How the feeds do.
    Feeds(Vec<FeedStatus>),
}

impl Frame<'_> {
    /// Appends it.
    pub fn put(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(&[0; HEAD_BYTES]);
        let kind = match self {
            Self::Truth(place, count) => {
                put_place(*place, out);
                out.extend_from_slice(&count.to_le_bytes());
                TRUTH
            }
            Self::Symbol(image) => put_bytes(image, SYMBOL, out),
            Self::GoOn(place) => {
                put_place(*place, out);
                GO_ON
            }
            Self::Record(record) => put_bytes(record, RECORD, out),
            Self::Beat => BEAT,
            Self::Feeds(feeds) => {
                put_feeds(feeds, out);
                FEEDS
            }
        };
        close(begin, kind, out);
    }

    fn read(kind: u8, bytes: &[u8]) -> Option<Frame<'_>> {
        let mut body = Body(bytes);
        let frame = match kind {
            SYMBOL => return Some(Frame::Symbol(bytes)),
            RECORD => return Some(Frame::Record(bytes)),
            TRUTH => Frame::Truth(body.place()?, body.count()?),
            GO_ON => Frame::GoOn(body.place()?),
            BEAT => Frame::Beat,
            FEEDS => Frame::Feeds(body.feeds()?),
            _ => return None,
        };
        body.0.is_empty().then_some(frame)
    }
}

/// Appends the frame of a symbol, whose image `write` appends.
pub fn put_symbol(write: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
    let begin = out.len();
    out.extend_from_slice(&[0; HEAD_BYTES]);
    write(out);
    close(begin, SYMBOL, out);
}

fn put_bytes(bytes: &[u8], kind: u8, out: &mut Vec<u8>) -> u8 {
    out.extend_from_slice(bytes);
    kind
}

fn put_place(place: Place, out: &mut Vec<u8>) {
    for word in [place.epoch, place.ring, place.records] {
        out.extend_from_slice(&word.to_le_bytes());
    }
}

fn close(begin: usize, kind: u8, out: &mut [u8]) {
    let length = (out.len() - begin - 4) as u32;
    out[begin..begin + 4].copy_from_slice(&length.to_le_bytes());
    out[begin + 4] = kind;
}

fn put_feeds(feeds: &[FeedStatus], out: &mut Vec<u8>) {
    let begin = out.len();
    for feed in feeds {
        let whole = out.len();
        for text in [&*feed.name, &*feed.detail] {
            let text = cut(text);
            out.extend_from_slice(&(text.len() as u32).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        out.push(u8::from(feed.live));
        out.extend_from_slice(&feed.since.0.to_le_bytes());
        if out.len() - begin > FEEDS_BYTES_MAX {
            out.truncate(whole);
            return;
        }
    }
}

/// As much of a text as may travel, whole characters.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// What is left of a body.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(*head)
    }

    fn count(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn word(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn place(&mut self) -> Option<Place> {
        Some(Place { epoch: self.word()?, ring: self.word()?, records: self.word()? })
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.count()? as usize;
        if length > TEXT_BYTES_MAX {
            return None;
        }
        let (text, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        std::str::from_utf8(text).ok()
    }

    fn feeds(&mut self) -> Option<Vec<FeedStatus>> {
        let mut feeds = Vec::new();
        while !self.0.is_empty() {
            let (name, detail) = (self.text()?, self.text()?.to_owned());
            let [live] = self.array()?;
            let since = Nanos(self.word()?);
            feeds.push(FeedStatus { name: Arc::from(name), live: live == 1, since, detail });
        }
        Some(feeds)
    }
}

/// Bytes that came, until whole frames are made of them.
#[derive(Debug)]
pub struct Inbox {
    bytes: Vec<u8>,
    /// How much of it was read as frames.
    begin: usize,
    frame_bytes_max: usize,
}

impl Inbox {
    /// Takes frames of up to `frame_bytes_max`, whatever they hold.
    pub fn new(frame_bytes_max: usize) -> Self {
        let frame_bytes_max = frame_bytes_max.max(FEEDS_BYTES_MAX);
        Self { bytes: Vec::new(), begin: 0, frame_bytes_max }
    }

    /// Where the next bytes are to be appended.
    pub fn room(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..std::mem::take(&mut self.begin));
        &mut self.bytes
    }

    /// The next whole frame; none until more bytes have come.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        let rest = &self.bytes[self.begin..];
        let Some((length, _)) = rest.split_first_chunk() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if length == 0 {
            return Err(FrameError::Malformed);
        }
        if length - 1 > self.frame_bytes_max {
            let size_max = self.frame_bytes_max;
            return Err(FrameError::TooLarge { size: length - 1, size_max });
        }
        if rest.len() < 4 + length {
            return Ok(None);
        }
        self.begin += 4 + length;
        let frame = &self.bytes[self.begin - length..self.begin];
        Frame::read(frame[0], &frame[1..]).map(Some).ok_or(FrameError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn feeds() -> Vec<FeedStatus> {
        let feed = |name: &str, live| FeedStatus {
            name: name.into(),
            live,
            since: Nanos(7),
            detail: "\u{20ac}".repeat(400),
        };
        vec![feed("a", true), feed("", false)]
    }

    #[test]
    fn frames_are_read_back_however_they_are_cut() {
        let place = Place { epoch: 5, ring: 7, records: 6 };
        let frames = [
            Frame::Truth(place, 3),
            Frame::Symbol(b"image"),
            Frame::GoOn(place),
            Frame::Record(b"record"),
            Frame::Beat,
            Frame::Feeds(Vec::new()),
        ];
        let mut bytes = Vec::new();
        for frame in &frames {
            frame.put(&mut bytes);
        }
        put_symbol(|out| out.extend_from_slice(b"image"), &mut bytes);
        for chunk in 1..20 {
            let (mut inbox, mut found) = (Inbox::new(100), 0);
            for part in bytes.chunks(chunk) {
                inbox.room().extend_from_slice(part);
                while let Some(frame) = inbox.next_frame().expect("good frames") {
                    assert_eq!(&frame, frames.get(found).unwrap_or(&frames[1]));
                    found += 1;
                }
            }
            assert_eq!(found, frames.len() + 1);
        }
    }

    #[test]
    fn every_frame_has_the_bytes_of_its_version() {
        let place = Place { epoch: 0x0102, ring: 0x0304, records: 0x0506 };
        let at = [2, 1, 0, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 6, 5, 0, 0, 0, 0, 0, 0];
        let feed = |name: &str, live, since, detail: &str| FeedStatus {
            name: name.into(),
            live,
            since: Nanos(since),
            detail: detail.to_owned(),
        };
        let feeds = vec![feed("ab", true, 0x0708, "c"), feed("", false, 9, "\u{20ac}")];
        let of_feeds = [
            &[2, 0, 0, 0, b'a', b'b', 1, 0, 0, 0, b'c', 1, 8, 7, 0, 0, 0, 0, 0, 0][..],
            &[0, 0, 0, 0, 3, 0, 0, 0, 0xe2, 0x82, 0xac, 0, 9, 0, 0, 0, 0, 0, 0, 0],
        ];
        let pinned: [(Frame<'_>, u8, Vec<u8>); 6] = [
            (Frame::Truth(place, 0x0b0a), 1, [&at[..], &[0x0a, 0x0b, 0, 0]].concat()),
            (Frame::Symbol(b"image"), 2, b"image".to_vec()),
            (Frame::GoOn(place), 3, at.to_vec()),
            (Frame::Record(b"record"), 4, b"record".to_vec()),
            (Frame::Beat, 5, Vec::new()),
            (Frame::Feeds(feeds), 6, of_feeds.concat()),
        ];
        for (frame, kind, body) in pinned {
            let mut bytes = Vec::new();
            frame.put(&mut bytes);
            let head = [1 + body.len() as u8, 0, 0, 0, kind];
            assert_eq!(bytes, [&head[..], &body].concat(), "{frame:?}: another VERSION");
            assert_eq!(Frame::read(kind, &body), Some(frame));
        }
    }

    #[test]
    fn a_list_of_feeds_is_cut_to_what_may_travel() {
        let mut bytes = Vec::new();
        Frame::Feeds(feeds()).put(&mut bytes);
        let mut inbox = Inbox::new(0);
        inbox.room().extend_from_slice(&bytes);
        let Ok(Some(Frame::Feeds(found))) = inbox.next_frame() else { panic!("a list") };
        assert_eq!(found.len(), 2);
        assert_eq!((&*found[0].name, found[0].live, found[0].since), ("a", true, Nanos(7)));
        assert_eq!(found[0].detail, "\u{20ac}".repeat(TEXT_BYTES_MAX / 3));
        let many: Vec<_> = feeds().into_iter().cycle().take(1000).collect();
        bytes.clear();
        Frame::Feeds(many).put(&mut bytes);
        assert!(bytes.len() <= FEEDS_BYTES_MAX + HEAD_BYTES);
    }

    #[test]
    fn a_declared_length_is_refused_before_its_bytes_come() {
        let mut inbox = Inbox::new(100_000);
        inbox.room().extend_from_slice(&u32::MAX.to_le_bytes());
        let too_large = FrameError::TooLarge { size: u32::MAX as usize - 1, size_max: 100_000 };
        assert_eq!(inbox.next_frame(), Err(too_large));
        let mut inbox = Inbox::new(100);
        inbox.room().extend_from_slice(&[0; 4]);
        assert_eq!(inbox.next_frame(), Err(FrameError::Malformed));
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut inbox = Inbox::new(1000);
            inbox.room().extend_from_slice(&bytes);
            while let Ok(Some(_)) = inbox.next_frame() {}
        }

        #[test]
        fn random_bodies_never_panic(kind in 0_u8..8, body in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Frame::read(kind, &body);
        }
    }
}
