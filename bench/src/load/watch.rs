//! What the sessions of a run subscribe to, and the requests that say so.

use std::sync::Arc;

use super::dashboard::SessionId;
use super::frame::Requests;
use crate::scan::message::Channel;

/// Symbols of one subscribe request; more go into further requests.
const SYMBOLS_PER_REQUEST: usize = 200;

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
        self.ask("subscribe", session, requests)
    }

    /// As `subscribe`, the other way.
    pub fn unsubscribe(&self, session: SessionId, requests: &mut Requests) -> u64 {
        self.ask("unsubscribe", session, requests)
    }

    fn ask(&self, method: &str, session: SessionId, requests: &mut Requests) -> u64 {
        let symbols: Vec<&str> = self.symbols_of(session).collect();
        let mut answers = 0;
        for channel in &self.channels {
            let once = [0];
            let intervals = if *channel == Channel::Ohlc { &self.intervals[..] } else { &once };
            for interval in intervals {
                for some in symbols.chunks(SYMBOLS_PER_REQUEST) {
                    requests.text(&self.request(method, *channel, *interval, some));
                    answers += some.len() as u64;
                }
            }
        }
        answers
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

    fn request(&self, method: &str, channel: Channel, interval: u64, symbols: &[&str]) -> String {
        let symbols = serde_json::to_string(symbols).expect("text always becomes JSON");
        let own = match channel {
            Channel::Book => format!(r#","depth":{}"#, self.depth),
            Channel::Ohlc => format!(r#","interval":{interval}"#),
            Channel::Ticker => r#","event_trigger":"bbo""#.to_owned(),
            Channel::Trade | Channel::Instrument => String::new(),
        };
        let x = if self.seq { r#","x":{"seq":true}"# } else { "" };
        let name = channel.name();
        format!(
            r#"{{"method":"{method}","params":{{"channel":"{name}","symbol":{symbols},"snapshot":true{own}{x}}}}}"#
        )
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
        let request = watch.request("subscribe", Channel::Book, 0, &["C/D", "A/B"]);
        let value: serde_json::Value = serde_json::from_str(&request).unwrap();
        assert_eq!(value["params"]["symbol"], serde_json::json!(["C/D", "A/B"]));
        assert_eq!(value["params"]["depth"], 25);
        assert_eq!(value["params"]["x"]["seq"], true);
    }
}
