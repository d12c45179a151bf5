//! What the targets of both venue dialects share: events as text, once they are seen to be sound.

#![forbid(unsafe_code)]

use market::Decimal;
use venue::{BookDelta, BookSnapshot, DecodeError, Event, Level};

/// The decoders' limit.
pub const BYTES_MAX: usize = 1 << 16;

/// Every event of one message as text, each checked, and the outcome.
pub fn check_events(
    decode: impl FnOnce(&mut dyn FnMut(Event<'_>)) -> Result<(), DecodeError>,
) -> (Vec<String>, Result<(), DecodeError>) {
    let mut events = Vec::new();
    let outcome = decode(&mut |event| {
        check(&event);
        events.push(format!("{event:?}"));
    });
    if let Err(error) = outcome {
        assert!(venue::KINDS.contains(&error.kind()), "{error}");
    }
    (events, outcome)
}

fn check(event: &Event<'_>) {
    match event {
        Event::Trade(trade) => check_level(Level { price: trade.price, size: trade.size }),
        Event::Quote(quote) => [quote.bid, quote.ask].into_iter().for_each(check_level),
        Event::Ticker(ticker) => [ticker.bid, ticker.ask].into_iter().for_each(check_level),
        Event::BookSnapshot(BookSnapshot { bids, asks, .. })
        | Event::BookDelta(BookDelta { bids, asks, .. }) => {
            bids.iter().chain(*asks).copied().for_each(check_level);
        }
        _ => {}
    }
}

/// Prices and sizes are never negative, and their text reads back as what it came from.
fn check_level(level: Level) {
    for amount in [level.price, level.size] {
        assert!(amount.mantissa() >= 0, "{amount:?}");
        let text = amount.to_string();
        assert_eq!(Decimal::parse(text.as_bytes()).ok(), Some(amount), "{text}");
    }
}
