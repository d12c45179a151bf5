//! What the machine did to everybody while a block was measured: hiccups of a thread that only
//! sleeps, and processor time, in all and taken by the host.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::cores::pinned;
use super::system::{Busy, busy};
use crate::fleet::latency::Latency;

const SLEEP: Duration = Duration::from_millis(1);

/// A meter that runs.
#[derive(Debug)]
pub struct Noise {
    stop: Arc<AtomicBool>,
    floating: Option<JoinHandle<(Latency, Vec<f64>)>>,
    bound: Option<JoinHandle<(Latency, Vec<f64>)>>,
    before: Busy,
}

/// What it saw.
#[derive(Debug)]
pub struct Seen {
    /// How late the sleeping thread was.
    pub hiccups: Latency,
    /// How late one bound to the server's core was: it shares the core with the server, but a core
    /// that was gone for everybody shows.
    pub core_hiccups: Option<Latency>,
    /// The latest it was in each slice, in microseconds.
    pub by_slice_us: Vec<f64>,
    /// Processor seconds of everybody.
    pub busy_seconds: f64,
    stolen_seconds: f64,
}

impl Noise {
    /// Begins; the coming `seconds` are cut into `slices`. One thread is bound to no core: it is
    /// late only when none had time for it. Where the server has `cores`, another is bound to the
    /// same.
    pub fn start(seconds: f64, slices: usize, cores: &[usize]) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let bound = (!cores.is_empty()).then(|| pinned(cores, || meter(seconds, slices, &stop)));
        let bound = bound.transpose()?.transpose()?;
        let floating = meter(seconds, slices, &stop)?;
        Ok(Self { stop, floating: Some(floating), bound, before: busy() })
    }

    /// Ends.
    pub fn end(mut self) -> Seen {
        let after = busy();
        self.stop.store(true, Relaxed);
        let home = |thread: JoinHandle<(Latency, Vec<f64>)>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        let (hiccups, by_slice_us) = self.floating.take().map(home).unwrap_or_default();
        let core_hiccups = self.bound.take().map(home).map(|(late, _)| late);
        Seen {
            hiccups,
            core_hiccups,
            by_slice_us,
            busy_seconds: after.busy_seconds - self.before.busy_seconds,
            stolen_seconds: after.stolen_seconds - self.before.stolen_seconds,
        }
    }
}

fn meter(
    seconds: f64,
    slices: usize,
    stop: &Arc<AtomicBool>,
) -> std::io::Result<JoinHandle<(Latency, Vec<f64>)>> {
    let stopped = Arc::clone(stop);
    std::thread::Builder::new().name("hiccup".to_owned()).spawn(move || {
        let (mut late, mut worst) = (Latency::new(), vec![0.0_f64; slices]);
        let first = Instant::now();
        while !stopped.load(Relaxed) {
            let begin = Instant::now();
            std::thread::sleep(SLEEP);
            let over = begin.elapsed().saturating_sub(SLEEP);
            late.record(over.as_nanos() as u64);
            let slice = (begin - first).as_secs_f64() / seconds * slices as f64;
            if let Some(worst) = worst.get_mut(slice as usize) {
                *worst = worst.max(over.as_nanos() as f64 / 1000.0);
            }
        }
        (late, worst)
    })
}

/// A block that fails half way leaves no thread behind.
impl Drop for Noise {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

impl Seen {
    /// Taken by the host, in percent of a core.
    pub fn stolen_pct(&self, seconds: f64) -> f64 {
        100.0 * self.stolen_seconds / seconds
    }
}
