//! What passes between two gateways, byte by byte: every kind of record, and symbols of which
//! everything is known.
//!
//! `layout.txt` holds the bytes of this [`LAYOUT_VERSION`]: a name and hexadecimal digits a line.
//! Every value in them is another one, so that two fields that changed places are seen. Whoever
//! changes a layout gives it another version and takes the lines that the failing test shows.
#![allow(missing_docs, reason = "a test program has no public face")]

use std::collections::BTreeSet;
use std::fmt::Write;

use market::{
    Body, BookChange, Instrument, LAYOUT_VERSION, Level, Levels, Nanos, OrderKind, Price, Quote,
    Side, Size, Stamps, State, Statistics, Symbol, SymbolId, Tick, Trade, Trading, Truth, Twin,
};

const PINNED: &str = include_str!("layout.txt");
const LEVELS: usize = 7;
const DAY_NS: u64 = 24 * 3600 * 1_000_000_000;

const fn level(price: i64, size: i64) -> Level {
    Level { price: Price(price), size: Size(size) }
}

static BIDS: [Level; 2] = [level(0x5150, 0x11), level(0x514f, 0x12)];
static ASKS: [Level; 3] = [level(0x5160, 0x13), level(0x5161, 0x14), level(0x5162, 0x15)];

fn instrument(trading: Trading) -> Body<'static> {
    Body::Instrument(Instrument {
        symbol: "BTC/USD".into(),
        venue: "venue".into(),
        venue_symbol: "xbt".into(),
        base: "BTC".into(),
        quote: "\u{20ac}".into(),
        price_precision: 3,
        size_precision: 8,
        price_increment: Price(0x21),
        size_increment: Size(0x22),
        size_min: Size(0x23),
        book_levels_max: LEVELS as u32,
        trading,
    })
}

fn trade(at: u64, side: Side, order_kind: OrderKind) -> Body<'static> {
    let (price, size) = (Price(0x6100 + at as i64), Size(0x31 + at as i64));
    let trade_id = 0x7172_7374_7576_7700 + at;
    let ts_event = Nanos(20_000 * DAY_NS + at * 400_000_000_000 + 0x0102_0304);
    Body::Trade(Trade { price, size, side, order_kind, trade_id, ts_event })
}

const STATISTICS: Statistics = Statistics {
    last: Price(0x41),
    volume: 0x4243_4445_4647_4849_4a4b,
    vwap: Price(0x4c),
    low: Price(0x4d),
    high: Price(0x4e),
    change: Price(-0x4f),
    change_basis_points: -0x50,
};

/// All there are, in an order in which they can be folded.
fn bodies() -> Vec<(&'static str, u32, Body<'static>)> {
    let quote = Quote { bid: level(0x91, 0x92), ask: level(0x93, 0x94) };
    let (sides, none) = ([Levels::new(&BIDS), Levels::new(&ASKS)], Levels::new(&[]));
    let twin = |delay_ms| Body::Twin(Twin { of: SymbolId(0), delay_ms });
    vec![
        ("instrument", 0, instrument(Trading::Online)),
        ("twin", 1, twin(0x0a0b_0c0d)),
        ("other_twin", 2, twin(0x0a0b_0c0e)),
        ("quote", 0, Body::Quote(quote)),
        ("ticker", 2, Body::Ticker(quote, STATISTICS)),
        ("book", 0, Body::Book(BookChange { bids: sides[0], asks: sides[1] })),
        ("book_of_asks", 2, Body::Book(BookChange { bids: none, asks: sides[1] })),
        ("trade_buy_market", 0, trade(1, Side::Buy, OrderKind::Market)),
        ("trade_sell_market", 0, trade(2, Side::Sell, OrderKind::Market)),
        ("trade_buy_limit", 0, trade(3, Side::Buy, OrderKind::Limit)),
        ("trade_of_a_twin", 2, trade(4, Side::Sell, OrderKind::Limit)),
        ("state_ok", 0, Body::State(State::Ok)),
        ("state_stale", 0, Body::State(State::Stale)),
        ("state_recovering", 0, Body::State(State::Recovering)),
        ("state_closed", 0, Body::State(State::Closed)),
        ("state_halted", 0, Body::State(State::Halted)),
        ("instrument_delisted", 0, instrument(Trading::ALL[Trading::ALL.len() - 1])),
    ]
}

