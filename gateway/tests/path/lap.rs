//! A shard that the ring overtakes: its sessions are brought up to date, number by number.
//!
//! The ring is as small as the config allows and the market comes in bursts of many times what it
//! holds, so ingest overtakes the shard, which has sessions to serve.

use std::time::Duration;

use feed_sim::{Burst, Generate};
use gateway::metrics::TickKind;

use super::dashboard::Dashboard;
use super::faults::same_books;
use super::rig::{Gateway, PATIENCE, any_port, kraken_feed, wish};
use super::venue::{self, DEPTH, SYMBOLS, market};

const SMALL: &str = "[ring]\nbytes = 65536\n[shard]\noutbox_bytes_max = 1073741824\n\
    [ingest]\nbook_levels_max = 10\nsilence_timeout_ms = 60000\n";
const BURST: Burst = Burst { count: 20_000, every_ms: 500 };
/// Ticks until the market stands still.
const TICKS: u64 = 90_000;
const SESSIONS: usize = 4;

#[test]
fn a_lapped_shard_brings_every_session_up_to_date_and_hides_nothing() {
    let bursts = Generate { burst: Some(BURST), ticks_max: Some(TICKS), ..market() };
    let bursts = Generate { wait_for_subscriber: true, ..bursts };
    let simulator = bursts.start_thread(any_port()).expect("it starts");
    let gateway = Gateway::start(&format!("{SMALL}{}", kraken_feed(simulator.addr(), DEPTH)));
    let channels = ["ticker", "trade", "book"];
    let numbered: Vec<Dashboard> = (0..SESSIONS)
        .map(|number| {
            gateway.dashboard(&format!("numbered {number}"), &wish(true, DEPTH, &channels, &["*"]))
        })
        .collect();
    let plain = gateway.dashboard("plain", &wish(false, DEPTH, &["book"], &["*"]));
    plain.wait("every book is there", PATIENCE, |view| view.books.len() == SYMBOLS);
    let symbols: Vec<String> = plain.view().books.keys().cloned().collect();
    gateway.wait("the market stands still", Duration::from_secs(40), |_| simulator.is_done());

    let witness = venue::witness(simulator.addr(), &symbols);
    witness.wait("the venue shows its books", PATIENCE, |view| view.books.len() == SYMBOLS);
    for dashboard in numbered.iter().chain([&plain]) {
        dashboard
            .wait("the books are the venue's", PATIENCE, |view| same_books(view, &witness.view()));
    }
    let laps = gateway.laps();
    let lost: u64 = gateway.metrics.shards.iter().map(|shard| shard.lost_records.value()).sum();
    assert!(laps > 0 && lost > 0, "the burst did not overtake the shard");
    let published = |kinds: &[TickKind]| {
        kinds.iter().map(|kind| gateway.metrics.ingest.ticks_published.of(*kind).value()).sum()
    };
    let trades: u64 = published(&[TickKind::Trade]);
    let books: u64 = published(&[TickKind::Book]);
    let tickers: u64 = published(&[TickKind::Quote, TickKind::Statistics]);
    for dashboard in &numbered {
        dashboard.wait("every number is told or announced", PATIENCE, |view| {
            let told = ["trade", "book", "ticker"].map(|channel| view.numbered(channel));
            told == [trades, books, tickers]
        });
        dashboard.is_content();
        assert!(dashboard.view().merged > 0, "what was missed is named");
    }
    plain.is_content();
    let view = numbered[0].view();
    let (announced, merged) = (view.announced, view.merged);
    eprintln!(
        "{laps} laps, {lost} records lost of {books} book changes, {trades} trades and {tickers} \
         quotes; announced {announced}, merged {merged}"
    );
}
