//! Messages of a generated symbol as text: channel messages and truth lines.
//!
//! Pure functions that append to a buffer. Invariant: prices and sizes are printed with all
//! decimals of the instrument, so that the checksum covers what was sent.

use super::book::{Named, Side};
use super::names::Instrument;
use super::symbol::{Symbol, Trade};
use crate::decimal::{put, write, write_integer, write_unsigned};
use crate::time::write_rfc3339;

/// Opens a channel message up to and including the first item's symbol.
fn open(out: &mut Vec<u8>, channel: &str, kind: &str, symbol: &str) {
    put(out, r#"{"channel":""#);
    put(out, channel);
    put(out, r#"","type":""#);
    put(out, kind);
    put(out, r#"","data":[{"symbol":""#);
    put(out, symbol);
    put(out, r#"""#);
}

/// The ticker message; `kind` is snapshot or update.
pub(crate) fn ticker(out: &mut Vec<u8>, kind: &str, instrument: &Instrument, symbol: &Symbol) {
    open(out, "ticker", kind, &instrument.symbol);
    let (price_decimals, qty_decimals) = (instrument.price_decimals, instrument.qty_decimals);
    let (bid, ask) = symbol.book.touch();
    let change = symbol.last() - symbol.open;
    let price = |out: &mut Vec<u8>, name: &str, mantissa: i64| {
        put(out, name);
        write(out, mantissa, price_decimals);
    };
    price(out, r#","bid":"#, bid.price);
    put(out, r#","bid_qty":"#);
    write(out, bid.qty, qty_decimals);
    price(out, r#","ask":"#, ask.price);
    put(out, r#","ask_qty":"#);
    write(out, ask.qty, qty_decimals);
    price(out, r#","last":"#, symbol.last());
    put(out, r#","volume":"#);
    write_unsigned(out, symbol.volume, qty_decimals);
    price(out, r#","vwap":"#, symbol.vwap());
    price(out, r#","low":"#, symbol.low);
    price(out, r#","high":"#, symbol.high);
    price(out, r#","change":"#, change);
    put(out, r#","change_pct":"#);
    write(out, change.saturating_mul(10_000) / symbol.open, 2);
    close(out, symbol.ts_ns);
}

/// The message of the given trades, oldest first; `kind` is snapshot or update.
pub(crate) fn trades<'a>(
    out: &mut Vec<u8>,
    kind: &str,
    instrument: &Instrument,
    trades: impl Iterator<Item = &'a Trade>,
) {
    put(out, r#"{"channel":"trade","type":""#);
    put(out, kind);
    put(out, r#"","data":["#);
    for (index, trade) in trades.enumerate() {
        put(out, if index == 0 { r#"{"symbol":""# } else { r#",{"symbol":""# });
        put(out, &instrument.symbol);
        put(out, r#"","side":""#);
        put(out, if trade.taker_buys { "buy" } else { "sell" });
        put(out, r#"","price":"#);
        write(out, trade.price, instrument.price_decimals);
        put(out, r#","qty":"#);
        write(out, trade.qty, instrument.qty_decimals);
        put(out, r#","ord_type":"market","trade_id":"#);
        write_integer(out, trade.id);
        put(out, r#","timestamp":""#);
        write_rfc3339(out, trade.ts_ns);
        put(out, r#""}"#);
    }
    put(out, "]}");
}

/// The whole book to `depth`.
pub(crate) fn book_snapshot(
    out: &mut Vec<u8>,
    instrument: &Instrument,
    symbol: &Symbol,
    depth: usize,
    checksum: u32,
) {
    open(out, "book", "snapshot", &instrument.symbol);
    for (name, side) in [("bids", Side::Bid), ("asks", Side::Ask)] {
        let levels = symbol.book.top(side, depth).iter().map(|&level| (side, level));
        book_side(out, instrument, name, levels);
    }
    book_end(out, checksum, symbol.ts_ns);
}

/// An update naming the given levels.
pub(crate) fn book_update(
    out: &mut Vec<u8>,
    instrument: &Instrument,
    named: &[Named],
    checksum: u32,
    ts_ns: u64,
) {
    open(out, "book", "update", &instrument.symbol);
    for (name, side) in [("bids", Side::Bid), ("asks", Side::Ask)] {
        let levels = named.iter().copied().filter(|(of, _)| *of == side);
        book_side(out, instrument, name, levels);
    }
    book_end(out, checksum, ts_ns);
}

fn book_side(
    out: &mut Vec<u8>,
    instrument: &Instrument,
    name: &str,
    levels: impl Iterator<Item = Named>,
) {
    put(out, r#",""#);
    put(out, name);
    put(out, r#"":["#);
    for (index, (_, level)) in levels.enumerate() {
        put(out, if index == 0 { r#"{"price":"# } else { r#",{"price":"# });
        write(out, level.price, instrument.price_decimals);
        put(out, r#","qty":"#);
        write(out, level.qty, instrument.qty_decimals);
        put(out, "}");
    }
    put(out, "]");
}

fn book_end(out: &mut Vec<u8>, checksum: u32, ts_ns: u64) {
    put(out, r#","checksum":"#);
    write_integer(out, u64::from(checksum));
    close(out, ts_ns);
}

fn close(out: &mut Vec<u8>, ts_ns: u64) {
    put(out, r#","timestamp":""#);
    write_rfc3339(out, ts_ns);
    put(out, r#""}]}"#);
}

/// Opens a truth line up to and including its type.
fn truth_open(out: &mut Vec<u8>, channel: &str, symbol: &str, seq: u64, ts_ns: u64) {
    put(out, r#"{"symbol":""#);
    put(out, symbol);
    put(out, r#"","channel":""#);
    put(out, channel);
    put(out, r#"","seq":"#);
    write_integer(out, seq);
    put(out, r#","ts":"#);
    write_integer(out, ts_ns);
    put(out, if seq == 0 { r#","type":"snapshot""# } else { r#","type":"update""# });
}

fn field(out: &mut Vec<u8>, name: &str, mantissa: i64, decimals: u8) {
    put(out, r#",""#);
    put(out, name);
    put(out, r#"":""#);
    write(out, mantissa, decimals);
    put(out, r#"""#);
}

/// The truth of a trade.
pub(crate) fn truth_trade(out: &mut Vec<u8>, instrument: &Instrument, trade: &Trade, seq: u64) {
    truth_open(out, "trade", &instrument.symbol, seq, trade.ts_ns);
    field(out, "price", trade.price, instrument.price_decimals);
    field(out, "qty", trade.qty, instrument.qty_decimals);
    put(out, if trade.taker_buys { r#","side":"buy""# } else { r#","side":"sell""# });
    put(out, r#","trade_id":"#);
    write_integer(out, trade.id);
    put(out, "}");
}

/// The truth of a quote.
pub(crate) fn truth_ticker(out: &mut Vec<u8>, instrument: &Instrument, symbol: &Symbol, seq: u64) {
    truth_open(out, "ticker", &instrument.symbol, seq, symbol.ts_ns);
    let (bid, ask) = symbol.book.touch();
    field(out, "bid", bid.price, instrument.price_decimals);
    field(out, "bid_qty", bid.qty, instrument.qty_decimals);
    field(out, "ask", ask.price, instrument.price_decimals);
    field(out, "ask_qty", ask.qty, instrument.qty_decimals);
    field(out, "last", symbol.last(), instrument.price_decimals);
    put(out, "}");
}

/// The truth of a book update (or, with sequence 0, of the whole book).
pub(crate) fn truth_book(
    out: &mut Vec<u8>,
    instrument: &Instrument,
    named: &[Named],
    checksum: u32,
    seq: u64,
    ts_ns: u64,
) {
    truth_open(out, "book", &instrument.symbol, seq, ts_ns);
    for (name, side) in [("bids", Side::Bid), ("asks", Side::Ask)] {
        put(out, r#",""#);
        put(out, name);
        put(out, r#"":["#);
        for (index, (_, level)) in named.iter().filter(|(of, _)| *of == side).enumerate() {
            put(out, if index == 0 { r#"[""# } else { r#",[""# });
            write(out, level.price, instrument.price_decimals);
            put(out, r#"",""#);
            write(out, level.qty, instrument.qty_decimals);
            put(out, r#""]"#);
        }
        put(out, "]");
    }
    put(out, r#","checksum":"#);
    write_integer(out, u64::from(checksum));
    put(out, "}");
}
