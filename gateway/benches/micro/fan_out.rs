//! One tick to the sessions that want it: fold, find, encode once, gather a copy for each.
//!
//! The copy into the send arena is counted, sealing and sending are not. `idle` is a tick nobody
//! wants. A trade also moves the bars of every length and the ticker.

use market::{Body, BookChange, Levels, SymbolId};

use crate::case::{Case, Round, Workload, endless};
use crate::fixtures::{self, VARIANTS};
use crate::shard::Shard;

#[derive(Clone, Copy)]
enum Kind {
    Quote,
    Trade,
    Book,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Quote => "quote",
            Self::Trade => "trade",
            Self::Book => "book-10",
        }
    }

    /// What a dashboard that wants it asks.
    const fn request(self) -> &'static str {
        match self {
            Self::Quote => {
                concat!(
                    r#"{"method":"subscribe","params":{"channel":"ticker","symbol":["S000/USDT"],"#,
                    r#""event_trigger":"bbo"}}"#
                )
            }
            Self::Trade => {
                r#"{"method":"subscribe","params":{"channel":"trade","symbol":["S000/USDT"]}}"#
            }
            Self::Book => {
                concat!(
                    r#"{"method":"subscribe","params":{"channel":"book","symbol":["S000/USDT"],"#,
                    r#""depth":10}}"#
                )
            }
        }
    }
}

fn fanning(kind: Kind, session_count: u64) -> Box<dyn Case> {
    let mut shard = Shard::new(1, session_count);
    for key in shard.sessions.clone() {
        shard.hear(key, kind.request());
    }
    shard.gather();
    let mut variants = Round::new((0..VARIANTS).collect());
    let changes: Vec<_> = (0..VARIANTS).map(fixtures::change).collect();
    endless(move || {
        let variant = *variants.next();
        let body = match kind {
            Kind::Quote => Body::Quote(fixtures::quote(variant)),
            Kind::Trade => Body::Trade(fixtures::trade(variant)),
            Kind::Book => {
                let [bids, asks] = &changes[variant as usize];
                Body::Book(BookChange { bids: Levels::new(bids), asks: Levels::new(asks) })
            }
        };
        shard.tick(SymbolId(0), body);
        let bytes = shard.gather();
        assert_eq!(bytes > 0, session_count > 0, "who wants it gets it");
        bytes
    })
}

pub(crate) fn workloads(all: &mut Vec<Workload>) {
    for kind in [Kind::Quote, Kind::Trade, Kind::Book] {
        for session_count in [0, 1, 10, 1000] {
            let name = match session_count {
                0 => format!("fanout.{}.idle", kind.name()),
                some => format!("fanout.{}.{some}", kind.name()),
            };
            let counted = if session_count < 1000 { 16 * VARIANTS } else { VARIANTS };
            all.push(Workload::new(name, counted, move || fanning(kind, session_count)));
        }
    }
}
