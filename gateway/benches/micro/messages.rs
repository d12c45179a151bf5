//! Venues' messages, written here in the shapes of the recordings: sixteen variants of each kind.

use market::{Book, BookSide, Level, Nanos, digits};

use crate::fixtures::{self, LEVELS, TIME_MS, VARIANTS};

/// Stands where a running number belongs; as long as the numbers venues use.
pub(crate) const NEXT_ID: &str = "N000000000000";
/// Stands where the number before it belongs.
pub(crate) const LAST_ID: &str = "L000000000000";
/// The first running number less one.
pub(crate) const FIRST_ID: &str = "5123107832000";

/// Levels a side that a Binance delta changes here. The recordings' medians, both sides together,
/// are 15 (spot) and 33 (USD-M).
const DELTA_LEVELS: u64 = 10;
/// Of the book at Kraken.
const KRAKEN_DEPTH: u64 = 10;

/// A venue's dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Venue {
    Kraken,
    Spot,
    UsdM,
}

impl Venue {
    pub(crate) const ALL: [Self; 3] = [Self::Kraken, Self::Spot, Self::UsdM];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kraken => "kraken",
            Self::Spot => "binance-spot",
            Self::UsdM => "binance-usdm",
        }
    }
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Quote,
    Trade,
    Book,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Quote, Self::Trade, Self::Book];

    /// The venue's own word.
    pub(crate) fn name(self, venue: Venue) -> &'static str {
        match (self, venue) {
            (Self::Quote, Venue::Kraken) => "ticker",
            (Self::Quote, _) => "bookTicker",
            (Self::Trade, _) => "trade",
            (Self::Book, Venue::Kraken) => "book",
            (Self::Book, _) => "depth",
        }
    }
}

/// Every variant, in order: applied over and over they are one endless stream.
pub(crate) fn stream(venue: Venue, kind: Kind) -> Vec<String> {
    let mut book = Book::default();
    for side in BookSide::BOTH {
        for level in fixtures::side(side, KRAKEN_DEPTH, 0) {
            book.apply(side, level);
        }
    }
    (0..VARIANTS)
        .map(|variant| match venue {
            Venue::Kraken => kraken(kind, variant, &mut book),
            Venue::Spot | Venue::UsdM => binance(venue, kind, variant),
        })
        .collect()
}

/// The definition and the book that Kraken sends first.
pub(crate) fn kraken_beginning() -> [String; 2] {
    let definition = concat!(
        r#"{"channel":"instrument","type":"snapshot","data":{"assets":[],"#,
        r#""pairs":[{"symbol":"BTC/USD","base":"BTC","quote":"USD","status":"online","#,
        r#""qty_precision":8,"qty_increment":0.00000001,"price_precision":2,"cost_precision":5,"#,
        r#""marginable":true,"has_index":true,"cost_min":0.50,"tick_size":0.01,"#,
        r#""price_increment":0.01,"qty_min":0.00005}]}}"#
    );
    let mut book = Book::default();
    let sides = BookSide::BOTH.map(|side| fixtures::side(side, KRAKEN_DEPTH, 0));
    [definition.to_owned(), kraken_book("snapshot", &sides, &mut book)]
}

/// What Binance answers by REST.
pub(crate) fn binance_snapshot() -> String {
    let [bids, asks] = BookSide::BOTH.map(|side| binance_levels(&fixtures::side(side, LEVELS, 0)));
    format!("{{\"lastUpdateId\":{FIRST_ID},\"bids\":[{bids}],\"asks\":[{asks}]}}")
}

fn price(level: Level) -> String {
    text(level.price.0, 2)
}

fn size(level: Level) -> String {
    text(level.size.0, 8)
}

fn text(mantissa: i64, scale: u8) -> String {
    let mut out = Vec::new();
    digits::write_fixed_i64(mantissa, scale, &mut out);
    String::from_utf8(out).expect("digits")
}

fn time(nanos: Nanos) -> String {
    let mut out = Vec::new();
    nanos.write_rfc3339(&mut out);
    String::from_utf8(out).expect("a time")
}

