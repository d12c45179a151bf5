//! Bytes of one feed to ticks in the ring: decode, normalise, count. No I/O and no clock.
//!
//! This is the whole path of a message through ingest, so that tests and the benchmark run what the
//! connection runs.

use std::sync::Arc;

use market::Nanos;
use venue::{Binance, DecodeError, Event, Kraken};

use super::complaint::Complaints;
use super::normalise::Normaliser;
use super::publisher::Publisher;
use crate::config::{Dialect, Feed};
use crate::metrics::{DecodeFailure, Metrics};

enum Decoder {
    Kraken(Kraken),
    Binance(Binance),
}

/// One feed's decoder and normaliser.
pub struct Pipeline {
    decoder: Decoder,
    /// The feed's symbols.
    pub normaliser: Normaliser,
    complaints: Complaints,
    feed_index: usize,
    metrics: Arc<Metrics>,
}

impl Pipeline {
    /// For the feed at `feed_index` of the config.
    pub fn new(
        feed: &Feed,
        feed_index: usize,
        limits: super::Limits,
        metrics: Arc<Metrics>,
    ) -> Self {
        let decoder = match feed.dialect {
            Dialect::Kraken => Decoder::Kraken(Kraken::new(limits.message_bytes_max)),
            Dialect::BinanceSpot | Dialect::BinanceUsdM => {
                Decoder::Binance(Binance::new(limits.message_bytes_max))
            }
        };
        let normaliser = Normaliser::new(feed.clone(), feed_index, limits, Arc::clone(&metrics));
        Self { decoder, normaliser, complaints: Complaints::default(), feed_index, metrics }
    }

    /// Takes one message, read at `recv`. What cannot be understood is counted and complained of.
    pub fn message(&mut self, message: &[u8], recv: Nanos, publisher: &mut Publisher) {
        let Self { decoder, normaliser, complaints, .. } = self;
        let sink = |event: Event<'_>| {
            if let Event::Ack(ack) = &event
                && !ack.success
            {
                complaints.refused(&normaliser.feed_name, ack, recv);
            }
            normaliser.take(&event, recv, publisher);
        };
        let outcome = match decoder {
            Decoder::Kraken(kraken) => kraken.decode(message, sink),
            Decoder::Binance(binance) => binance.decode(message, sink),
        };
        let feed = &self.metrics.ingest.feeds[self.feed_index];
        feed.messages.inc();
        feed.bytes.add(message.len() as u64);
        if let Err(error) = outcome {
            self.undecodable(error, message, recv);
        }
    }

    /// Takes the REST snapshot of a symbol. False when it could not be understood.
    pub fn snapshot(
        &mut self,
        venue_symbol: &str,
        message: &[u8],
        recv: Nanos,
        publisher: &mut Publisher,
    ) -> bool {
        let Self { decoder, normaliser, .. } = self;
        let outcome = match decoder {
            Decoder::Kraken(_) => Err(DecodeError::UnknownShape),
            Decoder::Binance(binance) => {
                let sink = |event: Event<'_>| normaliser.take(&event, recv, publisher);
                binance.decode_snapshot(message, venue_symbol, sink)
            }
        };
        if let Err(error) = outcome {
            self.undecodable(error, message, recv);
        }
        outcome.is_ok()
    }

    fn undecodable(&self, error: DecodeError, message: &[u8], now: Nanos) {
        let feed = &self.metrics.ingest.feeds[self.feed_index];
        feed.decode_failures.of(DecodeFailure::from(&error)).inc();
        self.complaints.undecodable(&self.normaliser.feed_name, error, message, now);
    }
}
