//! The gateway that is followed is killed, restarted, or stands still.

use rustix::process::Signal;
use serde_json::json;

use super::client::{connect, recovered, resumptions, session};
use super::link::{Link, Target};
use super::rig::{CHANNELS, DEPTH, SYMBOLS, market, subscribe, subscribe_plainly};
use super::site::{Site, free_port};
use super::view::{Rules, View};

fn are_all(link: &Link, state: &str) -> bool {
    let is = |symbol: &String| link.view.state(symbol) == state;
    link.view.books.len() == SYMBOLS && link.view.books.keys().all(is)
}

/// A session without extensions that holds every book.
fn plain(target: &Target) -> Link {
    let mut link = Link::connect(target, false).expect("a session");
    link.say(&subscribe_plainly("book", &["*"]));
    link.until("it has every book", |link| link.view.books.len() == SYMBOLS);
    link
}

#[test]
fn a_hub_that_was_killed_is_stale_at_once_and_comes_back_as_another_life() {
    let site = Site::new(market(300.0));
    let mut hub = site.hub("", "", "");
    // One follows the hub, another follows that one.
    let middle = free_port();
    let edge = site.edge("", &format!("[relay]\nlisten = \"{middle}\"\n"));
    let tail = site.follower(&middle.to_string(), "", "");
    edge.until_ready();
    tail.until_ready();
    let mut links = [session(&edge.target), session(&tail.target)];
    let mut plain = plain(&edge.target);
    let mut idle = Link::open(&edge.target);
    assert_eq!(links[0].epoch, links[1].epoch, "one numbering");
    hub.signal(Signal::KILL);
    hub.ended();
    for link in &mut links {
        link.until("all is stale", |link| are_all(link, "stale"));
    }
    edge.wait("it says so", |edge| !edge.is_ready());
    tail.wait("it says so", |tail| !tail.is_ready());
    hub.start_again();
    for (link, target) in links.iter_mut().zip([&edge.target, &tail.target]) {
        assert_eq!(link.until_closed(), 4005, "{:?}", link.lost);
        assert!(link.view.violations.is_empty(), "{:#?}", link.view.violations);
        let rules = Rules { sequenced: true, depth: DEPTH, keeps_frames: false };
        let mut again = connect(target, View::new(rules));
        for request in &resumptions(link) {
            again.say(request);
        }
        let asked = CHANNELS.len() * SYMBOLS;
        again.until("every symbol is granted", |link| link.view.acks == asked);
        assert_eq!(recovered(&again), vec![false; asked]);
        assert_ne!(again.epoch, link.epoch);
        again.until("the market goes on", |link| link.view.book_updates > 3 * SYMBOLS as u64);
        again.is_content();
    }
    assert_eq!(plain.until_closed(), 4005);
    assert!(plain.view.violations.is_empty(), "{:#?}", plain.view.violations);
    // Who held nothing was told nothing that could be wrong by now.
    idle.say(&subscribe("trade", &["*"], &json!({})));
    idle.until("it has every symbol", |link| link.view.acks > 0);
    edge.until_ready();
    tail.until_ready();
    assert_eq!(edge.counted("gateway_follow_new_lives_total"), 1);
    assert_eq!(tail.counted("gateway_follow_new_lives_total"), 1);
}

#[test]
fn a_hub_that_stands_still_is_stale_and_goes_on_without_a_gap() {
    let site = Site::new(market(300.0));
    let hub = site.hub("", "silence_timeout_ms = 30000\n", "");
    let edge = site.edge("silence_timeout_ms = 800\nconnect_timeout_ms = 500\n", "");
    edge.until_ready();
    let mut link = session(&edge.target);
    link.until("news", |link| link.view.book_updates > 3 * SYMBOLS as u64);
    hub.signal(Signal::STOP);
    link.until("all is stale", |link| are_all(link, "stale"));
    let told = link.view.book_updates;
    hub.signal(Signal::CONT);
    link.until("all is well", |link| are_all(link, "ok"));
    link.until("the market goes on", |link| link.view.book_updates > told + 100);
    link.is_content();
    assert_eq!((link.view.announced, link.view.merged), (0, 0), "each update by itself");
    assert!(edge.sample("gateway_follow_faults_total{reason=\"silent\"}") > 0);
    assert!(edge.counted("gateway_follow_go_ons_total") > 0);
    assert_eq!(edge.counted("gateway_follow_truths_total"), 1);
}
