//! Real messages, sorted by kind, from the recordings beside the project; none, said
//! loudly, where they are absent.

#[path = "../../tests/support/recorded.rs"]
mod files;

use crate::messages::{Kind, Venue};

/// Messages of one kind, in their order.
pub(crate) struct Recording {
    pub(crate) venue: Venue,
    pub(crate) kind: Kind,
    pub(crate) messages: Vec<Vec<u8>>,
}

/// Of each kind, from the beginning of the recording.
const MESSAGES_MAX: usize = 2000;

const FILES: [(Venue, &str); 3] = [
    (Venue::Spot, "binance_spot/btcusdt_20240808.gz"),
    (Venue::UsdM, "binance_usdm/btcusdt_20240808.gz"),
    (Venue::Kraken, "kraken_v2/btcusd_book10_wiretext_first256.jsonl"),
];

pub(crate) fn load() -> Vec<Recording> {
    let mut recordings = Vec::new();
    for (venue, name) in FILES {
        let Some(path) = files::find(name) else { continue };
        let text = files::text(&path);
        for kind in Kind::ALL {
            let messages: Vec<Vec<u8>> = text
                .lines()
                .filter(|line| is_of(line, venue, kind))
                // Binance's lines begin with the time of receipt.
                .map(|line| line.as_bytes()[line.find('{').unwrap_or(0)..].to_vec())
                .take(MESSAGES_MAX)
                .collect();
            if !messages.is_empty() {
                recordings.push(Recording { venue, kind, messages });
            }
        }
    }
    recordings
}

fn is_of(line: &str, venue: Venue, kind: Kind) -> bool {
    let mark = match venue {
        Venue::Kraken => format!("\"channel\":\"{}\",\"type\":\"update\"", kind.name(venue)),
        Venue::Spot | Venue::UsdM => format!("@{}", kind.name(venue)),
    };
    line.contains(&mark)
}
