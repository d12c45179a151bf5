//! The symbols of a feed: what the venue calls them, what dashboards call them, their assets.
//!
//! **Invariant:** a symbol's name is unique in the gateway, and holds no letter that could break a
//! message or mean a wildcard.

use std::collections::HashMap;

use super::document::Placed;
use super::section::{Choice, Item, Section};
use super::types::{Dialect, FeedSymbol, FeedSymbols};

/// Bytes of a feed's name, and of a symbol's.
pub(super) const NAME_BYTES_MAX: usize = 32;

/// Where a name was used first.
pub(super) type Seen = HashMap<String, Option<usize>>;

/// Reads which symbols a feed brings; `seen` holds those of the feeds before it.
pub(super) fn read(
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

/// Refuses a name that was used before.
pub(super) fn unique(section: &Section<'_, '_>, key: &str, name: &Placed<String>, seen: &mut Seen) {
    if let Some(first) = seen.get(&name.value) {
        let place = first.map_or(String::new(), |line| format!(", in line {line}"));
        let reason = format!("is used already{place}; it must be unique in the gateway");
        section.refuse(name.line, key, Some(&name.value), reason);
    } else {
        seen.insert(name.value.clone(), name.line);
    }
}
