//! What it costs to wake a thread that sleeps in epoll, through the eventfd that mio's waker is:
//! until it runs, and what the waking thread pays.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};

use super::thread_ns;
use crate::fleet::latency::Latency;
use crate::run::cores::pinned;
use crate::run::interrupt::Interrupt;

/// The two sides of a wake-up, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Woken {
    pub(super) until_runs_ns: f64,
    pub(super) writer_ns: f64,
}

/// Long enough for the sleeper to sleep again.
const PAUSE: Duration = Duration::from_micros(300);
const POLL_MAX: Duration = Duration::from_millis(100);

/// Wakes a thread on `sleeper` from one on `writer`, again and again.
pub(super) fn measure(
    sleeper: &[usize],
    writer: &[usize],
    lasting: Duration,
    interrupt: &Interrupt,
) -> io::Result<Woken> {
    let mut poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), Token(0))?;
    let origin = Instant::now();
    let since = move || origin.elapsed().as_nanos() as u64;
    // Written before the wake, read after it: release and acquire carry the time across.
    let (woken_at, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let (their_time, their_stop) = (Arc::clone(&woken_at), Arc::clone(&stop));
    let thread = pinned(sleeper, move || {
        std::thread::Builder::new().name("sleeper".to_owned()).spawn(move || {
            let (mut events, mut latency) = (Events::with_capacity(4), Latency::new());
            while !their_stop.load(Ordering::Relaxed) {
                if poll.poll(&mut events, Some(POLL_MAX)).is_err() || events.is_empty() {
                    continue;
                }
                latency.record(since().saturating_sub(their_time.load(Ordering::Acquire)));
            }
            latency
        })
    })??;
    let spent = pinned(writer, || -> io::Result<(u64, u64)> {
        let (mut spent, mut count) = (0, 0);
        let begin = Instant::now();
        while begin.elapsed() < lasting && !interrupt.is_raised() {
            std::thread::sleep(PAUSE);
            let before = thread_ns();
            woken_at.store(since(), Ordering::Release);
            waker.wake()?;
            spent += thread_ns() - before;
            count += 1;
        }
        Ok((spent, count))
    })?;
    stop.store(true, Ordering::Relaxed);
    let latency = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let (spent, count) = spent?;
    Ok(Woken {
        until_runs_ns: latency.percentiles().p50_us * 1000.0,
        writer_ns: spent as f64 / count.max(1) as f64,
    })
}
