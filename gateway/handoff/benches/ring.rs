//! What a record costs: the writer alone, the writer beside readers, and the way across.
//!
//! ```text
//!                               +--> reader 1   each a thread: copies runs out,
//!   writer --append, flush--> RING --> reader 2   touches every record, polls,
//!   (this thread)               +--> reader 3   yields when it finds nothing
//! ```
//!
//! free: the writer never looks back, readers may lose; its CPU time per record is what counts.
//! lossless: the bench holds the writer within half a ring of the slowest reader; records per
//! second. hop: one record at a time to a reader that polls, from before `publish` to after `read`.
//! The writer is pinned to the first core, the readers take turns on the others: what is measured
//! is the way between cores, not the scheduler's choice. All cases are interleaved in each round;
//! printed are medians of the rounds. `--json` for machines.
#![allow(clippy::print_stdout, reason = "a report is what this program is for")]

use std::{
    env, fs, hint,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use core_affinity::CoreId;
use crossbeam_utils::CachePadded;
use handoff::{Batch, Read, Reader, channel};

const RECORD_SIZE: usize = 64;
const RECORDS: u64 = 3_000_000;
const CAPACITY_BYTES: usize = 1 << 20;
const BATCH_BYTES: usize = 1 << 14;
const READERS_MAX: usize = 3;
const ROUNDS: usize = 5;
const HOPS: usize = 10_000;
const HOP_GAP: Duration = Duration::from_micros(5);

/// Asked for once, before the first thread is pinned: a pinned thread sees only its own.
static CORES: LazyLock<Vec<CoreId>> =
    LazyLock::new(|| core_affinity::get_core_ids().unwrap_or_default());

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Free,
    Lossless,
}

/// One way to run the ring, and what its rounds gave.
struct Case {
    mode: Mode,
    readers: usize,
    records_per_flush: u64,
    outcomes: Vec<Outcome>,
}

#[derive(Clone, Copy)]
struct Outcome {
    writer_cpu_ns: f64,
    records_per_s: f64,
    /// Of what was published, how much the readers got, averaged over them.
    delivered_share: f64,
    /// Per record seen, averaged over the readers; inflated by polling where few were seen.
    reader_cpu_ns: f64,
}

/// Where each reader is, for the lossless mode; no part of the ring.
type Progress = Arc<Vec<CachePadded<AtomicU64>>>;

/// This thread's time on a core so far, which a busy neighbour does not inflate.
fn thread_cpu_ns() -> f64 {
    // The kernel brings the figure up to date when it switches.
    thread::yield_now();
    let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts CPU time");
    stat.split(' ').next().and_then(|ns| ns.parse().ok()).expect("its first figure is time on CPU")
}

/// Core 0 is the writer's; readers 1, 2, .. share the others, or core 0 if there is no other.
fn pin(thread: usize) {
    let core = match (thread, CORES.len()) {
        (0, _) | (_, 0 | 1) => 0,
        (reader, count) => 1 + (reader - 1) % (count - 1),
    };
    if let Some(core) = CORES.get(core) {
        core_affinity::set_for_current(*core);
    }
}

fn follow(mut reader: Reader, progress: &AtomicU64) -> (u64, f64) {
    let mut batch = Batch::with_size_max(BATCH_BYTES);
    let (mut seen, mut sum) = (0, 0_u64);
    let begin = thread_cpu_ns();
    while reader.position().records() < RECORDS {
        match reader.read(&mut batch) {
            Read::Records(count) => {
                seen += count as u64;
                for record in &batch {
                    sum = sum.wrapping_add(u64::from(record[0]) + record.len() as u64);
                }
                progress.store(reader.position().bytes(), Ordering::Release);
            }
            Read::Lagged { .. } => progress.store(reader.position().bytes(), Ordering::Release),
            Read::Empty => thread::yield_now(),
        }
    }
    hint::black_box(sum);
    (seen, thread_cpu_ns() - begin)
}

fn slowest(progress: &Progress) -> u64 {
    progress.iter().map(|at| at.load(Ordering::Acquire)).min().unwrap_or(u64::MAX)
}

fn run(mode: Mode, readers: usize, records_per_flush: u64) -> Outcome {
    let (mut writer, subscribers) = channel(CAPACITY_BYTES).expect("a power of two");
    let progress: Progress = Arc::new((0..readers).map(|_| CachePadded::default()).collect());
    let followers: Vec<_> = (0..readers)
        .map(|which| {
            let reader = subscribers.subscribe(|| {}).expect("few readers");
            let progress = Arc::clone(&progress);
            thread::spawn(move || {
                pin(1 + which);
                follow(reader, &progress[which])
            })
        })
        .collect();

    let record = [7; RECORD_SIZE];
    let room = CAPACITY_BYTES as u64 / 2;
    let mut reached = slowest(&progress);
    let (begin, cpu_begin) = (Instant::now(), thread_cpu_ns());
    for index in 0..RECORDS {
        let end = writer.append(hint::black_box(&record)).expect("a small record");
        if index % records_per_flush == records_per_flush - 1 {
            writer.flush();
            while mode == Mode::Lossless && end.bytes().saturating_sub(reached) > room {
                reached = slowest(&progress);
                if end.bytes().saturating_sub(reached) > room {
                    thread::yield_now();
                }
            }
        }
    }
    writer.flush();
    let writer_cpu_ns = (thread_cpu_ns() - cpu_begin) / RECORDS as f64;
    let mut elapsed = begin.elapsed();
    let mut outcome =
        Outcome { writer_cpu_ns, records_per_s: 0.0, delivered_share: 0.0, reader_cpu_ns: 0.0 };
    for follower in followers {
        let (seen, cpu_ns) = follower.join().expect("a reader never panics");
        outcome.delivered_share += seen as f64 / RECORDS as f64 / readers as f64;
        outcome.reader_cpu_ns += cpu_ns / seen.max(1) as f64 / readers as f64;
    }
    if mode == Mode::Lossless {
        elapsed = begin.elapsed();
    }
    outcome.records_per_s = RECORDS as f64 / elapsed.as_secs_f64();
    outcome
}

