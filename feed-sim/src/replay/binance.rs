//! The Binance side of a replay: streams and their listeners, REST depth, a book kept beside them.
//!
//! Owned by the sim thread. Invariant: the book of a market is the recorded snapshot with every
//! recorded delta up to now, so a snapshot served at any moment joins the stream that follows.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::book::{TextBook, TextLevel};
use super::load::Venue;
use super::message::{Depth, DepthMessage, DepthSnapshot};
use crate::decimal::{put, write_integer};
use crate::net::frame::FrameBuilder;
use crate::net::hub::{Connection, Hub};
use crate::net::rest::{RestAnswer, RestReply, query_value};

/// Levels of a REST answer when the request does not say.
const LIMIT_DEFAULT: usize = 500;
/// Requests held at once for each market.
const HELD_MAX: usize = 1_000;

/// What is kept of one recorded market.
#[derive(Debug, Default)]
struct BinanceMarket {
    book: Option<TextBook>,
    last_update_id: u64,
    /// Deltas played before the snapshot, with their last update id.
    early: Vec<(u64, Vec<u8>)>,
    held: Vec<(usize, oneshot::Sender<RestReply>)>,
}

/// All recorded Binance markets and who listens to them.
#[derive(Debug)]
pub(crate) struct Binance {
    hub: Rc<Hub>,
    frames: FrameBuilder,
    names: Vec<(Venue, String)>,
    markets: Vec<BinanceMarket>,
    /// Path, name and listeners of each recorded stream.
    streams: Vec<(&'static str, String, Vec<Rc<Connection>>)>,
    stream_markets: Vec<usize>,
    /// All that a connection asked for, recorded or not.
    asked: BTreeMap<u64, BTreeSet<String>>,
    /// Markets whose next delta is kept back.
    pub(crate) skip: BTreeSet<usize>,
}

/// The paths of a venue: WebSocket, REST depth.
fn paths(venue: Venue) -> Option<(&'static str, &'static str)> {
    match venue {
        Venue::BinanceSpot => Some(("/spot/stream", "/spot/api/v3/depth")),
        Venue::BinanceUsdm => Some(("/usdm/stream", "/usdm/fapi/v1/depth")),
        Venue::Kraken => None,
    }
}

impl Binance {
    pub(crate) fn new(
        hub: Rc<Hub>,
        names: Vec<(Venue, String)>,
        streams: &[(usize, String)],
    ) -> Self {
        let markets = names.iter().map(|_| BinanceMarket::default()).collect();
        let stream_markets = streams.iter().map(|&(market, _)| market).collect();
        let streams = streams
            .iter()
            .filter_map(|(market, name)| {
                Some((paths(names[*market].0)?.0, name.clone(), Vec::new()))
            })
            .collect();
        Self {
            hub,
            frames: FrameBuilder::default(),
            names,
            markets,
            streams,
            stream_markets,
            asked: BTreeMap::new(),
            skip: BTreeSet::new(),
        }
    }

    /// Whether WebSocket connections are taken at this path.
    pub(crate) fn accepts(&self, path: &str) -> bool {
        self.streams.iter().any(|stream| stream.0 == path)
    }

    /// Whether anybody listens to any stream of a market.
    pub(crate) fn has_subscriber(&self, market: usize) -> bool {
        let of_market = self.stream_markets.iter().zip(&self.streams);
        of_market.filter(|(of, _)| **of == market).any(|(_, stream)| !stream.2.is_empty())
    }

    /// Puts a new connection on the streams that its address names.
    pub(crate) fn opened(&mut self, connection: &Rc<Connection>, query: &str) {
        for name in query_value(query, "streams").unwrap_or("").split('/') {
            if !name.is_empty() {
                self.listen(connection, &name.replace("%40", "@"));
            }
        }
    }

