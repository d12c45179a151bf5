//! Which core runs what. Threads and programs inherit the cores of the thread that starts them, so
//! a short-lived thread is pinned and does the starting.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Runs `start` on a thread bound to `cores`; whatever it starts is bound alike. Without cores, as
/// is.
pub fn pinned<T: Send>(cores: &[usize], start: impl FnOnce() -> T + Send) -> io::Result<T> {
    if cores.is_empty() {
        return Ok(start());
    }
    std::thread::scope(|scope| {
        let starter = scope.spawn(|| {
            bind(cores)?;
            Ok(start())
        });
        starter.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Binds the calling thread.
pub fn bind(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    sched_setaffinity(None, &set).map_err(io::Error::from)
}

/// The cores this process may use.
pub fn available() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(None) else { return Vec::new() };
    (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
}

/// `wanted`, as far as this machine has them: otherwise none, which leaves it to the kernel.
pub fn granted(wanted: &[usize]) -> Vec<usize> {
    let available = available();
    if available.len() > 1 && wanted.iter().all(|core| available.contains(core)) {
        wanted.to_vec()
    } else {
        Vec::new()
    }
}
