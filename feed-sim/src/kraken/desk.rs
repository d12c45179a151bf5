//! Who listens to what on the Kraken dialect: subscriptions, acks, snapshots, publishing.
//!
//! Owned by the sim thread, inside a venue. Invariant: a subscriber's ack comes before its
//! snapshot, and its snapshot before any update; each message is serialised once for all.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::request::{Interest, Params, Replies, Request, SYMBOL_LISTS};
use crate::net::frame::FrameBuilder;
use crate::net::hub::{Connection, Hub};

/// The market behind a desk: what snapshots are made from.
pub(crate) trait Market {
    /// The index of a symbol.
    fn find(&self, symbol: &str) -> Option<usize>;
    /// How many symbols there are.
    fn symbol_count(&self) -> usize;
    /// Why a book of this depth is not served, if it is not.
    fn depth_refusal(&self, depth: u16) -> Option<String>;
    /// The snapshot message of the instrument channel.
    fn write_instruments(&self, out: &mut Vec<u8>);
    /// The snapshot message of a symbol; false when there is none (yet).
    fn write_snapshot(&mut self, interest: Interest, symbol: usize, out: &mut Vec<u8>) -> bool;
}

type List = Vec<Rc<Connection>>;

/// Subscriptions of all connections to one market.
#[derive(Debug)]
pub(crate) struct Desk<M> {
    pub(crate) market: M,
    pub(crate) hub: Rc<Hub>,
    frames: FrameBuilder,
    lists: Vec<[List; SYMBOL_LISTS]>,
    instrument_list: List,
    by_connection: BTreeMap<u64, BTreeSet<(usize, Interest)>>,
    /// Symbols whose next book update gets a wrong checksum.
    pub(crate) corrupt: BTreeSet<usize>,
    /// Symbols whose next book update is kept back.
    pub(crate) skip: BTreeSet<usize>,
}

impl<M: Market> Desk<M> {
    pub(crate) fn new(market: M, hub: Rc<Hub>) -> Self {
        let lists = (0..market.symbol_count()).map(|_| Default::default()).collect();
        Self {
            market,
            hub,
            frames: FrameBuilder::default(),
            lists,
            instrument_list: List::new(),
            by_connection: BTreeMap::new(),
            corrupt: BTreeSet::new(),
            skip: BTreeSet::new(),
        }
    }

    /// Greets a new connection.
    pub(crate) fn opened(&mut self, connection: &Rc<Connection>) {
        let status = serde_json::json!({
            "channel": "status",
            "type": "update",
            "data": [{
                "api_version": "v2",
                "connection_id": connection.id,
                "system": "online",
                "version": concat!("feed-sim-", env!("CARGO_PKG_VERSION")),
            }],
        });
        self.reply(connection, &status.to_string());
    }

    /// Forgets a connection.
    pub(crate) fn closed(&mut self, connection: &Connection) {
        for (symbol, interest) in self.by_connection.remove(&connection.id).unwrap_or_default() {
            self.list_mut(symbol, interest).retain(|listed| listed.id != connection.id);
        }
    }

    /// Answers one message of a client.
    pub(crate) fn heard(&mut self, connection: &Rc<Connection>, text: &[u8]) {
        let received_ns = self.hub.clock.now_ns();
        let request: Request = match serde_json::from_slice(text) {
            Ok(request) => request,
            Err(error) => {
                let replies = Replies { method: "", req_id: None, received_ns };
                let refusal =
                    replies.refused(&format!("Malformed request: {error}"), None, received_ns);
                return self.reply(connection, &refusal);
            }
        };
        let replies = Replies { method: &request.method, req_id: request.req_id, received_ns };
        match request.method.as_str() {
            "ping" => self.reply(connection, &replies.pong(self.hub.clock.now_ns())),
            "subscribe" | "unsubscribe" => match Interest::parse(&request.params) {
                Ok(interest) => self.change(connection, &replies, interest, &request.params),
                Err(error) => {
                    self.reply(connection, &replies.refused(&error, None, received_ns));
                }
            },
            other => {
                let error = format!("Unsupported method {other}");
                self.reply(connection, &replies.refused(&error, None, received_ns));
            }
        }
    }

