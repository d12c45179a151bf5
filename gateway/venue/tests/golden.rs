//! Every kind of message, byte for byte as the venue sends it, and the event it means.
#![allow(
    missing_docs,
    clippy::needless_pass_by_value,
    reason = "a test says by its name what it is for, and reads best with owned texts"
)]

use venue::{Binance, DecodeError, Kraken};

fn kraken(message: &str) -> String {
    let mut events = Vec::new();
    let outcome =
        Kraken::new(1 << 20).decode(message.as_bytes(), |e| events.push(format!("{e:?}")));
    describe(events, outcome)
}

fn binance(message: &str) -> String {
    let mut events = Vec::new();
    let outcome =
        Binance::new(1 << 20).decode(message.as_bytes(), |e| events.push(format!("{e:?}")));
    describe(events, outcome)
}

/// Decimals and times in their own text, so that an expectation reads like the message.
fn describe(mut events: Vec<String>, outcome: Result<(), DecodeError>) -> String {
    if let Err(error) = outcome {
        events.push(format!("{}: {error}", error.kind()));
    }
    let mut text = events.join("\n");
    while let Some(begin) = text.find("Decimal { mantissa: ") {
        let end = begin + text[begin..].find(" }").expect("the derived form ends") + 2;
        let numbers: Vec<i64> = text[begin..end]
            .split(|c: char| !c.is_ascii_digit() && c != '-')
            .filter_map(|n| n.parse().ok())
            .collect();
        let value = market::Decimal::new(numbers[0], numbers[1] as u8).expect("in range");
        text.replace_range(begin..end, &value.to_string());
    }
    text
}

fn check(found: String, expected: &str) {
    assert_eq!(found, expected);
}

#[test]
fn a_kraken_ticker_keeps_the_text_of_its_numbers() {
    check(
        kraken(concat!(
            r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","#,
            r#""bid":105944.20,"bid_qty":2.5,"ask":105944.30,"ask_qty":3.20000000,"#,
            r#""last":105899.40,"volume":163.28908096,"vwap":105904.39279,"low":104711.00,"#,
            r#""high":106613.10,"change":-250.00,"change_pct":-0.24,"#,
            r#""timestamp":"1970-01-01T00:00:01.5Z"}]}"#
        )),
        "Ticker(Ticker { symbol: \"BTC/USD\", bid: Level { price: 105944.20, size: 2.5 }, \
         ask: Level { price: 105944.30, size: 3.20000000 }, last: Some(105899.40), \
         volume: Some(163.28908096), vwap: Some(105904.39279), low: Some(104711.00), \
         high: Some(106613.10), change: Some(-250.00), change_pct: Some(-0.24), \
         ts_event: Nanos(1500000000) })",
    );
}

#[test]
fn one_bad_kraken_trade_does_not_cost_the_others() {
    check(
        kraken(concat!(
            r#"{"channel":"trade","type":"update","data":[{"symbol":"A/B","side":"buy","#,
            r#""price":1.10,"qty":0.1,"ord_type":"limit","trade_id":7,"#,
            r#""timestamp":"1970-01-01T00:00:01Z"},{"symbol":"A/B","side":"buy","price":-1,"#,
            r#""qty":1,"trade_id":8,"timestamp":"1970-01-01T00:00:01Z"},"#,
            r#"{"symbol":"A/B","side":"sell","price":1e-5,"qty":2,"ord_type":"market","#,
            r#""trade_id":9,"timestamp":"1970-01-01T00:00:02Z"}]}"#
        )),
        "Trade(Trade { symbol: \"A/B\", price: 1.10, size: 0.1, side: Buy, order_kind: Limit, \
         trade_id: 7, ts_event: Nanos(1000000000) })\n\
         Trade(Trade { symbol: \"A/B\", price: 0.00001, size: 2, side: Sell, order_kind: Market, \
         trade_id: 9, ts_event: Nanos(2000000000) })\n\
         negative: field price is negative",
    );
}

#[test]
fn kraken_books_come_whole_and_as_changes() {
    check(
        kraken(concat!(
            r#"{"channel":"book","type":"snapshot","data":[{"symbol":"A/B","#,
            r#""bids":[{"price":1.0,"qty":2.00}],"asks":[],"checksum":42}]}"#
        )),
        "BookSnapshot(BookSnapshot { symbol: \"A/B\", bids: [Level { price: 1.0, size: 2.00 }], \
         asks: [], checksum: Some(42), last_update_id: None, ts_event: Nanos(0) })",
    );
    check(
        kraken(concat!(
            r#"{"channel":"book","type":"update","data":[{"symbol":"A/B","bids":[],"#,
            r#""asks":[{"price":1.1,"qty":0.0}],"checksum":4294967295,"#,
            r#""timestamp":"1970-01-01T00:00:01Z"}]}"#
        )),
        "BookDelta(BookDelta { symbol: \"A/B\", bids: [], asks: [Level { price: 1.1, size: 0.0 }], \
         checksum: Some(4294967295), update_ids: None, ts_event: Nanos(1000000000) })",
    );
}

