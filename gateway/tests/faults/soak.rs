//! Coming and going under a light load: memory, descriptors and sessions must not creep, and nobody
//! who reads may miss or be told wrongly of anything. Half a minute with the other tests; memory is
//! judged from ten minutes on, when all has warmed up.
//!
//! `SOAK_MINUTES=60 cargo test -p gateway --test faults --release -- soak --nocapture`
//! writes a line each minute to standard output, and to `SOAK_LOG` where that names a file;
//! `SOAK_PER_SECOND` are the sessions that come each second, 10 without it. The
//! gateway is a program of its own, so that what is measured is the gateway's alone. Both can be
//! copied away and run from elsewhere: `SOAK_GATEWAY` names the gateway's program then.
#![allow(clippy::print_stdout, reason = "a soak reports as it goes")]

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::json;

use super::link::Link;
use super::program::Program;
use super::rig::{CHANNELS, SHALLOW, any_port, counted, market, subscribe};

/// Sessions inside at a time; the oldest leaves when another comes.
const INSIDE: usize = 100;
const SHORT: Duration = Duration::from_secs(30);
/// What is shorter tells nothing of memory.
const MEMORY_FROM: Duration = Duration::from_secs(600);
/// Who come each second: each stays for some ten seconds.
const PER_SECOND: u64 = 10;
/// Between two looks at what those inside were told, whatever is due.
const AT_ONCE_MAX: u64 = 8;
const TICKS_PER_SECOND: f64 = 120.0;
const SAMPLE_EVERY_MAX: Duration = Duration::from_secs(10);
const SAMPLES_MIN: u32 = 30;
/// Growth an hour that is noise, once everything has warmed up.
const SLOPE_MAX: f64 = 8.0 * 1024.0 * 1024.0;
/// Descriptors beyond those of the sessions inside: files, listeners, who is on the way out.
const DESCRIPTORS_BESIDE_MAX: u64 = 64;
/// By how much the most descriptors of the last third may exceed those of the second.
const DESCRIPTORS_MORE_MAX: u64 = 8;

struct Sample {
    seconds: f64,
    resident: f64,
    descriptors: u64,
}

