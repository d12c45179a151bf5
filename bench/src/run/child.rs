//! A program that a run starts and ends: pinned from its first instruction, its output read, ended
//! by SIGTERM and, if it does not go, SIGKILL; also when the run fails.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::RunError;
use super::cores::pinned;
use super::interrupt::Interrupt;

/// A running program.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: std::process::Child,
    /// Where it is told what to do, if it is.
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    log: PathBuf,
}

/// From SIGTERM to SIGKILL.
const END_MAX: Duration = Duration::from_secs(8);
/// From the end of its output to its own.
const GONE_MAX: Duration = Duration::from_secs(1);
/// Between two looks at an interrupt.
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl Child {
    /// Starts `argv` on `cores` (all, where there are none). Its standard error goes to `log`.
    pub fn start(
        name: &str,
        argv: &[String],
        cores: &[usize],
        log: PathBuf,
    ) -> Result<Self, RunError> {
        Self::spawn(name, argv, cores, log, Stdio::null())
    }

    /// As `start`, for a program that is told what to do on its standard input.
    pub fn start_told(
        name: &str,
        argv: &[String],
        cores: &[usize],
        log: PathBuf,
    ) -> Result<Self, RunError> {
        Self::spawn(name, argv, cores, log, Stdio::piped())
    }

    fn spawn(
        name: &str,
        argv: &[String],
        cores: &[usize],
        log: PathBuf,
        input: Stdio,
    ) -> Result<Self, RunError> {
        let fail = |cause: String| RunError::Start { name: name.to_owned(), cause };
        let (program, arguments) =
            argv.split_first().ok_or_else(|| fail("no command".to_owned()))?;
        let errors = std::fs::File::create(&log).map_err(|error| fail(error.to_string()))?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(input).stdout(Stdio::piped()).stderr(errors);
        let mut process = pinned(cores, || command.spawn())
            .and_then(|spawned| spawned)
            .map_err(|error| fail(format!("{program}: {error}")))?;
        let input = process.stdin.take();
        let output = process.stdout.take().expect("stdout was asked for as a pipe");
        let (sender, lines) = channel();
        let named = std::thread::Builder::new().name(format!("read-{name}"));
        let reader = named.spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let child = Self { name: name.to_owned(), process, input, lines, log };
        reader.map_err(|error| fail(error.to_string()))?;
        Ok(child)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Writes a line to its standard input.
    pub fn tell(&mut self, line: &str) -> Result<(), RunError> {
        let told = self.input.as_mut().map(|input| {
            input.write_all(line.as_bytes())?;
            input.write_all(b"\n")?;
            input.flush()
        });
        match told {
            Some(Ok(())) => Ok(()),
            _ => Err(self.check().err().unwrap_or_else(|| self.failed("does not listen"))),
        }
    }

    /// The lines of standard output that have come; it must still be there.
    pub fn news(&mut self, mut each: impl FnMut(&str)) -> Result<(), RunError> {
        loop {
            match self.lines.try_recv() {
                Ok(line) => each(&line),
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => {
                    // Its pipe is closed a moment before it is gone.
                    let deadline = Instant::now() + GONE_MAX;
                    while Instant::now() < deadline {
                        self.check()?;
                        std::thread::sleep(LOOK_EVERY);
                    }
                    return Err(self.failed("says nothing any more"));
                }
            }
        }
    }

    /// Waits for a line of standard output that `wanted` accepts.
    pub fn line<T>(
        &mut self,
        within: Duration,
        interrupt: &Interrupt,
        mut wanted: impl FnMut(&str) -> Option<T>,
    ) -> Result<T, RunError> {
        let deadline = Instant::now() + within;
        loop {
            if interrupt.is_raised() {
                return Err(RunError::Interrupted);
            }
            match self.lines.recv_timeout(LOOK_EVERY) {
                Ok(line) => {
                    if let Some(found) = wanted(&line) {
                        return Ok(found);
                    }
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(self.failed(&format!("said nothing useful within {within:?}")));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.failed("has ended")),
            }
        }
    }

    /// Whether it still runs; otherwise why not.
    pub fn check(&mut self) -> Result<(), RunError> {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.failed(&format!("has ended with {status}"))),
            Err(error) => Err(self.failed(&error.to_string())),
        }
    }

    /// What went wrong with it, and the end of what it said about that.
    pub fn failed(&self, what: &str) -> RunError {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        let last = lines[lines.len().saturating_sub(5)..].join("\n    ");
        let cause = if last.is_empty() { what.to_owned() } else { format!("{what}:\n    {last}") };
        RunError::Child { name: self.name.clone(), cause }
    }

    /// Ends it and returns what it still said on standard output.
    pub fn end(mut self) -> Vec<String> {
        self.terminate();
        // The pipe is closed now, so this ends.
        let mut said = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(1)) {
            said.push(line);
        }
        said
    }

    fn terminate(&mut self) {
        if !matches!(self.process.try_wait(), Ok(None)) {
            return;
        }
        if let Some(pid) = Pid::from_raw(self.process.id() as i32) {
            // It may be gone already, which is as good.
            let _ = kill_process(pid, Signal::TERM);
        }
        let deadline = Instant::now() + END_MAX;
        while matches!(self.process.try_wait(), Ok(None)) {
            if Instant::now() >= deadline {
                let _ = self.process.kill();
                let _ = self.process.wait();
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.terminate();
    }
}
