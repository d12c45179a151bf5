//! The `feed-sim` command: starts a simulator, waits for its end or a signal, reports.
//!
//! Owns the terminal: the bound address is the first line on stdout, progress goes to stderr and
//! only to a terminal. Exit codes: 0 well, 2 bad options or files.

#![forbid(unsafe_code)]

mod cli;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use feed_sim::{Handle, SimError, Summary};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{Cli, Command};

/// How often the end of the simulator and the progress line are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let json = match &command {
        Command::Replay(args) => args.common.json,
        Command::Generate(args) => args.common.json,
    };
    match start(command).and_then(attend) {
        Ok(summary) => {
            report(&summary, json);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("feed-sim: {error}");
            ExitCode::from(2)
        }
    }
}

fn start(command: Command) -> Result<Handle, SimError> {
    match command {
        Command::Replay(args) => {
            let addr = args.common.addr;
            args.into_replay().start_thread(addr)
        }
        Command::Generate(args) => {
            let addr = args.common.addr;
            args.into_generate().start_thread(addr)
        }
    }
}

/// Waits until the simulator has ended, by itself or after Ctrl-C or SIGTERM.
fn attend(handle: Handle) -> Result<Summary, SimError> {
    let signals =
        |error: std::io::Error| SimError::Option { option: "signals", reason: error.to_string() };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(signals)?;
    runtime.block_on(async {
        // Whoever reads the address may end this at once: the signals are caught before it is said.
        let mut interrupt = signal(SignalKind::interrupt()).map_err(signals)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(signals)?;
        say(&format!("listening on {}", handle.url()));
        let progress = progress_line();
        let mut looks = tokio::time::interval(LOOK_EVERY);
        while !handle.is_finished() {
            tokio::select! {
                _ = looks.tick() => show(&progress, &handle),
                _ = interrupt.recv() => handle.begin_stop(),
                _ = terminate.recv() => handle.begin_stop(),
            }
        }
        progress.finish_and_clear();
        Ok(())
    })?;
    Ok(handle.wait())
}

fn progress_line() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}");
    ProgressBar::new_spinner()
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

fn show(progress: &ProgressBar, handle: &Handle) {
    progress.set_message(format!(
        "{} ticks, {} messages, {} connections, latest {} us{}",
        handle.ticks(),
        handle.messages(),
        handle.connections(),
        handle.late_ns_max() / 1000,
        if handle.is_done() { ", done" } else { "" },
    ));
    progress.tick();
}

fn report(summary: &Summary, json: bool) {
    if json {
        let text = serde_json::to_string(summary).expect("a summary holds only numbers and text");
        return say(&text);
    }
    let late = &summary.lateness;
    eprintln!(
        "{} ticks in {} ms, {} messages to {} connections ({} closed as too slow)",
        summary.ticks,
        summary.elapsed_ms,
        summary.messages,
        summary.connections,
        summary.connections_closed_slow,
    );
    eprintln!("late by p50 {} us, p99 {} us, max {} us", late.p50_us, late.p99_us, late.max_us);
    if let Some(truth) = &summary.truth {
        eprintln!("truth: {} lines, waited {} us for the file", truth.lines, truth.waited_us);
        if let Some(error) = &truth.error {
            eprintln!("truth is incomplete: {error}");
        }
    }
}

/// A line on stdout; whoever closed the pipe has no use for it.
fn say(line: &str) {
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}
