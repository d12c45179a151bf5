//! Whatever bytes come, a decoder answers, and what it answers next is not affected.
#![allow(missing_docs, reason = "a test says by its name what it is for")]

mod messages;

use messages::{BINANCE, BINANCE_BOOK, KRAKEN};
use proptest::prelude::*;
use venue::{Binance, Kraken};

fn known() -> Vec<&'static str> {
    [&KRAKEN[..], &BINANCE, &[BINANCE_BOOK]].concat()
}

fn feed_all(message: &[u8]) {
    let (mut kraken, mut binance) = (Kraken::new(1 << 16), Binance::new(1 << 16));
    let _ = kraken.decode(message, |_| {});
    let _ = binance.decode(message, |_| {});
    let _ = binance.decode_snapshot(message, "S", |_| {});
    let mut count = 0;
    for known in KRAKEN {
        let outcome = kraken.decode(known.as_bytes(), |_| count += 1);
        assert_eq!(outcome, Ok(()), "{known} after {message:?}");
    }
    for known in BINANCE {
        let outcome = binance.decode(known.as_bytes(), |_| count += 1);
        assert_eq!(outcome, Ok(()), "{known} after {message:?}");
    }
    let outcome = binance.decode_snapshot(BINANCE_BOOK.as_bytes(), "S", |_| count += 1);
    assert_eq!(outcome, Ok(()), "{BINANCE_BOOK} after {message:?}");
    assert_eq!(count, KRAKEN.len() + BINANCE.len() + 1, "an event each after {message:?}");
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        feed_all(&bytes);
    }

    #[test]
    fn random_json_like_text_never_panics(
        text in r#"[\[\]{}":,0-9eE+.a-z\\ -]{0,200}"#,
    ) {
        feed_all(text.as_bytes());
    }

    #[test]
    fn mutated_messages_never_panic(
        known in prop::sample::select(known()),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..6),
    ) {
        let mut message = known.as_bytes().to_vec();
        for (at, byte, kind) in edits {
            if message.is_empty() {
                break;
            }
            let at = at.index(message.len());
            match kind {
                0 => message[at] = byte,
                1 => drop(message.remove(at)),
                _ => message.truncate(at),
            }
        }
        feed_all(&message);
    }
}