    /// Forgets a connection.
    pub(crate) fn closed(&mut self, connection: &Connection) {
        for (_, _, listeners) in &mut self.streams {
            listeners.retain(|listed| listed.id != connection.id);
        }
        self.asked.remove(&connection.id);
    }

    /// Answers a live SUBSCRIBE, UNSUBSCRIBE or `LIST_SUBSCRIPTIONS`.
    pub(crate) fn heard(&mut self, connection: &Rc<Connection>, text: &[u8]) {
        let reply = match serde_json::from_slice::<Value>(text) {
            Ok(request) => self.answer(connection, &request),
            Err(error) => refusal(&Value::Null, &format!("Invalid JSON: {error}")),
        };
        let frame = self.frames.text(reply.to_string().as_bytes());
        self.hub.send(connection, frame);
    }

    fn answer(&mut self, connection: &Rc<Connection>, request: &Value) -> Value {
        let id = &request["id"];
        let method = request["method"].as_str().unwrap_or("");
        if method == "LIST_SUBSCRIPTIONS" {
            return json!({ "result": self.asked.get(&connection.id), "id": id });
        }
        if method != "SUBSCRIBE" && method != "UNSUBSCRIBE" {
            return refusal(id, "Invalid request: unknown method");
        }
        let params = request["params"].as_array().map(Vec::as_slice).unwrap_or_default();
        let names: Option<Vec<&str>> = params.iter().map(Value::as_str).collect();
        let Some(names) = names.filter(|names| !names.is_empty()) else {
            return refusal(id, "Invalid request: params must be an array of stream names");
        };
        for name in names {
            if method == "SUBSCRIBE" {
                self.listen(connection, name);
            } else {
                self.leave(connection, name);
            }
        }
        json!({ "result": null, "id": id })
    }

    /// As at Binance, a name that does not exist is accepted and never speaks.
    fn listen(&mut self, connection: &Rc<Connection>, name: &str) {
        if !self.asked.entry(connection.id).or_default().insert(name.to_owned()) {
            return;
        }
        for (path, known, listeners) in &mut self.streams {
            if known == name && *path == connection.path {
                listeners.push(Rc::clone(connection));
            }
        }
    }

    fn leave(&mut self, connection: &Connection, name: &str) {
        if let Some(asked) = self.asked.get_mut(&connection.id) {
            asked.remove(name);
        }
        for (_, known, listeners) in &mut self.streams {
            if known == name {
                listeners.retain(|listed| listed.id != connection.id);
            }
        }
    }

    /// Sends a stream's message to its listeners.
    pub(crate) fn publish(&mut self, stream: usize, text: &[u8]) {
        let listeners = &self.streams[stream].2;
        if listeners.is_empty() {
            return;
        }
        let frame = self.frames.text(text);
        for connection in listeners {
            self.hub.send(connection, frame);
        }
    }

    /// Pings every Binance connection, as the venue does every 20 seconds.
    pub(crate) fn ping(&mut self, connections: &[Rc<Connection>]) {
        let now_ms = self.hub.clock.now_ns() / 1_000_000;
        let frame = self.frames.ping(now_ms.to_string().as_bytes());
        for connection in connections.iter().filter(|one| one.path.ends_with("/stream")) {
            self.hub.send(connection, frame);
        }
    }

    /// Folds a played delta into the book of its market.
    pub(crate) fn apply(&mut self, market: usize, json: &[u8]) {
        let Ok(DepthMessage { data }) = serde_json::from_slice(json) else { return };
        let market = &mut self.markets[market];
        if market.book.is_none() {
            market.early.push((data.last_update_id, json.to_vec()));
        } else if data.last_update_id > market.last_update_id {
            market.fold(&data);
        }
    }

