//! Bytes of a venue to events, nothing behind: parse, read the numbers, hand the event out.

use std::hint::black_box;

use venue::{Binance, DecodeError, Event, Kraken};

use crate::case::{Case, Round, Workload, endless};
use crate::fixtures::VARIANTS;
use crate::messages::{self, FIRST_ID, Kind, LAST_ID, NEXT_ID, Venue};
use crate::recorded;

const MESSAGE_BYTES_MAX: usize = 1 << 20;

enum Decoder {
    Kraken(Kraken),
    Binance(Binance),
}

impl Decoder {
    fn new(venue: Venue) -> Self {
        match venue {
            Venue::Kraken => Self::Kraken(Kraken::new(MESSAGE_BYTES_MAX)),
            Venue::Spot | Venue::UsdM => Self::Binance(Binance::new(MESSAGE_BYTES_MAX)),
        }
    }

    fn decode(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        let sink = |event: Event<'_>| {
            black_box(&event);
        };
        match self {
            Self::Kraken(kraken) => kraken.decode(message, sink),
            Self::Binance(binance) => binance.decode(message, sink),
        }
    }
}

fn decoding(venue: Venue, messages: Vec<Vec<u8>>) -> Box<dyn Case> {
    let (mut decoder, mut messages) = (Decoder::new(venue), Round::new(messages));
    endless(move || {
        let message = messages.next();
        assert_eq!(decoder.decode(message), Ok(()));
        message.len()
    })
}

pub(crate) fn workloads(all: &mut Vec<Workload>) {
    for venue in Venue::ALL {
        for kind in Kind::ALL {
            let name = format!("decode.{}.{}", venue.name(), kind.name(venue));
            all.push(Workload::new(name, 64 * VARIANTS, move || {
                let stream = messages::stream(venue, kind).into_iter();
                let numbered =
                    stream.map(|m| m.replace(NEXT_ID, FIRST_ID).replace(LAST_ID, FIRST_ID));
                decoding(venue, numbered.map(String::into_bytes).collect())
            }));
        }
    }
    all.push(Workload::new("decode.binance-spot.snapshot-1000", VARIANTS, || {
        let (mut decoder, message) =
            (Binance::new(MESSAGE_BYTES_MAX), messages::binance_snapshot());
        endless(move || {
            let outcome = decoder.decode_snapshot(message.as_bytes(), "BTCUSDT", |event| {
                black_box(&event);
            });
            assert_eq!(outcome, Ok(()));
            message.len()
        })
    }));
}

/// The same with real messages. Their bytes are not the repository's, so they are timed only.
pub(crate) fn recorded_workloads(all: &mut Vec<Workload>) {
    for recording in recorded::load() {
        let (venue, kind, messages) = (recording.venue, recording.kind, recording.messages);
        let name = format!("decode.recorded.{}.{}", venue.name(), kind.name(venue));
        let counted = messages.len() as u64;
        let make = move || decoding(venue, messages.clone());
        all.push(Workload::new(name, counted, make));
    }
}
