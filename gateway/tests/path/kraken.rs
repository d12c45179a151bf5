//! The recorded Kraken market through the whole gateway: the venue's own checksums come out again.
//!
//! The recorded book is rebuilt here from the file; each of its checksums, in order, and the last
//! book are what dashboards are told.

use feed_sim::{Replay, Speed};

use super::book::Book;
use super::json::Json;
use super::recorded::find;
use super::rig::{Gateway, PATIENCE, free_port, kraken_feed, wish};
use super::view::{BookFrame, Rules, apply_book};

const DEPTH: usize = 10;
const PATIENT: &str = "[ingest]\nbackoff_min_ms = 10\nbackoff_max_ms = 100\n";

/// The rules by which the recorded Kraken market is watched.
const KRAKEN: Rules = Rules { sequenced: true, depth: DEPTH, keeps_frames: true };

#[test]
fn the_recorded_kraken_market_arrives_with_every_checksum_right() {
    let Some(file) = find("kraken_v2/btcusd_book10_wiretext_first256.jsonl") else { return };
    let venue = free_port();
    let feed = kraken_feed(venue, DEPTH);
    let gateway = Gateway::start(&format!("{PATIENT}{feed}"));
    let mut wish = wish(true, DEPTH, &["book"], &["*"]);
    wish.rules = KRAKEN;
    let dashboard = gateway.dashboard("kraken", &wish);
    wish.rules.sequenced = false;
    wish.rules.keeps_frames = false;
    let plain = gateway.dashboard("plain", &wish);
    for dashboard in [&dashboard, &plain] {
        dashboard.wait("the subscription is granted", PATIENCE, |view| view.acks == 1);
    }
    let recorded = std::fs::read_to_string(&file).expect("it was there");
    let (mut book, mut due) = (Book::default(), Vec::new());
    for line in recorded.lines() {
        let message = Json::parse(line).expect("recorded JSON");
        let item = &message.list("data").expect("recorded data")[0];
        // The venue may remove a level that was cut; only its checksum counts.
        let _ = apply_book(&mut book, item, due.is_empty(), DEPTH);
        assert_eq!(item.whole("checksum"), Some(book.checksum()), "the recording is right");
        due.push(book.checksum());
    }
    let replay = Replay { kraken: vec![file], speed: Speed::Factor(20.0), ..Replay::default() };
    let simulator = replay.start_thread(venue).expect("the port is still free");
    let name = "BTC/USD";
    dashboard.wait("every update has arrived", PATIENCE, |view| {
        view.frames.get(name).is_some_and(|frames| frames.len() >= due.len())
    });
    plain.wait("the plain dashboard holds the last book", PATIENCE, |view| {
        view.books.get(name).is_some_and(|told| told.has_same_top(&book, DEPTH))
    });
    let checksum = |frame: &BookFrame| {
        let message = Json::parse(&frame.text).expect("it was read before");
        message.list("data").expect("it was read before")[0].whole("checksum")
    };
    let told: Vec<_> = dashboard.view().frames[name].iter().filter_map(checksum).collect();
    assert_eq!(told, due, "the venue's own checksums, one after the other");
    assert!(dashboard.view().books[name].has_same_top(&book, DEPTH));
    let feed = gateway.feed();
    assert_eq!((feed.checksum_failures.value(), feed.gaps.value()), (0, 0));
    dashboard.is_content();
    plain.is_content();
    eprintln!("{} of {} checksums right", told.len(), simulator.stop().ticks);
}
