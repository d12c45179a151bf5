//! Hours of coming and going: memory, descriptors and sessions must not creep.
//!
//! `SOAK_MINUTES=10 cargo test -p gateway --test faults --release -- --ignored soak --nocapture`
//! prints a line every ten seconds. The gateway is a program of its own, so that what is measured is
//! the gateway's alone.
#![allow(clippy::print_stdout, reason = "a soak reports as it goes")]

use std::time::{Duration, Instant};

use serde_json::json;

use super::link::Link;
use super::program::Program;
use super::rig::{CHANNELS, SHALLOW, any_port, market, subscribe};

/// Sessions inside at a time; the oldest leaves when another comes.
const INSIDE: usize = 100;
const MINUTES: u64 = 10;
/// Growth an hour that is noise, once everything has warmed up.
const SLOPE_MAX: f64 = 8.0 * 1024.0 * 1024.0;

struct Sample {
    seconds: f64,
    resident: f64,
    descriptors: u64,
}

/// The least-squares slope, bytes an hour.
fn slope(samples: &[Sample]) -> f64 {
    let count = samples.len() as f64;
    let mean = |value: fn(&Sample) -> f64| samples.iter().map(value).sum::<f64>() / count;
    let (time, bytes) = (mean(|s| s.seconds), mean(|s| s.resident));
    let above = samples.iter().map(|s| (s.seconds - time) * (s.resident - bytes)).sum::<f64>();
    let below = samples.iter().map(|s| (s.seconds - time).powi(2)).sum::<f64>();
    3600.0 * above / below.max(f64::MIN_POSITIVE)
}

/// One that comes: some read on, some never read, some leave badly.
fn come(program: &Program, number: usize) -> Link {
    let mut link = Link::open(&program.target);
    let pace = json!({ "conflate_ms": 50 * (number % 4) });
    for channel in CHANNELS {
        let terms = if channel == "trade" { json!({}) } else { pace.clone() };
        link.say(&subscribe(channel, &["*"], &terms));
    }
    if number.is_multiple_of(5) {
        let socket = socket2::SockRef::from(&link.socket);
        socket.set_linger(Some(Duration::ZERO)).expect("an option");
    }
    link
}

#[test]
#[ignore = "takes minutes: see above"]
fn soak() {
    let minutes = std::env::var("SOAK_MINUTES").ok().and_then(|text| text.parse().ok());
    let length = Duration::from_secs(60 * minutes.unwrap_or(MINUTES));
    let venue = market(300.0).start_thread(any_port()).expect("it starts");
    let rest = "[ring]\nbytes = 1048576\n[ingest]\nbook_levels_max = 100\n\
        [shard]\nhistory_bytes_max = 3000000\nwrite_timeout_ms = 5000\n";
    let mut program = Program::start(venue.addr(), "", SHALLOW, rest);
    let mut inside = std::collections::VecDeque::new();
    let (mut samples, mut came) = (Vec::<Sample>::new(), 0_usize);
    let begun = Instant::now();
    while begun.elapsed() < length {
        assert!(program.is_alive(), "the gateway ended");
        inside.push_back((came, come(&program, came)));
        came += 1;
        if inside.len() > INSIDE {
            drop(inside.pop_front());
        }
        // One in seven never reads. What the others hear is checked as it comes, and not kept.
        for (number, link) in &mut inside {
            if *number % 7 == 0 {
                continue;
            }
            link.listen(Duration::from_micros(1));
            link.frames.clear();
            link.notes.clear();
            link.view.tickers.clear();
            link.view.trades.clear();
            assert!(link.view.violations.is_empty(), "{:#?}", link.view.violations);
        }
        if begun.elapsed().as_secs() / 10 >= samples.len() as u64 {
            samples.push(sample(&program, begun.elapsed(), came));
        }
    }
    drop(inside);
    program.wait("all have left", |p| {
        p.counted("gateway_shard_sessions") == 0 && p.counted("gateway_shard_subscriptions") == 0
    });
    let metrics = program.metrics();
    let of = |name: &str| super::rig::counted(&metrics, name);
    assert_eq!(of("gateway_shard_sessions_opened_total"), came as u64);
    assert_eq!(of("gateway_shard_sessions_closed_total"), came as u64);
    let warm = &samples[samples.len() / 3..];
    let slope = slope(warm);
    println!("{came} sessions came and left; memory grows by {slope:.0} bytes an hour");
    assert!(slope < SLOPE_MAX, "{slope:.0} bytes an hour");
    let most = warm.iter().map(|sample| sample.descriptors).max().unwrap_or_default();
    assert!(most < INSIDE as u64 + 64, "{most} descriptors");
    program.wait("descriptors are back", |p| p.counted("process_open_fds") < 40);
}

fn sample(program: &Program, at: Duration, came: usize) -> Sample {
    let metrics = program.metrics();
    let of = |name: &str| super::rig::counted(&metrics, name);
    let [opened, closed, active] = [
        of("gateway_shard_sessions_opened_total"),
        of("gateway_shard_sessions_closed_total"),
        of("gateway_shard_sessions"),
    ];
    let (resident, descriptors) = (of("process_resident_memory_bytes"), of("process_open_fds"));
    println!(
        "{:4} s: {came} came, opened {opened} - closed {closed} = {}, active {active}; {} KiB, \
         {descriptors} descriptors",
        at.as_secs(),
        opened - closed,
        resident >> 10
    );
    // A scrape is not of one instant: a session may be between two counters.
    assert!((opened - closed).abs_diff(active) <= 2, "sessions are lost count of");
    Sample { seconds: at.as_secs_f64(), resident: resident as f64, descriptors }
}