fn kraken(kind: Kind, variant: u64, book: &mut Book) -> String {
    let timestamp = time(fixtures::stamps(variant).event);
    match kind {
        Kind::Quote => {
            let (quote, of_day) = (fixtures::quote(variant), fixtures::statistics(variant));
            format!(
                "{{\"channel\":\"ticker\",\"type\":\"update\",\"data\":[{{\"symbol\":\"BTC/USD\",\
                 \"bid\":{},\"bid_qty\":{},\"ask\":{},\"ask_qty\":{},\"last\":{},\
                 \"volume\":2871.{:08},\"vwap\":61011.32,\"low\":54765.00,\"high\":62700.00,\
                 \"change\":6684.12,\"change_pct\":12.12,\"timestamp\":\"{timestamp}\"}}]}}",
                price(quote.bid),
                size(quote.bid),
                price(quote.ask),
                size(quote.ask),
                text(of_day.last.0, 2),
                45_219_034 + variant,
            )
        }
        Kind::Trade => {
            let trade = fixtures::trade(variant);
            let level = Level { price: trade.price, size: trade.size };
            format!(
                "{{\"channel\":\"trade\",\"type\":\"update\",\"data\":[{{\"symbol\":\"BTC/USD\",\
                 \"side\":\"{}\",\"price\":{},\"qty\":{},\"ord_type\":\"market\",\
                 \"trade_id\":{NEXT_ID},\"timestamp\":\"{timestamp}\"}}]}}",
                if variant.is_multiple_of(2) { "sell" } else { "buy" },
                price(level),
                size(level),
            )
        }
        Kind::Book => kraken_book("update", &kraken_change(variant), book),
    }
}

/// As [`fixtures::change`], but nothing leaves: a book of ten would need what moves up.
fn kraken_change(variant: u64) -> [Vec<Level>; 2] {
    let level = |side, rank| fixtures::level(side, rank, variant);
    let bids = vec![level(BookSide::Bid, 1), level(BookSide::Bid, 4)];
    [bids, vec![level(BookSide::Ask, 2)]]
}

fn kraken_book(stage: &str, sides: &[Vec<Level>; 2], book: &mut Book) -> String {
    for (side, levels) in BookSide::BOTH.into_iter().zip(sides) {
        for level in levels {
            book.apply(side, *level);
        }
    }
    let [bids, asks] = sides.each_ref().map(|levels| {
        let levels = levels.iter();
        let texts = levels.map(|l| format!("{{\"price\":{},\"qty\":{}}}", price(*l), size(*l)));
        texts.collect::<Vec<_>>().join(",")
    });
    format!(
        "{{\"channel\":\"book\",\"type\":\"{stage}\",\"data\":[{{\"symbol\":\"BTC/USD\",\
         \"bids\":[{bids}],\"asks\":[{asks}],\"checksum\":{},\
         \"timestamp\":\"2024-08-08T23:54:15.342123Z\"}}]}}",
        book.checksum()
    )
}

fn binance(venue: Venue, kind: Kind, variant: u64) -> String {
    let is_spot = venue == Venue::Spot;
    let time = TIME_MS;
    match kind {
        Kind::Quote => {
            let quote = fixtures::quote(variant);
            let [head, tail] = if is_spot {
                [String::new(), String::new()]
            } else {
                ["\"e\":\"bookTicker\",".to_owned(), format!(",\"T\":{time},\"E\":{time}")]
            };
            format!(
                "{{\"stream\":\"btcusdt@bookTicker\",\"data\":{{{head}\"u\":{NEXT_ID},\
                 \"s\":\"BTCUSDT\",\"b\":\"{}\",\"B\":\"{}\",\"a\":\"{}\",\"A\":\"{}\"{tail}}}}}",
                price(quote.bid),
                size(quote.bid),
                price(quote.ask),
                size(quote.ask),
            )
        }
        Kind::Trade => {
            let trade = fixtures::trade(variant);
            let level = Level { price: trade.price, size: trade.size };
            let (price, size) = (price(level), size(level));
            let is_maker = variant.is_multiple_of(2);
            let (middle, tail) =
                if is_spot { ("", ",\"M\":true") } else { ("\"X\":\"MARKET\",", "") };
            format!(
                "{{\"stream\":\"btcusdt@trade\",\"data\":{{\"e\":\"trade\",\"E\":{time},\
                 \"T\":{time},\"s\":\"BTCUSDT\",\"t\":{NEXT_ID},\"p\":\"{price}\",\
                 \"q\":\"{size}\",{middle}\"m\":{is_maker}{tail}}}}}"
            )
        }
        Kind::Book => {
            let [bids, asks] = BookSide::BOTH.map(|side| {
                let mut levels = fixtures::side(side, DELTA_LEVELS, variant);
                if variant.is_multiple_of(2) {
                    levels[4].size.0 = 0;
                }
                binance_levels(&levels)
            });
            let (speed, tail) = if is_spot {
                ("100ms", String::new())
            } else {
                ("0ms", format!("\"pu\":{LAST_ID},\"T\":{time},"))
            };
            format!(
                "{{\"stream\":\"btcusdt@depth@{speed}\",\"data\":{{\"e\":\"depthUpdate\",\
                 \"E\":{time},\"s\":\"BTCUSDT\",\"U\":{NEXT_ID},\"u\":{NEXT_ID},{tail}\
                 \"b\":[{bids}],\"a\":[{asks}]}}}}"
            )
        }
    }
}

fn binance_levels(levels: &[Level]) -> String {
    let texts = levels.iter().map(|l| format!("[\"{}\",\"{}\"]", price(*l), size(*l)));
    texts.collect::<Vec<_>>().join(",")
}
