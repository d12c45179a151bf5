//! Deliveries against the truth: every published trade was delivered once, in order, as it was; and
//! every book at the end is a published state, and the newest one.

use std::path::Path;
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};

use super::auditor::{Auditor, about};
use super::book::Book;
use super::published::PublishedBook;
use super::stream::{Stream, StreamKey};
use super::tape::Content;
use super::truth::{self, Origin, Published, TruthError};
use super::violation::Kind;
use crate::scan::message::Channel;

/// What was compared with the truth.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Tried {
    /// Symbols watched that the truth speaks of.
    pub symbols: u64,
    /// Trades the truth holds for them.
    pub trades_published: u64,
    /// Trade streams counted against it.
    pub trade_streams: u64,
    /// Books held against it.
    pub books: u64,
}

/// When the run ended, and how old what is missing must be to count as missing.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// Nanoseconds since 1970.
    pub at_ns: u64,
    /// Published later than this long before the end, it may still have been under way.
    pub grace: Duration,
}

impl End {
    /// What was published by then must have been delivered.
    pub fn due_ns(self) -> u64 {
        self.at_ns.saturating_sub(self.grace.as_nanos() as u64)
    }
}

/// A book that one or more sessions held at the end.
struct Final {
    keys: Vec<StreamKey>,
    book: Book,
    checksum: u32,
    found: bool,
    /// Published changes that were due and that this book does not have.
    behind: u64,
}

#[derive(Default)]
struct Symbol {
    trades: Vec<(u64, Content, u64)>,
    published: PublishedBook,
    finals: Vec<Final>,
    spoken_of: bool,
}

/// A name in the truth, and the name dashboards know it by: `VENUE:SYMBOL=NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    venue: String,
    symbol: String,
    name: String,
}

impl std::str::FromStr for Alias {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('=').and_then(|(origin, name)| {
            let (venue, symbol) = origin.split_once(':')?;
            Some([venue, symbol, name])
        });
        match parts.filter(|parts| parts.iter().all(|part| !part.is_empty())) {
            Some([venue, symbol, name]) => Ok(Self {
                venue: venue.to_owned(),
                symbol: symbol.to_owned(),
                name: name.to_owned(),
            }),
            None => Err("must be VENUE:SYMBOL=NAME, such as binance-spot:BTCUSDT=BTC/USDT"),
        }
    }
}

/// Holds what `auditors` were told against the truth in `path`; violations go to the first.
pub fn hold(
    auditors: &mut [Auditor],
    path: &Path,
    aliases: &[Alias],
    end: End,
) -> Result<Tried, TruthError> {
    let names = auditors.first().map(|auditor| auditor.symbols.clone()).unwrap_or_default();
    let depth = auditors.first().map_or(0, |auditor| auditor.watch.depth);
    let mut symbols: FxHashMap<u32, Symbol> = FxHashMap::default();
    for at in names.values() {
        symbols.insert(*at, Symbol::default());
    }
    for auditor in auditors.iter() {
        gather_finals(auditor, &mut symbols);
    }
    let known_as = |origin: Origin<'_>| {
        let alias = aliases.iter().find(|alias| {
            alias.venue.as_bytes() == origin.venue && alias.symbol.as_bytes() == origin.symbol
        });
        names.get(alias.map_or(origin.symbol, |alias| alias.name.as_bytes()))
    };
    truth::read(path, |origin, published| {
        let Some(symbol) = known_as(origin).and_then(|at| symbols.get_mut(at)) else { return };
        symbol.spoken_of = true;
        match published {
            Published::Trade { trade_id, content } => {
                symbol.trades.push((trade_id, content, origin.ts));
            }
            Published::Book { change, levels } => {
                symbol.published.apply(change, levels);
                look_for(symbol, depth, origin.ts <= end.due_ns());
            }
        }
    })?;
    if !symbols.values().any(|symbol| symbol.spoken_of) {
        return Err(TruthError::Foreign { path: path.display().to_string() });
    }
    let mut tried = Tried::default();
    for symbol in symbols.values_mut().filter(|symbol| symbol.spoken_of) {
        tried.symbols += 1;
        // A venue's own snapshot names trades that it has published before.
        symbol.trades.sort_by_key(|(id, ..)| *id);
        symbol.trades.dedup_by_key(|(id, ..)| *id);
        tried.trades_published += symbol.trades.len() as u64;
    }
    judge_books(&mut auditors[0], &symbols, &mut tried);
    for auditor in auditors {
        judge_trades(auditor, &symbols, end, &mut tried);
    }
    Ok(tried)
}

