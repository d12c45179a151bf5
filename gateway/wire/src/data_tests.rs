//! Golden texts of the data frames.

use market::{Bars, Price, Size, Trading};

use super::*;

fn instrument() -> Instrument {
    Instrument {
        symbol: "BTC/USD".into(),
        venue: "sim".into(),
        venue_symbol: "BTC/USD".into(),
        base: "BTC".into(),
        quote: "USD".into(),
        price_precision: 1,
        size_precision: 8,
        price_increment: Price(1),
        size_increment: Size(1),
        size_min: Size(5000),
        book_levels_max: 1000,
        trading: Trading::Online,
    }
}

fn level(price: i64, size: i64) -> Level {
    Level { price: Price(price), size: Size(size) }
}

fn stamps() -> Stamps {
    Stamps { event: Nanos(1_690_730_998_343_415_000), recv: Nanos(5), publish: Nanos(6) }
}

#[track_caller]
fn check(frame: &[u8], expected: &str) {
    let header = match frame[1] {
        127 => 10,
        126 => 4,
        _ => 2,
    };
    let text = std::str::from_utf8(&frame[header..]).expect("text frames are UTF-8");
    assert_eq!(text, expected);
    let _: serde_like::Checked = serde_like::check(text);
}

/// The JSON grammar, checked by a parser that is not ours.
mod serde_like {
    pub(super) struct Checked;

    pub(super) fn check(text: &str) -> Checked {
        let mut bytes = text.as_bytes().to_vec();
        simd_json::to_tape(&mut bytes).expect("well-formed JSON");
        Checked
    }
}

#[test]
fn a_ticker_says_every_field_at_full_precision() {
    let mut out = Vec::new();
    let quote = Quote { bid: level(294_302, 18_967_538), ask: level(294_303, 100_000_000) };
    let statistics = Statistics {
        last: Price(294_302),
        volume: 123_456_789_012,
        vwap: Price(294_000),
        low: Price(290_000),
        high: Price(299_999),
        change: Price(-10),
        change_basis_points: -3,
    };
    write_ticker(
        &instrument(),
        Some(&quote),
        Some(&statistics),
        stamps(),
        FrameType::Update,
        None,
        &mut out,
    );
    check(
        &out,
        concat!(
            r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":29430.2,"#,
            r#""bid_qty":0.18967538,"ask":29430.3,"ask_qty":1.00000000,"last":29430.2,"#,
            r#""volume":1234.56789012,"vwap":29400.0,"low":29000.0,"high":29999.9,"change":-1.0,"#,
            r#""change_pct":-0.03,"timestamp":"2023-07-30T15:29:58.343415Z"}]}"#
        ),
    );
}

#[test]
fn what_a_ticker_does_not_know_is_null() {
    let mut out = Vec::new();
    write_ticker(&instrument(), None, None, stamps(), FrameType::Snapshot, None, &mut out);
    check(
        &out,
        concat!(
            r#"{"channel":"ticker","type":"snapshot","data":[{"symbol":"BTC/USD","bid":null,"#,
            r#""bid_qty":null,"ask":null,"ask_qty":null,"last":null,"volume":0.00000000,"#,
            r#""vwap":null,"low":null,"high":null,"change":null,"change_pct":null,"#,
            r#""timestamp":"2023-07-30T15:29:58.343415Z"}]}"#
        ),
    );
}

#[test]
fn a_book_update_with_marks_says_what_it_stands_for() {
    let mut out = Vec::new();
    let marks = Marks { first_sequence: 7, sequence: 9, stamps: stamps() };
    write_book(
        &instrument(),
        [vec![level(294_302, 0)], vec![]],
        2_785_033_588,
        stamps(),
        FrameType::Update,
        Some(&marks),
        &mut out,
    );
    check(
        &out,
        concat!(
            r#"{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","#,
            r#""bids":[{"price":29430.2,"qty":0.00000000}],"asks":[],"checksum":2785033588,"#,
            r#""timestamp":"2023-07-30T15:29:58.343415Z"}],"x":{"seq":9,"first_seq":7,"merged":3,"#,
            r#""ts_event":"1690730998343415000","ts_recv":"5","ts_pub":"6"}}"#
        ),
    );
}

#[test]
fn a_trade_and_its_bar_are_told_in_the_venues_shape() {
    let trade = Trade {
        price: Price(294_302),
        size: Size(1_000_000),
        side: Side::Sell,
        order_kind: OrderKind::Market,
        trade_id: 42,
        ts_event: Nanos(1_690_730_998_343_415_000),
    };
    let mut out = Vec::new();
    write_trades(&instrument(), [&trade], FrameType::Update, None, &mut out);
    check(
        &out,
        concat!(
            r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","#,
            r#""price":29430.2,"qty":0.01000000,"ord_type":"market","trade_id":42,"#,
            r#""timestamp":"2023-07-30T15:29:58.343415Z"}]}"#
        ),
    );
    let mut bars = Bars::default();
    bars.add(&trade);
    out.clear();
    let interval = Interval::Minute1;
    write_bars(&instrument(), interval, bars.of(interval), FrameType::Snapshot, None, &mut out);
    check(
        &out,
        concat!(
            r#"{"channel":"ohlc","type":"snapshot","data":[{"symbol":"BTC/USD","open":29430.2,"#,
            r#""high":29430.2,"low":29430.2,"close":29430.2,"vwap":29430.2,"trades":1,"#,
            r#""volume":0.01000000,"interval_begin":"2023-07-30T15:29:00.000000Z","interval":1,"#,
            r#""timestamp":"2023-07-30T15:30:00.000000Z"}]}"#
        ),
    );
}

#[test]
fn instruments_name_their_assets_once() {
    let mut other = instrument();
    other.symbol = "ETH/USD".into();
    other.base = "ETH".into();
    other.price_precision = 2;
    let mut out = Vec::new();
    write_instruments([&instrument(), &other], FrameType::Snapshot, None, &mut out);
    let text = String::from_utf8_lossy(&out);
    assert_eq!(text.matches(r#""id":"USD","status":"enabled","precision":2"#).count(), 1);
    assert_eq!(text.matches(r#""id":"#).count(), 3);
    assert!(text.contains(r#""qty_increment":0.00000001,"price_increment":0.1,"tick_size":0.1"#));
}
