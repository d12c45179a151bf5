//! Who wants what of one symbol: one list of subscribers per topic and kind of frame.

use wire::topic::Topic;

use crate::cycle::FrameId;
use crate::session::SessionKey;

/// Sessions that get exactly the same frames.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) topic: Topic,
    /// Frames carry `x`.
    pub(crate) sequenced: bool,
    pub(crate) subscribers: Vec<SessionKey>,
    /// The snapshot made last: its cycle, its sequence, its frame.
    snapshot: Option<(u64, u64, FrameId)>,
}

impl Class {
    /// The frame of a snapshot at `sequence` if one was made in this cycle.
    pub(crate) fn snapshot(&self, cycle: u64, sequence: u64) -> Option<FrameId> {
        self.snapshot.filter(|s| (s.0, s.1) == (cycle, sequence)).map(|s| s.2)
    }

    pub(crate) const fn remember_snapshot(&mut self, cycle: u64, sequence: u64, frame: FrameId) {
        self.snapshot = Some((cycle, sequence, frame));
    }
}

/// All classes of one symbol that ever had a subscriber.
#[derive(Debug, Default)]
pub(crate) struct Interest {
    classes: Vec<Class>,
}

impl Interest {
    pub(crate) fn class_mut(&mut self, topic: Topic, sequenced: bool) -> &mut Class {
        let found = self.classes.iter().position(|c| c.topic == topic && c.sequenced == sequenced);
        let at = found.unwrap_or_else(|| {
            self.classes.push(Class { topic, sequenced, subscribers: Vec::new(), snapshot: None });
            self.classes.len() - 1
        });
        &mut self.classes[at]
    }

    /// Classes that have subscribers.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = &Class> {
        self.classes.iter().filter(|class| !class.subscribers.is_empty())
    }

    /// Classes of one topic that have subscribers: plain, sequenced, or both.
    pub(crate) fn wanting(&self, topic: Topic) -> impl Iterator<Item = &Class> {
        self.wanted().filter(move |class| class.topic == topic)
    }

    /// True when nobody wants anything of it.
    pub(crate) fn is_idle(&self) -> bool {
        self.wanted().next().is_none()
    }

    /// Takes the subscriber at `position` off; returns the one that took its place.
    pub(crate) fn remove(
        &mut self,
        topic: Topic,
        sequenced: bool,
        position: u32,
    ) -> Option<SessionKey> {
        let class =
            self.classes.iter_mut().find(|c| c.topic == topic && c.sequenced == sequenced)?;
        class.subscribers.swap_remove(position as usize);
        class.subscribers.get(position as usize).copied()
    }
}
