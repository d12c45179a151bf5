//! The files of the usage log.
//!
//! `usage.jsonl` grows; when it is large or old enough it gets a number and a new one begins; the
//! oldest beyond so many are deleted. A line that a crash or a full disk left half-written is ended
//! before the next, so it costs itself and no other. Owned by one thread, which may block on the
//! disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use market::Nanos;

use super::{Record, record};
use crate::wall::nanos;

const CURRENT: &str = "usage.jsonl";

/// When the disk must have what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// When the system likes: a crash of the machine costs up to half a minute.
    Never,
    /// After so long at most.
    Every(Duration),
    /// After each batch.
    EachBatch,
}

/// The bounds of the log.
#[derive(Clone, Copy, Debug)]
pub struct JournalLimits {
    /// Size at which a file is ended; one batch may exceed it.
    pub file_bytes_max: u64,
    /// Age at which it is ended.
    pub file_age_max: Duration,
    /// Ended files that are kept, besides the one that grows.
    pub files_max: usize,
    /// When the disk must have it.
    pub fsync: Fsync,
}

/// The log of one folder.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    limits: JournalLimits,
    file: File,
    bytes: u64,
    /// When the current file's first line was written or, after a restart, when it was opened.
    begun: Nanos,
    synced: Nanos,
    is_dirty: bool,
    /// The file may end in half a line.
    is_torn: bool,
    buffer: Vec<u8>,
}

impl Journal {
    /// Opens the log, and goes on with the file that was growing. The folder must exist.
    pub fn open(folder: &Path, limits: JournalLimits, now: Nanos) -> io::Result<Self> {
        let (file, bytes, is_torn) = open(&folder.join(CURRENT))?;
        Ok(Self {
            folder: folder.to_owned(),
            limits,
            file,
            bytes,
            begun: now,
            synced: now,
            is_dirty: false,
            is_torn,
            buffer: Vec::new(),
        })
    }

    /// Writes a batch, and how many records were lost before it. To be called with nothing, too,
    /// now and then: time alone can make a file old, or due for the disk. After an error nothing of
    /// the batch counts as written.
    pub fn write(&mut self, records: &[Record], lost: u64, now: Nanos) -> io::Result<()> {
        if self.is_due(now) {
            self.rotate(now)?;
        }
        self.buffer.clear();
        if lost > 0 {
            record::write_lost(lost, now, &mut self.buffer)?;
        }
        for record in records {
            record.write(&mut self.buffer)?;
        }
        if !self.buffer.is_empty() {
            self.append(now)?;
        }
        self.sync(now)
    }

    fn append(&mut self, now: Nanos) -> io::Result<()> {
        if self.bytes == 0 {
            self.begun = now;
        }
        if self.is_torn {
            self.file.write_all(b"\n")?;
            self.bytes += 1;
        }
        self.is_torn = true;
        self.is_dirty = true;
        self.file.write_all(&self.buffer)?;
        self.is_torn = false;
        self.bytes += self.buffer.len() as u64;
        Ok(())
    }

    fn sync(&mut self, now: Nanos) -> io::Result<()> {
        let is_due = match self.limits.fsync {
            Fsync::Never => false,
            Fsync::EachBatch => true,
            Fsync::Every(interval) => now.0.saturating_sub(self.synced.0) >= nanos(interval),
        };
        if self.is_dirty && is_due {
            self.file.sync_data()?;
            self.synced = now;
            self.is_dirty = false;
        }
        Ok(())
    }

    fn is_due(&self, now: Nanos) -> bool {
        let age_ns = now.0.saturating_sub(self.begun.0);
        let is_full = self.bytes >= self.limits.file_bytes_max;
        self.bytes > 0 && (is_full || age_ns >= nanos(self.limits.file_age_max))
    }

    fn rotate(&mut self, now: Nanos) -> io::Result<()> {
        if self.limits.fsync != Fsync::Never {
            self.file.sync_data()?;
        }
        let number = self.ended()?.last().map_or(0, |(number, _)| number.saturating_add(1));
        match fs::rename(self.folder.join(CURRENT), self.folder.join(ended_name(number, now))) {
            // Somebody moved it away, or the last attempt got no further than this.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            outcome => outcome?,
        }
        let (file, bytes, is_torn) = open(&self.folder.join(CURRENT))?;
        (self.file, self.bytes, self.is_torn) = (file, bytes, is_torn);
        (self.begun, self.synced, self.is_dirty) = (now, now, false);
        let ended = self.ended()?;
        let surplus = ended.len().saturating_sub(self.limits.files_max);
        ended.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
    }

    /// The ended files, the oldest first.
    fn ended(&self) -> io::Result<Vec<(u64, PathBuf)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            files.extend(ended_number(&path).map(|number| (number, path)));
        }
        files.sort();
        Ok(files)
    }
}

/// The number tells the order, so that a clock that was set back cannot make the newest file the
/// oldest; the time is for people.
fn ended_name(number: u64, now: Nanos) -> String {
    format!("usage-{number:010}-{}.jsonl", now.to_string().replace(':', ""))
}

fn ended_number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_prefix("usage-")?.strip_suffix(".jsonl")?;
    name.split_once('-')?.0.parse().ok()
}

/// The file, its size, and whether it ends in half a line. Readable by its owner alone: it tells
/// who trades what.
fn open(path: &Path) -> io::Result<(File, u64, bool)> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let bytes = file.metadata()?.len();
    let mut last = [b'\n'];
    if bytes > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    Ok((file, bytes, last != *b"\n"))
}
