//! A session that asks for every depth, pace and interval there is, again and again: what it leaves
//! behind must not grow.
#![allow(unsafe_code, reason = "counting what the allocator holds takes a wrapper around it")]

mod scene;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering};

use fanout::{Limits, SessionKey};
use market::{Body, BookChange, Level, Levels, Price, Size};
use scene::{LIMITS, Scene, quote, trade};

struct Counting;

static HELD_BYTES: AtomicI64 = AtomicI64::new(0);

// SAFETY: every call goes to the system's allocator unchanged; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD_BYTES.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD_BYTES.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SYMBOLS: usize = 20;
const PACES_MS: [u32; 6] = [0, 5, 50, 250, 1000, 60_000];

static LEVELS: [[Level; 1]; 2] =
    [[Level { price: Price(10), size: Size(1) }], [Level { price: Price(10), size: Size(2) }]];

/// A change of the book that leaks nothing.
fn book(at: u64) -> Body<'static> {
    let bids = Levels::new(&LEVELS[(at % 2) as usize]);
    Body::Book(BookChange { bids, asks: Levels::new(&[]) })
}

/// Every class of every symbol, and away from it.
fn churn(scene: &mut Scene, key: SessionKey, now_s: &mut u64) {
    let depths =
        [10, 25, 100, 500, 1000].map(|depth| format!(r#""channel":"book","depth":{depth}"#));
    let bars = [1, 5, 60].map(|minutes| format!(r#""channel":"ohlc","interval":{minutes}"#));
    let tickers = ["bbo", "trades"]
        .map(|trigger| format!(r#""channel":"ticker","event_trigger":"{trigger}""#));
    for topic in depths.iter().chain(&bars).chain(&tickers) {
        for pace_ms in PACES_MS {
            for sequenced in [false, true] {
                let x = format!(r#","x":{{"seq":{sequenced},"conflate_ms":{pace_ms}}}"#);
                let ask = |method: &str, x: &str| {
                    format!(r#"{{"method":"{method}","params":{{{topic},"symbol":["*"]{x}}}}}"#)
                };
                scene.ask(key, &ask("subscribe", &x));
                assert!(scene.written(key).contains(r#""success":true"#));
                for id in 0..SYMBOLS as u32 {
                    scene.tick(id, quote(i64::from(pace_ms) + 10));
                    scene.tick(id, trade(1 + *now_s));
                    scene.tick(id, book(*now_s));
                }
                // Every other time its socket is full, and it is away before it hears anything.
                if sequenced {
                    scene.block(key);
                }
                scene.ask(key, &ask("unsubscribe", ""));
                *now_s += 1;
                scene.at(*now_s * 1_000_000_000);
                scene.written(key);
            }
        }
    }
    // What waited for the end of the longest pace.
    *now_s += 120;
    scene.at(*now_s * 1_000_000_000);
    scene.written(key);
}

#[test]
fn a_session_that_asks_for_everything_again_and_again_leaves_nothing_behind() {
    let names: Vec<String> = (0..SYMBOLS).map(|n| format!("S{n}")).collect();
    let mut scene = Scene::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let requests_per_second_max = 1_000_000;
    scene.fanout.set_limits(Limits { requests_per_second_max, ..LIMITS });
    let mut now_s = 1;
    let key = scene.open();
    let mut held = Vec::new();
    for _ in 0..6 {
        churn(&mut scene, key, &mut now_s);
        held.push(HELD_BYTES.load(Ordering::Relaxed));
    }
    // Tapes, history and bars have filled up by then; a class is some 200 bytes.
    let growth = held[5] - held[3];
    assert!(growth.abs() < 20_000, "{growth} bytes more in two rounds: {held:?}");
    let class_count = scene.fanout.class_count();
    assert!(class_count <= 4 * SYMBOLS, "{class_count} classes that nobody needs");
    scene.fanout.handle_gone(key);
    assert_eq!(scene.fanout.counters().subscriptions, 0);
}
