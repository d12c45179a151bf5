//! Defining symbols: from the venue's own listing, or from the config and the first message.
//!
//! Part of the normaliser. A definition's precision never changes while the process lives, because
//! published numbers are whole units of it; everything else may.

use std::sync::Arc;

use market::{Instrument, Nanos, Price, Size};

use super::normalise::{Normaliser, Request};
use super::numbers::Precision;
use super::publisher::Publisher;
use crate::config::{Dialect, FeedSymbols};
use crate::metrics::TickRefusal;

impl Normaliser {
    /// Takes the venue's definition of a symbol that is wanted.
    pub(super) fn take_instrument(
        &mut self,
        definition: &venue::Instrument<'_>,
        recv: Nanos,
        publisher: &mut Publisher,
    ) {
        let known = self.by_venue_symbol.get(definition.symbol).copied();
        let at = match (known, &self.feed.symbols) {
            (Some(at), _) => at,
            (None, FeedSymbols::All) if self.tracked.len() < self.symbols_max => {
                self.track(definition.symbol, None)
            }
            (None, FeedSymbols::All) => return self.refuse(TickRefusal::SymbolLimit),
            (None, FeedSymbols::List(_)) => return,
        };
        let precision =
            Precision { price: definition.price_precision, size: definition.size_precision };
        let Some(instrument) = self.instrument(at, definition, precision) else {
            return self.refuse(TickRefusal::Precision);
        };
        match self.tracked[at].id {
            None if self.tracked[at].refused => return,
            None => self.define(at, instrument, precision, recv, publisher),
            Some(id) if self.tracked[at].precision == precision => {
                self.tracked[at].trading = definition.trading;
                if publisher.symbol(id).instrument != instrument {
                    publisher.redefine(id, instrument, recv);
                }
            }
            Some(_) => {
                self.refuse(TickRefusal::Precision);
                let (feed, symbol) = (&*self.feed_name, definition.symbol);
                tracing::warn!(feed, symbol, "precision changed: restart to take it up");
                return;
            }
        }
        self.settle(at, recv, publisher);
        let tracked = &mut self.tracked[at];
        if tracked.id.is_some() && !tracked.subscribed && self.feed.dialect == Dialect::Kraken {
            tracked.subscribed = true;
            self.requests.push(Request::Subscribe(at));
        }
    }

    /// Defines a configured symbol of a venue that does not list its own; the config's precision
    /// goes before the one learnt from a message. False when it is, or was, refused.
    pub(super) fn define_learnt(
        &mut self,
        at: usize,
        learnt: Precision,
        recv: Nanos,
        publisher: &mut Publisher,
    ) -> bool {
        let tracked = &self.tracked[at];
        let Some(configured) = tracked.configured.as_ref().filter(|_| !tracked.refused) else {
            return false;
        };
        let precision = Precision {
            price: configured.price_precision.unwrap_or(learnt.price),
            size: configured.size_precision.unwrap_or(learnt.size),
        };
        let definition = venue::Instrument {
            symbol: &Arc::clone(&tracked.venue_symbol),
            base: &configured.base.clone(),
            quote: &configured.quote.clone(),
            price_precision: precision.price,
            size_precision: precision.size,
            price_increment: None,
            size_increment: None,
            size_min: None,
            trading: market::Trading::Online,
        };
        if let Some(instrument) = self.instrument(at, &definition, precision) {
            self.define(at, instrument, precision, recv, publisher);
        }
        self.tracked[at].id.is_some()
    }

    fn define(
        &mut self,
        at: usize,
        instrument: Instrument,
        precision: Precision,
        recv: Nanos,
        publisher: &mut Publisher,
    ) {
        let tracked = &mut self.tracked[at];
        tracked.precision = precision;
        tracked.trading = instrument.trading;
        tracked.id = publisher.define(instrument, recv);
        tracked.refused = tracked.id.is_none();
    }

    fn instrument(
        &self,
        at: usize,
        definition: &venue::Instrument<'_>,
        precision: Precision,
    ) -> Option<Instrument> {
        let tracked = &self.tracked[at];
        let configured = tracked.configured.as_ref();
        let price = |value: Option<market::Decimal>| {
            value.map_or(Some(Price(1)), |v| precision.price(v).ok())
        };
        let size = |value: Option<market::Decimal>, absent| {
            value.map_or(Some(Size(absent)), |v| precision.size(v).ok())
        };
        Some(Instrument {
            symbol: Arc::from(configured.map_or(definition.symbol, |c| &c.symbol)),
            venue: Arc::clone(&self.feed_name),
            venue_symbol: Arc::clone(&tracked.venue_symbol),
            base: Arc::from(configured.map_or(definition.base, |c| &c.base)),
            quote: Arc::from(configured.map_or(definition.quote, |c| &c.quote)),
            price_precision: precision.price,
            size_precision: precision.size,
            price_increment: price(definition.price_increment)?,
            size_increment: size(definition.size_increment, 1)?,
            size_min: size(definition.size_min, 0)?,
            book_levels_max: self.book_levels_max as u32,
            trading: definition.trading,
        })
    }
}
