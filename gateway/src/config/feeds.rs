//! The feeds of the config file: venues and their addresses, read one by one and held against each
//! other.

use std::path::Path;

use hyper::http::uri::Uri;
use hyper::http::{HeaderName, HeaderValue};

use super::document::{Document, Placed};
use super::section::Section;
use super::symbols::{self, NAME_BYTES_MAX, Seen, unique};
use super::types::{Dialect, Feed};

const DIALECTS: [(&str, Dialect); 3] = [
    ("kraken", Dialect::Kraken),
    ("binance-spot", Dialect::BinanceSpot),
    ("binance-usdm", Dialect::BinanceUsdM),
];
/// Depths that Kraken offers.
const KRAKEN_DEPTHS: [u64; 5] = [10, 25, 100, 500, 1000];
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
    let mut names = Seen::new();
    let mut seen = Seen::new();
    let mut feeds = Vec::new();
    for mut section in tables {
        let feed = read_feed(&mut section, folder, &mut names, &mut seen);
        section.finish();
        feeds.extend(feed);
    }
    if seen.len() > symbols_max {
        let reason = format!("is below the {} symbols that the feeds list", seen.len());
        let line = document.line_of("ingest.symbols_max");
        document.refuse(line, "ingest.symbols_max", Some(symbols_max.to_string()), reason);
    }
    feeds
}

fn read_feed(
    section: &mut Section<'_, '_>,
    folder: &Path,
    names: &mut Seen,
    seen: &mut Seen,
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
    let feed_symbols = symbols::read(section, dialect, seen);
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
    let reason = match dialect {
        Some(Dialect::BinanceSpot | Dialect::BinanceUsdM) if stated => {
            "has no use: Binance's streams carry the whole depth".to_owned()
        }
        Some(Dialect::Kraken) if !KRAKEN_DEPTHS.contains(&depth) => {
            format!("Kraken offers {}", KRAKEN_DEPTHS.map(|depth| depth.to_string()).join(", "))
        }
        _ => return depth as u16,
    };
    section.refuse_number(section.line_of("book_depth"), "book_depth", depth, reason);
    depth as u16
}
