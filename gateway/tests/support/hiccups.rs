//! How late this machine is by itself, beside a test that holds something to a time.
//!
//! A thread sleeps a millisecond again and again; by how much it oversleeps at worst is what no
//! program here can help. A test allows what is demanded and some such hiccups, one for each thread
//! that has to be woken on the way, so that it is strict on a quiet machine and right on a busy
//! one.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const NAP: Duration = Duration::from_millis(1);
/// Threads that have to be woken one after the other, each of them as late as this one was.
const WAKES: u32 = 10;

/// A meter at work; dropping it ends it.
pub struct Hiccups {
    is_over: Arc<AtomicBool>,
    worst_ns: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Hiccups {
    pub fn start() -> Self {
        let (is_over, worst_ns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (end, worst) = (Arc::clone(&is_over), Arc::clone(&worst_ns));
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let begun = Instant::now();
                std::thread::sleep(NAP);
                let late = begun.elapsed().saturating_sub(NAP);
                worst.fetch_max(late.as_nanos() as u64, Ordering::Relaxed);
            }
        });
        Self { is_over, worst_ns, thread: Some(thread) }
    }

    /// By how much this machine was late at worst.
    pub fn worst(&self) -> Duration {
        Duration::from_nanos(self.worst_ns.load(Ordering::Relaxed))
    }

    /// What may be taken where `demanded` is demanded.
    pub fn allow(&self, demanded: Duration) -> Duration {
        demanded + WAKES * self.worst()
    }
}

impl Drop for Hiccups {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let joined = self.thread.take().map(JoinHandle::join);
        assert!(matches!(joined, Some(Ok(()))) || std::thread::panicking());
    }
}
