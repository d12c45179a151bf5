//! Two shards, a network and its dashboards in simulated time: one seed is one run.
//!
//! ```text
//!  Venue (naive) --records--> ring, as a list --each at its pace, lapped at times--> 2 x Fanout
//!      |                                                                              |
//!      | what was true when              Guard <-- up --+  socket buffer, bandwidth,  |
//!      v                                                |  latency, stall, reset      v
//!  Dashboards: subscribe, change pace, stall, leave, come back to either shard, resume <- down
//! ```
//!
//! Held, at every frame: numbers go up by one, or the frame says for how many it stands, or a gap
//! is announced; it says what was true at its number; a book's checksum is that of the levels held;
//! a resumed subscription goes on behind what its dashboard had, on whichever shard. At every turn:
//! who can be written hears something in time, who cannot holds a bounded backlog. And when the
//! network heals and the venue falls silent, everybody holds the truth within bounded time.
//!
//! `SEED=n` repeats a run, `SEEDS=n` makes so many. 20,000:
//! `SEEDS=20000 cargo test --release -p fanout --test simulation`.
#![expect(clippy::print_stdout, reason = "the seed of a failure is to be seen")]

#[path = "../model/book.rs"]
mod book;
mod dashboard;
mod followed;
mod link;
#[path = "../model/said.rs"]
#[allow(dead_code, reason = "shared with the model, which reads the rest")]
mod said;
mod shard;
mod timeline;
#[path = "../model/venue.rs"]
#[allow(dead_code, reason = "shared with the model, which uses the rest")]
mod venue;
mod world;

use world::{Seen, World};

/// Runs of an ordinary test.
const SEEDS: u64 = 2000;

#[test]
fn everybody_is_told_the_truth_whatever_the_network_does() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let one = number("SEED");
    let seeds = one.map_or(0..number("SEEDS").unwrap_or(SEEDS), |seed| seed..seed + 1);
    let mut total = Seen::default();
    for seed in seeds {
        // Printed by the harness when an assertion below fails: run again with SEED=<seed>.
        println!("seed {seed}");
        total.add(&World::new(seed).run());
    }
    println!("{total:?}");
    assert!(one.is_some() || total.has_all(), "the runs must have seen everything: {total:?}");
}
