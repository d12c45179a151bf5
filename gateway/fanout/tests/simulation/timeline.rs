//! What was true when: the venue, the ring's records, and each symbol's values by their numbers.

use std::collections::BTreeMap;

use market::{Channel, SymbolId};

use crate::venue::Venue;

/// One symbol's past.
#[derive(Default)]
pub(crate) struct Past {
    /// Best bid by the number of the ticker.
    pub(crate) bids: BTreeMap<u64, i64>,
    /// Price of each trade; the first is number one.
    pub(crate) trades: Vec<i64>,
    /// Checksum of the book by its number.
    pub(crate) checksums: BTreeMap<u64, u32>,
}

/// Everything that happened.
#[derive(Default)]
pub(crate) struct Timeline {
    pub(crate) venue: Venue,
    pub(crate) records: Vec<Vec<u8>>,
    pub(crate) pasts: BTreeMap<String, Past>,
}

impl Timeline {
    pub(crate) fn define(&mut self, now: u64) {
        let record = self.venue.define(now);
        self.records.push(record);
        let name = self.venue.symbols.last().expect("just defined").name.clone();
        self.pasts.insert(name, Past::default());
    }

    pub(crate) fn tick(&mut self, rng: &mut fastrand::Rng, now: u64) {
        let Some(record) = self.venue.random_tick(rng, now) else { return };
        self.records.push(record);
        for (at, naive) in self.venue.symbols.iter().enumerate() {
            let symbol = self.venue.truth().symbol(SymbolId(at as u32)).expect("defined");
            let past = self.pasts.get_mut(&naive.name).expect("defined");
            if let Some((bid, ..)) = naive.quote {
                past.bids.entry(symbol.sequence(Channel::Ticker)).or_insert(bid);
            }
            if past.trades.len() < naive.trade_ids.len() {
                past.trades.push(naive.last.expect("a trade has a price"));
            }
            let number = symbol.sequence(Channel::Book);
            past.checksums.entry(number).or_insert_with(|| symbol.book.checksum());
        }
    }
}
