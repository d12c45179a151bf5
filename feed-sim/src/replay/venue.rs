//! The replayed venues behind one port: Binance streams, REST and Kraken, fed by the tape.
//!
//! Owned by the sim thread. Invariant: a message is sent, folded into the kept book and written to
//! the truth in one step, so no client can see one without the other.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::binance::Binance;
use super::kraken::{KrakenMessage, KrakenSymbol, KrakenTape};
use super::load::{Kind, Line, Tape, Venue};
use super::{stamp, truth};
use crate::kraken;
use crate::kraken::desk::{Desk, Market};
use crate::kraken::request::Interest;
use crate::net::hub::{self, Connection, Hub};
use crate::net::rest::{RestAnswer, RestReply};
use crate::time::parse_rfc3339;
use crate::truth::Truth;

/// Seconds between pings on Binance connections.
const PING_EVERY_S: u32 = 20;

/// What is replayed, and to whom.
pub(crate) struct ReplayVenue {
    pub(crate) hub: Rc<Hub>,
    pub(crate) tape: Rc<Tape>,
    state: RefCell<State>,
    restamp: bool,
    seconds: Cell<u32>,
}

struct State {
    binance: Binance,
    desk: Desk<KrakenTape>,
    /// For each market of the tape, its index at the desk when it is Kraken's.
    desk_index: Vec<usize>,
    truth: Option<Truth>,
    sequences: Vec<[u64; 4]>,
    stamped: Vec<u8>,
}

impl ReplayVenue {
    pub(crate) fn new(hub: Rc<Hub>, tape: Tape, restamp: bool, truth: Option<Truth>) -> Self {
        let mut market = KrakenTape::default();
        let mut desk_index = vec![usize::MAX; tape.markets.len()];
        for (index, (venue, symbol)) in tape.markets.iter().enumerate() {
            if *venue == Venue::Kraken {
                let lines = tape.lines.iter().filter(|line| line.market == index);
                let messages =
                    lines.filter_map(|line| serde_json::from_slice(tape.text(line)).ok());
                desk_index[index] = market.symbols.len();
                market.symbols.push(KrakenSymbol::new(symbol, messages));
            }
        }
        let binance = Binance::new(Rc::clone(&hub), tape.markets.clone(), &tape.streams);
        let desk = Desk::new(market, Rc::clone(&hub));
        let sequences = vec![[0; 4]; tape.markets.len()];
        let state = State { binance, desk, desk_index, truth, sequences, stamped: Vec::new() };
        let (tape, state) = (Rc::new(tape), RefCell::new(state));
        Self { hub, tape, state, restamp, seconds: Cell::new(0) }
    }

    /// Whether each recorded market has a subscriber.
    pub(crate) fn all_subscribed(&self) -> bool {
        let state = self.state.borrow();
        (0..self.tape.markets.len()).all(|market| match state.desk_index[market] {
            usize::MAX => state.binance.has_subscriber(market),
            index => state.desk.has_subscriber(index),
        })
    }

    /// Plays one line, intended for `due_ns`.
    pub(crate) fn play(&self, line: &Line, due_ns: u64) {
        let state = &mut *self.state.borrow_mut();
        let recorded = self.tape.text(line);
        let mut stamped = std::mem::take(&mut state.stamped);
        let text = if self.restamp {
            stamped.clear();
            match line.kind {
                Kind::KrakenBook => stamp::kraken(recorded, due_ns, &mut stamped),
                _ => stamp::binance(recorded, due_ns, &mut stamped),
            }
            stamped.as_slice()
        } else {
            recorded
        };
        match line.kind {
            Kind::DepthSnapshot => state.binance.reach_snapshot(line.market, text),
            Kind::Depth => {
                state.binance.apply(line.market, text);
                if !state.binance.skip.remove(&line.market) {
                    state.binance.publish(line.stream, text);
                }
            }
            Kind::KrakenBook => state.play_kraken(line, text, due_ns, self.restamp),
            Kind::Quote | Kind::Trade | Kind::Other => state.binance.publish(line.stream, text),
        }
        state.record(&self.tape, line, text, due_ns);
        state.stamped = stamped;
    }

    /// Forgets what has been played.
    pub(crate) fn reset(&self) {
        let mut state = self.state.borrow_mut();
        state.binance.reset();
        state.desk.market.symbols.iter_mut().for_each(KrakenSymbol::reset);
    }

    pub(crate) fn take_truth(&self) -> Option<Truth> {
        self.state.borrow_mut().truth.take()
    }

