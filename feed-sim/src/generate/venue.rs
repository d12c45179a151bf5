//! A generated market behind the sockets.
//!
//! Owned by the sim thread. Invariant: the market is never borrowed across an await.

use std::cell::RefCell;
use std::rc::Rc;

use super::market::{GeneratedMarket, Generator};
use crate::kraken;
use crate::kraken::desk::{Desk, Market};
use crate::net::hub::{Connection, Hub, Venue};
use crate::net::rest::{RestAnswer, RestReply};

/// The market in a cell: the pacing loop and the connections take turns with it.
pub(crate) struct GeneratedVenue {
    pub(crate) generator: RefCell<Generator>,
    pub(crate) hub: Rc<Hub>,
}

impl GeneratedVenue {
    pub(crate) fn new(generator: Generator, hub: Rc<Hub>) -> Self {
        Self { generator: RefCell::new(generator), hub }
    }

    /// `list` picks the desk's set of symbols that the fault waits for.
    fn mark(&self, symbol: &str, list: impl Fn(&mut Desk<GeneratedMarket>, usize)) {
        let desk = &mut self.generator.borrow_mut().desk;
        if let Some(index) = desk.market.find(symbol) {
            list(desk, index);
        }
    }
}

impl Venue for GeneratedVenue {
    fn accepts(&self, path: &str) -> bool {
        path == kraken::PATH
    }

    fn opened(&self, connection: &Rc<Connection>, _: &str) {
        self.generator.borrow_mut().desk.opened(connection);
    }

    fn heard(&self, connection: &Rc<Connection>, text: &[u8]) {
        self.generator.borrow_mut().desk.heard(connection, text);
    }

    fn closed(&self, connection: &Connection) {
        self.generator.borrow_mut().desk.closed(connection);
    }

    fn rest(&self, _: &str, _: &str) -> RestAnswer {
        RestAnswer::Now(RestReply::error(404, -1000, "a generated market is served at /v2 only"))
    }

    fn second_passed(&self) {
        self.generator.borrow_mut().desk.heartbeat(&self.hub.connections());
    }

    fn corrupt_next_checksum(&self, symbol: &str) {
        self.mark(symbol, |desk, index| {
            desk.corrupt.insert(index);
        });
    }

    fn skip_next_update(&self, symbol: &str) {
        self.mark(symbol, |desk, index| {
            desk.skip.insert(index);
        });
    }
}
