//! What we say to a venue: Kraken's requests, Binance's addresses.
//!
//! Pure text. Symbols come from the config or from the venue; in JSON they are escaped, in an
//! address percent-encoded, so no name can break out of its place.

use std::fmt::Write;

use crate::Dialect;

/// A Kraken channel and its parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KrakenChannel {
    /// Definitions of all symbols.
    Instrument,
    /// Best bid and ask, pushed on each change of them.
    Ticker,
    /// Executions.
    Trade,
    /// A book of that depth.
    Book(u16),
}

/// `{"method":"subscribe", ...}` for these symbols; the instrument channel takes none.
pub fn kraken_subscribe<'a>(
    channel: KrakenChannel,
    symbols: impl IntoIterator<Item = &'a str>,
) -> String {
    kraken("subscribe", channel, symbols)
}

/// `{"method":"unsubscribe", ...}`.
pub fn kraken_unsubscribe<'a>(
    channel: KrakenChannel,
    symbols: impl IntoIterator<Item = &'a str>,
) -> String {
    kraken("unsubscribe", channel, symbols)
}

fn kraken<'a>(
    method: &str,
    channel: KrakenChannel,
    symbols: impl IntoIterator<Item = &'a str>,
) -> String {
    let (name, parameter) = match channel {
        KrakenChannel::Instrument => ("instrument", String::new()),
        KrakenChannel::Ticker => ("ticker", r#","event_trigger":"bbo""#.to_owned()),
        KrakenChannel::Trade => ("trade", String::new()),
        KrakenChannel::Book(depth) => ("book", format!(r#","depth":{depth}"#)),
    };
    let mut text = format!(r#"{{"method":"{method}","params":{{"channel":"{name}"{parameter}"#);
    let mut separator = r#","symbol":["#;
    for symbol in symbols {
        text.push_str(separator);
        push_json_string(&mut text, symbol);
        separator = ",";
    }
    if separator == "," {
        text.push(']');
    }
    text.push_str("}}");
    text
}

fn push_json_string(text: &mut String, word: &str) {
    text.push('"');
    for letter in word.chars() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            control if control < ' ' => {
                write!(text, "\\u{:04x}", control as u32).expect("a String takes everything");
            }
            plain => text.push(plain),
        }
    }
    text.push('"');
}

/// The path of a combined stream of quotes, trades and depth for these symbols.
pub fn binance_streams<'a>(dialect: Dialect, symbols: impl IntoIterator<Item = &'a str>) -> String {
    let pace = match dialect {
        Dialect::Spot => "100ms",
        Dialect::UsdM => "0ms",
    };
    let mut path = String::from("/stream?streams=");
    for (index, symbol) in symbols.into_iter().enumerate() {
        let mut name = String::new();
        push_percent_encoded(&mut name, &symbol.to_lowercase());
        let separator = if index == 0 { "" } else { "/" };
        write!(path, "{separator}{name}@bookTicker/{name}@trade/{name}@depth@{pace}")
            .expect("a String takes everything");
    }
    path
}

/// The path of a REST depth snapshot.
pub fn binance_snapshot(dialect: Dialect, symbol: &str) -> String {
    let mut path = String::from(match dialect {
        Dialect::Spot => "/api/v3/depth?symbol=",
        Dialect::UsdM => "/fapi/v1/depth?symbol=",
    });
    push_percent_encoded(&mut path, symbol);
    path.push_str("&limit=1000");
    path
}

fn push_percent_encoded(text: &mut String, word: &str) {
    for byte in word.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("a String takes everything");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kraken_requests_name_channel_parameter_and_symbols() {
        assert_eq!(
            kraken_subscribe(KrakenChannel::Book(10), ["BTC/USD", "A\"\\\n"]),
            concat!(
                r#"{"method":"subscribe","params":{"channel":"book","depth":10,"#,
                r#""symbol":["BTC/USD","A\"\\\u000a"]}}"#
            )
        );
        assert_eq!(
            kraken_unsubscribe(KrakenChannel::Ticker, ["X"]),
            concat!(
                r#"{"method":"unsubscribe","params":{"channel":"ticker","event_trigger":"bbo","#,
                r#""symbol":["X"]}}"#
            )
        );
        assert_eq!(
            kraken_subscribe(KrakenChannel::Instrument, []),
            r#"{"method":"subscribe","params":{"channel":"instrument"}}"#
        );
    }

    #[test]
    fn binance_addresses_name_streams_and_snapshots() {
        assert_eq!(
            binance_streams(Dialect::Spot, ["BTCUSDT", "A/B"]),
            "/stream?streams=btcusdt@bookTicker/btcusdt@trade/btcusdt@depth@100ms\
             /a%2Fb@bookTicker/a%2Fb@trade/a%2Fb@depth@100ms"
        );
        assert_eq!(
            binance_snapshot(Dialect::UsdM, "BTCUSDT"),
            "/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
        );
    }
}
