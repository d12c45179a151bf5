//! The feeds of the config file: venues, their addresses and their symbols.

use std::collections::HashMap;
use std::path::Path;

use hyper::http::uri::Uri;
use hyper::http::{HeaderName, HeaderValue};

use super::document::{Choice, Document, Item, Placed, Section};
use super::types::{Dialect, Feed, FeedSymbol, FeedSymbols};

/// Bytes of a feed's name, and of a symbol's.
const NAME_BYTES_MAX: usize = 32;
const DIALECTS: [(&str, Dialect); 3] = [
    ("kraken", Dialect::Kraken),
    ("binance-spot", Dialect::BinanceSpot),
    ("binance-usdm", Dialect::BinanceUsdM),
];
/// What each dialect's venue offers.
const KRAKEN_DEPTHS: [u64; 5] = [10, 25, 100, 500, 1000];
const BINANCE_DEPTHS: [u64; 3] = [100, 500, 1000];
/// Headers that the WebSocket handshake itself sets.
const OWN_HEADERS: [&str; 5] =
    ["host", "connection", "upgrade", "content-length", "transfer-encoding"];

impl Dialect {
    /// Its word in the config.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kraken => "kraken",
            Self::BinanceSpot => "binance-spot",
            Self::BinanceUsdM => "binance-usdm",
        }
    }
}

/// Reads all feeds and holds them against each other.
pub(super) fn read(
    document: &Document<'_>,
    tables: Vec<Section<'_, '_>>,
    folder: &Path,
    symbols_max: usize,
) -> Vec<Feed> {
    let mut names = HashMap::new();
    let mut symbols = HashMap::new();
    let mut feeds = Vec::new();
    for mut section in tables {
        let feed = read_feed(&mut section, folder, &mut names, &mut symbols);
        section.finish();
        feeds.extend(feed);
    }
    if symbols.len() > symbols_max {
        let reason = format!("is below the {} symbols that the feeds list", symbols.len());
        let line = document.line_of("ingest.symbols_max");
        document.refuse(line, "ingest.symbols_max", Some(symbols_max.to_string()), reason);
    }
    feeds
}

/// Where a name was used first.
type Seen = HashMap<String, Option<usize>>;

fn read_feed(
    section: &mut Section<'_, '_>,
    folder: &Path,
    names: &mut Seen,
    symbols: &mut Seen,
) -> Option<Feed> {
    let name = section.required_text("name");
    if let Some(name) = &name {
        check_name(section, name, names);
    }
    let dialect = read_dialect(section);
    let url = read_url(section, "url", true, ["ws", "wss"]);
    let rest_stated = section.has("rest_url");
    let rest_url = read_url(section, "rest_url", false, ["http", "https"]);
    if dialect.is_some_and(|d| d != Dialect::Kraken) && !rest_stated {
        let reason = "is needed: Binance gives the snapshot of a book by REST only";
        section.refuse(None, "rest_url", None, reason);
    }
    let ca_file = section.text("ca_file");
    let secure = |url: &Option<String>| {
        url.as_ref().is_some_and(|url| url.starts_with("wss:") || url.starts_with("https:"))
    };
    if let Some(file) = &ca_file
        && !secure(&url)
        && !secure(&rest_url)
    {
        let reason = "has no use: neither url nor rest_url is encrypted";
        section.refuse(file.line, "ca_file", Some(&file.value), reason);
    }
    let headers = read_headers(section);
    let book_depth = read_depth(section, dialect);
    let feed_symbols = read_symbols(section, dialect, symbols);
    Some(Feed {
        name: name?.value,
        dialect: dialect?,
        url: url?,
        rest_url,
        ca_file: ca_file.map(|file| folder.join(file.value)),
        headers,
        symbols: feed_symbols?,
        book_depth,
    })
}

fn check_name(section: &Section<'_, '_>, name: &Placed<String>, names: &mut Seen) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let length = name.value.len();
    if length == 0 || length > NAME_BYTES_MAX || !name.value.bytes().all(plain) {
        let reason = format!("must be 1 to {NAME_BYTES_MAX} of the letters a-z A-Z 0-9 - _ .");
        section.refuse(name.line, "name", Some(&name.value), reason);
    }
    unique(section, "name", name, names);
}

