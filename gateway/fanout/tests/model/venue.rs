//! A venue as naive as can be: maps and lists, beside the truth that ingest would fold.

use std::collections::BTreeMap;

use market::{
    Body, BookChange, Instrument, Level, Levels, Nanos, OrderKind, Price, Quote, Side, Size,
    Stamps, State, SymbolId, Tick, Trade, Trading, Truth,
};

/// What is true of one symbol.
#[derive(Default)]
pub(crate) struct Symbol {
    pub(crate) name: String,
    pub(crate) bids: BTreeMap<i64, i64>,
    pub(crate) asks: BTreeMap<i64, i64>,
    pub(crate) quote: Option<(i64, i64, i64, i64)>,
    pub(crate) trade_ids: Vec<u64>,
    pub(crate) last: Option<i64>,
    /// Levels kept a side; deeper ones are forgotten.
    pub(crate) levels_max: usize,
}

/// The venue, and ingest behind it.
#[derive(Default)]
pub(crate) struct Venue {
    pub(crate) symbols: Vec<Symbol>,
    truth: Truth,
}

impl Venue {
    pub(crate) fn symbol_count(&self) -> usize {
        self.symbols.len()
    }

    pub(crate) const fn truth(&self) -> &Truth {
        &self.truth
    }

    pub(crate) fn symbol(&self, name: &str) -> &Symbol {
        self.symbols.iter().find(|s| s.name == name).expect("a known symbol")
    }

    pub(crate) fn names_matching(&self, name: &str) -> Vec<String> {
        let names = self.symbols.iter().map(|s| s.name.clone());
        match name.strip_suffix('*') {
            Some(prefix) => names.filter(|n| n.starts_with(prefix)).collect(),
            None => names.filter(|n| n == name).collect(),
        }
    }

    pub(crate) fn define(&mut self, now: u64) -> Vec<u8> {
        let number = self.symbols.len();
        // Some books are shallower than what dashboards ask for.
        let levels_max = [12, 30, 10_000][number % 3];
        let name = format!("S{number}/USD");
        let instrument = Instrument {
            symbol: name.as_str().into(),
            venue: "model".into(),
            venue_symbol: name.as_str().into(),
            base: format!("S{number}").into(),
            quote: "USD".into(),
            price_precision: 2,
            size_precision: 3,
            price_increment: Price(1),
            size_increment: Size(1),
            size_min: Size(1),
            book_levels_max: levels_max as u32,
            trading: Trading::Online,
        };
        self.symbols.push(Symbol { name, levels_max, ..Symbol::default() });
        self.publish(SymbolId(number as u32), now, Body::Instrument(instrument))
    }

    pub(crate) fn random_tick(&mut self, rng: &mut fastrand::Rng, now: u64) -> Option<Vec<u8>> {
        if self.symbols.is_empty() {
            return None;
        }
        let at = rng.usize(..self.symbols.len());
        let id = SymbolId(at as u32);
        let symbol = &mut self.symbols[at];
        Some(match rng.u32(..10) {
            0 => self.publish(id, now, Body::State(State::ALL[rng.usize(..3)])),
            1..=3 => {
                let [bid, ask] = [rng.i64(1..500), rng.i64(500..1000)];
                let [bid_size, ask_size] = [rng.i64(1..100), rng.i64(1..100)];
                symbol.quote = Some((bid, bid_size, ask, ask_size));
                let level = |price, size| Level { price: Price(price), size: Size(size) };
                let quote = Quote { bid: level(bid, bid_size), ask: level(ask, ask_size) };
                self.publish(id, now, Body::Quote(quote))
            }
            4..=5 => {
                let trade_id = symbol.trade_ids.len() as u64 + 1;
                let price = rng.i64(1..1000);
                symbol.trade_ids.push(trade_id);
                symbol.last = Some(price);
                let trade = Trade {
                    price: Price(price),
                    size: Size(rng.i64(1..50)),
                    side: if rng.bool() { Side::Buy } else { Side::Sell },
                    order_kind: OrderKind::Limit,
                    trade_id,
                    ts_event: Nanos(now),
                };
                self.publish(id, now, Body::Trade(trade))
            }
            _ => self.random_book_change(id, rng, now),
        })
    }

    fn random_book_change(&mut self, id: SymbolId, rng: &mut fastrand::Rng, now: u64) -> Vec<u8> {
        let symbol = &mut self.symbols[id.index()];
        let mut sides = [Vec::new(), Vec::new()];
        let ranges = [1..500, 500..1000_i64];
        let books = [&mut symbol.bids, &mut symbol.asks];
        for ((book, range), changes) in books.into_iter().zip(ranges).zip(&mut sides) {
            for _ in 0..rng.usize(..6) {
                let existing = book.keys().nth(rng.usize(..book.len().max(1))).copied();
                let price =
                    existing.filter(|_| rng.bool()).unwrap_or_else(|| rng.i64(range.clone()));
                let size = if rng.u32(..3) == 0 { 0 } else { rng.i64(1..100) };
                if size == 0 {
                    book.remove(&price);
                } else {
                    book.insert(price, size);
                }
                changes.push(Level { price: Price(price), size: Size(size) });
            }
        }
        while symbol.bids.len() > symbol.levels_max {
            symbol.bids.pop_first();
        }
        while symbol.asks.len() > symbol.levels_max {
            symbol.asks.pop_last();
        }
        let change = BookChange { bids: Levels::new(&sides[0]), asks: Levels::new(&sides[1]) };
        self.publish(id, now, Body::Book(change))
    }

    fn publish(&mut self, symbol: SymbolId, now: u64, body: Body<'_>) -> Vec<u8> {
        let sequence = self.truth.next_sequence(symbol, body.channel());
        let stamps = Stamps { event: Nanos(now), recv: Nanos(now), publish: Nanos(now) };
        let tick = Tick { symbol, sequence, stamps, body };
        self.truth.apply(&tick).expect("numbered by the truth itself");
        let mut record = Vec::new();
        tick.encode(&mut record);
        record
    }
}
