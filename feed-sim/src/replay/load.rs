//! Recorded files in memory: every line checked, in the order in which it is to be played.
//!
//! Read once at the start. Invariant: a `Tape` holds only lines that parse, so playing cannot fail;
//! what is wrong with a file is said with file and line before anything is served.
//! Binance files share one time axis, Kraken files another; each begins at its first line.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use super::kraken::KrakenMessage;
use super::message::check;
use crate::error::SimError;
use crate::time::parse_rfc3339;

/// Which venue a file was recorded at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Venue {
    BinanceSpot,
    BinanceUsdm,
    Kraken,
}

impl Venue {
    /// Its name in the truth file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BinanceSpot => "binance-spot",
            Self::BinanceUsdm => "binance-usdm",
            Self::Kraken => "kraken",
        }
    }
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Binance REST depth snapshot: answered, never pushed.
    DepthSnapshot,
    Depth,
    Quote,
    Trade,
    /// A stream that is passed on without being understood.
    Other,
    /// Kraken book snapshot or update.
    KrakenBook,
}

/// One line of a recording.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// Since the first line of its time axis, in nanoseconds.
    pub(crate) offset_ns: u64,
    pub(crate) kind: Kind,
    /// Index into `Tape::markets`.
    pub(crate) market: usize,
    /// Index into `Tape::streams`; of no meaning for snapshots and Kraken.
    pub(crate) stream: usize,
    start: usize,
    size: usize,
}

/// Everything that is to be played.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    text: Vec<u8>,
    pub(crate) lines: Vec<Line>,
    /// Each venue and symbol that occurs.
    pub(crate) markets: Vec<(Venue, String)>,
    /// Each Binance stream that occurs, with its market.
    pub(crate) streams: Vec<(usize, String)>,
}

#[derive(Deserialize)]
struct BinanceMessage<'a> {
    #[serde(borrow)]
    stream: Option<&'a str>,
    #[serde(borrow)]
    data: Option<BinanceData<'a>>,
    #[serde(rename = "lastUpdateId")]
    last_update_id: Option<u64>,
}

#[derive(Deserialize)]
struct BinanceData<'a> {
    #[serde(borrow, rename = "s")]
    symbol: Option<&'a str>,
}

impl Tape {
    /// Reads all files and merges them by time.
    pub(crate) fn load(files: &[(Venue, PathBuf)]) -> Result<Self, SimError> {
        let mut tape = Self::default();
        for (venue, path) in files {
            let text = read(path)?;
            let base = tape.text.len();
            tape.text.extend_from_slice(&text);
            match venue {
                Venue::Kraken => tape.add_kraken(path, &text, base)?,
                _ => tape.add_binance(*venue, path, &text, base)?,
            }
        }
        for is_kraken in [false, true] {
            let markets = &tape.markets;
            let of_axis = |line: &Line| (markets[line.market].0 == Venue::Kraken) == is_kraken;
            let lines = &mut tape.lines;
            let first = lines.iter().filter(|line| of_axis(line)).map(|line| line.offset_ns).min();
            for line in lines.iter_mut().filter(|line| of_axis(line)) {
                line.offset_ns -= first.unwrap_or(0);
            }
        }
        // Stable: lines of one instant keep the order of their files.
        tape.lines.sort_by_key(|line| line.offset_ns);
        Ok(tape)
    }

    /// The message of a line, as recorded.
    pub(crate) fn text(&self, line: &Line) -> &[u8] {
        &self.text[line.start..line.start + line.size]
    }

    fn add_binance(
        &mut self,
        venue: Venue,
        path: &Path,
        text: &[u8],
        base: usize,
    ) -> Result<(), SimError> {
        let first_line = self.lines.len();
        let mut symbols = Vec::new();
        for (number, start, line) in lines(text) {
            let fail = |reason: &dyn std::fmt::Display| SimError::line(path, number, reason);
            let line = std::str::from_utf8(line).map_err(|error| fail(&error))?;
            let (time, json) =
                line.split_once(' ').ok_or_else(|| fail(&"expected '<recv_ns> <json>'"))?;
            let offset_ns = time.parse().map_err(|_| fail(&"the receive time is no number"))?;
            let message: BinanceMessage<'_> =
                serde_json::from_str(json).map_err(|error| fail(&error))?;
            let mut add = |kind, market, stream| {
                let (start, size) = (base + start + time.len() + 1, json.len());
                self.lines.push(Line { offset_ns, kind, market, stream, start, size });
            };
            match message {
                BinanceMessage { stream: Some(stream), data: Some(data), .. } => {
                    let symbol = data.symbol.ok_or_else(|| fail(&"no symbol in data.s"))?;
                    let market = index_of(&mut self.markets, (venue, symbol.to_owned()));
                    if !symbols.contains(&market) {
                        symbols.push(market);
                    }
                    let kind = kind_of(stream);
                    add(kind, market, index_of(&mut self.streams, (market, stream.to_owned())));
                    if kind != Kind::Other {
                        check(kind, json).map_err(|error| fail(&error))?;
                    }
                }
                BinanceMessage { last_update_id: Some(_), .. } => {
                    check(Kind::DepthSnapshot, json).map_err(|error| fail(&error))?;
                    add(Kind::DepthSnapshot, usize::MAX, usize::MAX);
                }
                _ => return Err(fail(&"neither a stream message nor a depth snapshot")),
            }
        }
        self.own_snapshots(path, first_line, &symbols)
    }