fn unique(section: &Section<'_, '_>, key: &str, name: &Placed<String>, seen: &mut Seen) {
    if let Some(first) = seen.get(&name.value) {
        let place = first.map_or(String::new(), |line| format!(", in line {line}"));
        let reason = format!("is used already{place}; it must be unique in the gateway");
        section.refuse(name.line, key, Some(&name.value), reason);
    } else {
        seen.insert(name.value.clone(), name.line);
    }
}

fn read_dialect(section: &mut Section<'_, '_>) -> Option<Dialect> {
    let word = section.required_text("dialect")?;
    let found =
        DIALECTS.iter().find(|(known, _)| *known == word.value).map(|(_, dialect)| *dialect);
    if found.is_none() {
        let known = DIALECTS.map(|(known, _)| known).join(", ");
        section.refuse(word.line, "dialect", Some(&word.value), format!("must be one of: {known}"));
    }
    found
}

fn read_url(
    section: &mut Section<'_, '_>,
    name: &'static str,
    required: bool,
    schemes: [&str; 2],
) -> Option<String> {
    let text = if required { section.required_text(name)? } else { section.text(name)? };
    let reason = match text.value.parse::<Uri>() {
        Err(error) => error.to_string(),
        Ok(uri) => {
            let right = uri.scheme_str().is_some_and(|scheme| schemes.contains(&scheme));
            let host = uri.host().is_some_and(|host| !host.is_empty());
            let bare =
                uri.query().is_none() && !uri.authority().is_some_and(|a| a.as_str().contains('@'));
            if right && host && bare {
                return Some(text.value);
            }
            "no query, no password".to_owned()
        }
    };
    let [plain, secure] = schemes;
    let reason = format!("must be {plain}:// or {secure}:// and a host ({reason})");
    section.refuse(text.line, name, Some(&text.value), reason);
    None
}

fn read_headers(section: &mut Section<'_, '_>) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    for (name, value) in section.pairs("headers") {
        let key = format!("headers.{name}");
        let lower = name.to_ascii_lowercase();
        let line = value.line;
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            section.refuse(line, &key, None, "is no name of an HTTP header");
        } else if OWN_HEADERS.contains(&lower.as_str()) || lower.starts_with("sec-websocket-") {
            section.refuse(line, &key, None, "belongs to the handshake and cannot be set");
        } else if HeaderValue::from_str(&value.value).is_err() {
            section.refuse(line, &key, None, "holds a letter no HTTP header may have");
        } else {
            headers.push((name, value.value));
        }
    }
    headers
}

fn read_depth(section: &mut Section<'_, '_>, dialect: Option<Dialect>) -> u16 {
    let stated = section.has("book_depth");
    let depth = section.number("book_depth", 10..=1000, 1000);
    let offered: &[u64] = match dialect {
        Some(Dialect::Kraken) | None => &KRAKEN_DEPTHS,
        Some(Dialect::BinanceSpot | Dialect::BinanceUsdM) => &BINANCE_DEPTHS,
    };
    if !offered.contains(&depth) {
        let words: Vec<_> = offered.iter().map(u64::to_string).collect();
        let reason = format!("this venue offers {}", words.join(", "));
        let line = section.line_of("book_depth").filter(|_| stated);
        section.refuse_number(line, "book_depth", depth, reason);
    }
    depth as u16
}