    /// The markets that `symbol` means: `BTCUSDT` in all venues, or `binance-spot:BTCUSDT`.
    fn markets_of(&self, symbol: &str) -> Vec<usize> {
        let (venue, name) = symbol.split_once(':').unwrap_or(("", symbol));
        let matches = |(of, known): &(Venue, String)| {
            known == name && (venue.is_empty() || of.name() == venue)
        };
        let markets = self.tape.markets.iter().enumerate();
        markets.filter(|(_, market)| matches(market)).map(|(index, _)| index).collect()
    }
}

impl State {
    fn play_kraken(&mut self, line: &Line, text: &[u8], due_ns: u64, restamp: bool) {
        let Ok(message) = serde_json::from_slice::<KrakenMessage<'_>>(text) else { return };
        let index = self.desk_index[line.market];
        let recorded = message.data.first().and_then(|item| item.timestamp);
        let ts_ns = match recorded.and_then(parse_rfc3339) {
            Some(ts_ns) if !restamp => ts_ns,
            _ => due_ns,
        };
        self.desk.market.symbols[index].apply(&message, ts_ns);
        if message.kind != "snapshot" && self.desk.skip.remove(&index) {
            return;
        }
        let books: Vec<_> = (0..kraken::DEPTHS.len()).map(Interest::Book).collect();
        if message.kind != "snapshot" && self.desk.corrupt.remove(&index) {
            let corrupted = stamp::corrupt_checksum(text);
            self.desk.publish(index, &books, |_, out| out.extend_from_slice(&corrupted));
        } else {
            self.desk.publish(index, &books, |_, out| out.extend_from_slice(text));
        }
    }

    fn record(&mut self, tape: &Tape, line: &Line, text: &[u8], due_ns: u64) {
        let Some(truth) = &mut self.truth else { return };
        let Some((channel, position)) = truth::channel(line.kind) else { return };
        let Some(mut content) = truth::content(line.kind, text) else { return };
        let sequence = &mut self.sequences[line.market][position];
        *sequence += 1;
        let (venue, symbol) = &tape.markets[line.market];
        content["venue"] = venue.name().into();
        content["symbol"] = symbol.as_str().into();
        content["channel"] = channel.into();
        content["seq"] = (*sequence).into();
        content["ts"] = due_ns.into();
        truth.line(|out| out.extend_from_slice(content.to_string().as_bytes()));
    }
}

impl hub::Venue for ReplayVenue {
    fn accepts(&self, path: &str) -> bool {
        let state = self.state.borrow();
        state.binance.accepts(path)
            || (path == kraken::PATH && state.desk.market.symbol_count() > 0)
    }

    fn opened(&self, connection: &Rc<Connection>, query: &str) {
        let mut state = self.state.borrow_mut();
        if connection.path == kraken::PATH {
            state.desk.opened(connection);
        } else {
            state.binance.opened(connection, query);
        }
    }

    fn heard(&self, connection: &Rc<Connection>, text: &[u8]) {
        let mut state = self.state.borrow_mut();
        if connection.path == kraken::PATH {
            state.desk.heard(connection, text);
        } else {
            state.binance.heard(connection, text);
        }
    }

    fn closed(&self, connection: &Connection) {
        let mut state = self.state.borrow_mut();
        state.desk.closed(connection);
        state.binance.closed(connection);
    }

    fn rest(&self, path: &str, query: &str) -> RestAnswer {
        let answer = self.state.borrow_mut().binance.rest(path, query);
        answer.unwrap_or_else(|| {
            RestAnswer::Now(RestReply::error(404, -1000, "nothing is served at this path"))
        })
    }

    fn second_passed(&self) {
        let mut state = self.state.borrow_mut();
        let mut connections = self.hub.connections();
        self.seconds.set(self.seconds.get() + 1);
        if self.seconds.get().is_multiple_of(PING_EVERY_S) {
            state.binance.ping(&connections);
        }
        connections.retain(|connection| connection.path == kraken::PATH);
        state.desk.heartbeat(&connections);
    }

    fn corrupt_next_checksum(&self, symbol: &str) {
        let mut state = self.state.borrow_mut();
        if let Some(index) = state.desk.market.find(symbol) {
            state.desk.corrupt.insert(index);
        }
    }

    fn skip_next_update(&self, symbol: &str) {
        let state = &mut *self.state.borrow_mut();
        for market in self.markets_of(symbol) {
            match state.desk_index[market] {
                usize::MAX => state.binance.skip.insert(market),
                index => state.desk.skip.insert(index),
            };
        }
    }
}
