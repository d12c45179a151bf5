//! One dashboard: what its user wants, what it asked for, what it was told; it believes nothing
//! that does not follow from what it has.

use std::collections::{BTreeMap, VecDeque};

use crate::followed::{Followed, Leave};
use crate::said::{Granted, Item, Message, Notice, Terms, payload_start};
use crate::shard::EPOCH;
use crate::timeline::Timeline;

/// Requests that may wait for their answers.
const ASKED_MAX: usize = 20;

/// A symbol and a channel.
pub(crate) type Name = (String, &'static str);

/// One symbol of a request that was not answered yet.
#[derive(Debug)]
struct Asked {
    method: &'static str,
    name: Name,
    terms: Terms,
    /// Where it asked to go on.
    resume: Option<u64>,
}

/// What a connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Closed(u16),
    Lost,
}

/// The dashboard.
#[derive(Default)]
pub(crate) struct Dashboard {
    /// Its connection.
    pub(crate) line: Option<u64>,
    pub(crate) returns_at: u64,
    pub(crate) stalls_until: u64,
    /// It said good-bye and waits for the answer.
    pub(crate) is_leaving: bool,
    pub(crate) wants: BTreeMap<Name, Terms>,
    /// Parameters of its channels.
    pub(crate) habits: BTreeMap<&'static str, &'static str>,
    followed: BTreeMap<Name, Followed>,
    /// What it had when its last connection ended.
    had: BTreeMap<Name, Followed>,
    asked: VecDeque<Asked>,
    to_send: VecDeque<(String, Vec<Asked>)>,
    /// Bytes of a frame that has not come whole.
    partial: Vec<u8>,
    pub(crate) resumed: u64,
    pub(crate) not_resumed: u64,
    pub(crate) gaps: u64,
    pub(crate) begun_anew: u64,
    pub(crate) merged: u64,
}

impl Dashboard {
    /// A new connection: asks for everything it wants, from where it was.
    pub(crate) fn connect(&mut self, line: u64, rng: &mut fastrand::Rng) {
        self.line = Some(line);
        self.is_leaving = false;
        for (name, terms) in self.wants.clone() {
            // Now and then the user's program has forgotten where it was.
            let had = self.had.get(&name).filter(|_| rng.u32(..10) > 0);
            let resume = had.and_then(|had| had.position).filter(|_| terms.sequenced);
            self.subscribe(vec![name], terms, resume);
        }
    }

    /// The connection is over.
    pub(crate) fn disconnect(&mut self) {
        self.line = None;
        self.had.append(&mut self.followed);
        self.asked.clear();
        self.to_send.clear();
        self.partial.clear();
    }

