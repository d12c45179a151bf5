//! Lines that crawl, close their window, vanish, or break all at once.

use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use gateway::metrics::CloseReason;
use serde_json::json;
use socket2::SockRef;
use wire::close::CloseCode;

use super::link::Link;
use super::proxy::Proxy;
use super::rig::{CHANNELS, Gateway, PATIENCE, SHALLOW, SYMBOLS, market, market_of, subscribe};

#[test]
fn a_dashboard_on_a_line_of_a_tenth_of_the_rate_has_the_newest_and_the_order() {
    let gateway =
        Gateway::start(market_of(12_000, 3000.0), SHALLOW, "[shard]\ntrades_behind_max = 20\n");
    let mut healthy = gateway.session(&CHANNELS, &json!({}));
    // 3,000 ticks a second are some 1,000,000 bytes a second.
    let proxy = Proxy::start(&gateway.target, 64_000);
    let mut crawling = Link::open(&proxy.target);
    for channel in CHANNELS {
        crawling.say(&subscribe(channel, &["*"], &json!({})));
    }
    let mut was_behind = false;
    while !gateway.venue.is_done() {
        healthy.listen(Duration::from_millis(2));
        crawling.listen(Duration::from_millis(2));
        was_behind |= gateway.behind() > 0;
    }
    assert!(was_behind, "the line was too slow for all");
    healthy.listen_for(Duration::from_millis(300));
    let stood_still = Instant::now();
    crawling.until("it has the newest of everything", |link| link.positions == healthy.positions);
    let took = stood_still.elapsed();
    eprintln!("the newest was there {took:.2?} after the last tick; {}", crawling.view.merged);
    assert!(took < Duration::from_secs(10), "what waited was old: {took:?}");
    for (symbol, book) in &healthy.view.books {
        assert!(book.has_same_top(&crawling.view.books[symbol], 10), "{symbol}");
    }
    assert!(crawling.view.merged > 0);
    healthy.is_content();
    crawling.is_content();
    assert_eq!(gateway.sessions(), 2);
}

#[test]
fn a_closed_window_ends_at_the_write_deadline_whatever_the_dashboard_says() {
    let rest = "[shard]\nwrite_timeout_ms = 1500\nping_ms = 60000\n";
    let gateway = Gateway::start(market(6000.0), SHALLOW, rest);
    let mut healthy = gateway.session(&CHANNELS, &json!({}));
    let mut closed = gateway.session(&CHANNELS, &json!({}));
    let mut blocked_at = None;
    let mut pinged_at = Instant::now();
    let deadline = Instant::now() + PATIENCE;
    while gateway.closed(CloseCode::TooSlow) == 0 {
        assert!(Instant::now() < deadline, "it is not closed");
        if gateway.behind() > 0 {
            blocked_at.get_or_insert_with(Instant::now);
        }
        // Its kernel acknowledges every probe, and it says that it lives, less often than would be
        // a flood. An error is the end.
        if pinged_at.elapsed() > Duration::from_millis(200) {
            pinged_at = Instant::now();
            let _ = closed.ping();
        }
        healthy.listen(Duration::from_millis(20));
    }
    let took = blocked_at.expect("it fell behind").elapsed();
    // The deadline, a look, and two seconds for the close to be answered.
    assert!(took < Duration::from_millis(1500 + 2000 + 1000), "closed after {took:.2?}");
    assert!(took > Duration::from_secs(1), "closed after {took:.2?}");
    healthy.is_content();
    assert_eq!((gateway.sessions(), healthy.view.announced), (1, 0));
}

#[test]
fn a_line_that_was_cut_is_noticed_by_its_missing_pong_and_freed() {
    let rest = "[shard]\nping_ms = 1000\npong_timeout_ms = 500\n";
    let gateway = Gateway::start(market(300.0), "", rest);
    let proxy = Proxy::start(&gateway.target, 0);
    let mut link = Link::open(&proxy.target);
    for channel in CHANNELS {
        link.say(&subscribe(channel, &["*"], &json!({})));
    }
    link.until("it is served", |link| link.view.books.len() == SYMBOLS);
    // It answers pings while the line holds.
    link.listen_for(Duration::from_millis(2500));
    assert_eq!(gateway.sessions(), 1);
    proxy.cut();
    let cut = Instant::now();
    gateway.wait("it is freed", PATIENCE, |gateway| gateway.sessions() == 0);
    // Ping, pong, a look, and two seconds for the close to be answered.
    let took = cut.elapsed();
    assert!(took < Duration::from_millis(1000 + 500 + 2000 + 1000), "freed after {took:.2?}");
    assert_eq!(gateway.closed(CloseCode::HeartbeatMissed), 1);
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("a process has descriptors").count()
}

#[test]
fn five_hundred_sessions_reset_at_once_are_freed_within_a_second() {
    const CROWD: usize = 500;
    let gateway = Gateway::start(market(300.0), "", "");
    let mut healthy = gateway.session(&CHANNELS, &json!({}));
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut link = Link::open(&gateway.target);
        link.say(&subscribe("book", &["*"], &json!({})));
        crowd.push(link);
        healthy.listen(Duration::from_micros(1));
    }
    gateway.wait("all are in", PATIENCE, |gateway| {
        healthy.listen(Duration::from_millis(1));
        gateway.counted("gateway_shard_subscriptions") >= ((CROWD + 3) * SYMBOLS) as u64
    });
    let [ours, theirs] = gateway_ends(&gateway);
    assert!(theirs > CROWD, "{theirs} sockets of sessions");
    for link in &crowd {
        SockRef::from(&link.socket).set_linger(Some(Duration::ZERO)).expect("an option");
    }
    assert!(crowd.iter().all(|link| link.socket.as_raw_fd() > 0) && ours > 0);
    let reset = Instant::now();
    drop(crowd);
    gateway.wait("all are freed", PATIENCE, |gateway| gateway.sessions() == 1);
    let took = reset.elapsed();
    assert!(took < Duration::from_secs(1), "freed after {took:.2?}");
    assert_eq!(gateway.ended(CloseReason::ConnectionLost), CROWD as u64);
    gateway.wait("so are their subscriptions", PATIENCE, |gateway| {
        gateway.counted("gateway_shard_subscriptions") == (3 * SYMBOLS) as u64
    });
    gateway.wait("their sockets are closed", PATIENCE, |gateway| gateway_ends(gateway)[1] == 1);
    healthy.listen_for(Duration::from_millis(200));
    healthy.is_content();
    assert_eq!(healthy.view.announced, 0);
    eprintln!("{CROWD} sessions freed after {took:.2?}");
}

/// Descriptors of this process, and established connections whose local end is the gateway's door:
/// other tests of this process open some too.
fn gateway_ends(gateway: &Gateway) -> [usize; 2] {
    let door = format!(":{:04X}", gateway.target.address.port());
    let table = std::fs::read_to_string("/proc/self/net/tcp").expect("a table of connections");
    let is_end = |line: &&str| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, _, state) = (fields.next(), fields.next(), fields.next());
        local.is_some_and(|local| local.ends_with(&door)) && matches!(state, Some("01" | "08"))
    };
    [descriptors(), table.lines().filter(is_end).count()]
}
