//! Data frames: ticker, trade, book, ohlc, instrument, in the shapes of Kraken's WebSocket API v2.
//!
//! Each encoder appends one whole frame. `Marks` adds the extension sibling `x` for sessions that
//! asked for sequences; nothing else differs between the two classes of frame.

use market::{
    Bar, Instrument, Interval, Level, Nanos, OrderKind, Quote, Side, Stamps, Statistics, Trade,
    digits,
};

use crate::frame;
use crate::json::{
    write_level, write_list, write_price, write_size, write_string, write_time, write_volume,
};

/// Whether a frame is a first value or a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameType {
    /// The value as of now.
    Snapshot,
    /// A change.
    Update,
}

/// What `x` says: which updates the frame stands for, and when the latest passed our stations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// Sequence of the oldest update the frame stands for.
    pub first_sequence: u64,
    /// Sequence of the newest.
    pub sequence: u64,
    /// Stamps of the newest.
    pub stamps: Stamps,
}

impl Marks {
    /// A frame that stands for one update.
    pub const fn one(sequence: u64, stamps: Stamps) -> Self {
        Self { first_sequence: sequence, sequence, stamps }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"x\":{\"seq\":");
        digits::write_u64(self.sequence, out);
        if self.first_sequence < self.sequence {
            out.extend_from_slice(b",\"first_seq\":");
            digits::write_u64(self.first_sequence, out);
            out.extend_from_slice(b",\"merged\":");
            digits::write_u64(self.sequence - self.first_sequence + 1, out);
        }
        let Stamps { event, recv, publish } = self.stamps;
        for (name, time) in [("ts_event", event), ("ts_recv", recv), ("ts_pub", publish)] {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":\"");
            digits::write_u64(time.0, out);
            out.push(b'"');
        }
        out.push(b'}');
    }
}

fn write_data(
    channel: &str,
    frame_type: FrameType,
    marks: Option<&Marks>,
    out: &mut Vec<u8>,
    items: impl FnOnce(&mut Vec<u8>),
) {
    frame::write_text(out, |out| {
        out.extend_from_slice(b"{\"channel\":\"");
        out.extend_from_slice(channel.as_bytes());
        out.extend_from_slice(match frame_type {
            FrameType::Snapshot => b"\",\"type\":\"snapshot\",\"data\":",
            FrameType::Update => b"\",\"type\":\"update\",\"data\":",
        });
        items(out);
        if let Some(marks) = marks {
            marks.write(out);
        }
        out.push(b'}');
    });
}

fn key(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn open_item(instrument: &Instrument, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"symbol\":");
    write_string(&instrument.symbol, out);
}

fn close_item(time: Nanos, out: &mut Vec<u8>) {
    key("timestamp", out);
    write_time(time, out);
    out.push(b'}');
}

/// Appends a ticker frame. Figures nobody knows yet are `null`, never zero.
pub fn write_ticker(
    instrument: &Instrument,
    quote: Option<&Quote>,
    statistics: Option<&Statistics>,
    stamps: Stamps,
    frame_type: FrameType,
    marks: Option<&Marks>,
    out: &mut Vec<u8>,
) {
    let price = |name, value: Option<_>, out: &mut Vec<u8>| {
        key(name, out);
        match value {
            Some(value) => write_price(value, instrument, out),
            None => out.extend_from_slice(b"null"),
        }
    };
    let level = |name, size_name, value: Option<Level>, out: &mut Vec<u8>| {
        price(name, value.map(|l| l.price), out);
        key(size_name, out);
        match value {
            Some(level) => write_size(level.size, instrument, out),
            None => out.extend_from_slice(b"null"),
        }
    };
    write_data("ticker", frame_type, marks, out, |out| {
        out.push(b'[');
        open_item(instrument, out);
        level("bid", "bid_qty", quote.map(|q| q.bid), out);
        level("ask", "ask_qty", quote.map(|q| q.ask), out);
        price("last", statistics.map(|s| s.last), out);
        key("volume", out);
        write_volume(statistics.map_or(0, |s| s.volume), instrument, out);
        price("vwap", statistics.map(|s| s.vwap), out);
        price("low", statistics.map(|s| s.low), out);
        price("high", statistics.map(|s| s.high), out);
        price("change", statistics.map(|s| s.change), out);
        key("change_pct", out);
        match statistics {
            Some(s) => digits::write_fixed_i64(s.change_basis_points, 2, out),
            None => out.extend_from_slice(b"null"),
        }
        close_item(stamps.event.or(stamps.recv), out);
        out.push(b']');
    });
}

/// Appends a trade frame, oldest trade first.
pub fn write_trades<'a>(
    instrument: &Instrument,
    trades: impl IntoIterator<Item = &'a Trade>,
    frame_type: FrameType,
    marks: Option<&Marks>,
    out: &mut Vec<u8>,
) {
    write_data("trade", frame_type, marks, out, |out| {
        out.push(b'[');
        write_list(trades, out, |trade, out| {
            open_item(instrument, out);
            out.extend_from_slice(match trade.side {
                Side::Buy => b",\"side\":\"buy\"".as_slice(),
                Side::Sell => b",\"side\":\"sell\"",
            });
            key("price", out);
            write_price(trade.price, instrument, out);
            key("qty", out);
            write_size(trade.size, instrument, out);
            out.extend_from_slice(match trade.order_kind {
                OrderKind::Market => b",\"ord_type\":\"market\"".as_slice(),
                OrderKind::Limit => b",\"ord_type\":\"limit\"",
            });
            key("trade_id", out);
            digits::write_u64(trade.trade_id, out);
            close_item(trade.ts_event, out);
        });
        out.push(b']');
    });
}

