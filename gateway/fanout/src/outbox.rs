//! What waits for one session: control first, then what belongs to no subscription and could not be
//! sent before, then this cycle's.
//!
//! **Invariant:** updates never wait here beyond the cycle: a session that cannot be sent them
//! keeps a mark in its subscription instead, and hears of what is true once it reads again. What
//! does wait (acks, definitions, notices) is bounded; a session that would hold more is told so by
//! a close and holds nothing from then on.

use market::Stamps;
use wire::frame;

use crate::cycle::{Chain, Cycle, FrameId, Origin};

/// One session's outbox. Idle, it holds no memory beyond itself.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Replies, pongs, closes: whole frames.
    control: Vec<u8>,
    /// Frames of earlier cycles that belong to no subscription.
    backlog: Vec<u8>,
    /// How much of `backlog` is gone.
    backlog_sent: usize,
    /// Frames of this cycle.
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
        sent: &mut impl FnMut(Option<Stamps>),
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
        }
        while out.len() < bytes_max {
            let Some(frame) = cycle.unlink(&mut self.chain) else { return };
            out.extend_from_slice(frame.bytes);
            sent(frame.stamps);
        }
    }

    /// Keeps what is left of this cycle's frames for later: those of a subscription as a mark, in
    /// order; the others whole.
    pub(crate) fn keep(
        &mut self,
        cycle: &Cycle,
        bytes_max: usize,
        marks: &mut Vec<Origin>,
    ) -> Result<(), Overflow> {
        if self.backlog_sent > 0 && !self.chain.is_empty() {
            self.backlog.drain(..self.backlog_sent);
            self.backlog_sent = 0;
        }
        while let Some(frame) = cycle.unlink(&mut self.chain) {
            match frame.origin {
                Some(origin) => marks.push(origin),
                None => self.backlog.extend_from_slice(frame.bytes),
            }
        }
        if self.backlog_bytes() > bytes_max {
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
        self.chain = Chain::default();
    }
}

#[cfg(test)]
mod tests {
    use market::SymbolId;
    use wire::topic::Topic;

    use super::*;
    use crate::shown::Shown;

    fn take(outbox: &mut Outbox, cycle: &Cycle, bytes_max: usize) -> String {
        let mut out = Vec::new();
        outbox.take(cycle, bytes_max, &mut out, &mut |_| {});
        out.retain(|byte| byte.is_ascii_alphabetic() || *byte == b'!');
        String::from_utf8_lossy(&out).into_owned()
    }

    fn push(outbox: &mut Outbox, cycle: &mut Cycle, text: &str, origin: Option<Origin>) {
        let write = |out: &mut Vec<u8>| out.extend_from_slice(text.as_bytes());
        let frame = cycle.encode(None, origin, |out| frame::write_text(out, write));
        outbox.push(frame, cycle);
    }

    #[test]
    fn control_goes_first_and_data_keeps_its_order() {
        let (mut outbox, mut cycle) = (Outbox::default(), Cycle::default());
        push(&mut outbox, &mut cycle, "aaaa", None);
        assert_eq!(outbox.keep(&cycle, 100, &mut Vec::new()), Ok(()));
        cycle.end();
        push(&mut outbox, &mut cycle, "bbbb", None);
        push(&mut outbox, &mut cycle, "cccc", None);
        outbox.control().extend_from_slice(b"!");
        assert_eq!(take(&mut outbox, &cycle, 3), "!aaaa");
        assert_eq!(outbox.keep(&cycle, 100, &mut Vec::new()), Ok(()));
        assert_eq!(outbox.backlog_bytes(), 12);
        assert_eq!(take(&mut outbox, &cycle, 3), "bbbb");
        outbox.control().extend_from_slice(b"!");
        assert_eq!(take(&mut outbox, &cycle, 100), "!cccc");
        assert!(outbox.is_empty());
    }

    #[test]
    fn updates_leave_a_mark_and_no_bytes() {
        let (mut outbox, mut cycle) = (Outbox::default(), Cycle::default());
        let (symbol, topic) = (SymbolId(3), Topic::Trade);
        for shown in [4, 5] {
            let origin = Origin { symbol, topic, shown: Shown::UpTo(shown) };
            push(&mut outbox, &mut cycle, "update", Some(origin));
        }
        push(&mut outbox, &mut cycle, "ack", None);
        let mut marks = Vec::new();
        assert_eq!(outbox.keep(&cycle, 100, &mut marks), Ok(()));
        assert_eq!(marks.iter().map(|m| m.shown).collect::<Vec<_>>(), [4, 5].map(Shown::UpTo));
        assert_eq!(take(&mut outbox, &cycle, 100), "ack");
    }

    #[test]
    fn beyond_the_limit_nothing_is_kept() {
        let (mut outbox, mut cycle) = (Outbox::default(), Cycle::default());
        push(&mut outbox, &mut cycle, "aaaa", None);
        push(&mut outbox, &mut cycle, "bbbb", None);
        assert_eq!(outbox.keep(&cycle, 11, &mut Vec::new()), Err(Overflow));
        assert!(outbox.is_empty());
        outbox.control().extend_from_slice(&[0; 200]);
        assert_eq!(outbox.keep(&cycle, 11, &mut Vec::new()), Err(Overflow), "unread answers");
    }
}
