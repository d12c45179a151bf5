//! A process seen from outside: its resident memory and processor time, from `/proc`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;

/// What `/proc` says at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// User and system time since the process began; steps of 10 ms.
    pub cpu_seconds: f64,
    /// Memory in use, in KiB.
    pub resident_kib: u64,
}

/// `USER_HZ`: fixed at 100 on every Linux that is in use.
const TICKS_PER_SECOND: f64 = 100.0;
/// How often a watched process is looked at.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// How often the watcher looks whether it is to stop.
const STOP_LOOK_EVERY: Duration = Duration::from_millis(20);

/// Why a process cannot be watched.
#[derive(Debug, thiserror::Error)]
#[error("pid {pid}: cannot be watched: {cause}")]
pub struct ProcessError {
    /// The process.
    pub pid: u32,
    /// What the system said.
    pub cause: String,
}

/// Looks at process `pid` once.
pub fn sample(pid: u32) -> Result<Sample, ProcessError> {
    let fail = |cause: String| ProcessError { pid, cause };
    let read = |name: &str| {
        std::fs::read_to_string(format!("/proc/{pid}/{name}")).map_err(|e| fail(e.to_string()))
    };
    let (stat, status) = (read("stat")?, read("status")?);
    // The command's name stands in brackets and may hold anything, brackets included.
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields.split_whitespace());
    let ticks: f64 = fields
        .map(|fields| fields.skip(11).take(2).filter_map(|text| text.parse::<f64>().ok()).sum())
        .ok_or_else(|| fail("unreadable stat".to_owned()))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident_kib = resident
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| fail("it has no memory (already gone?)".to_owned()))?;
    Ok(Sample { cpu_seconds: ticks / TICKS_PER_SECOND, resident_kib })
}

/// A process over a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Course {
    /// Which.
    pub pid: u32,
    /// Times it was looked at.
    pub samples: usize,
    /// Least memory, in KiB.
    pub resident_kib_min: u64,
    /// Most memory, in KiB.
    pub resident_kib_max: u64,
    /// Memory at the beginning.
    pub resident_kib_first: u64,
    /// Memory at the end.
    pub resident_kib_last: u64,
    /// Least-squares slope of memory over time.
    pub resident_kib_per_minute: f64,
    /// Processor time within the run.
    pub cpu_seconds: f64,
    /// Whether it went away while it was watched.
    pub gone: bool,
}

/// Watches a process each second, on a thread of its own, until it is asked for the course.
#[derive(Debug)]
pub struct Watcher {
    pid: u32,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(Vec<(f64, Sample)>, bool)>,
}

impl Watcher {
    /// Begins to watch `pid`.
    pub fn start(pid: u32) -> Result<Self, ProcessError> {
        let first = sample(pid)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("watcher".to_owned())
            .spawn(move || watch(pid, first, &stopped))
            .map_err(|error| ProcessError { pid, cause: error.to_string() })?;
        Ok(Self { pid, stop, thread })
    }

    /// Looks a last time, and says how it went.
    pub fn course(self) -> Course {
        self.stop.store(true, Relaxed);
        match self.thread.join() {
            Ok((samples, gone)) => course_of(self.pid, &samples, gone),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn watch(pid: u32, first: Sample, stop: &AtomicBool) -> (Vec<(f64, Sample)>, bool) {
    let begin = Instant::now();
    let mut samples = vec![(0.0, first)];
    let mut due = begin + SAMPLE_EVERY;
    loop {
        let last = stop.load(Relaxed);
        let now = Instant::now();
        if last || now >= due {
            due += SAMPLE_EVERY;
            match sample(pid) {
                Ok(one) => samples.push(((now - begin).as_secs_f64(), one)),
                Err(_) => return (samples, true),
            }
        }
        if last {
            return (samples, false);
        }
        std::thread::sleep(STOP_LOOK_EVERY);
    }
}

fn course_of(pid: u32, samples: &[(f64, Sample)], gone: bool) -> Course {
    let resident = || samples.iter().map(|(_, one)| one.resident_kib);
    let (first, last) = (samples[0].1, samples[samples.len() - 1].1);
    Course {
        pid,
        samples: samples.len(),
        resident_kib_min: resident().min().unwrap_or_default(),
        resident_kib_max: resident().max().unwrap_or_default(),
        resident_kib_first: first.resident_kib,
        resident_kib_last: last.resident_kib,
        resident_kib_per_minute: 60.0 * slope(samples),
        cpu_seconds: last.cpu_seconds - first.cpu_seconds,
        gone,
    }
}

/// Least-squares slope, in KiB a second; 0 where there is no course to speak of.
fn slope(samples: &[(f64, Sample)]) -> f64 {
    let count = samples.len() as f64;
    let mean_time = samples.iter().map(|(time, _)| time).sum::<f64>() / count;
    let mean = samples.iter().map(|(_, one)| one.resident_kib as f64).sum::<f64>() / count;
    let (mut along, mut across) = (0.0, 0.0);
    for (time, one) in samples {
        along += (time - mean_time) * (one.resident_kib as f64 - mean);
        across += (time - mean_time).powi(2);
    }
    if across > 0.0 { along / across } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_time_and_a_missing_one_is_named() {
        assert!(sample(std::process::id()).unwrap().resident_kib > 0);
        assert!(sample(u32::MAX).unwrap_err().to_string().contains("4294967295"));
        let course = Watcher::start(std::process::id()).unwrap().course();
        assert!(course.samples >= 2 && !course.gone);
    }

    #[test]
    fn memory_that_grows_steadily_has_that_slope() {
        let grown = |second: u64| {
            (second as f64, Sample { cpu_seconds: 0.0, resident_kib: 1000 + 3 * second })
        };
        let samples: Vec<_> = (0..10).map(grown).collect();
        let course = course_of(1, &samples, false);
        assert!((course.resident_kib_per_minute - 180.0).abs() < 1e-6);
        assert_eq!((course.resident_kib_min, course.resident_kib_max), (1000, 1027));
        assert!(slope(&samples[..1]).abs() < 1e-9);
    }
}