    /// A snapshot line names no symbol: it is of the one symbol of its file.
    fn own_snapshots(
        &mut self,
        path: &Path,
        first_line: usize,
        symbols: &[usize],
    ) -> Result<(), SimError> {
        for line in &mut self.lines[first_line..] {
            if line.kind == Kind::DepthSnapshot {
                let [market] = symbols else {
                    let reason = "a depth snapshot needs a file of exactly one symbol";
                    return Err(SimError::file(path, reason));
                };
                line.market = *market;
            }
        }
        Ok(())
    }

    fn add_kraken(&mut self, path: &Path, text: &[u8], base: usize) -> Result<(), SimError> {
        let first_line = self.lines.len();
        let mut untimed = Vec::new();
        for (number, start, line) in lines(text) {
            let fail = |reason: &dyn std::fmt::Display| SimError::line(path, number, reason);
            let message: KrakenMessage<'_> =
                serde_json::from_slice(line).map_err(|error| fail(&error))?;
            let [item] = message.data.as_slice() else {
                return Err(fail(&"expected one symbol in data"));
            };
            if message.channel != "book" {
                return Err(fail(&"only the book channel can be replayed"));
            }
            if !item.has_plain_numbers() {
                return Err(fail(&"a price or quantity is no plain decimal"));
            }
            let time = match item.timestamp.map(parse_rfc3339) {
                Some(None) => return Err(fail(&"the timestamp is no RFC 3339 time in UTC")),
                Some(time) => time,
                None => None,
            };
            if time.is_none() {
                untimed.push(self.lines.len());
            }
            let market = index_of(&mut self.markets, (Venue::Kraken, item.symbol.to_owned()));
            let (kind, start, size) = (Kind::KrakenBook, base + start, line.len());
            let offset_ns = time.unwrap_or(u64::MAX);
            self.lines.push(Line { offset_ns, kind, market, stream: usize::MAX, start, size });
        }
        // A line without a time (the snapshot) is played right before the one that follows it.
        for &at in untimed.iter().rev() {
            let next = self.lines.get(at + 1).map(|line| line.offset_ns);
            let before = if at > first_line { Some(self.lines[at - 1].offset_ns) } else { None };
            self.lines[at].offset_ns = next.or(before).filter(|&ns| ns < u64::MAX).unwrap_or(0);
        }
        Ok(())
    }
}

fn kind_of(stream: &str) -> Kind {
    match stream.split('@').nth(1) {
        Some("depth") => Kind::Depth,
        Some("bookTicker") => Kind::Quote,
        Some("trade") => Kind::Trade,
        _ => Kind::Other,
    }
}

fn index_of<T: PartialEq>(known: &mut Vec<T>, wanted: T) -> usize {
    known.iter().position(|item| *item == wanted).unwrap_or_else(|| {
        known.push(wanted);
        known.len() - 1
    })
}

/// Number (from 1), start and bytes of each line that is not empty.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, usize, &[u8])> {
    let mut start = 0;
    text.split(|&byte| byte == b'\n').enumerate().filter_map(move |(index, line)| {
        let at = start;
        start += line.len() + 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        (!line.is_empty()).then_some((index + 1, at, line))
    })
}

fn read(path: &Path) -> Result<Vec<u8>, SimError> {
    let fail = |error: std::io::Error| SimError::file(path, error);
    let mut file = File::open(path).map_err(fail)?;
    let mut raw = Vec::new();
    file.read_to_end(&mut raw).map_err(fail)?;
    if !raw.starts_with(&[0x1f, 0x8b]) {
        return Ok(raw);
    }
    let mut text = Vec::new();
    MultiGzDecoder::new(raw.as_slice()).read_to_end(&mut text).map_err(fail)?;
    Ok(text)
}
