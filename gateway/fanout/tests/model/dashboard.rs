//! A strict dashboard: reads frames, keeps text, trusts nothing.

use crate::followed::Followed;
use crate::said::{Item, Message, Notice, Terms, X, payload_start};
use crate::venue::Venue;

/// One dashboard.
#[derive(Default)]
pub(crate) struct Dashboard {
    pub(crate) followed: Vec<Followed>,
    pub(crate) patterns: Vec<(String, &'static str, &'static str, Terms)>,
    pub(crate) is_blocked: bool,
    /// Which of each channel's parameters it uses.
    pub(crate) habit: usize,
    pub(crate) frame_count: usize,
    /// There is not room for every book that is shown.
    pub(crate) is_tight: bool,
    /// It followed what it cannot be told gaps of when the shard was lapped, or there was no room.
    pub(crate) was_fatal: bool,
    /// The code it was closed with.
    pub(crate) closed: Option<u16>,
    /// Frames as they come are of this moment.
    pub(crate) now: u64,
    /// When its socket last took something.
    pub(crate) served_at: u64,
    /// Subscriptions it asked to go on with, and what became of them.
    pub(crate) asked_to_resume: bool,
    pub(crate) resumed_count: usize,
    pub(crate) not_resumed: Vec<(String, String)>,
}

impl Dashboard {
    pub(crate) fn follow(&mut self, new: Followed) {
        self.was_fatal |= self.is_tight && self.has_fatal();
        let same = |f: &&mut Followed| {
            (&f.symbol, f.channel, f.parameter) == (&new.symbol, new.channel, new.parameter)
        };
        match self.followed.iter_mut().find(same) {
            // Already subscribed in the same way: nothing changes, no second snapshot comes.
            Some(old) if old.terms == new.terms => {}
            Some(old) => *old = new,
            None => self.followed.push(new),
        }
    }

    pub(crate) fn unfollow(&mut self, symbol: &str, channel: &str, parameter: &str) {
        self.was_fatal |= self.is_tight && self.has_fatal();
        self.followed
            .retain(|f| (&*f.symbol, f.channel, f.parameter) != (symbol, channel, parameter));
    }

    pub(crate) fn follow_patterns(&mut self, name: &str, venue: &Venue) {
        for (pattern, channel, parameter, terms) in self.patterns.clone() {
            if name.starts_with(pattern.trim_end_matches('*')) {
                self.follow(Followed::new(name, channel, parameter, terms, venue));
            }
        }
    }

    /// It follows trades without numbers, or such a book that may not be kept: gaps cannot be told
    /// to it.
    pub(crate) fn has_fatal(&self) -> bool {
        let has_gaps = |channel| channel == "trade" || (channel == "book" && self.is_tight);
        self.followed.iter().any(|f| has_gaps(f.channel) && !f.terms.sequenced)
    }

    /// From now on, until it holds everything again, one frame may stand for several updates.
    pub(crate) fn may_merge(&mut self) {
        self.followed.iter_mut().for_each(|followed| followed.may_merge = true);
    }

    /// Reads whole frames.
    pub(crate) fn receive(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let length = wire::frame::length(bytes);
            let (frame, rest) = bytes.split_at(length);
            bytes = rest;
            let start = payload_start(frame).expect("a whole frame");
            if frame[0] == 0x88 {
                self.closed = Some(u16::from_be_bytes([frame[start], frame[start + 1]]));
                continue;
            }
            let text = std::str::from_utf8(&frame[start..]).expect("UTF-8");
            self.message(text);
        }
    }

    fn message(&mut self, text: &str) {
        self.frame_count += 1;
        let message: Message<'_> = serde_json::from_str(text).expect("well-formed");
        assert!(message.error.is_none() || message.success == Some(false));
        if let (Some("subscribe"), Some(result)) = (message.method, &message.result) {
            match result.x.as_ref().and_then(|x| x.recovered) {
                Some(true) => self.resumed_count += 1,
                Some(false) => {
                    let symbol = result.symbol.expect("patterns do not resume").to_owned();
                    self.not_resumed.push((symbol, result.channel.to_owned()));
                    let is_it = |f: &&mut Followed| {
                        Some(&*f.symbol) == result.symbol
                            && f.channel == result.channel
                            && f.is_of(result.interval)
                    };
                    self.followed.iter_mut().filter(is_it).for_each(Followed::begin_anew);
                }
                None => assert!(!self.asked_to_resume, "an ack does not say what was asked"),
            }
        }
        let Some(data) = message.data else { return };
        match message.channel.expect("data has a channel") {
            "status" | "heartbeat" => {}
            "notice" => self.notice(data.get()),
            channel => {
                let items: Vec<Item<'_>> = serde_json::from_str(data.get()).expect("items");
                self.data(channel, message.kind.expect("a type"), &items, message.x.as_ref());
            }
        }
    }

    fn data(&mut self, channel: &str, kind: &str, items: &[Item<'_>], x: Option<&X>) {
        let Some(first) = items.first() else { return };
        // Frames name neither depth nor trigger, so a dashboard of the model uses one of each.
        let followed = self
            .followed
            .iter_mut()
            .filter(|f| f.symbol == first.symbol && f.channel == channel)
            .filter(|f| f.terms.sequenced == x.is_some())
            .find(|f| f.is_of(first.interval));
        match followed {
            Some(followed) => followed.receive(kind, items, x, self.now),
            None => panic!("nobody asked for {channel} of {}", first.symbol),
        }
    }

    fn notice(&mut self, data: &str) {
        let notices: Vec<Notice<'_>> = serde_json::from_str(data).expect("notices");
        for notice in notices.iter().filter(|n| n.kind == "gap") {
            let (from, to) = (notice.from_seq.expect("from"), notice.to_seq.expect("to"));
            for followed in self.followed.iter_mut().filter(|f| {
                Some(&*f.symbol) == notice.symbol
                    && Some(f.channel) == notice.channel
                    && f.terms.sequenced
                    && f.is_of(notice.interval)
            }) {
                let may_merge = followed.may_merge || followed.terms.pace_ms > 0;
                assert!(may_merge, "a gap out of nothing");
                let is_fair = match notice.reason.expect("a reason") {
                    "skipped" => followed.terms.skip && followed.channel != "trade",
                    "memory" => {
                        followed.loses_book();
                        self.is_tight && followed.channel == "book"
                    }
                    _ => followed.channel == "trade",
                };
                assert!(is_fair, "{} {:?}", followed.channel, notice.reason);
                assert_eq!(followed.sequence.unwrap_or(0) + 1, from, "a gap begins where we are");
                followed.sequence = Some(to);
                // The model numbers trades as the channel does.
                followed.excused.extend(from..=to);
            }
        }
    }

    /// It must hold what the venue holds; who is paced, only when every bucket has ended.
    pub(crate) fn check(&mut self, venue: &Venue, is_paced_due: bool) {
        for followed in &mut self.followed {
            if followed.terms.pace_ms == 0 || is_paced_due {
                followed.check(venue);
                followed.may_merge = false;
            }
        }
    }
}
