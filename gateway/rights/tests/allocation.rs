//! A decision allocates nothing, whatever it is about.
#![allow(missing_docs, clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::alloc::System;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use allocations::Counting;
use market::{Channel, Nanos};
use rights::{Ask, Authenticator, Credentials, Decision, Register, Rules, Wall};

#[global_allocator]
static ALLOCATOR: Counting<System> = Counting::new(System);

#[test]
fn a_decision_allocates_nothing() {
    let text = r#"
        [[rules]]
        symbols = ["XMR/*", "*-OLD", "*a*b*c*"]
        quality = "none"
        [[rules]]
        symbols = ["*"]
        quality = "delayed"
        delay_minutes = 15
        channels = ["book"]
        [[rules]]
        symbols = ["BTC/USD"]
        quality = "realtime"
    "#;
    let rules = Arc::new(Rules::parse(text, Path::new("e.toml"), Duration::MAX).unwrap());
    let open = Authenticator::new(Register::open(), None);
    let anybody = open.authenticate(&Credentials::None, Wall(Nanos(1))).unwrap();
    let entitlement = rules.entitlement(&anybody);
    let symbols = ["BTC/USD", "XMR/USD", "BTC-OLD", "nothing", "xaxbxcx", ""];
    let before = ALLOCATOR.count();
    let mut granted = 0;
    for symbol in symbols {
        for channel in [Channel::Book, Channel::Trade] {
            let ask = Ask { symbol, channel, depth: 100, pace_ms: 0 };
            let decision = black_box(entitlement.decide(black_box(&ask)));
            granted += u64::from(matches!(decision, Decision::Granted(_)));
        }
    }
    let allocated = ALLOCATOR.count() - before;
    assert_eq!((granted, allocated), (4, 0));
}
