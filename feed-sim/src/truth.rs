//! The ground truth: every update in order, one JSON object a line, in a file.
//!
//! Lines are made on the sim thread and written on a thread of their own, a chunk at a time,
//! through a bounded queue. Invariant: no line is dropped; when the disk is slower than the market
//! the simulator waits, and the wait is reported.
//!
//! A line: `symbol`, `channel` (trade, ticker, book), `seq` (+1 per symbol and channel, from 1; 0
//! is the state at the start), `ts` (intended, ns since 1970), `type`, then the content, numbers as
//! text. Replayed lines add `venue`. The last line is `{"end":true, ..}` with the counts.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::SimError;

/// Size at which a chunk goes to the writing thread.
const CHUNK_SIZE: usize = 64 * 1024;
/// A line waits at most so long for others, and then for the next: a reader of a slow market is not
/// kept waiting for a chunk to fill.
const CHUNK_AGE_MAX: Duration = Duration::from_millis(200);
/// Chunks on their way at once: 16 MiB.
const CHUNKS_MAX: usize = 256;

/// What became of the truth file.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TruthReport {
    /// Lines written, the last one included.
    pub lines: u64,
    /// How long the simulator waited for the file, in microseconds.
    pub waited_us: u64,
    /// What went wrong while writing, if anything did.
    pub error: Option<String>,
}

/// The sim thread's end of the truth file.
#[derive(Debug)]
pub(crate) struct Truth {
    chunk: Vec<u8>,
    /// When its first line was made.
    begun: Instant,
    chunks: SyncSender<Vec<u8>>,
    writer: JoinHandle<Result<(), String>>,
    lines: u64,
    waited: Duration,
}

impl Truth {
    /// Creates the file, replacing an older one.
    pub(crate) fn create(path: &Path) -> Result<Self, SimError> {
        let file = File::create(path).map_err(|error| SimError::file(path, error))?;
        let (chunks, arriving) = sync_channel(CHUNKS_MAX);
        let path = path.to_owned();
        let writer = std::thread::Builder::new()
            .name("truth".to_owned())
            .spawn(move || write_chunks(file, &arriving, &path))
            .map_err(|error| SimError::option("--truth", error))?;
        let chunk = Vec::with_capacity(CHUNK_SIZE * 2);
        let begun = Instant::now();
        Ok(Self { chunk, begun, chunks, writer, lines: 0, waited: Duration::ZERO })
    }

    /// Adds a line; `fill` appends the JSON object without its line end.
    pub(crate) fn line(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        let now = Instant::now();
        if self.chunk.is_empty() {
            self.begun = now;
        }
        fill(&mut self.chunk);
        self.chunk.push(b'\n');
        self.lines += 1;
        let old = now.duration_since(self.begun) >= CHUNK_AGE_MAX;
        if self.chunk.len() >= CHUNK_SIZE || old {
            self.hand_over();
        }
    }

    /// Writes the last line and waits for the file to be complete.
    pub(crate) fn finish(mut self, ticks: u64) -> TruthReport {
        let lines = self.lines + 1;
        self.line(|out| {
            let end = serde_json::json!({ "end": true, "ticks": ticks, "lines": lines });
            out.extend_from_slice(end.to_string().as_bytes());
        });
        self.hand_over();
        let Self { chunks, writer, lines, waited, .. } = self;
        drop(chunks);
        let error = match writer.join() {
            Ok(result) => result.err(),
            Err(_) => Some("the truth thread panicked".to_owned()),
        };
        TruthReport { lines, waited_us: waited.as_micros() as u64, error }
    }

    fn hand_over(&mut self) {
        let next = Vec::with_capacity(CHUNK_SIZE * 2);
        let chunk = std::mem::replace(&mut self.chunk, next);
        if let Err(TrySendError::Full(chunk)) = self.chunks.try_send(chunk) {
            let since = Instant::now();
            // A disconnected queue means the file failed; `finish` reports why.
            let _ = self.chunks.send(chunk);
            self.waited += since.elapsed();
        }
    }
}

fn write_chunks(mut file: File, arriving: &Receiver<Vec<u8>>, path: &Path) -> Result<(), String> {
    for chunk in arriving {
        file.write_all(&chunk).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    file.sync_data().map_err(|error| format!("{}: {error}", path.display()))
}
