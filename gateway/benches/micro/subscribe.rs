//! A request to its acks and snapshots, taken as the shard takes them.
//!
//! Each session asks once; then, unmeasured, all of them leave what they hold and the next burst
//! begins.

use market::SymbolId;

use crate::case::{Case, Workload};
use crate::fixtures::VARIANTS;
use crate::shard::Shard;

struct Subscribing {
    shard: Shard,
    subscribe: String,
    unsubscribe: String,
    asked: usize,
    bytes: u64,
}

impl Subscribing {
    fn new(params: &str, symbol_count: u32, session_count: u64) -> Self {
        let mut shard = Shard::new(symbol_count, session_count);
        let names = shard.symbols.iter().map(|name| format!("\"{name}\""));
        let names = names.collect::<Vec<_>>().join(",");
        let request = |method| {
            format!(
                "{{\"method\":\"{method}\",\"params\":{{{params},\"symbol\":[{names}]}},\
                 \"req_id\":1234567}}"
            )
        };
        let (subscribe, unsubscribe) = (request("subscribe"), request("unsubscribe"));
        // A subscription is not the symbol's first: its lists are there.
        let key = shard.fanout.handle_open(session_count, 0);
        shard.hear(key, &subscribe);
        assert!(shard.gather() > 0);
        assert_eq!(shard.fanout.truth().find("S000/USDT"), Some(SymbolId(0)));
        Self { shard, subscribe, unsubscribe, asked: 0, bytes: 0 }
    }
}

impl Case for Subscribing {
    fn run(&mut self, count: u64) {
        for _ in 0..count {
            let key = self.shard.sessions[self.asked];
            self.asked += 1;
            self.shard.hear(key, &self.subscribe);
            self.bytes += self.shard.gather() as u64;
        }
    }

    fn burst(&self) -> u64 {
        (self.shard.sessions.len() - self.asked) as u64
    }

    fn reset(&mut self) {
        for at in 0..self.asked {
            let key = self.shard.sessions[at];
            self.shard.hear(key, &self.unsubscribe);
            self.shard.gather();
        }
        self.asked = 0;
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

pub(crate) fn workloads(all: &mut Vec<Workload>) {
    let mut add = |what: &str, params: &'static str, symbol_count: u32| {
        let name = format!("subscribe.{what}.{symbol_count}");
        let sessions = if symbol_count > 1 { VARIANTS } else { 16 * VARIANTS };
        all.push(Workload::new(name, sessions, move || {
            Box::new(Subscribing::new(params, symbol_count, sessions))
        }));
    };
    add("ticker", r#""channel":"ticker","event_trigger":"bbo""#, 1);
    add("ticker", r#""channel":"ticker","event_trigger":"bbo""#, 100);
    add("book-10", r#""channel":"book","depth":10"#, 1);
    add("book-10", r#""channel":"book","depth":10"#, 100);
}
