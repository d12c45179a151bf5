//! Subscriptions to symbols by pattern, those that appear later included.

use wire::topic::Topic;

use crate::requests::Terms;
use crate::session::SessionKey;

/// `*` or `PREFIX*`, star included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    /// Reads a pattern; a name without a star at its end is none.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        name.ends_with('*').then(|| Self(name.to_owned()))
    }

    /// As the dashboard wrote it.
    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    pub(crate) fn matches(&self, symbol: &str) -> bool {
        symbol.starts_with(&self.0[..self.0.len() - 1])
    }
}

/// One session's pattern.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    pub(crate) session: SessionKey,
    pub(crate) pattern: Pattern,
    pub(crate) terms: Terms,
}

/// All patterns of a shard.
#[derive(Debug, Default)]
pub(crate) struct Patterns(Vec<Watch>);

impl Patterns {
    /// Adds a pattern, or replaces the one that differs by its kind of frame alone.
    pub(crate) fn add(&mut self, watch: Watch) {
        self.0.retain(|w| {
            w.session != watch.session
                || w.terms.topic != watch.terms.topic
                || w.pattern != watch.pattern
        });
        self.0.push(watch);
    }

    pub(crate) const fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn count_of(&self, session: SessionKey) -> usize {
        self.0.iter().filter(|w| w.session == session).count()
    }

    pub(crate) fn of(&self, session: SessionKey) -> impl Iterator<Item = &Watch> {
        self.0.iter().filter(move |w| w.session == session)
    }

    pub(crate) fn of_mut(&mut self, session: SessionKey) -> impl Iterator<Item = &mut Watch> {
        self.0.iter_mut().filter(move |w| w.session == session)
    }

    /// Patterns that a new symbol matches.
    pub(crate) fn matching(&self, symbol: &str) -> Vec<Watch> {
        self.0.iter().filter(|w| w.pattern.matches(symbol)).cloned().collect()
    }

    /// Ends a session's patterns of a topic that read so; true when there was one.
    pub(crate) fn remove(
        &mut self,
        session: SessionKey,
        pattern: &Pattern,
        is_topic: impl Fn(Topic) -> bool,
    ) -> bool {
        let count = self.0.len();
        self.0
            .retain(|w| w.session != session || w.pattern != *pattern || !is_topic(w.terms.topic));
        self.0.len() < count
    }

    pub(crate) fn forget(&mut self, session: SessionKey) {
        self.0.retain(|w| w.session != session);
    }
}
