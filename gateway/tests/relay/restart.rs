//! A rolling restart of two edges: whoever asks to go on misses nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use super::client::{Client, last_positions};
use super::rig::{CHANNELS, SYMBOLS, market};
use super::site::{Program, Site};

const CLIENTS: usize = 6;

/// Drains an edge, waits until all are at the other one, and starts it again.
fn restart(edge: &mut Program, clients: &[Client], next: usize) {
    edge.signal(Signal::TERM);
    assert_eq!(edge.ended(), Some(0), "a drain in order");
    for client in clients {
        wait_until(|| *client.at.lock().expect("whole") == next, "everybody is at the other");
    }
    let before: Vec<u64> = clients.iter().map(numbered).collect();
    edge.start_again();
    edge.until_ready();
    for (client, before) in clients.iter().zip(before) {
        wait_until(|| numbered(client) > before + 200, "the market goes on");
    }
}

fn numbered(client: &Client) -> u64 {
    client.positions.lock().expect("whole").values().sum()
}

fn wait_until(mut met: impl FnMut() -> bool, what: &str) {
    let deadline = std::time::Instant::now() + super::rig::PATIENCE;
    while !met() {
        assert!(std::time::Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn edges_restarted_one_after_the_other_lose_nobody_a_number() {
    let site = Site::new(market(400.0));
    let hub = site.hub("", "", "");
    hub.until_ready();
    let mut edges = [site.edge("", "[shard]\ncount = 2\n"), site.edge("", "")];
    edges.iter().for_each(Program::until_ready);
    let over = Arc::new(AtomicBool::new(false));
    let targets = || [edges[0].target.clone(), edges[1].target.clone()];
    let clients: Vec<Client> =
        (0..CLIENTS).map(|_| Client::start(targets(), Arc::clone(&over))).collect();
    restart(&mut edges[0], &clients, 1);
    restart(&mut edges[1], &clients, 0);
    // The market ends; what is told last is told to all, here and there.
    drop(site.venue.stop());
    let last = last_positions(&hub);
    for client in &clients {
        wait_until(|| *client.positions.lock().expect("whole") == last, "all that was published");
    }
    over.store(true, Ordering::Relaxed);
    for client in clients {
        let (link, tally) = client.end();
        assert_eq!(tally.codes, [1012, 1012]);
        assert_eq!(tally.recovered, 2 * CHANNELS.len() * SYMBOLS, "all of each return");
        link.is_content();
        assert_eq!((link.view.announced, link.view.merged), (0, 0), "each update by itself");
        assert!(link.view.book_updates > 100);
    }
    let shown = hub.get("/feeds").expect("operators are answered");
    assert!(shown.contains(r#""followers":2"#), "{shown}");
    let shown = edges[0].get("/feeds").expect("operators are answered");
    assert!(
        shown.contains(r#""feed":"followed""#) && shown.contains(r#""feed":"venue""#),
        "{shown}"
    );
    assert_eq!(hub.counted("gateway_relay_truths_total"), 4, "one for each start of an edge");
}