/// Numbers what is said, folds it, and stamps it with times of its own.
fn apply(truth: &mut Truth, at: u64, symbol: u32, body: Body<'_>) -> Vec<u8> {
    let symbol = SymbolId(symbol);
    let sequence = truth.next_sequence(symbol, body.channel());
    let [event, recv, publish] = [1, 2, 3].map(|stamp| Nanos(0x8000 + 0x10 * at + stamp));
    let tick = Tick { symbol, sequence, stamps: Stamps { event, recv, publish }, body };
    truth.apply(&tick).expect("in step");
    let mut record = Vec::new();
    tick.encode(&mut record);
    let again = Tick::decode(&record).expect("its own record");
    assert!(again.is_sound());
    let mut bytes = Vec::new();
    again.encode(&mut bytes);
    assert_eq!(bytes, record);
    record
}

fn image(truth: &Truth, symbol: u32) -> Vec<u8> {
    let symbol = truth.symbol(SymbolId(symbol)).expect("defined");
    let mut image = Vec::new();
    symbol.encode(&mut image);
    let again = Symbol::decode(&image, LEVELS).expect("its own image");
    let mut bytes = Vec::new();
    again.encode(&mut bytes);
    assert_eq!(bytes, image);
    image
}

fn found() -> Vec<(String, Vec<u8>)> {
    let mut truth = Truth::default();
    let mut found = Vec::new();
    for (at, (name, symbol, body)) in bodies().into_iter().enumerate() {
        found.push((name.to_owned(), apply(&mut truth, at as u64, symbol, body)));
    }
    for (at, trading) in Trading::ALL.into_iter().enumerate() {
        let record = apply(&mut truth, 0x20 + at as u64, 0, instrument(trading));
        found.push((format!("instrument_{at}"), record));
    }
    let original = truth.symbol(SymbolId(0)).expect("defined").clone();
    let renewal = Body::Renewal(Box::new(original));
    found.push(("renewal".to_owned(), apply(&mut truth, 0x30, 1, renewal)));
    for (name, symbol) in ["image", "image_renewed", "image_of_a_twin"].into_iter().zip(0..) {
        found.push((name.to_owned(), image(&truth, symbol)));
    }
    found
}

fn line((name, bytes): &(String, Vec<u8>)) -> String {
    let mut line = format!("{name} ");
    for byte in bytes {
        // Writing to a String cannot fail.
        _ = write!(line, "{byte:02x}");
    }
    line
}

#[test]
fn every_record_and_image_has_the_bytes_of_its_version() {
    let found = found();
    let version = format!("version {LAYOUT_VERSION}");
    let lines: Vec<String> = std::iter::once(version).chain(found.iter().map(line)).collect();
    let pinned: Vec<&str> = PINNED.lines().collect();
    let other = lines.iter().zip(&pinned).position(|(found, pinned)| found != pinned);
    let all = lines.join("\n");
    if let Some(at) = other {
        let name = lines[at].split(' ').next().unwrap_or_default();
        panic!("{name} has changed, which needs another LAYOUT_VERSION and these lines:\n{all}");
    }
    assert_eq!(lines.len(), pinned.len(), "a kind came or went:\n{all}");
}

#[test]
fn every_kind_of_record_and_every_part_of_a_symbol_is_among_them() {
    let found = found();
    let is_record = |name: &str| !name.starts_with("image");
    let kinds: BTreeSet<u8> =
        found.iter().filter(|(name, _)| is_record(name)).map(|(_, bytes)| bytes[0]).collect();
    let known: BTreeSet<u8> = (0..=u8::MAX).filter(|kind| is_a_kind(*kind, &found)).collect();
    assert_eq!(kinds, known);
    let symbol = |name| {
        let (_, image) = found.iter().find(|(found, _)| found == name).expect("there");
        Symbol::decode(image, LEVELS).expect("whole")
    };
    let (original, twin) = (symbol("image"), symbol("image_of_a_twin"));
    assert!(original.quote.is_some() && original.statistics.is_some());
    assert_eq!((original.book.bids().len(), original.book.asks().len()), (2, 3));
    assert_eq!((original.tape.iter().len(), original.state), (3, State::Halted));
    let (minutes, fives) = (market::Interval::Minute1, market::Interval::Minute5);
    assert!(original.bars.of(minutes).count() == 3 && original.bars.of(fives).count() > 1);
    assert_eq!(twin.twin, Some(Twin { of: SymbolId(0), delay_ms: 0x0a0b_0c0e }));
    assert_eq!(twin.statistics, Some(STATISTICS), "the venue's own");
}

/// Whether some record is read that begins with this byte: its body may be any of those there are.
fn is_a_kind(kind: u8, found: &[(String, Vec<u8>)]) -> bool {
    found.iter().any(|(_, bytes)| {
        let mut record = bytes.clone();
        record[0] = kind;
        Tick::decode(&record).is_ok()
    })
}
