//! What the sessions of a run subscribe to, and the requests that say so.

use std::sync::Arc;

use super::dashboard::SessionId;
use super::frame::Requests;
use crate::scan::message::Channel;

/// Symbols of one subscribe request; more go into further requests.
const SYMBOLS_PER_REQUEST: usize = 200;

/// Where a session stood in a stream when it hung up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The life of the numbering.
    pub epoch: u64,
    /// The newest number it has.
    pub seq: u64,
}

/// What a session asks for beside its subscriptions.
pub trait Extras {
    /// Milliseconds from a frame of a symbol to its next, where the session wants a pace.
    fn conflate_ms(&self) -> Option<u64> {
        None
    }

    /// Where to go on with the symbol at position `symbol`; none asks for it anew.
    fn place(&self, _symbol: u32, _channel: Channel, _interval: u64) -> Option<Place> {
        None
    }
}

/// Nothing beside.
impl Extras for () {}

/// Every session's subscriptions, shared by all load threads.
#[derive(Clone, Debug)]
pub struct Watch {
    /// All symbols of the run, most popular first.
    pub symbols: Arc<[String]>,
    /// By session: positions in `symbols`.
    pub by_session: Arc<[Vec<u32>]>,
    /// What is asked of each symbol.
    pub channels: Vec<Channel>,
    /// Levels a side of every book.
    pub depth: usize,
    /// Minutes of every bar.
    pub intervals: Vec<u64>,
    /// Whether sequences are asked for.
    pub seq: bool,
}

impl Watch {
    /// Puts the subscribe requests of `session` into `requests`, and says how many answers they ask
    /// for.
    pub fn subscribe(&self, session: SessionId, requests: &mut Requests) -> u64 {
        self.ask("subscribe", session, requests, &())
    }

    /// As `subscribe`, with what `extras` asks for beside.
    pub fn subscribe_with(
        &self,
        session: SessionId,
        requests: &mut Requests,
        extras: &impl Extras,
    ) -> u64 {
        self.ask("subscribe", session, requests, extras)
    }

    /// As `subscribe`, the other way.
    pub fn unsubscribe(&self, session: SessionId, requests: &mut Requests) -> u64 {
        self.ask("unsubscribe", session, requests, &())
    }

    fn ask(
        &self,
        method: &str,
        session: SessionId,
        requests: &mut Requests,
        extras: &impl Extras,
    ) -> u64 {
        let mut answers = 0;
        for (channel, interval) in self.topics() {
            for some in self.by_session[session as usize].chunks(SYMBOLS_PER_REQUEST) {
                requests.text(&self.request(method, channel, interval, some, extras));
                answers += some.len() as u64;
            }
        }
        answers
    }

    /// Every channel, with the minutes of each of its bars; 0 where it has none.
    pub fn topics(&self) -> impl Iterator<Item = (Channel, u64)> {
        self.channels.iter().flat_map(|channel| {
            let bars = *channel == Channel::Ohlc;
            let intervals = if bars { &self.intervals[..] } else { &[0] };
            intervals.iter().map(move |interval| (*channel, *interval))
        })
    }

    /// The bar minutes that tell a frame's stream from others of its symbol: 0 but for ohlc. A
    /// notice that does not say them means the only ones there are.
    pub fn interval_of(&self, channel: Channel, said: u64) -> u64 {
        match (channel, said, &self.intervals[..]) {
            (Channel::Ohlc, 0, [only]) => *only,
            (Channel::Ohlc, ..) => said,
            _ => 0,
        }
    }

    /// The symbols of `session`.
    pub fn symbols_of(&self, session: SessionId) -> impl Iterator<Item = &str> {
        self.by_session[session as usize].iter().map(|at| self.symbols[*at as usize].as_str())
    }