/// Appends a book frame: levels best first in a snapshot, removals first in an update.
pub fn write_book(
    instrument: &Instrument,
    [bids, asks]: [impl IntoIterator<Item = Level>; 2],
    checksum: u32,
    stamps: Stamps,
    frame_type: FrameType,
    marks: Option<&Marks>,
    out: &mut Vec<u8>,
) {
    write_data("book", frame_type, marks, out, |out| {
        out.push(b'[');
        open_item(instrument, out);
        key("bids", out);
        out.push(b'[');
        write_list(bids, out, |level, out| write_level(level, instrument, out));
        out.push(b']');
        key("asks", out);
        out.push(b'[');
        write_list(asks, out, |level, out| write_level(level, instrument, out));
        out.push(b']');
        key("checksum", out);
        digits::write_u64(u64::from(checksum), out);
        close_item(stamps.event.or(stamps.recv), out);
        out.push(b']');
    });
}

/// Appends an ohlc frame, oldest bar first. `interval` is in minutes; bars of one second say 0 and
/// are asked for through `x`.
pub fn write_bars<'a>(
    instrument: &Instrument,
    interval: Interval,
    bars: impl IntoIterator<Item = &'a Bar>,
    frame_type: FrameType,
    marks: Option<&Marks>,
    out: &mut Vec<u8>,
) {
    write_data("ohlc", frame_type, marks, out, |out| {
        out.push(b'[');
        write_list(bars, out, |bar, out| {
            open_item(instrument, out);
            for (name, price) in [
                ("open", bar.open),
                ("high", bar.high),
                ("low", bar.low),
                ("close", bar.close),
                ("vwap", bar.vwap()),
            ] {
                key(name, out);
                write_price(price, instrument, out);
            }
            key("trades", out);
            digits::write_u64(bar.trade_count, out);
            key("volume", out);
            write_volume(bar.volume, instrument, out);
            key("interval_begin", out);
            write_time(bar.begin, out);
            key("interval", out);
            digits::write_u64(interval.minutes(), out);
            // As the venue does: the time at which the interval ends.
            close_item(Nanos(bar.begin.0.saturating_add(interval.seconds() * 1_000_000_000)), out);
        });
        out.push(b']');
    });
}

/// Appends an instrument frame. Assets are those the instruments name.
pub fn write_instruments<'a>(
    instruments: impl IntoIterator<Item = &'a Instrument> + Clone,
    frame_type: FrameType,
    marks: Option<&Marks>,
    out: &mut Vec<u8>,
) {
    write_data("instrument", frame_type, marks, out, |out| {
        out.extend_from_slice(b"{\"assets\":[");
        let mut assets: Vec<(&str, u8)> = Vec::new();
        for instrument in instruments.clone() {
            assets.push((&instrument.base, instrument.size_precision));
            assets.push((&instrument.quote, instrument.price_precision));
        }
        assets.sort_unstable_by(|a, b| a.0.cmp(b.0).then(b.1.cmp(&a.1)));
        assets.dedup_by_key(|(id, _)| *id);
        write_list(assets, out, |(id, precision), out| write_asset(id, precision, out));
        out.extend_from_slice(b"],\"pairs\":[");
        write_list(instruments, out, write_pair);
        out.extend_from_slice(b"]}");
    });
}

fn write_asset(id: &str, precision: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":");
    write_string(id, out);
    out.extend_from_slice(b",\"status\":\"enabled\"");
    for name in ["precision", "precision_display"] {
        key(name, out);
        digits::write_u64(u64::from(precision), out);
    }
    out.extend_from_slice(b",\"borrowable\":false,\"collateral_value\":0.0}");
}

fn write_pair(instrument: &Instrument, out: &mut Vec<u8>) {
    open_item(instrument, out);
    for (name, text) in [
        ("base", &*instrument.base),
        ("quote", &*instrument.quote),
        ("status", instrument.trading.as_str()),
    ] {
        key(name, out);
        write_string(text, out);
    }
    for (name, count) in [
        ("qty_precision", instrument.size_precision),
        ("price_precision", instrument.price_precision),
        ("cost_precision", instrument.price_precision),
    ] {
        key(name, out);
        digits::write_u64(u64::from(count), out);
    }
    key("qty_increment", out);
    write_size(instrument.size_increment, instrument, out);
    for name in ["price_increment", "tick_size"] {
        key(name, out);
        write_price(instrument.price_increment, instrument, out);
    }
    key("qty_min", out);
    write_size(instrument.size_min, instrument, out);
    out.extend_from_slice(b",\"cost_min\":0.0,\"marginable\":false,\"has_index\":false}");
}

#[cfg(test)]
#[path = "data_tests.rs"]
mod tests;
