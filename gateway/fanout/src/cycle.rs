//! The frames of one cycle, each encoded once, and who gets them.
//!
//! Frames lie one behind the other in an arena; a session's share of them is a chain of links, so
//! that an idle session holds no list and a busy one allocates none. All of it is emptied at the
//! end of the cycle and keeps its memory.

use market::{Stamps, SymbolId};
use wire::topic::Topic;

use crate::shown::Shown;

const NONE: u32 = u32::MAX;

/// A frame of this cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameId(u32);

/// Consecutive frames, perhaps none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frames {
    first: u32,
    end: u32,
}

impl Frames {
    pub(crate) fn iter(self) -> impl ExactSizeIterator<Item = FrameId> {
        (self.first as usize..self.end as usize).map(|at| FrameId(at as u32))
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.first == self.end
    }
}

/// Which subscription a frame belongs to. One that is not sent leaves its reader there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) symbol: SymbolId,
    pub(crate) topic: Topic,
    /// What its reader had been shown before.
    pub(crate) shown: Shown,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    end: usize,
    /// Of the update it carries; none for snapshots and notices, whose age says nothing.
    stamps: Option<Stamps>,
    /// None for what belongs to no subscription: replies and notices.
    origin: Option<Origin>,
}

/// A frame as a session gets it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) stamps: Option<Stamps>,
    pub(crate) origin: Option<Origin>,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    frame: FrameId,
    next: u32,
}

/// A session's frames of this cycle, in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    head: u32,
    tail: u32,
}

impl Default for Chain {
    fn default() -> Self {
        Self { head: NONE, tail: NONE }
    }
}

impl Chain {
    pub(crate) const fn is_empty(self) -> bool {
        self.head == NONE
    }
}

/// The arena.
#[derive(Debug, Default)]
pub(crate) struct Cycle {
    arena: Vec<u8>,
    frames: Vec<Place>,
    links: Vec<Link>,
    /// Distinguishes the frames of this cycle from those of the last in anybody's memory.
    number: u64,
}

impl Cycle {
    /// Encodes a frame that nobody has yet.
    pub(crate) fn encode(
        &mut self,
        stamps: Option<Stamps>,
        origin: Option<Origin>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> FrameId {
        let start = self.arena.len();
        write(&mut self.arena);
        self.frames.push(Place { start, end: self.arena.len(), stamps, origin });
        FrameId(self.frames.len() as u32 - 1)
    }

    /// How many frames there are: where the next ones begin.
    pub(crate) const fn frame_count(&self) -> usize {
        self.frames.len()
    }

    /// The frames encoded since there were `count`.
    pub(crate) const fn since(&self, count: usize) -> Frames {
        Frames { first: count as u32, end: self.frames.len() as u32 }
    }

    /// Bytes of a frame.
    pub(crate) fn size(&self, frame: FrameId) -> usize {
        let place = self.frames[frame.0 as usize];
        place.end - place.start
    }

    /// Puts a frame behind a session's others.
    pub(crate) fn link(&mut self, chain: &mut Chain, frame: FrameId) {
        let at = self.links.len() as u32;
        self.links.push(Link { frame, next: NONE });
        if chain.is_empty() {
            chain.head = at;
        } else {
            self.links[chain.tail as usize].next = at;
        }
        chain.tail = at;
    }

    /// Takes a chain's first frame off it.
    pub(crate) fn unlink(&self, chain: &mut Chain) -> Option<Frame<'_>> {
        let link = self.links.get(chain.head as usize)?;
        chain.head = link.next;
        if chain.is_empty() {
            chain.tail = NONE;
        }
        let Place { start, end, stamps, origin } = self.frames[link.frame.0 as usize];
        Some(Frame { bytes: &self.arena[start..end], stamps, origin })
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Forgets every frame; chains must be empty by now.
    pub(crate) fn end(&mut self) {
        self.arena.clear();
        self.frames.clear();
        self.links.clear();
        self.number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_share_frames_and_keep_their_order() {
        let mut cycle = Cycle::default();
        let frames: Vec<_> =
            (0..4_u8).map(|n| cycle.encode(None, None, |out| out.extend([n; 3]))).collect();
        let (mut even, mut all) = (Chain::default(), Chain::default());
        for (at, frame) in frames.into_iter().enumerate() {
            cycle.link(&mut all, frame);
            if at % 2 == 0 {
                cycle.link(&mut even, frame);
            }
        }
        let drain = |chain: &mut Chain| {
            let mut seen = Vec::new();
            while let Some(frame) = cycle.unlink(chain) {
                seen.push(frame.bytes[0]);
            }
            seen
        };
        assert_eq!(drain(&mut all), [0, 1, 2, 3]);
        assert_eq!(drain(&mut even), [0, 2]);
        assert!(even.is_empty());
    }
}