    fn request(
        &self,
        method: &str,
        channel: Channel,
        interval: u64,
        symbols: &[u32],
        extras: &impl Extras,
    ) -> String {
        let named: Vec<&str> =
            symbols.iter().map(|at| self.symbols[*at as usize].as_str()).collect();
        let named = serde_json::to_string(&named).expect("text always becomes JSON");
        let own = match channel {
            Channel::Book => format!(r#","depth":{}"#, self.depth),
            Channel::Ohlc => format!(r#","interval":{interval}"#),
            Channel::Ticker => r#","event_trigger":"bbo""#.to_owned(),
            Channel::Trade | Channel::Instrument => String::new(),
        };
        let x = self.extensions(channel, interval, symbols, extras);
        let name = channel.name();
        let params = format!(r#""channel":"{name}","symbol":{named},"snapshot":true{own}{x}"#);
        format!(r#"{{"method":"{method}","params":{{{params}}}}}"#)
    }

    /// The `x` of a request; empty where nothing of it is wanted.
    fn extensions(
        &self,
        channel: Channel,
        interval: u64,
        symbols: &[u32],
        extras: &impl Extras,
    ) -> String {
        let mut wishes = Vec::new();
        if self.seq {
            wishes.push(r#""seq":true"#.to_owned());
        }
        // A trade is never merged away, so no pace is asked for it.
        if let Some(pace_ms) = extras.conflate_ms().filter(|_| channel != Channel::Trade) {
            wishes.push(format!(r#""conflate_ms":{pace_ms}"#));
        }
        let places: Vec<String> = symbols
            .iter()
            .filter_map(|at| {
                let Place { epoch, seq } = extras.place(*at, channel, interval)?;
                let name = serde_json::to_string(&self.symbols[*at as usize]);
                let name = name.expect("text always becomes JSON");
                Some(format!(r#"{name}:{{"epoch":"{epoch}","seq":{seq}}}"#))
            })
            .collect();
        if !places.is_empty() {
            wishes.push(format!(r#""resume":{{{}}}"#, places.join(",")));
        }
        if wishes.is_empty() { String::new() } else { format!(r#","x":{{{}}}"#, wishes.join(",")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_asks_for_each_channel_and_interval_and_counts_the_answers() {
        let watch = Watch {
            symbols: Arc::new(["A/B".to_owned(), "C/D".to_owned()]),
            by_session: Arc::new([vec![1, 0]]),
            channels: vec![Channel::Book, Channel::Ohlc],
            depth: 25,
            intervals: vec![1, 5],
            seq: true,
        };
        let mut requests = Requests::default();
        assert_eq!(watch.subscribe(0, &mut requests), 6);
        assert_eq!(requests.count, 3);
        let request = watch.request("subscribe", Channel::Book, 0, &[1, 0], &());
        let value: serde_json::Value = serde_json::from_str(&request).unwrap();
        assert_eq!(value["params"]["symbol"], serde_json::json!(["C/D", "A/B"]));
        assert_eq!(value["params"]["depth"], 25);
        assert_eq!(value["params"]["x"]["seq"], true);
    }

    #[test]
    fn a_returning_session_names_its_place_and_a_pace_is_never_asked_for_trades() {
        struct Back;
        impl Extras for Back {
            fn conflate_ms(&self) -> Option<u64> {
                Some(250)
            }
            fn place(&self, symbol: u32, _: Channel, _: u64) -> Option<Place> {
                (symbol == 1).then_some(Place { epoch: u64::MAX, seq: 7 })
            }
        }
        let watch = Watch {
            symbols: Arc::new(["A/B".to_owned(), "C/D".to_owned()]),
            by_session: Arc::new([vec![1, 0]]),
            channels: vec![Channel::Book, Channel::Trade],
            depth: 10,
            intervals: vec![1],
            seq: true,
        };
        let x = |channel: Channel| -> serde_json::Value {
            let request = watch.request("subscribe", channel, 0, &[0, 1], &Back);
            let value: serde_json::Value = serde_json::from_str(&request).unwrap();
            value["params"]["x"].clone()
        };
        let resume = serde_json::json!({"C/D": {"epoch": u64::MAX.to_string(), "seq": 7}});
        let book = serde_json::json!({"seq": true, "conflate_ms": 250, "resume": resume});
        assert_eq!(x(Channel::Book), book);
        assert_eq!(x(Channel::Trade), serde_json::json!({"seq": true, "resume": resume}));
    }
}
