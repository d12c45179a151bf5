//! What a venue may say in mid-session: nonsense about one symbol, ten times the rate, symbols that
//! come, stop and go. Sessions stay, are told, and hold what the venue holds.

use std::time::Duration;

use feed_sim::{Burst, Generate};
use gateway::metrics::TickRefusal;
use serde_json::{Value, json};

use super::link::Link;
use super::rig::{CHANNELS, DEEP, Gateway, PATIENCE, SYMBOLS, market, market_of};

fn refused(gateway: &Gateway) -> u64 {
    gateway.counted("gateway_feed_decode_failures_total")
        + gateway.counted("gateway_ingest_ticks_refused_total")
}

fn ticker(symbol: &str, bid: &str, ask: &str) -> String {
    format!(
        r#"{{"channel":"ticker","type":"update","data":[{{"symbol":"{symbol}","bid":{bid},
            "bid_qty":1,"ask":{ask},"ask_qty":1}}]}}"#
    )
}

fn trade(symbol: &str, price: &str, qty: &str, time: &str) -> String {
    format!(
        r#"{{"channel":"trade","type":"update","data":[{{"symbol":"{symbol}","side":"buy",
            "price":{price},"qty":{qty},"ord_type":"limit","trade_id":99999999,
            "timestamp":"{time}"}}]}}"#
    )
}

#[test]
fn values_that_cannot_be_are_refused_and_counted_while_everything_flows() {
    let gateway = Gateway::start(market(500.0), "", "");
    let mut link = gateway.session(&CHANNELS, &json!({}));
    let symbol = link.view.books.keys().next().expect("a symbol").clone();
    let (now, huge) = ("2026-01-01T00:00:00.000000Z", "9".repeat(40));
    let nonsense = [
        ticker(&symbol, "NaN", "2"),
        ticker(&symbol, "-1", "2"),
        ticker(&symbol, "Infinity", "2"),
        ticker(&symbol, &huge, &huge),
        ticker(&symbol, "1e400", "2"),
        ticker(&symbol, "3", "2"),
        ticker("NOBODY/KNOWS", "1", "2"),
        trade(&symbol, "NaN", "1", now),
        trade(&symbol, "1", "-1", now),
        trade(&symbol, "1", &huge, now),
        trade(&symbol, "1", "1", "2199-01-01T00:00:00.000000Z"),
        trade(&symbol, "1", "1", "yesterday"),
        ticker(&symbol, "1", "2")[..60].to_owned(),
    ];
    for text in nonsense {
        let (before, known) = (refused(&gateway), link.view.book_updates);
        gateway.venue.send_raw(&text);
        gateway.wait(&format!("it is refused and counted: {text}"), PATIENCE, |gateway| {
            link.listen(Duration::from_millis(1));
            refused(gateway) > before
        });
        link.until("ticks flow", |link| link.view.book_updates > known + 20);
    }
    link.is_content();
    assert_eq!((link.view.announced, gateway.metrics.ingest.feeds[0].reconnects.value()), (0, 0));
    assert!(gateway.metrics.ingest.ticks_refused.of(TickRefusal::Invalid).value() >= 2);
    let prices = link.view.tickers[&symbol].iter().map(|ticker| &ticker.bid[0]);
    assert!(prices.clone().all(|bid| bid != "1" && bid != "3"), "nothing of it was told");
}

#[test]
fn ten_times_the_rate_for_a_second_loses_nothing() {
    let steady = market_of(12_000, 600.0);
    let gateway = Gateway::start(
        // On top of the steady ticks, in each of some seconds, ten times their number at once.
        Generate { burst: Some(Burst { count: 5400, every_ms: 1000 }), ..steady },
        DEEP,
        "",
    );
    let mut link = gateway.session(&CHANNELS, &json!({}));
    gateway.wait("the market stands still", 2 * PATIENCE, |gateway| {
        link.listen(Duration::from_millis(1));
        gateway.venue.is_done()
    });
    let published = || -> u64 {
        use gateway::metrics::TickKind::{Book, Quote, Statistics, Trade};
        let of = |kind| gateway.metrics.ingest.ticks_published.of(kind).value();
        [Book, Quote, Statistics, Trade].into_iter().map(of).sum()
    };
    link.until("every number is told", |link| {
        CHANNELS.iter().map(|channel| link.view.numbered(channel)).sum::<u64>() == published()
    });
    link.is_content();
    assert_eq!(link.view.announced, 0);
    let feed = &gateway.metrics.ingest.feeds[0];
    assert_eq!(
        (feed.gaps.value(), feed.checksum_failures.value(), feed.reconnects.value()),
        (0, 0, 0)
    );
}

fn instrument(symbol: &str, status: &str) -> String {
    format!(
        r#"{{"channel":"instrument","type":"update","data":{{"assets":[],
            "pairs":[{{"symbol":"{symbol}","base":"NEW","quote":"USD","status":"{status}",
            "qty_precision":2,"qty_increment":0.01,"price_precision":1,"price_increment":0.1,
            "qty_min":0.05}}]}}}}"#
    )
}

fn is_told(link: &Link, symbol: &str, state: &str) -> bool {
    let told = |item: &Value| item["symbol"] == symbol && item["state"] == state;
    link.notices("state").any(told)
}

#[test]
fn a_symbol_that_comes_halts_goes_on_and_is_delisted_keeps_its_subscription_and_is_told() {
    const NEW: &str = "NEW/USD";
    let gateway = Gateway::start(market(300.0), "", "");
    let mut link = gateway.session(&CHANNELS, &json!({}));
    gateway.venue.send_raw(&instrument(NEW, "online"));
    gateway.wait("it is known", PATIENCE, |gateway| {
        link.listen(Duration::from_millis(1));
        gateway.counted("gateway_ingest_symbols") == SYMBOLS as u64 + 1
    });
    let say = |id: u64| {
        gateway.venue.send_raw(
            &trade(NEW, "1.5", "2.00", &format!("2026-01-01T00:00:0{id}.000000Z"))
                .replace("99999999", &id.to_string()),
        );
    };
    say(1);
    link.until("who asked for all hears of it", |link| link.view.trades.contains_key(NEW));
    for (status, state) in [("maintenance", "halted"), ("online", "ok"), ("delisted", "closed")] {
        link.notes.clear();
        gateway.venue.send_raw(&instrument(NEW, status));
        link.until(status, |link| {
            // A symbol without a book is recovering until it has one.
            is_told(link, NEW, state) || state == "ok" && is_told(link, NEW, "recovering")
        });
    }
    // What the venue still says of it arrives: the subscription survived.
    say(2);
    link.until("the subscription survives", |link| link.view.trades[NEW].len() == 2);
    link.is_content();
    assert_eq!(link.view.announced, 0);
}
