//! A follower that does not keep up: the ring goes on without it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use gateway::relay_frame::{GREETING_BYTES, Greeting, put_greeting};
use rustix::process::Signal;

use super::client::{last_positions, session};
use super::rig::market;
use super::site::Site;

/// A ring that is soon once round.
const SMALL: &str = "[ring]\nbytes = 65536\n";
const SHALLOW: &str = "book_levels_max = 10\n";

#[test]
fn an_edge_that_was_lapped_is_brought_up_to_date_and_says_what_is_missing() {
    let site = Site::new(market(2000.0));
    let hub = site.hub("write_timeout_ms = 60000\n", SHALLOW, SMALL);
    // What it finds after its own standstill is not taken for the relay's.
    let patient = format!("{SHALLOW}silence_timeout_ms = 30000\n");
    let edge = site.edge(&patient, "");
    edge.until_ready();
    let mut link = session(&edge.target);
    let written = "gateway_ingest_ring_written_bytes_total";
    edge.signal(Signal::STOP);
    let before = hub.counted(written);
    // More than its socket and the ring hold together.
    hub.wait("the ring is once round", |hub| hub.counted(written) > before + 1_000_000);
    edge.signal(Signal::CONT);
    link.until("it hears of the gap", |link| link.view.announced > 0);
    assert!(link.notices("gap").all(|gap| gap["reason"] == "lagged"), "{:?}", link.notes);
    drop(site.venue.stop());
    let last = last_positions(&hub);
    link.until("all that was published", |link| link.positions == last);
    link.is_content();
    assert!(hub.counted("gateway_relay_laps_total") > 0);
    assert!(edge.counted("gateway_follow_truths_total") > 1);
    assert_eq!(edge.counted("gateway_follow_new_lives_total"), 0);
}

#[test]
fn a_follower_that_reads_nothing_is_let_go_and_delays_nobody() {
    let site = Site::new(market(2000.0));
    let hub = site.hub("write_timeout_ms = 300\n", "", "");
    hub.until_ready();
    let mut link = session(&hub.target);
    let mut deaf = UnixStream::connect(&site.relay).expect("a relay");
    let mut greeting = Vec::new();
    put_greeting(Greeting::default(), &mut greeting);
    deaf.write_all(&greeting).expect("sent");
    deaf.read_exact(&mut [0; GREETING_BYTES]).expect("greeted");
    let slow = "gateway_relay_refused_total{reason=\"slow\"}";
    let told = link.view.book_updates;
    let mut is_over = false;
    link.until("it is let go, and the market goes on", |link| {
        is_over |= hub.sample(slow) == 1;
        is_over && link.view.book_updates > told + 1000
    });
    assert_eq!(link.view.announced, 0);
    hub.wait("its place is free", |hub| hub.counted("gateway_relay_followers") == 0);
}
