//! A message of each kind, as venues say them.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its share")]

/// Each is one event.
pub const KRAKEN: [&str; 5] = [
    concat!(
        r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":105944.20,"#,
        r#""bid_qty":2.5,"ask":105944.30,"ask_qty":3.2,"last":105899.40,"volume":163.28908096,"#,
        r#""vwap":105904.39279,"low":104711.00,"high":106613.10,"change":250.00,"#,
        r#""change_pct":0.24,"timestamp":"2022-12-25T09:30:59.123456Z"}]}"#
    ),
    concat!(
        r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","#,
        r#""price":105944.20,"qty":0.00027625,"ord_type":"limit","trade_id":10218208,"#,
        r#""timestamp":"2023-10-06T17:35:55.440295Z"}]}"#
    ),
    concat!(
        r#"{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","#,
        r#""bids":[{"price":29423.0,"qty":2.54902601}],"asks":[],"checksum":434883881,"#,
        r#""timestamp":"2023-07-30T15:30:01.581227Z"}]}"#
    ),
    concat!(
        r#"{"channel":"instrument","type":"snapshot","data":{"assets":[],"#,
        r#""pairs":[{"symbol":"A/B","base":"A","quote":"B","status":"online","qty_precision":8,"#,
        r#""qty_increment":1e-8,"price_precision":1,"price_increment":0.1,"qty_min":0.1}]}}"#
    ),
    concat!(
        r#"{"method":"subscribe","result":{"channel":"ticker","symbol":"BTC/USD","#,
        r#""snapshot":true},"success":true,"time_in":"2023-09-25T09:04:31.742599Z","req_id":1}"#
    ),
];

/// Each is one event.
pub const BINANCE: [&str; 3] = [
    concat!(
        r#"{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":1723161256299,"#,
        r#""T":1723161256298,"s":"BTCUSDT","U":5123107832006,"u":5123107837557,"#,
        r#""pu":5123107831937,"b":[["58710.20","0.014"]],"a":[["61496.50","0.010"]]}}"#
    ),
    concat!(
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,"T":1723161256322,"#,
        r#""s":"BTCUSDT","t":5266583935,"p":"61800.30","q":"0.006","X":"MARKET","m":false}}"#
    ),
    concat!(
        r#"{"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT","#,
        r#""b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"}}"#
    ),
];

/// A book by REST.
pub const BINANCE_BOOK: &str = concat!(
    r#"{"lastUpdateId":50093239218,"bids":[["61837.63000000","3.78826000"]],"#,
    r#""asks":[["61838.63000000","3.78826000"]]}"#
);
