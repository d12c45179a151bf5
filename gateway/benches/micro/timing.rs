//! Wall time per operation, and allocations: all workloads in turn, round after round.
//!
//! On a shared machine the minimum over the rounds is what the work takes when left alone, the
//! median what it took here and now. Both are printed; neither says anything about tails.

use std::time::Instant;

use allocations::Counting;
use mimalloc::MiMalloc;

use crate::case::{Case, Workload, run_in_bursts};

/// What the gateway runs with, counted.
#[global_allocator]
static ALLOCATOR: Counting<MiMalloc> = Counting::new(MiMalloc);

const ROUNDS: usize = 15;
/// Long enough that the clock and the call do not show.
const ROUND_NS: f64 = 2e6;

/// What was measured of a workload, per operation.
pub(crate) struct Figures {
    pub(crate) name: String,
    pub(crate) ns_min: f64,
    pub(crate) ns_median: f64,
    pub(crate) bytes: f64,
    pub(crate) allocations: f64,
}

/// Nanoseconds that `count` operations take, resets left out.
fn time(case: &mut dyn Case, count: u64) -> f64 {
    let mut ns = 0.0;
    run_in_bursts(case, count, |case, count| {
        let begin = Instant::now();
        case.run(count);
        ns += begin.elapsed().as_nanos() as f64;
    });
    ns
}

/// Allocations of `count` operations, resets left out.
pub(crate) fn count_allocations(case: &mut dyn Case, count: u64) -> u64 {
    let mut sum = 0;
    run_in_bursts(case, count, |case, count| {
        let before = ALLOCATOR.count();
        case.run(count);
        sum += ALLOCATOR.count() - before;
    });
    sum
}

struct Running<'a> {
    workload: &'a Workload,
    case: Box<dyn Case>,
    count: u64,
    allocations: f64,
    bytes: f64,
    times: Vec<f64>,
}

impl<'a> Running<'a> {
    fn new(workload: &'a Workload) -> Self {
        let mut case = workload.warm();
        let counted = workload.counted;
        let bytes_before = case.bytes();
        let allocations = count_allocations(&mut *case, counted) as f64 / counted as f64;
        let bytes = (case.bytes() - bytes_before) as f64 / counted as f64;
        let once = time(&mut *case, counted) / counted as f64;
        let count = ((ROUND_NS / once) as u64).clamp(1, 1 << 20);
        Self { workload, case, count, allocations, bytes, times: Vec::new() }
    }

    fn round(&mut self) {
        let ns = time(&mut *self.case, self.count) / self.count as f64;
        self.times.push(ns);
    }

    fn figures(mut self) -> Figures {
        self.times.sort_by(f64::total_cmp);
        Figures {
            name: self.workload.name.clone(),
            ns_min: self.times[0],
            ns_median: self.times[self.times.len() / 2],
            bytes: self.bytes,
            allocations: self.allocations,
        }
    }
}

pub(crate) fn measure(workloads: &[Workload]) -> Vec<Figures> {
    let mut running: Vec<_> = workloads.iter().map(Running::new).collect();
    for _ in 0..ROUNDS {
        running.iter_mut().for_each(Running::round);
    }
    running.into_iter().map(Running::figures).collect()
}