fn gather_finals(auditor: &Auditor, symbols: &mut FxHashMap<u32, Symbol>) {
    for (key, stream) in &auditor.streams {
        // One that is not back was told nothing since; that it is not is blamed elsewhere.
        let ended = stream.sequence.last().is_none() || stream.returning.is_some();
        if key.channel() != Channel::Book || ended {
            continue;
        }
        let finals = &mut symbols.entry(key.symbol()).or_default().finals;
        match finals.iter_mut().find(|known| known.book == stream.book) {
            Some(known) => known.keys.push(*key),
            None => finals.push(Final {
                keys: vec![*key],
                book: stream.book.clone(),
                checksum: stream.book.checksum(),
                found: false,
                behind: 0,
            }),
        }
    }
}

/// Is the published book, as it stands now, one of those held at the end?
fn look_for(symbol: &mut Symbol, depth: usize, due: bool) {
    let Some(published) = symbol.published.book().filter(|_| !symbol.finals.is_empty()) else {
        return;
    };
    let checksum = published.checksum();
    for held in &mut symbol.finals {
        if held.checksum == checksum && held.book.is_top_of(published, depth) {
            held.found = true;
            held.behind = 0;
        } else if held.found && due {
            held.behind += 1;
        }
    }
}

fn judge_books(auditor: &mut Auditor, symbols: &FxHashMap<u32, Symbol>, tried: &mut Tried) {
    for symbol in symbols.values().filter(|symbol| symbol.published.book().is_some()) {
        for held in &symbol.finals {
            tried.books += held.keys.len() as u64;
            if held.found && held.behind == 0 {
                continue;
            }
            for key in &held.keys {
                auditor.blame(Kind::BookContent, *key, || {
                    if held.found {
                        format!("book at the end lacks {} published changes", held.behind)
                    } else {
                        "book at the end equals no published state".to_owned()
                    }
                });
            }
        }
    }
}

fn judge_trades(
    auditor: &mut Auditor,
    symbols: &FxHashMap<u32, Symbol>,
    end: End,
    tried: &mut Tried,
) {
    let tapes = auditor.tapes.take().unwrap_or_default();
    for (at, symbol) in symbols.iter().filter(|(_, symbol)| symbol.spoken_of) {
        let mut wrong = FxHashSet::default();
        for (id, content) in tapes.of(*at) {
            let published = symbol.trades.binary_search_by_key(id, |(id, ..)| *id);
            if !published.is_ok_and(|found| symbol.trades[found].1 == *content) {
                wrong.insert((*id, published.is_ok()));
            }
        }
        let name = &auditor.watch.symbols[*at as usize];
        for (id, known) in wrong {
            let kind = if known { Kind::TradeContent } else { Kind::TradeCount };
            auditor.violations.add(kind, None, || {
                let detail = if known { "delivered with other content" } else { "never published" };
                (format!("{name} trade"), format!("trade {id} {detail}"))
            });
        }
    }
    let Auditor { streams, violations, watch, .. } = auditor;
    let trade_streams = streams
        .iter()
        .filter(|(key, stream)| key.channel() == Channel::Trade && stream.returning.is_none());
    for (key, stream) in trade_streams {
        let Some(symbol) = symbols.get(&key.symbol()).filter(|one| one.spoken_of) else { continue };
        tried.trade_streams += 1;
        if let Some(detail) = miscount(stream, symbol, end) {
            let describe = || (about(watch, *key), detail);
            violations.add(Kind::TradeCount, Some(key.session()), describe);
        }
    }
}

/// What is wrong with the number of trades a stream delivered, if anything is.
fn miscount(stream: &Stream, symbol: &Symbol, end: End) -> Option<String> {
    let seen = &stream.trades;
    let behind = |id: u64| symbol.trades.partition_point(|(one, ..)| *one <= id);
    let begin = match (seen.anchor, seen.first) {
        (Some(anchor), _) => behind(anchor),
        (None, Some(first)) => symbol.trades.partition_point(|(id, ..)| *id < first),
        // It joined before the first trade and saw none: all that were due are missing.
        (None, None) if stream.sequence.last().is_none() => return None,
        (None, None) => 0,
    };
    let reached = behind(seen.last).max(begin);
    let published = (reached - begin) as u64;
    let most = (symbol.trades.len() - begin) as u64;
    // What is announced may lie behind the last one delivered.
    let told = seen.count + stream.announced;
    let complete = seen.count <= published && (published..=most).contains(&told);
    if !complete {
        let (count, announced) = (seen.count, stream.announced);
        return Some(format!(
            "{count} trades delivered, {announced} announced as missing, {published} published"
        ));
    }
    let due = symbol.trades[reached..].iter().filter(|(.., ts)| *ts <= end.due_ns()).count();
    (due > 0 && stream.announced == 0)
        .then(|| format!("{due} trades published after trade {} never came", seen.last))
}