    pub(crate) fn subscribe(&mut self, names: Vec<Name>, terms: Terms, resume: Option<u64>) {
        let channel = names[0].1;
        let symbols: Vec<_> = names.iter().map(|(symbol, _)| format!("\"{symbol}\"")).collect();
        let (x, parameter) = (terms.ask(), self.habits[channel]);
        let position = resume.map_or_else(String::new, |seq| {
            format!(r#","resume":{{{}:{{"epoch":"{EPOCH}","seq":{seq}}}}}"#, symbols[0])
        });
        let text = format!(
            r#"{{"method":"subscribe","params":{{"channel":"{channel}","symbol":[{}]{parameter},
                "x":{{{x}{position}}}}}}}"#,
            symbols.join(",")
        );
        for name in &names {
            self.wants.insert(name.clone(), terms);
        }
        self.queue("subscribe", text, names, terms, resume);
    }

    pub(crate) fn unsubscribe(&mut self, name: Name) {
        let Some(terms) = self.wants.remove(&name) else { return };
        let (symbol, channel, parameter) = (&name.0, name.1, self.habits[name.1]);
        let text = format!(
            r#"{{"method":"unsubscribe","params":{{"channel":"{channel}",
                "symbol":["{symbol}"]{parameter}}}}}"#
        );
        self.queue("unsubscribe", text, vec![name], terms, None);
    }

    pub(crate) fn reconfigure(&mut self, name: Name, pace_ms: u64) {
        let Some(terms) = self.wants.get_mut(&name) else { return };
        terms.pace_ms = pace_ms;
        let (terms, parameter) = (*terms, self.habits[name.1]);
        let (symbol, channel) = (&name.0, name.1);
        let text = format!(
            r#"{{"method":"reconfigure","params":{{"channel":"{channel}",
                "symbol":["{symbol}"]{parameter},"x":{{"conflate_ms":{pace_ms}}}}}}}"#
        );
        self.queue("reconfigure", text, vec![name], terms, None);
    }

    fn queue(
        &mut self,
        method: &'static str,
        text: String,
        names: Vec<Name>,
        terms: Terms,
        resume: Option<u64>,
    ) {
        let asked = names.into_iter().map(|name| Asked { method, name, terms, resume }).collect();
        self.to_send.push_back((text, asked));
    }

    /// The next request, if it does not have too many open.
    pub(crate) fn poll_request(&mut self) -> Option<String> {
        if self.asked.len() >= ASKED_MAX || self.is_leaving {
            return None;
        }
        let (text, asked) = self.to_send.pop_front()?;
        self.asked.extend(asked);
        Some(text)
    }

    /// Reads what came; `answer` is to go back at once. Says how the connection ended, if it did.
    pub(crate) fn receive(
        &mut self,
        bytes: &[u8],
        timeline: &Timeline,
        leave: Leave,
        answer: &mut Vec<u8>,
    ) -> Option<End> {
        self.partial.extend_from_slice(bytes);
        let all = std::mem::take(&mut self.partial);
        let mut rest = &all[..];
        while let Some(start) = payload_start(rest)
            && rest.len() >= wire::frame::length(rest)
        {
            let (frame, behind) = rest.split_at(wire::frame::length(rest));
            rest = behind;
            let payload = &frame[start..];
            match frame[0] & 0xf {
                0x1 => self.message(payload, timeline, leave),
                0x8 => {
                    let code = payload.first_chunk().map_or(1005, |c| u16::from_be_bytes(*c));
                    answer.extend(masked(0x8, &code.to_be_bytes()));
                    return Some(End::Closed(code));
                }
                0x9 => answer.extend(masked(0xa, payload)),
                0xa => {}
                other => panic!("a frame of type {other}"),
            }
        }
        self.partial = rest.to_vec();
        None
    }

    fn message(&mut self, text: &[u8], timeline: &Timeline, leave: Leave) {
        let message: Message<'_> = serde_json::from_slice(text).expect("well-formed");
        assert_ne!(message.success, Some(false), "{}", String::from_utf8_lossy(text));
        if let (Some(method), Some(result)) = (message.method, &message.result) {
            self.acknowledged(method, result);
        }
        let Some(data) = message.data else { return };
        match message.channel.expect("data has a channel") {
            "status" | "heartbeat" => {}
            "notice" => self.notice(data.get(), leave),
            channel => {
                let items: Vec<Item<'_>> = serde_json::from_str(data.get()).expect("items");
                let Some(first) = items.first() else { return };
                let held = self
                    .followed
                    .iter_mut()
                    .find(|((symbol, c), _)| (&**symbol, *c) == (first.symbol, channel));
                let Some((_, followed)) = held else {
                    panic!("{channel} of {} without being asked for", first.symbol)
                };
                assert_eq!(followed.terms.sequenced, message.x.is_some());
                let past = &timeline.pasts[first.symbol];
                let kind = message.kind.expect("a type");
                self.merged += followed.receive(kind, &items, message.x.as_ref(), past, leave);
            }
        }
    }

    fn acknowledged(&mut self, method: &str, result: &Granted<'_>) {
        let Asked { method: asked, name, terms, resume } = self.asked.pop_front().expect("asked");
        let answered = (method, result.symbol, result.channel);
        assert_eq!(answered, (asked, Some(&*name.0), name.1), "order");
        let x = result.x.as_ref();
        match method {
            "unsubscribe" => drop(self.followed.remove(&name)),
            "reconfigure" => {
                let granted = x.and_then(|x| x.conflate_ms);
                assert_eq!(granted.unwrap_or(0), terms.pace_ms);
                let followed = self.followed.get_mut(&name).expect("held");
                followed.terms.pace_ms = terms.pace_ms;
                // What waited for the end of a bucket comes as one frame.
                followed.may_merge = true;
            }
            _ => {
                let recovered = x.and_then(|x| x.recovered);
                assert_eq!(recovered.is_some(), resume.is_some(), "it says what was asked");
                self.resumed += u64::from(recovered == Some(true));
                self.not_resumed += u64::from(recovered == Some(false));
                let mut followed = Followed::new(&name, self.habits[name.1], terms);
                if recovered == Some(true) {
                    followed = self.had.remove(&name).expect("it asked for it");
                    assert_eq!(followed.position, resume);
                    followed.resume(terms);
                }
                self.followed.insert(name, followed);
            }
        }
    }

    fn notice(&mut self, data: &str, leave: Leave) {
        let notices: Vec<Notice<'_>> = serde_json::from_str(data).expect("notices");
        for notice in notices.iter().filter(|notice| notice.kind == "gap") {
            let held = self.followed.iter_mut().find(|((symbol, channel), _)| {
                (Some(&**symbol), Some(*channel)) == (notice.symbol, notice.channel)
            });
            let (_, followed) = held.expect("a gap of what it holds");
            let reason = notice.reason.expect("a reason");
            followed.gap(notice.from_seq.expect("from"), notice.to_seq.expect("to"), reason, leave);
            self.gaps += 1;
            self.begun_anew += u64::from(reason == "memory");
        }
    }

    /// What keeps it from holding what the venue holds; none when it does.
    pub(crate) fn lacks(&self, timeline: &Timeline) -> Option<String> {
        if self.line.is_none() || self.is_leaving {
            return Some("it is not connected".to_owned());
        }
        if !self.asked.is_empty() || !self.to_send.is_empty() {
            return Some(format!("no answer: {:?} {:?}", self.asked, self.to_send));
        }
        assert!(self.wants.keys().eq(self.followed.keys()), "it holds what it wants");
        self.followed.iter().find_map(|((symbol, channel), followed)| {
            assert_eq!(followed.terms, self.wants[&(symbol.clone(), *channel)]);
            let naive = timeline.venue.symbol(symbol);
            (!followed.is_true(naive)).then(|| format!("{channel} of {symbol} is behind"))
        })
    }
}

/// A frame as a dashboard sends it.
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
    let mut frame = vec![0x80 | opcode];
    match u16::try_from(payload.len()).expect("requests are short") {
        short @ 0..126 => frame.push(0x80 | short as u8),
        long => {
            frame.push(0xfe);
            frame.extend(long.to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}
