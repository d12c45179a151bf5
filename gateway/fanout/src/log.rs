//! A bounded log of entries of many symbols, in one queue, that can be walked by symbol.
//!
//! Every entry knows the one before it of the same symbol, so a walk touches that symbol alone and
//! an append costs the same however many symbols there are.

use std::collections::VecDeque;

use market::SymbolId;

/// Entries that a cycle may bring beyond the bound before they are cut.
pub(crate) const SLACK: usize = 4096;

#[derive(Debug)]
struct Entry<T> {
    /// Number of the same symbol's entry before this one, plus one; zero for none.
    older: u64,
    what: T,
}

/// The log.
#[derive(Debug)]
pub(crate) struct Log<T> {
    entries: VecDeque<Entry<T>>,
    /// Number of the first entry held.
    first: u64,
    /// By symbol: number of its newest entry, plus one; zero for none.
    newest: Vec<u64>,
    count_max: usize,
}

impl<T> Log<T> {
    /// A log of so many bytes; the memory is asked for now and used as entries come.
    pub(crate) fn with_bytes_max(bytes_max: usize) -> Self {
        let count_max = bytes_max / size_of::<Entry<T>>();
        let entries = VecDeque::with_capacity(count_max + SLACK);
        Self { entries, first: 0, newest: Vec::new(), count_max }
    }

    pub(crate) fn push(&mut self, id: SymbolId, what: T) {
        if self.newest.len() <= id.index() {
            self.newest.resize(id.index() + 1, 0);
        }
        let older = self.newest[id.index()];
        self.entries.push_back(Entry { older, what });
        self.newest[id.index()] = self.first + self.entries.len() as u64;
    }

    /// A symbol's entries.
    pub(crate) fn newest_first(&self, id: SymbolId) -> impl Iterator<Item = &T> {
        let mut next = self.newest.get(id.index()).copied().unwrap_or(0);
        std::iter::from_fn(move || {
            let at = next.checked_sub(1)?.checked_sub(self.first)?;
            let entry = self.entries.get(at as usize)?;
            next = entry.older;
            Some(&entry.what)
        })
    }

    pub(crate) fn oldest(&self) -> Option<&T> {
        self.entries.front().map(|entry| &entry.what)
    }

    /// Forgets the oldest entries as long as there are too many or `is_old` says so.
    pub(crate) fn forget(&mut self, mut is_old: impl FnMut(&T) -> bool) {
        while let Some(entry) = self.entries.front()
            && (is_old(&entry.what) || self.entries.len() > self.count_max)
        {
            self.entries.pop_front();
            self.first += 1;
        }
    }

    /// Forgets a symbol's entries; they take their room until they are the oldest.
    pub(crate) fn forget_symbol(&mut self, id: SymbolId) {
        if let Some(newest) = self.newest.get_mut(id.index()) {
            *newest = 0;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.first += self.entries.len() as u64;
        self.entries.clear();
        self.newest.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_holds_of_each_symbol_what_a_plain_queue_would() {
        let mut rng = fastrand::Rng::with_seed(3);
        let mut log = Log::with_bytes_max(40 * size_of::<Entry<u64>>());
        let mut naive: Vec<(SymbolId, u64)> = Vec::new();
        for number in 0..5000 {
            let id = SymbolId(rng.u32(..6));
            log.push(id, number);
            naive.push((id, number));
            match rng.u32(..30) {
                0 => {
                    log.clear();
                    naive.clear();
                }
                1..10 => {
                    let old = number.saturating_sub(rng.u64(..60));
                    log.forget(|n| *n < old);
                    while naive.len() > 40 || naive.first().is_some_and(|n| n.1 < old) {
                        naive.remove(0);
                    }
                }
                _ => {}
            }
            let mut by_symbol: BTreeMap<SymbolId, Vec<u64>> = BTreeMap::new();
            naive.iter().rev().for_each(|(id, n)| by_symbol.entry(*id).or_default().push(*n));
            for id in (0..6).map(SymbolId) {
                let held: Vec<_> = log.newest_first(id).copied().collect();
                assert_eq!(held, by_symbol.remove(&id).unwrap_or_default());
            }
        }
    }
}
