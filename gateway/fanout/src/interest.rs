//! Who wants what of one symbol: one list of subscribers per topic and kind of frame.
//!
//! A session that is behind stands in no list: it costs nothing per update, and its own
//! subscription holds the mark from which it goes on.

use market::SymbolId;
use wire::topic::Topic;

use crate::bases::Bases;
use crate::catch_up::Told;
use crate::pace::{Calendar, Pace, Pending};
use crate::session::SessionKey;
use crate::shown::{Manner, Shown};

/// Frames remembered for who has the same to hear in the same cycle.
const MADE_MAX: usize = 16;

/// Classes of a symbol that nobody needs and that stay, for who comes back.
const IDLE_MAX: usize = 4;

/// A class of a symbol, by its place in the symbol's interest: good until the cycle ends.
pub(crate) type ClassAt = (SymbolId, u32);

/// What sessions that get exactly the same frames have in common, beside the topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Frames carry `x`.
    pub(crate) sequenced: bool,
    pub(crate) pace: Pace,
}

/// Frames made in this cycle for who has been shown so much.
#[derive(Clone, Copy, Debug)]
struct Made {
    cycle: u64,
    shown: Shown,
    manner: Manner,
    /// The sequence they lead up to.
    sequence: u64,
    told: Told,
}

/// Sessions that get exactly the same frames.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) topic: Topic,
    pub(crate) kind: Kind,
    pub(crate) subscribers: Vec<SessionKey>,
    /// What each of the subscribers was shown; only in a paced class.
    pub(crate) shown: Vec<Shown>,
    /// Listed in the calendar.
    pub(crate) is_pending: bool,
    /// Of books only.
    pub(crate) bases: Bases,
    /// Listed as having bases that nobody may need any more.
    pub(crate) is_to_sweep: bool,
    /// Size of the latest update's frame: the measure of what somebody behind misses.
    pub(crate) frame_bytes: u32,
    made: Vec<Made>,
}

impl Class {
    fn new(topic: Topic, kind: Kind) -> Self {
        Self {
            topic,
            kind,
            subscribers: Vec::new(),
            shown: Vec::new(),
            is_pending: false,
            bases: Bases::default(),
            is_to_sweep: false,
            frame_bytes: 0,
            made: Vec::new(),
        }
    }

    /// Frames already made in this cycle for the same purpose.
    pub(crate) fn made(
        &self,
        cycle: u64,
        shown: Shown,
        manner: Manner,
        sequence: u64,
    ) -> Option<Told> {
        let is_same = |m: &&Made| {
            (m.cycle, m.sequence, m.shown, m.manner) == (cycle, sequence, shown, manner)
        };
        self.made.iter().find(is_same).map(|m| m.told)
    }

    pub(crate) fn remember(
        &mut self,
        cycle: u64,
        shown: Shown,
        manner: Manner,
        sequence: u64,
        told: Told,
    ) {
        self.made.retain(|m| m.cycle == cycle);
        if self.made.len() < MADE_MAX {
            self.made.push(Made { cycle, shown, manner, sequence, told });
        }
    }

    /// Lists a paced class for the end of its bucket.
    pub(crate) fn wait(&mut self, calendar: &mut Calendar, symbol: SymbolId, now: u64) {
        if !std::mem::replace(&mut self.is_pending, true) {
            let Self { topic, kind, .. } = *self;
            calendar.list(Pending { symbol, topic, kind }, now);
        }
    }

    /// Somebody, or something, refers to it.
    fn is_needed(&self) -> bool {
        !self.subscribers.is_empty() || self.is_pending || !self.bases.is_empty()
    }

    /// Adds a subscriber; its position.
    pub(crate) fn list(&mut self, key: SessionKey, shown: Shown) -> u32 {
        self.subscribers.push(key);
        if self.kind.pace.is_paced() {
            self.shown.push(shown);
        }
        self.subscribers.len() as u32 - 1
    }

    /// Takes the subscriber at `position` off; returns the one that took its place.
    pub(crate) fn unlist(&mut self, position: u32) -> Option<SessionKey> {
        let at = position as usize;
        self.subscribers.swap_remove(at);
        if self.kind.pace.is_paced() {
            self.shown.swap_remove(at);
        }
        self.subscribers.get(at).copied()
    }
}

/// All classes of one symbol that somebody needs, and a few that were needed.
#[derive(Debug, Default)]
pub(crate) struct Interest {
    pub(crate) classes: Vec<Class>,
    /// Listed as having classes that perhaps nobody needs any more.
    pub(crate) is_to_shrink: bool,
}

impl Interest {
    /// The place of a class, if there is such.
    pub(crate) fn place_of(&self, topic: Topic, kind: Kind) -> Option<usize> {
        self.classes.iter().position(|c| c.topic == topic && c.kind == kind)
    }

    /// Makes a class that is not there yet; its place.
    pub(crate) fn add(&mut self, topic: Topic, kind: Kind) -> usize {
        self.classes.push(Class::new(topic, kind));
        self.classes.len() - 1
    }

    /// Drops what nobody needs, if it is more than may stay. Places change.
    pub(crate) fn shrink(&mut self) {
        self.is_to_shrink = false;
        let idle_count = self.classes.iter().filter(|class| !class.is_needed()).count();
        if idle_count > IDLE_MAX {
            self.classes.retain(Class::is_needed);
            self.classes.shrink_to(2 * self.classes.len());
        }
    }

    pub(crate) fn class(&self, topic: Topic, kind: Kind) -> Option<&Class> {
        self.classes.iter().find(|c| c.topic == topic && c.kind == kind)
    }

    /// Classes that have subscribers.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = &Class> {
        self.classes.iter().filter(|class| !class.subscribers.is_empty())
    }

    /// True when nobody is to be told of updates as they come.
    pub(crate) fn is_idle(&self) -> bool {
        self.wanted().next().is_none()
    }
}
