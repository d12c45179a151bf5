//! How late this machine is for anybody: a thread that sleeps a millisecond and measures how much
//! longer it was. What it sees, no gateway could have done better.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::latency::Latency;

const SLEEP: Duration = Duration::from_millis(1);

/// A running hiccup meter.
#[derive(Debug)]
pub struct Hiccup {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Latency>,
}

impl Hiccup {
    /// Begins to measure.
    pub fn start() -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("hiccup".to_owned()).spawn(move || {
            let mut late = Latency::new();
            while !stopped.load(Relaxed) {
                let begin = Instant::now();
                std::thread::sleep(SLEEP);
                late.record(begin.elapsed().saturating_sub(SLEEP).as_nanos() as u64);
            }
            late
        })?;
        Ok(Self { stop, thread })
    }

    /// Ends, and says how late the machine was.
    pub fn end(self) -> Latency {
        self.stop.store(true, Relaxed);
        match self.thread.join() {
            Ok(late) => late,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}
