//! A line that lives while a run does: only where standard error is a terminal, otherwise nothing.

use std::cell::Cell;
use std::io::IsTerminal as _;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::load::thread::{CONNECTING, Shared};

/// The line, and what it needs to show rates.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    sessions: u32,
    seconds: f64,
    last: Cell<(Instant, u64)>,
    measured_since: Cell<Option<Instant>>,
}

const REDRAW_EVERY: Duration = Duration::from_millis(250);

impl Progress {
    /// A line for a run called `name`.
    pub fn new(name: &str, seconds: f64, sessions: u32) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = if terminal {
            ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr())
        } else {
            ProgressBar::hidden()
        };
        let style = ProgressStyle::with_template("{prefix} {bar:30} {msg}");
        bar.set_style(style.expect("the template is a constant"));
        bar.set_prefix(name.to_owned());
        let last = Cell::new((Instant::now(), 0));
        Self { bar, sessions, seconds, last, measured_since: Cell::new(None) }
    }

    /// Redraws, if it is time to. Always says yes: nobody interrupts a run by its progress.
    pub fn show(&self, shared: &Shared) -> bool {
        let (then, before) = self.last.get();
        let now = Instant::now();
        if self.bar.is_hidden() || now - then < REDRAW_EVERY {
            return true;
        }
        let messages = shared.messages.load(Relaxed);
        let rate = (messages - before) as f64 / (now - then).as_secs_f64();
        self.last.set((now, messages));
        let (ready, over) = (shared.ready.load(Relaxed), shared.over.load(Relaxed));
        let done = if shared.phase.load(Relaxed) == CONNECTING {
            ready as f64 / f64::from(self.sessions)
        } else {
            let since = self.measured_since.get().unwrap_or(now);
            self.measured_since.set(Some(since));
            (now - since).as_secs_f64() / self.seconds
        };
        self.bar.set_position((done * 1000.0) as u64);
        let of = self.sessions;
        self.bar.set_message(format!("{ready}/{of} ready, {over} over, {rate:.0} messages/s"));
        true
    }

    /// Takes the line away.
    pub fn done(&self) {
        self.bar.finish_and_clear();
    }
}
