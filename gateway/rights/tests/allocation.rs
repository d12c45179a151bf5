//! A decision allocates nothing, whatever it is about.
#![allow(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    reason = "counting what the allocator is asked for takes a wrapper around it"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use market::{Channel, Nanos};
use rights::{Ask, Authenticator, Credentials, Decision, Register, Rules, Wall};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator unchanged; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
    let rules = Arc::new(Rules::parse(text, Path::new("e.toml")).unwrap());
    let open = Authenticator::new(Register::open(), None);
    let anybody = open.authenticate(&Credentials::None, Wall(Nanos(1))).unwrap();
    let entitlement = rules.entitlement(&anybody);
    let symbols = ["BTC/USD", "XMR/USD", "BTC-OLD", "nothing", "xaxbxcx", ""];
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let mut granted = 0;
    for symbol in symbols {
        for channel in [Channel::Book, Channel::Trade] {
            let ask = Ask { symbol, channel, depth: 100, pace_ms: 0 };
            let decision = black_box(entitlement.decide(black_box(&ask)));
            granted += u64::from(matches!(decision, Decision::Granted(_)));
        }
    }
    let allocated = ALLOCATIONS.load(Ordering::Relaxed) - before;
    assert_eq!((granted, allocated), (4, 0));
}