/// What the dashboards that read were told.
#[derive(Default)]
struct Told {
    updates: u64,
    announced: u64,
    /// Sessions whose end came from the gateway.
    ended: u64,
    violations: Vec<String>,
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

/// One in seven never reads.
fn reads(number: usize) -> bool {
    !number.is_multiple_of(7)
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

/// Reads what is there, checks it as it comes, and keeps none of it.
fn listen(link: &mut Link, told: &mut Told) {
    link.listen(Duration::from_micros(1));
    link.frames.clear();
    link.notes.clear();
    link.view.tickers.clear();
    link.view.trades.clear();
    told.updates += std::mem::take(&mut link.view.book_updates);
    told.announced += std::mem::take(&mut link.view.announced);
    told.violations.append(&mut link.view.violations);
}

fn settled(link: &Link, told: &mut Told) {
    told.ended += u64::from(link.end.is_some());
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn soak() {
    let minutes = asked("SOAK_MINUTES");
    let length = minutes.map_or(SHORT, |minutes| Duration::from_secs(60 * minutes));
    let sample_every = SAMPLE_EVERY_MAX.min(length / SAMPLES_MIN);
    let per_second = asked("SOAK_PER_SECOND").unwrap_or(PER_SECOND);
    let mut log = std::env::var_os("SOAK_LOG").map(|name| File::create(name).expect("a file"));
    let venue = market(TICKS_PER_SECOND).start_thread(any_port()).expect("it starts");
    let rest = "[ring]\nbytes = 1048576\n[ingest]\nbook_levels_max = 100\n\
        [shard]\nhistory_bytes_max = 3000000\nwrite_timeout_ms = 5000\n";
    let mut program = Program::start(venue.addr(), "", SHALLOW, rest);
    let mut inside = VecDeque::new();
    let (mut samples, mut came, mut told) = (Vec::<Sample>::new(), 0_usize, Told::default());
    let (begun, mut minute) = (Instant::now(), 0);
    while begun.elapsed() < length {
        assert!(program.is_alive(), "the gateway ended");
        let due = begun.elapsed().as_millis() as u64 * per_second / 1000 + 1;
        for _ in 0..due.saturating_sub(came as u64).min(AT_ONCE_MAX) {
            inside.push_back((came, come(&program, came)));
            came += 1;
            if inside.len() > INSIDE
                && let Some((number, link)) = inside.pop_front()
                && reads(number)
            {
                settled(&link, &mut told);
            }
        }
        for (_, link) in inside.iter_mut().filter(|(number, _)| reads(*number)) {
            listen(link, &mut told);
        }
        assert!(told.violations.is_empty(), "{:#?}", told.violations);
        if begun.elapsed() >= sample_every * samples.len() as u32 {
            let (sample, line) = sample(&program, begun.elapsed(), came, &told);
            samples.push(sample);
            if begun.elapsed().as_secs() / 60 >= minute {
                minute += 1;
                say(&mut log, &line);
            }
        }
    }
    drop(inside);
    program.wait("all have left", |p| {
        p.counted("gateway_shard_sessions") == 0 && p.counted("gateway_shard_subscriptions") == 0
    });
    let (_, line) = sample(&program, begun.elapsed(), came, &told);
    say(&mut log, &line);
    let slope = (length >= MEMORY_FROM).then(|| slope(&samples[samples.len() / 3..]));
    judge(&program, &samples, slope, (came as u64, &told), &mut log);
}

fn say(log: &mut Option<File>, line: &str) {
    println!("{line}");
    if let Some(log) = log {
        writeln!(log, "{line}").expect("written");
    }
}

fn judge(
    program: &Program,
    samples: &[Sample],
    slope: Option<f64>,
    (came, told): (u64, &Told),
    log: &mut Option<File>,
) {
    let metrics = program.metrics();
    let third = samples.len() / 3;
    let most = |part: &[Sample]| part.iter().map(|one| one.descriptors).max().unwrap_or_default();
    let (before, after) = (most(&samples[third..2 * third]), most(&samples[2 * third..]));
    let growth = slope.map_or("memory is not judged".to_owned(), |slope| {
        format!("memory grows by {slope:.0} bytes an hour")
    });
    say(
        log,
        &format!(
            "{came} sessions came and left; {growth}; at most \
             {before} descriptors in the second third, {after} in the last; {} book updates \
             checked, {} numbers announced as missing, {} sessions ended by the gateway",
            told.updates, told.announced, told.ended
        ),
    );
    assert_eq!(counted(&metrics, "gateway_shard_sessions_opened_total"), came);
    assert_eq!(counted(&metrics, "gateway_shard_sessions_closed_total"), came);
    assert!(slope.is_none_or(|slope| slope < SLOPE_MAX), "{growth}");
    assert!(after < INSIDE as u64 + DESCRIPTORS_BESIDE_MAX, "{after} descriptors");
    assert!(after <= before + DESCRIPTORS_MORE_MAX, "descriptors: {before}, then {after}");
    assert_eq!((told.announced, told.ended), (0, 0), "who reads misses nothing and is not ended");
    program.wait("descriptors are back", |p| p.counted("process_open_fds") < 40);
    say(log, "the soak has passed");
}

fn sample(program: &Program, at: Duration, came: usize, told: &Told) -> (Sample, String) {
    let metrics = program.metrics();
    let of = |name: &str| counted(&metrics, name);
    let [opened, closed, active] = [
        of("gateway_shard_sessions_opened_total"),
        of("gateway_shard_sessions_closed_total"),
        of("gateway_shard_sessions"),
    ];
    let (resident, descriptors) = (of("process_resident_memory_bytes"), of("process_open_fds"));
    // A scrape is not of one instant: a session may be between two counters.
    assert!((opened - closed).abs_diff(active) <= 2, "sessions are lost count of");
    let line = format!(
        "{:4} s: {came} came, opened {opened} - closed {closed} = {}, active {active}; {} KiB, \
         {descriptors} descriptors; {} book updates checked, {} announced as missing, {} ended",
        at.as_secs(),
        opened - closed,
        resident >> 10,
        told.updates,
        told.announced,
        told.ended
    );
    (Sample { seconds: at.as_secs_f64(), resident: resident as f64, descriptors }, line)
}