/// Nanoseconds from before a publish until a polling reader holds the record, sorted.
fn hops() -> Vec<u64> {
    let (mut writer, subscribers) = channel(CAPACITY_BYTES).expect("a power of two");
    let mut reader = subscribers.subscribe(|| {}).expect("the only reader");
    let epoch = Instant::now();
    let polling = thread::spawn(move || {
        pin(1);
        let mut batch = Batch::with_size_max(BATCH_BYTES);
        let mut hops_ns = Vec::with_capacity(HOPS);
        while reader.position().records() < HOPS as u64 {
            if let Read::Records(_) = reader.read(&mut batch) {
                let now = epoch.elapsed().as_nanos() as u64;
                hops_ns.extend(batch.iter().map(|record| {
                    let stamp = record.first_chunk().expect("a record begins with its stamp");
                    now - u64::from_ne_bytes(*stamp)
                }));
            }
            hint::spin_loop();
        }
        hops_ns
    });
    let mut record = [0; RECORD_SIZE];
    for _ in 0..HOPS {
        let due = Instant::now() + HOP_GAP;
        while Instant::now() < due {
            hint::spin_loop();
        }
        record[..8].copy_from_slice(&(epoch.elapsed().as_nanos() as u64).to_ne_bytes());
        writer.publish(&record).expect("a small record");
    }
    let mut hops_ns = polling.join().expect("the reader never panics");
    hops_ns.sort_unstable();
    hops_ns
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn summary(outcomes: &[Outcome]) -> Outcome {
    let of = |figure: fn(&Outcome) -> f64| median(outcomes.iter().map(figure));
    Outcome {
        writer_cpu_ns: of(|one| one.writer_cpu_ns),
        records_per_s: of(|one| one.records_per_s),
        delivered_share: of(|one| one.delivered_share),
        reader_cpu_ns: of(|one| one.reader_cpu_ns),
    }
}

fn print_table(cases: &[Case], hop_ns: [f64; 2], cores: usize) {
    println!("ring of {CAPACITY_BYTES} bytes, records of {RECORD_SIZE} bytes, {RECORDS} a run");
    println!("medians of {ROUNDS} rounds; {cores} cores: more threads than these take turns\n");
    println!("mode      readers  per flush  writer CPU ns  reader CPU ns  Mrecords/s  delivered");
    for case in cases {
        let name = if case.mode == Mode::Free { "free" } else { "lossless" };
        let of = summary(&case.outcomes);
        println!(
            "{name:8}  {:7}  {:9}  {:13.1}  {:13.1}  {:10.1}  {:8.1}%",
            case.readers,
            case.records_per_flush,
            of.writer_cpu_ns,
            of.reader_cpu_ns,
            of.records_per_s / 1e6,
            of.delivered_share * 100.0
        );
    }
    println!("\nhop to a polling reader: p50 {:.0} ns, p99 {:.0} ns", hop_ns[0], hop_ns[1]);
}

fn print_json(cases: &[Case], hop_ns: [f64; 2], cores: usize) {
    let rows: Vec<String> = cases
        .iter()
        .map(|case| {
            let of = summary(&case.outcomes);
            format!(
                "{{\"mode\":\"{}\",\"readers\":{},\"records_per_flush\":{},\"writer_cpu_ns\":{:.2},\
                 \"reader_cpu_ns\":{:.2},\"records_per_s\":{:.0},\"delivered_share\":{:.4}}}",
                if case.mode == Mode::Free { "free" } else { "lossless" },
                case.readers,
                case.records_per_flush,
                of.writer_cpu_ns,
                of.reader_cpu_ns,
                of.records_per_s,
                of.delivered_share
            )
        })
        .collect();
    println!(
        "{{\"cores\":{cores},\"capacity_bytes\":{CAPACITY_BYTES},\"record_size\":{RECORD_SIZE},\
         \"records\":{RECORDS},\"rounds\":{ROUNDS},\"hop_ns\":{{\"p50\":{:.0},\"p99\":{:.0}}},\
         \"cases\":[{}]}}",
        hop_ns[0],
        hop_ns[1],
        rows.join(",")
    );
}

fn main() {
    let cores = CORES.len();
    pin(0);
    let mut cases = Vec::new();
    for (mode, records_per_flush) in [(Mode::Free, 1), (Mode::Free, 16), (Mode::Lossless, 16)] {
        for readers in usize::from(mode == Mode::Lossless)..=READERS_MAX {
            cases.push(Case { mode, readers, records_per_flush, outcomes: Vec::new() });
        }
    }
    let mut hop_rounds = Vec::new();
    for _ in 0..ROUNDS {
        for case in &mut cases {
            case.outcomes.push(run(case.mode, case.readers, case.records_per_flush));
        }
        hop_rounds.push(hops());
    }
    let hop_ns = [50, 99].map(|percent| {
        median(hop_rounds.iter().map(|hops| hops[(hops.len() * percent / 100).max(1) - 1] as f64))
    });
    if env::args().any(|argument| argument == "--json") {
        print_json(&cases, hop_ns, cores);
    } else {
        print_table(&cases, hop_ns, cores);
    }
}