fn read_symbols(
    section: &mut Section<'_, '_>,
    dialect: Option<Dialect>,
    seen: &mut Seen,
) -> Option<FeedSymbols> {
    match section.text_or_list("symbols")? {
        Choice::Text(word) if word.value == "all" => {
            if dialect.is_some_and(|d| d != Dialect::Kraken) {
                let reason = "Binance does not list its symbols on the stream; name them";
                section.refuse(word.line, "symbols", Some("all"), reason);
            }
            Some(FeedSymbols::All)
        }
        Choice::Text(word) => {
            let reason = "must be \"all\" or a list";
            section.refuse(word.line, "symbols", Some(&word.value), reason);
            None
        }
        Choice::List(items) => {
            if items.value.is_empty() {
                section.refuse(items.line, "symbols", None, "names no symbol");
            }
            let mut at_venue = Seen::new();
            let symbols = items.value.into_iter().filter_map(|item| {
                let symbol = read_symbol(section, item)?;
                unique(section, "symbols.symbol", &symbol.0, seen);
                unique(section, "symbols.venue_symbol", &symbol.1, &mut at_venue);
                Some(symbol.2)
            });
            Some(FeedSymbols::List(symbols.collect()))
        }
    }
}

type Named = (Placed<String>, Placed<String>, FeedSymbol);

fn read_symbol(feed: &Section<'_, '_>, item: Placed<Item<'_, '_>>) -> Option<Named> {
    let line = item.line;
    match item.value {
        Item::Wrong(what) => {
            feed.refuse(line, "symbols", None, format!("holds texts or tables, not {what}"));
            None
        }
        Item::Text(name) => {
            let name = Placed { value: name, line };
            complete(feed, name.clone(), name, [None, None], [None, None])
        }
        Item::Table(mut table) => {
            let venue_symbol = table.required_text("venue_symbol");
            let symbol = table.text("symbol");
            let assets = [table.text("base"), table.text("quote")];
            let digits = 0..=u64::from(market::SCALE_MAX);
            let precisions = [
                table.number_if_any("price_precision", digits.clone()),
                table.number_if_any("size_precision", digits),
            ];
            table.finish();
            let venue_symbol = venue_symbol?;
            let symbol = symbol.unwrap_or_else(|| venue_symbol.clone());
            complete(feed, symbol, venue_symbol, assets, precisions)
        }
    }
}

fn complete(
    feed: &Section<'_, '_>,
    symbol: Placed<String>,
    venue_symbol: Placed<String>,
    assets: [Option<Placed<String>>; 2],
    precisions: [Option<u64>; 2],
) -> Option<Named> {
    for (key, name) in [("symbols.symbol", &symbol), ("symbols.venue_symbol", &venue_symbol)] {
        check_word(feed, key, name);
    }
    // BTC/USDT-PERP: what follows the dash is the kind of contract, not the asset.
    let split = symbol.value.split_once('/').map(|(base, rest)| {
        [base.to_owned(), rest.split('-').next().unwrap_or_default().to_owned()]
    });
    let [base, quote] = assets;
    let [split_base, split_quote] = match split {
        Some([base, quote]) => [Some(base), Some(quote)],
        None => [None, None],
    };
    let base = base.map(|text| text.value).or(split_base).filter(|text| !text.is_empty());
    let quote = quote.map(|text| text.value).or(split_quote).filter(|text| !text.is_empty());
    let (Some(base), Some(quote)) = (base, quote) else {
        let reason = "does not read BASE/QUOTE, so base and quote have to be given";
        feed.refuse(symbol.line, "symbols.symbol", Some(&symbol.value), reason);
        return None;
    };
    for (key, value) in [("symbols.base", &base), ("symbols.quote", &quote)] {
        check_word(feed, key, &Placed { value: value.clone(), line: symbol.line });
    }
    let [price_precision, size_precision] = precisions.map(|p| p.map(|digits| digits as u8));
    let named = FeedSymbol {
        venue_symbol: venue_symbol.value.clone(),
        symbol: symbol.value.clone(),
        base,
        quote,
        price_precision,
        size_precision,
    };
    Some((symbol, venue_symbol, named))
}

/// A name goes into JSON, addresses and requests, and `*` means a wildcard there.
fn check_word(section: &Section<'_, '_>, key: &str, name: &Placed<String>) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.:".contains(&byte);
    let length = name.value.len();
    if length == 0 || length > NAME_BYTES_MAX || !name.value.bytes().all(plain) {
        let reason = format!("must be 1 to {NAME_BYTES_MAX} of the letters a-z A-Z 0-9 / - _ . :");
        section.refuse(name.line, key, Some(&name.value), reason);
    }
}
