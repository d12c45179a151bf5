//! The ground truth: what the venue published, one JSON object a line, as feed-sim writes it.
//!
//! `{"symbol", "channel", "seq", "ts", ..}`; trades carry price, qty, side and `trade_id`; books
//! carry bids, asks (the whole book where `type` is snapshot); `{"end":true}` is the last line.
//! Replayed lines add `venue`, and update ids where the venue has them.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use super::published::{Change, Named};
use super::tape::Content;
use crate::load::clock::rfc3339_ns;
use crate::scan::cursor::{Cursor, ScanError};
use crate::scan::items::{Trade, book_item, trade};

/// Why the truth cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    /// The file cannot be read.
    #[error("truth {path}: {cause}")]
    File {
        /// The file as given.
        path: String,
        /// What the system said.
        cause: io::Error,
    },
    /// A line that is not a truth line.
    #[error("truth {path}, line {line}: {cause}")]
    Line {
        /// The file as given.
        path: String,
        /// Counted from one.
        line: u64,
        /// What is wrong with it.
        cause: String,
    },
    /// The file stops before the run did.
    #[error("truth {path}: ends before the run does; let the simulator write on, or end")]
    Short {
        /// The file as given.
        path: String,
    },
    /// Not one of the symbols watched is in it.
    #[error("truth {path}: holds none of the symbols that were watched")]
    Foreign {
        /// The file as given.
        path: String,
    },
}

/// One published update.
#[derive(Debug)]
pub enum Published<'a> {
    /// A trade.
    Trade {
        /// Its id.
        trade_id: u64,
        /// What it was.
        content: Content,
    },
    /// A change of a book, or all of it.
    Book {
        /// Which of them.
        change: Change,
        /// The levels named.
        levels: &'a [Named],
    },
}

/// Whose line it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin<'a> {
    /// The venue; empty where the line does not say.
    pub venue: &'a [u8],
    /// The venue's name for the symbol.
    pub symbol: &'a [u8],
    /// When it was due, in nanoseconds since 1970.
    pub ts: u64,
}

/// Calls `each` with origin and content of every trade and book line of `path`, in order.
pub fn read(
    path: &Path,
    mut each: impl FnMut(Origin<'_>, Published<'_>),
) -> Result<(), TruthError> {
    let name = || path.display().to_string();
    let fail = |cause| TruthError::File { path: name(), cause };
    let mut file = BufReader::with_capacity(1 << 20, File::open(path).map_err(fail)?);
    let mut line = Vec::new();
    let mut levels = Vec::new();
    for number in 1.. {
        line.clear();
        let read = file.read_until(b'\n', &mut line).map_err(fail)?;
        // A line still being written has no end yet; what counts was complete before.
        if read == 0 || line.last() != Some(&b'\n') {
            break;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        one(&line, &mut levels, &mut each).map_err(|cause| TruthError::Line {
            path: name(),
            line: number,
            cause,
        })?;
    }
    Ok(())
}

/// Waits until the file has a line of `end_ns` or later, or its last line.
pub fn wait_until(path: &Path, end_ns: u64, within: Duration) -> Result<(), TruthError> {
    let name = || path.display().to_string();
    let deadline = Instant::now() + within;
    loop {
        let tail = tail(path).map_err(|cause| TruthError::File { path: name(), cause })?;
        let complete = tail.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        let newest = tail[..complete].rsplit(|byte| *byte == b'\n').next().unwrap_or(&[]);
        let outside = outside(newest).unwrap_or_default();
        if outside.end || outside.origin.ts >= end_ns {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(TruthError::Short { path: name() });
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// More than the longest line: a snapshot of a thousand levels a side.
const TAIL_BYTES: u64 = 256 * 1024;

fn tail(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[derive(Debug, Default)]
struct Outside<'a> {
    origin: Origin<'a>,
    channel: &'a [u8],
    snapshot: bool,
    last_update_id: Option<u64>,
    end: bool,
}

fn outside(line: &[u8]) -> Result<Outside<'_>, ScanError> {
    let mut outside = Outside::default();
    Cursor::new(line).object(|key, value| {
        match key {
            b"venue" => outside.origin.venue = value.string()?,
            b"symbol" => outside.origin.symbol = value.string()?,
            b"channel" => outside.channel = value.string()?,
            b"type" => outside.snapshot = value.string()? == b"snapshot",
            b"last_update_id" => outside.last_update_id = Some(value.whole()?),
            b"end" => outside.end = value.truth()?,
            b"ts" => {
                let text = value.number()?;
                let whole = Cursor::new(text).whole().ok();
                outside.origin.ts = whole.or_else(|| rfc3339_ns(text)).unwrap_or_default();
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(outside)
}

fn one(
    line: &[u8],
    levels: &mut Vec<Named>,
    each: &mut impl FnMut(Origin<'_>, Published<'_>),
) -> Result<(), String> {
    let fail = |error: ScanError| error.to_string();
    let Outside { origin, channel, snapshot, last_update_id, .. } = outside(line).map_err(fail)?;
    let change = match (channel, last_update_id) {
        (b"trade", _) => {
            let read: Trade<'_> = trade(&mut Cursor::new(line)).map_err(fail)?;
            let content = Content::of(&read).ok_or("price or qty is no decimal")?;
            each(origin, Published::Trade { trade_id: read.trade_id, content });
            return Ok(());
        }
        (b"depth_snapshot", Some(update_id)) => Change::Rest(update_id),
        (b"book", Some(update_id)) => Change::UpdateTo(update_id),
        (b"book", None) if snapshot => Change::Whole,
        (b"book", None) => Change::Update,
        _ => return Ok(()),
    };
    levels.clear();
    let mut cursor = Cursor::new(line);
    book_item(&mut cursor, |side, price, qty| levels.push((side, price, qty))).map_err(fail)?;
    each(origin, Published::Book { change, levels });
    Ok(())
}
