//! Log lines: formatted where they arise, written to standard error by a thread of their own.
//!
//! A terminal or pipe that does not take them must not hold up a busy thread: between the two
//! stands a bounded queue, and lines that find it full are dropped and counted. The price is one
//! copy a line.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow};
use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use gateway::config::log_filter;
use gateway::logs::Logs;
use gateway::threads;
use tracing_subscriber::fmt::MakeWriter;

use super::{Failure, output};

/// Lines that wait to be written; one more is dropped.
const LINES_MAX: usize = 4096;
/// What may be said instead.
const LEVELS: &str =
    "say error, warn, info, debug, trace, or pairs such as info,gateway::ingest=debug";
/// Wait for the last lines to be written at the end.
const FINISH_MAX: Duration = Duration::from_secs(1);

enum Entry {
    Line(Vec<u8>),
    /// Everything before it has been written when this is answered.
    Flush(Sender<()>),
}

/// The log of the process.
pub(super) struct Log {
    lines: Sender<Entry>,
    /// For the gateway and its operators.
    pub(super) handle: Logs,
}

#[derive(Clone)]
struct Queue {
    lines: Sender<Entry>,
    dropped: Arc<AtomicU64>,
}

/// Starts logging. What the command line says goes before `RUST_LOG`, and that before the config.
pub(super) fn start(option: Option<&str>, from_config: &str) -> Result<Log, Failure> {
    let environment = std::env::var("RUST_LOG").ok().filter(|level| !level.is_empty());
    let level = option.or(environment.as_deref()).unwrap_or(from_config);
    let filter = log_filter(level)
        .map_err(|error| Failure::Usage(anyhow!("log level {level:?}: {error}; {LEVELS}")))?;
    let (lines, waiting) = bounded(LINES_MAX);
    let dropped = Arc::new(AtomicU64::new(0));
    let queue = Queue { lines: lines.clone(), dropped: Arc::clone(&dropped) };
    let counted = Arc::clone(&dropped);
    threads::spawn_background("log", move || write_out(&waiting, &counted))
        .context("the log's thread cannot be started")
        .map_err(Failure::Runtime)?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(output::colours(io::stderr().is_terminal()))
        .with_thread_names(true)
        .with_writer(queue)
        .with_filter_reloading();
    let filters = subscriber.reload_handle();
    subscriber.init();
    tell_panics_here();
    let set = move |level: &str| {
        let filter = log_filter(level)?;
        filters.reload(filter).map_err(|error| error.to_string())
    };
    let is_overridden = option.is_some() || environment.is_some();
    let handle = Logs::new(level, is_overridden, dropped, Box::new(set));
    Ok(Log { lines, handle })
}

/// The standard library writes of a panic to standard error itself, and waits for it: a pipe that
/// nobody empties would then hold a broken thread for ever, and the process half dead.
fn tell_panics_here() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let words = threads::panic_words(panic.payload());
        tracing::error!(place, "a thread panicked: {words}");
    }));
}

impl Log {
    /// Waits a moment until what was logged is written.
    pub(super) fn finish(&self) {
        let (done, written) = bounded(1);
        if self.lines.send_timeout(Entry::Flush(done), FINISH_MAX).is_ok() {
            // Late lines are lost with a standard error that takes nothing; there is nobody to
            // tell.
            let _ = written.recv_timeout(FINISH_MAX);
        }
    }
}

fn write_out(waiting: &Receiver<Entry>, dropped: &AtomicU64) {
    let mut told = 0;
    for entry in waiting {
        let mut stderr = io::stderr().lock();
        match entry {
            // A standard error that is closed takes nothing; the gateway lives without.
            Entry::Line(line) => drop(stderr.write_all(&line)),
            Entry::Flush(done) => drop(done.try_send(())),
        }
        let all = dropped.load(Ordering::Relaxed);
        let count = all - std::mem::replace(&mut told, all);
        if count > 0 {
            let _ = writeln!(stderr, "{count} log lines were dropped: standard error is slow");
        }
    }
}

/// Collects one line; queues it when it is complete, which is when it is dropped.
struct Line {
    bytes: Vec<u8>,
    queue: Queue,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let line = Entry::Line(std::mem::take(&mut self.bytes));
        if let Err(TrySendError::Full(_)) = self.queue.lines.try_send(line) {
            self.queue.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl MakeWriter<'_> for Queue {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line { bytes: Vec::with_capacity(256), queue: self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_drops_lines_and_counts_them_instead_of_waiting() {
        let (lines, waiting) = bounded(1);
        let queue = Queue { lines, dropped: Arc::default() };
        for _ in 0..3 {
            queue.make_writer().write_all(b"line\n").expect("a Vec takes everything");
        }
        assert_eq!(queue.dropped.load(Ordering::Relaxed), 2);
        assert!(matches!(waiting.try_recv(), Ok(Entry::Line(line)) if line == b"line\n"));
    }
}