    /// The recorded snapshot has been reached: answers whoever waits, keeps the book from now on.
    pub(crate) fn reach_snapshot(&mut self, market: usize, json: &[u8]) {
        let Ok(snapshot) = serde_json::from_slice::<DepthSnapshot<'_>>(json) else { return };
        let market = &mut self.markets[market];
        let mut book = TextBook::default();
        for (is_bid, levels) in [(true, &snapshot.bids), (false, &snapshot.asks)] {
            for [price, qty] in levels {
                book.set(is_bid, price, qty);
            }
        }
        market.last_update_id = snapshot.last_update_id;
        for (limit, waiting) in market.held.drain(..) {
            let body = if limit >= book.depth() {
                json.to_vec()
            } else {
                depth_body(&book, snapshot.last_update_id, limit)
            };
            // Whoever has given up meanwhile is not there to be told.
            let _ = waiting.send(RestReply::ok(body));
        }
        market.book = Some(book);
        for (last_update_id, json) in std::mem::take(&mut market.early) {
            if last_update_id > market.last_update_id
                && let Ok(DepthMessage { data }) = serde_json::from_slice(&json)
            {
                market.fold(&data);
            }
        }
    }

    /// Answers a REST depth request; None when the path is not one of ours.
    pub(crate) fn rest(&mut self, path: &str, query: &str) -> Option<RestAnswer> {
        let venue = self
            .names
            .iter()
            .map(|name| name.0)
            .find(|&venue| paths(venue).is_some_and(|(_, rest)| rest == path))?;
        let symbol = query_value(query, "symbol").unwrap_or("");
        let limit = match query_value(query, "limit").map(str::parse) {
            None => LIMIT_DEFAULT,
            Some(Ok(limit @ 1..=5000)) => limit,
            Some(_) => {
                return Some(RestAnswer::Now(RestReply::error(400, -1130, "Illegal limit")));
            }
        };
        let Some(index) = self.names.iter().position(|name| name.0 == venue && name.1 == symbol)
        else {
            return Some(RestAnswer::Now(RestReply::error(400, -1121, "Invalid symbol.")));
        };
        let market = &mut self.markets[index];
        if let Some(book) = &market.book {
            let body = depth_body(book, market.last_update_id, limit);
            return Some(RestAnswer::Now(RestReply::ok(body)));
        }
        market.held.retain(|(_, waiting)| !waiting.is_closed());
        if market.held.len() >= HELD_MAX {
            return Some(RestAnswer::Now(RestReply::error(503, -1003, "too many held requests")));
        }
        let (answer, held) = oneshot::channel();
        market.held.push((limit, answer));
        Some(RestAnswer::Held(held))
    }

    /// Forgets all books, for the recording begins anew.
    pub(crate) fn reset(&mut self) {
        for market in &mut self.markets {
            market.book = None;
            market.last_update_id = 0;
            market.early.clear();
        }
    }
}

impl BinanceMarket {
    fn fold(&mut self, data: &Depth<'_>) {
        let Some(book) = &mut self.book else { return };
        for (is_bid, levels) in [(true, &data.bids), (false, &data.asks)] {
            for [price, qty] in levels {
                book.set(is_bid, price, qty);
            }
        }
        self.last_update_id = data.last_update_id;
    }
}

fn refusal(id: &Value, message: &str) -> Value {
    json!({ "error": { "code": 2, "msg": message }, "id": id })
}

fn depth_body(book: &TextBook, last_update_id: u64, limit: usize) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, r#"{"lastUpdateId":"#);
    write_integer(&mut out, last_update_id);
    put(&mut out, r#","bids":"#);
    write_side(&mut out, book.bids().take(limit));
    put(&mut out, r#","asks":"#);
    write_side(&mut out, book.asks().take(limit));
    put(&mut out, "}");
    out
}

fn write_side<'a>(out: &mut Vec<u8>, levels: impl Iterator<Item = &'a TextLevel>) {
    put(out, "[");
    for (index, level) in levels.enumerate() {
        put(out, if index == 0 { r#"[""# } else { r#",[""# });
        put(out, &level.price);
        put(out, r#"",""#);
        put(out, &level.qty);
        put(out, r#""]"#);
    }
    put(out, "]");
}
