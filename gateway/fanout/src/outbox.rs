//! What waits for one session: control first, then what could not be sent before, then this
//! cycle's.
//!
//! **Invariant:** data is never older than what stands before it, and never more than the limit: a
//! session that would hold more is told so by a close and holds nothing from then on. What the
//! session asked for (snapshots, acks) may take [`ASKED_FACTOR`] times as much as what merely came:
//! a first subscription is larger than any later cycle.

use market::Stamps;
use wire::frame;

use crate::cycle::{Chain, Cycle, FrameId};

/// How many limits what was asked for may take.
const ASKED_FACTOR: usize = 16;

/// One session's outbox. Idle, it holds no memory beyond itself.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Replies, pongs, closes: whole frames.
    control: Vec<u8>,
    /// Data frames of earlier cycles.
    backlog: Vec<u8>,
    /// How much of `backlog` is gone.
    backlog_sent: usize,
    /// How much of `backlog`, gone or not, was asked for.
    backlog_asked: usize,
    /// Data frames of this cycle.
    chain: Chain,
}

/// More waited than the limit allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

impl Outbox {
    pub(crate) const fn control(&mut self) -> &mut Vec<u8> {
        &mut self.control
    }

    pub(crate) fn push(&mut self, frame: FrameId, cycle: &mut Cycle) {
        cycle.link(&mut self.chain, frame);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.control.is_empty() && self.backlog.is_empty() && self.chain.is_empty()
    }

    /// True while data waits.
    pub(crate) const fn has_data(&self) -> bool {
        !self.backlog.is_empty() || !self.chain.is_empty()
    }

    /// Bytes kept beyond the cycle.
    pub(crate) const fn backlog_bytes(&self) -> usize {
        self.backlog.len() - self.backlog_sent + self.control.len()
    }

    /// Moves what is next into `out` until it holds `bytes_max` or nothing is left; the last frame
    /// may exceed it. `sent` hears of every data frame that went, with its stamps where it is an
    /// update of this cycle.
    pub(crate) fn take(
        &mut self,
        cycle: &Cycle,
        bytes_max: usize,
        out: &mut Vec<u8>,
        mut sent: impl FnMut(Option<Stamps>),
    ) {
        if !self.control.is_empty() {
            out.append(&mut self.control);
            self.control = Vec::new();
        }
        while self.backlog_sent < self.backlog.len() {
            if out.len() >= bytes_max {
                return;
            }
            // Whole frames only: control may come between two takes.
            let rest = &self.backlog[self.backlog_sent..];
            let frame = &rest[..frame::length(rest)];
            out.extend_from_slice(frame);
            self.backlog_sent += frame.len();
            sent(None);
        }
        if !self.backlog.is_empty() {
            self.backlog = Vec::new();
            self.backlog_sent = 0;
            self.backlog_asked = 0;
        }
        while out.len() < bytes_max {
            let Some((bytes, stamps)) = cycle.unlink(&mut self.chain) else { return };
            out.extend_from_slice(bytes);
            sent(stamps);
        }
    }

    /// Keeps what is left of this cycle's frames for later.
    pub(crate) fn keep(&mut self, cycle: &Cycle, bytes_max: usize) -> Result<(), Overflow> {
        if self.backlog_sent > 0 && !self.chain.is_empty() {
            self.backlog.drain(..self.backlog_sent);
            self.backlog_asked = self.backlog_asked.saturating_sub(self.backlog_sent);
            self.backlog_sent = 0;
        }
        while let Some((bytes, stamps)) = cycle.unlink(&mut self.chain) {
            self.backlog.extend_from_slice(bytes);
            if stamps.is_none() {
                self.backlog_asked += bytes.len();
            }
            self.check(bytes_max)?;
        }
        self.check(bytes_max)
    }

    fn check(&mut self, bytes_max: usize) -> Result<(), Overflow> {
        let came = self.backlog.len() - self.backlog_asked;
        let asked = self.backlog_asked + self.control.len();
        if came > bytes_max || asked > bytes_max.saturating_mul(ASKED_FACTOR) {
            self.drop_data();
            self.control = Vec::new();
            return Err(Overflow);
        }
        Ok(())
    }

    /// Forgets all data; control stays.
    pub(crate) fn drop_data(&mut self) {
        self.backlog = Vec::new();
        self.backlog_sent = 0;
        self.backlog_asked = 0;
        self.chain = Chain::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(outbox: &mut Outbox, cycle: &Cycle, bytes_max: usize) -> String {
        let mut out = Vec::new();
        outbox.take(cycle, bytes_max, &mut out, |_| {});
        out.retain(|byte| byte.is_ascii_alphabetic() || *byte == b'!');
        String::from_utf8_lossy(&out).into_owned()
    }

    fn push(outbox: &mut Outbox, cycle: &mut Cycle, text: &str) {
        push_stamped(outbox, cycle, text, Some(Stamps::default()));
    }

    fn push_stamped(outbox: &mut Outbox, cycle: &mut Cycle, text: &str, stamps: Option<Stamps>) {
        let write = |out: &mut Vec<u8>| out.extend_from_slice(text.as_bytes());
        let frame = cycle.encode(stamps, |out| frame::write_text(out, write));
        outbox.push(frame, cycle);
    }

    #[test]
    fn control_goes_first_and_data_keeps_its_order() {
        let (mut outbox, mut cycle) = (Outbox::default(), Cycle::default());
        push(&mut outbox, &mut cycle, "aaaa");
        assert_eq!(outbox.keep(&cycle, 100), Ok(()));
        cycle.end();
        push(&mut outbox, &mut cycle, "bbbb");
        push(&mut outbox, &mut cycle, "cccc");
        outbox.control().extend_from_slice(b"!");
        assert_eq!(take(&mut outbox, &cycle, 3), "!aaaa");
        assert_eq!(outbox.keep(&cycle, 100), Ok(()));
        assert_eq!(outbox.backlog_bytes(), 12);
        assert_eq!(take(&mut outbox, &cycle, 3), "bbbb");
        outbox.control().extend_from_slice(b"!");
        assert_eq!(take(&mut outbox, &cycle, 100), "!cccc");
        assert!(outbox.is_empty());
    }

    #[test]
    fn beyond_the_limit_nothing_is_kept() {
        let (mut outbox, mut cycle) = (Outbox::default(), Cycle::default());
        push(&mut outbox, &mut cycle, "aaaa");
        push(&mut outbox, &mut cycle, "bbbb");
        assert_eq!(outbox.keep(&cycle, 11), Err(Overflow));
        assert!(outbox.is_empty());
    }

    #[test]
    fn what_was_asked_for_may_be_larger_but_not_endless() {
        let (mut outbox, mut cycle) = (Outbox::default(), Cycle::default());
        push_stamped(&mut outbox, &mut cycle, "snapshot", None);
        assert_eq!(outbox.keep(&cycle, 7), Ok(()), "ten bytes, asked for");
        push(&mut outbox, &mut cycle, "aaaa");
        assert_eq!(outbox.keep(&cycle, 7), Ok(()));
        push(&mut outbox, &mut cycle, "bbbb");
        assert_eq!(outbox.keep(&cycle, 7), Err(Overflow));
        (0..12).for_each(|_| push_stamped(&mut outbox, &mut cycle, "snapshot", None));
        assert_eq!(outbox.keep(&cycle, 7), Err(Overflow));
        outbox.control().extend_from_slice(&[0; 200]);
        assert_eq!(outbox.keep(&cycle, 7), Err(Overflow), "answers nobody reads");
    }
}