    /// Sends a heartbeat to every listed connection.
    pub(crate) fn heartbeat(&mut self, connections: &[Rc<Connection>]) {
        let frame = self.frames.text(br#"{"channel":"heartbeat"}"#);
        for connection in connections {
            self.hub.send(connection, frame);
        }
    }

    /// Whether anybody is on a list.
    pub(crate) fn is_wanted(&self, symbol: usize, interest: Interest) -> bool {
        !self.lists[symbol][interest.list()].is_empty()
    }

    /// Whether anybody subscribed to anything of a symbol.
    pub(crate) fn has_subscriber(&self, symbol: usize) -> bool {
        self.lists[symbol].iter().any(|list| !list.is_empty())
    }

    /// Whether anybody subscribed to anything.
    pub(crate) fn has_subscribers(&self) -> bool {
        self.by_connection.values().any(|held| !held.is_empty())
    }

    /// Serialises one message and queues it for everybody on the given lists.
    pub(crate) fn publish(
        &mut self,
        symbol: usize,
        interests: &[Interest],
        fill: impl FnOnce(&mut M, &mut Vec<u8>),
    ) {
        let lists = &self.lists[symbol];
        if interests.iter().all(|interest| lists[interest.list()].is_empty()) {
            return;
        }
        fill(&mut self.market, self.frames.begin());
        let frame = self.frames.finish();
        for interest in interests {
            for connection in &lists[interest.list()] {
                self.hub.send(connection, frame);
            }
        }
    }

    fn change(
        &mut self,
        connection: &Rc<Connection>,
        replies: &Replies<'_>,
        interest: Interest,
        params: &Params,
    ) {
        let is_subscribe = replies.method == "subscribe";
        if interest == Interest::Instrument {
            return if is_subscribe {
                self.subscribe(connection, replies, interest, None, params);
            } else {
                self.unsubscribe(connection, replies, interest, None);
            };
        }
        if params.symbol.is_empty() {
            let error = "No symbol given";
            let refusal = replies.refused(error, None, self.hub.clock.now_ns());
            return self.reply(connection, &refusal);
        }
        for symbol in &params.symbol {
            if is_subscribe {
                self.subscribe(connection, replies, interest, Some(symbol), params);
            } else {
                self.unsubscribe(connection, replies, interest, Some(symbol));
            }
        }
    }

    fn subscribe(
        &mut self,
        connection: &Rc<Connection>,
        replies: &Replies<'_>,
        interest: Interest,
        symbol: Option<&str>,
        params: &Params,
    ) {
        let index = match self.admit(connection, interest, symbol) {
            Ok(index) => index,
            Err(error) => {
                let refusal = replies.refused(&error, symbol, self.hub.clock.now_ns());
                return self.reply(connection, &refusal);
            }
        };
        self.list_mut(index, interest).push(Rc::clone(connection));
        self.by_connection.entry(connection.id).or_default().insert((index, interest));
        let wants_snapshot = params.snapshot.unwrap_or(true);
        let now_ns = self.hub.clock.now_ns();
        let ack = replies.granted(interest, symbol, Some(wants_snapshot), now_ns);
        self.reply(connection, &ack);
        if !wants_snapshot {
            return;
        }
        let out = self.frames.begin();
        let written = if interest == Interest::Instrument {
            self.market.write_instruments(out);
            true
        } else {
            self.market.write_snapshot(interest, index, out)
        };
        if written {
            self.hub.send(connection, self.frames.finish());
        }
    }

    fn admit(
        &self,
        connection: &Connection,
        interest: Interest,
        symbol: Option<&str>,
    ) -> Result<usize, String> {
        let index = match symbol {
            Some(symbol) => self
                .market
                .find(symbol)
                .ok_or_else(|| format!("Currency pair not supported {symbol}"))?,
            None => 0,
        };
        if let Interest::Book(depth) = interest
            && let Some(refusal) = self.market.depth_refusal(super::DEPTHS[depth])
        {
            return Err(refusal);
        }
        match self.held(connection, index, interest) {
            Some(_) => Err("Already subscribed".to_owned()),
            None => Ok(index),
        }
    }

    fn unsubscribe(
        &mut self,
        connection: &Rc<Connection>,
        replies: &Replies<'_>,
        interest: Interest,
        symbol: Option<&str>,
    ) {
        let index = symbol.map_or(Some(0), |symbol| self.market.find(symbol));
        let held = index.and_then(|index| self.held(connection, index, interest));
        let now_ns = self.hub.clock.now_ns();
        let reply = if let (Some(index), Some(held)) = (index, held) {
            self.list_mut(index, held).retain(|listed| listed.id != connection.id);
            if let Some(of_connection) = self.by_connection.get_mut(&connection.id) {
                of_connection.remove(&(index, held));
            }
            replies.granted(held, symbol, None, now_ns)
        } else {
            replies.refused("Subscription Not Found", symbol, now_ns)
        };
        self.reply(connection, &reply);
    }

    /// The subscription a connection already has to this channel of a symbol.
    fn held(&self, connection: &Connection, index: usize, interest: Interest) -> Option<Interest> {
        let of_connection = self.by_connection.get(&connection.id)?;
        of_connection
            .range((index, Interest::TickerOnQuote)..=(index, Interest::Instrument))
            .map(|&(_, held)| held)
            .find(|held| held.same_channel(interest))
    }

    fn list_mut(&mut self, symbol: usize, interest: Interest) -> &mut List {
        match interest {
            Interest::Instrument => &mut self.instrument_list,
            _ => &mut self.lists[symbol][interest.list()],
        }
    }

    fn reply(&mut self, connection: &Connection, text: &str) {
        self.hub.send(connection, self.frames.text(text.as_bytes()));
    }
}
