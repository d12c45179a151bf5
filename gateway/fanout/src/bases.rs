//! Books as they were when some sessions of a class were last shown one.
//!
//! A session that is behind must be told what turns *its* book into the current one. Those that
//! fell behind at the same update share one base.
//!
//! **Invariant:** a base that nobody uses any more stays until the cycle ends: a frame made from it may
//! yet turn out not to have been sent, and the session falls back to it.

use market::Book;

/// A book at a sequence.
#[derive(Debug)]
struct Base {
    sequence: u64,
    /// Sessions whose mark is this sequence.
    user_count: u32,
    /// The levels within the class's depth.
    top: Book,
}

/// The bases of one class.
#[derive(Debug, Default)]
pub(crate) struct Bases(Vec<Base>);

impl Bases {
    pub(crate) fn top(&self, sequence: u64) -> Option<&Book> {
        self.0.iter().find(|base| base.sequence == sequence).map(|base| &base.top)
    }

    /// Counts one more user of the base at `sequence`, made by `top` where there is none. False
    /// when it cannot be made.
    pub(crate) fn take_up(&mut self, sequence: u64, top: impl FnOnce() -> Option<Book>) -> bool {
        if let Some(base) = self.0.iter_mut().find(|base| base.sequence == sequence) {
            base.user_count += 1;
            return true;
        }
        let Some(top) = top() else { return false };
        self.0.push(Base { sequence, user_count: 1, top });
        true
    }

    /// Keeps a base until the end of the cycle, whether or not somebody will need it.
    pub(crate) fn keep_ready(&mut self, sequence: u64, top: Book) {
        if self.top(sequence).is_none() {
            self.0.push(Base { sequence, user_count: 0, top });
        }
    }

    /// Counts one user less; true when nobody uses the base any more.
    pub(crate) fn give_back(&mut self, sequence: u64) -> bool {
        let base = self.0.iter_mut().find(|base| base.sequence == sequence);
        base.is_some_and(|base| {
            base.user_count = base.user_count.saturating_sub(1);
            base.user_count == 0
        })
    }

    /// Drops what nobody uses.
    pub(crate) fn end_cycle(&mut self) {
        self.0.retain(|base| base.user_count > 0);
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
    }
}