#[test]
fn kraken_instruments_status_and_heartbeats_are_read() {
    check(
        kraken(concat!(
            r#"{"channel":"instrument","type":"snapshot","data":{"assets":[{"id":"BTC"}],"#,
            r#""pairs":[{"symbol":"BTC/USD","base":"BTC","quote":"USD","status":"online","#,
            r#""qty_precision":8,"qty_increment":1e-8,"price_precision":1,"cost_precision":5,"#,
            r#""marginable":true,"has_index":true,"cost_min":0.50,"price_increment":0.1,"#,
            r#""qty_min":0.00005}]}}"#
        )),
        "Instrument(Instrument { symbol: \"BTC/USD\", base: \"BTC\", quote: \"USD\", \
         price_precision: 1, size_precision: 8, price_increment: Some(0.1), \
         size_increment: Some(0.00000001), size_min: Some(0.00005), trading: Online })",
    );
    check(
        kraken(concat!(
            r#"{"channel":"status","type":"update","data":[{"version":"2.0.0","#,
            r#""system":"online","api_version":"v2","connection_id":18446744073709551615}]}"#
        )),
        "Status { system: \"online\" }",
    );
    check(kraken(r#"{"channel":"heartbeat"}"#), "Heartbeat");
    check(
        kraken(r#"{"channel":"ohlc","type":"update","data":[{"symbol":"A/B"}]}"#),
        "Ignored(Channel)",
    );
}

#[test]
fn kraken_replies_are_read() {
    check(
        kraken(concat!(
            r#"{"method":"subscribe","result":{"channel":"book","symbol":"BTC/USD","#,
            r#""depth":10,"snapshot":true},"success":true,"time_in":"x","time_out":"y","#,
            r#""req_id":1}"#
        )),
        "Ack(Ack { method: \"subscribe\", channel: Some(\"book\"), symbol: Some(\"BTC/USD\"), \
         success: true, error: None })",
    );
    check(
        kraken(concat!(
            r#"{"error":"Currency pair not supported X/Y","method":"subscribe","#,
            r#""success":false,"symbol":"X/Y"}"#
        )),
        "Ack(Ack { method: \"subscribe\", channel: None, symbol: Some(\"X/Y\"), success: false, \
         error: Some(\"Currency pair not supported X/Y\") })",
    );
    check(kraken(r#"{"method":"pong","req_id":42}"#), "Pong");
}

#[test]
fn a_spot_quote_has_no_time_and_a_futures_quote_has() {
    check(
        binance(concat!(
            r#"{"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT","#,
            r#""b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"}}"#
        )),
        "Quote(Quote { symbol: \"BTCUSDT\", bid: Level { price: 61837.63000000, size: 3.78826000 \
         }, ask: Level { price: 61837.64000000, size: 1.54698000 }, ts_event: Nanos(0), \
         update_id: Some(50093239212) })",
    );
    check(
        binance(concat!(
            r#"{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":5,"s":"BTCUSDT","#,
            r#""b":"61800.20","B":"2.507","a":"61800.30","A":"2.510","T":3,"E":4}}"#
        )),
        "Quote(Quote { symbol: \"BTCUSDT\", bid: Level { price: 61800.20, size: 2.507 }, \
         ask: Level { price: 61800.30, size: 2.510 }, ts_event: Nanos(3000000), \
         update_id: Some(5) })",
    );
}

#[test]
fn when_the_buyer_is_the_maker_the_taker_sold() {
    check(
        binance(concat!(
            r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":4,"s":"BTCUSDT","#,
            r#""t":3735683259,"p":"61837.63000000","q":"0.02000000","T":3,"m":true,"M":true}}"#
        )),
        "Trade(Trade { symbol: \"BTCUSDT\", price: 61837.63000000, size: 0.02000000, side: Sell, \
         order_kind: Market, trade_id: 3735683259, ts_event: Nanos(3000000) })",
    );
    check(
        binance(concat!(
            r#"{"e":"trade","E":4,"T":3,"s":"BTCUSDT","t":1,"p":"1","q":"2","X":"MARKET","#,
            r#""m":false}"#
        )),
        "Trade(Trade { symbol: \"BTCUSDT\", price: 1, size: 2, side: Buy, order_kind: Market, \
         trade_id: 1, ts_event: Nanos(3000000) })",
    );
}

#[test]
fn executions_outside_the_book_are_not_trades() {
    for kind in ["INSURANCE_FUND", "ADL", "NA"] {
        let message = format!(
            r#"{{"stream":"ethusdt@trade","data":{{"e":"trade","E":1,"T":1,"s":"ETHUSDT","t":1,
                "p":"2366.55","q":"0.070","X":"{kind}","m":true}}}}"#
        );
        check(binance(&message), "Ignored(NotAMarketTrade)");
    }
}

#[test]
fn deltas_carry_their_numbers_and_partial_books_are_not_deltas() {
    check(
        binance(concat!(
            r#"{"stream":"b@depth@0ms","data":{"e":"depthUpdate","E":4,"T":3,"s":"B","U":10,"#,
            r#""u":12,"pu":9,"b":[["1.0","0.000"]],"a":[]}}"#
        )),
        "BookDelta(BookDelta { symbol: \"B\", bids: [Level { price: 1.0, size: 0.000 }], asks: [], \
         checksum: None, update_ids: Some(UpdateIds { first: 10, last: 12, previous: Some(9) }), \
         ts_event: Nanos(3000000) })",
    );
    check(
        binance(concat!(
            r#"{"stream":"b@depth20","data":{"e":"depthUpdate","E":4,"T":3,"s":"B","U":10,"#,
            r#""u":12,"pu":9,"b":[],"a":[]}}"#
        )),
        "Ignored(Stream)",
    );
    check(
        binance(r#"{"stream":"b@depth20","data":{"lastUpdateId":1,"bids":[],"asks":[]}}"#),
        "Ignored(Stream)",
    );
}

#[test]
fn a_rest_snapshot_is_given_its_symbol() {
    let mut events = Vec::new();
    let outcome = Binance::new(1 << 20).decode_snapshot(
        br#"{"lastUpdateId":7,"E":4,"T":3,"bids":[["1.0","2"]],"asks":[["1.1","3"]]}"#,
        "B",
        |e| events.push(format!("{e:?}")),
    );
    check(
        describe(events, outcome),
        "BookSnapshot(BookSnapshot { symbol: \"B\", bids: [Level { price: 1.0, size: 2 }], \
         asks: [Level { price: 1.1, size: 3 }], checksum: None, last_update_id: Some(7), \
         ts_event: Nanos(3000000) })",
    );
    let outcome = Binance::new(1 << 20).decode_snapshot(
        br#"{"code":-1121,"msg":"Invalid symbol."}"#,
        "B",
        |_| panic!("no event"),
    );
    assert_eq!(outcome, Err(DecodeError::UnknownShape));
}

#[test]
fn binance_replies_and_other_streams_are_known() {
    check(
        binance(r#"{"result":null,"id":3}"#),
        "Ack(Ack { method: \"\", channel: None, symbol: None, success: true, error: None })",
    );
    check(
        binance(r#"{"error":{"code":2,"msg":"Invalid request"},"id":1}"#),
        "Ack(Ack { method: \"\", channel: None, symbol: None, success: false, \
         error: Some(\"Invalid request\") })",
    );
    check(binance(r#"{"stream":"!ticker@arr","data":[{"e":"24hrTicker"}]}"#), "Ignored(Stream)");
    check(binance(r#"{"e":"kline","E":1}"#), "Ignored(Stream)");
}

#[test]
fn every_refusal_says_which_field_and_why() {
    check(kraken("{"), "malformed_json: malformed JSON");
    check(kraken(""), "malformed_json: malformed JSON");
    check(kraken("[1,2]"), "unknown_shape: unknown shape of message");
    check(kraken(r#"{"channel":"book"}"#), "missing_field: field data is missing");
    check(
        kraken(r#"{"channel":"book","data":[{"bids":[],"asks":[]}]}"#),
        "missing_field: field symbol is missing",
    );
    check(
        kraken(r#"{"channel":"book","data":[{"symbol":"A","bids":[{"price":1e1e1,"qty":1}]}]}"#),
        "bad_number: field price is not a number in range",
    );
    check(
        kraken(r#"{"channel":"trade","data":[{"symbol":"A","side":"up"}]}"#),
        "bad_value: field side has a value it cannot have",
    );
    check(
        binance(r#"{"e":"trade","s":"B","p":1.5e}"#),
        "bad_number: field p is not a number in range",
    );
    check(
        binance(r#"{"e":"depthUpdate","s":"B","U":3,"u":2,"b":[],"a":[]}"#),
        "bad_value: field U has a value it cannot have",
    );
    let outcome = Binance::new(8).decode(b"{\"a\":12345}", |_| {});
    assert_eq!(outcome, Err(DecodeError::TooLarge { size: 11, size_max: 8 }));
}
