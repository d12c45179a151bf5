//! Real messages, sorted by kind, from the recordings beside the project; none where they are
//! absent.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;

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

pub(crate) fn folder() -> PathBuf {
    std::env::var_os("GATEWAY_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")),
        PathBuf::from,
    )
}

pub(crate) fn load() -> Vec<Recording> {
    let mut recordings = Vec::new();
    for (venue, name) in FILES {
        let Ok(file) = std::fs::File::open(folder().join(name)) else { continue };
        let lines: Vec<String> = if venue == Venue::Kraken {
            BufReader::new(file).lines().map_while(Result::ok).collect()
        } else {
            let unpacked = BufReader::new(flate2::read::MultiGzDecoder::new(file));
            unpacked.lines().map_while(Result::ok).collect()
        };
        for kind in Kind::ALL {
            let messages: Vec<Vec<u8>> = lines
                .iter()
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
