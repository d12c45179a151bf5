//! Ten thousand symbols in one subscription, and a neighbour who must not notice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use feed_sim::Generate;
use serde_json::json;
use socket2::SockRef;

use super::link::Link;
use super::rig::{Gateway, PATIENCE, market, subscribe};

const UNIVERSE: usize = 10_000;
const REST: &str = "[ingest]\nsymbols_max = 10000\nsilence_timeout_ms = 30000\n\
    [shard]\nsubscriptions_max = 20000\nhistory_bytes_max = 1000000\n";

#[test]
fn a_subscription_to_ten_thousand_symbols_is_served_while_a_neighbours_updates_flow() {
    let market = Generate { symbols: UNIVERSE, zipf: 1.0, ..market(1000.0) };
    let gateway = Gateway::start(market, "", REST);
    gateway.wait("the universe is known", 2 * PATIENCE, |gateway| {
        gateway.counted("gateway_ingest_symbols") == UNIVERSE as u64
            && gateway.counted("gateway_ingest_ticks_published_total") > 3 * UNIVERSE as u64
    });
    let mut huge = Link::open(&gateway.target);
    let mut neighbour = Link::open(&gateway.target);
    neighbour.say(&subscribe("book", &["BTC/USD"], &json!({})));
    neighbour.until("it is served", |link| link.view.book_updates > 20);
    // A reader with a line of its own: what takes long is the gateway's doing.
    SockRef::from(&huge.socket).set_recv_buffer_size(1 << 20).expect("an option");
    huge.say(&subscribe("book", &["*"], &json!({})));
    huge.say(&subscribe("ticker", &["*"], &json!({})));
    let begun = Instant::now();
    let is_served = AtomicBool::new(false);
    let quiet_max = std::thread::scope(|scope| {
        let beside = scope.spawn(|| {
            let (mut quiet_max, mut heard_at) = (Duration::ZERO, Instant::now());
            while !is_served.load(Ordering::SeqCst) {
                let known = neighbour.view.book_updates;
                neighbour.listen(Duration::from_millis(50));
                if neighbour.view.book_updates > known {
                    quiet_max = quiet_max.max(heard_at.elapsed());
                    heard_at = Instant::now();
                }
            }
            quiet_max.max(heard_at.elapsed())
        });
        let is_whole =
            |link: &Link| link.view.books.len() == UNIVERSE && link.view.tickers.len() == UNIVERSE;
        while !is_whole(&huge) && begun.elapsed() < 2 * PATIENCE {
            huge.listen(Duration::from_millis(50));
        }
        is_served.store(true, Ordering::SeqCst);
        assert!(is_whole(&huge), "{} {}", huge.view.books.len(), huge.view.tickers.len());
        beside.join().expect("the neighbour does not panic")
    });
    let took = begun.elapsed();
    huge.is_content();
    neighbour.is_content();
    assert_eq!((neighbour.view.announced, neighbour.view.merged), (0, 0), "it missed nothing");
    assert!(quiet_max < Duration::from_secs(2), "the neighbour waited {quiet_max:.2?}");
    eprintln!("{UNIVERSE} symbols twice in {took:.2?}; the neighbour waited {quiet_max:.2?}");
}
