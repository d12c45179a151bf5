//! What a decision costs, as a subscribe to 10,000 symbols asks for them.
//!
//! ```text
//! 10,000 names ──> Entitlement::decide ──> 10,000 answers     one thread, in memory, no I/O
//! ```
//!
//! `cargo bench -p rights --bench decide` prints nanoseconds a decision: best and median of 50
//! passes.
#![allow(clippy::print_stdout, reason = "a report for whoever runs it")]

use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use market::{Channel, Nanos};
use rights::{Ask, Authenticator, Credentials, Decision, Register, Rules, Wall};

const SYMBOLS: usize = 10_000;
const PASSES: usize = 50;

fn main() {
    let all = "[[rules]]\nsymbols = [\"*\"]\nquality = \"realtime\"\n".to_owned();
    measure("one rule for everything", &all);
    measure(
        "one rule, 10,000 names",
        &format!("[[rules]]\nsymbols = {:?}\nquality = \"realtime\"\n", names()),
    );
    measure("20 rules of 5 patterns, the last fits", &(rules(20, "S{}/*") + &all));
    measure("20 rules of 5 odd patterns, the last fits", &(rules(20, "*a*{}*b*") + &all));
    measure("100 rules of 5 patterns, the last fits", &(rules(100, "S{}/*") + &all));
}

fn names() -> Vec<String> {
    (0..SYMBOLS).map(|n| format!("SYMBOL{n}/USD")).collect()
}

fn rules(count: usize, pattern: &str) -> String {
    (0..count).fold(String::new(), |mut text, rule| {
        let patterns: Vec<_> =
            (0..5).map(|n| pattern.replace("{}", &(rule * 5 + n + 20_000).to_string())).collect();
        // Writing to a String cannot fail.
        _ = write!(text, "[[rules]]\nsymbols = {patterns:?}\nquality = \"none\"\n");
        text
    })
}

fn measure(what: &str, text: &str) {
    let rules = Rules::parse(text, Path::new("entitlements.toml"), Duration::MAX);
    let rules = Arc::new(rules.unwrap_or_else(|error| panic!("{error}")));
    let open = Authenticator::new(Register::open(), None);
    let identity = open.authenticate(&Credentials::None, Wall(Nanos(1)));
    let entitlement = rules.entitlement(&identity.expect("the gateway is open"));
    let names = names();
    let mut passes: Vec<u128> = (0..PASSES)
        .map(|_| {
            let begun = Instant::now();
            for symbol in &names {
                let ask = Ask { symbol, channel: Channel::Book, depth: 10, pace_ms: 0 };
                let decision = black_box(entitlement.decide(black_box(&ask)));
                assert!(matches!(decision, Decision::Granted(_)), "{symbol}");
            }
            begun.elapsed().as_nanos()
        })
        .collect();
    passes.sort_unstable();
    let each = |pass: u128| pass as f64 / SYMBOLS as f64;
    println!(
        "{what:44} best {:7.1} ns, median {:7.1} ns",
        each(passes[0]),
        each(passes[PASSES / 2])
    );
}
