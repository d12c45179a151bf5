//! Sessions that return: on any shard they go on where they left off, or are told that they do not
//! and begin anew. Never a part.

use std::time::Duration;

use serde_json::{Value, json};

use super::link::Link;
use super::rig::{CHANNELS, DEEP, Gateway, PATIENCE, SYMBOLS, market, subscribe};

const TWO: &str = "[shard]\ncount = 2\n";

/// Asks to go on with all symbols of a channel.
fn resume(channel: &str, epoch: &str, seqs: &[(String, u64)]) -> Value {
    let symbols: Vec<&str> = seqs.iter().map(|(symbol, _)| symbol.as_str()).collect();
    let at =
        seqs.iter().map(|(symbol, seq)| (symbol.clone(), json!({ "epoch": epoch, "seq": seq })));
    subscribe(channel, &symbols, &json!({ "resume": at.collect::<serde_json::Map<_, _>>() }))
}

fn seqs(link: &Link, channel: &str) -> Vec<(String, u64)> {
    let of_channel = link.positions.iter().filter(|(key, _)| key.0 == channel);
    of_channel.map(|((_, symbol), seq)| (symbol.clone(), *seq)).collect()
}

/// The session's end and its return to a shard: with all it knew, and what it asks for.
fn returns_to(gateway: &Gateway, left: Link, shard: u64) -> Link {
    let asked: Vec<Value> = CHANNELS
        .iter()
        .map(|channel| resume(channel, left.epoch.as_deref().expect("told"), &seqs(&left, channel)))
        .collect();
    let Link { view, positions, socket, .. } = left;
    socket.shutdown(std::net::Shutdown::Both).expect("it was open");
    // Sessions go to the shard with the fewest: those that land on the other one stay there.
    let mut others = Vec::new();
    let mut link = loop {
        let mut probe = Link::open(&gateway.target);
        probe.until("greeted", |link| link.view.greeted);
        if probe.shard == shard {
            break probe;
        }
        others.push(probe);
        assert!(others.len() < 10, "no session reaches shard {shard}");
    };
    (link.view, link.positions) = (view, positions);
    let acks = link.view.acks;
    for request in &asked {
        link.say(request);
    }
    link.until("every symbol is granted", |link| link.view.acks == acks + 3 * SYMBOLS);
    link
}

fn recovered(link: &Link) -> Vec<bool> {
    let acks = link.notes.iter().filter(|note| note["method"] == "subscribe");
    acks.filter_map(|note| note["result"]["x"]["recovered"].as_bool()).collect()
}

#[test]
fn a_session_goes_on_without_a_gap_on_its_own_shard_and_on_the_other() {
    let gateway = Gateway::start(market(1000.0), DEEP, TWO);
    let mut link = gateway.session(&CHANNELS, &json!({}));
    let mut known = told(&link);
    for round in 0..4 {
        link.until("news of every channel", |link| {
            told(link).iter().zip(known).all(|(now, before)| *now > before + 50)
        });
        known = told(&link);
        let shard = if round % 2 == 0 { link.shard } else { 1 - link.shard };
        let before = gateway.metrics.ingest.ring_bytes.value();
        gateway.wait("it misses something", PATIENCE, |gateway| {
            gateway.metrics.ingest.ring_bytes.value() > before + 20_000
        });
        link = returns_to(&gateway, link, shard);
        assert_eq!(recovered(&link), vec![true; 3 * SYMBOLS], "round {round}");
        assert_eq!(link.shard, shard);
    }
    link.listen_for(Duration::from_millis(300));
    link.is_content();
    assert_eq!((link.view.announced, link.view.merged), (0, 0), "each update by itself");
    assert!(link.frames.iter().all(|frame| frame.3 == "update"), "no snapshot");
}

fn told(link: &Link) -> [u64; 3] {
    CHANNELS.map(|channel| link.view.numbered(channel))
}

/// One symbol's book, resumed from a place that cannot be resumed from.
fn begins_anew(gateway: &Gateway, epoch: &str, symbol: &str, seq: u64) {
    for channel in CHANNELS {
        let mut link = Link::open(&gateway.target);
        link.say(&resume(channel, epoch, &[(symbol.to_owned(), seq)]));
        link.until("a snapshot and news", |link| {
            link.frames.len() > 3 && link.frames[0].3 == "snapshot"
        });
        assert_eq!(recovered(&link), [false], "{channel}: {epoch} {seq}");
        link.is_content();
        assert_eq!((link.view.announced, link.view.merged), (0, 0));
    }
}

#[test]
fn what_cannot_be_resumed_gets_recovered_false_and_a_snapshot() {
    // Of the history some hundred updates fit.
    let rest = format!("{TWO}history_bytes_max = 60000\n");
    let gateway = Gateway::start(market(1000.0), DEEP, &rest);
    let mut link = gateway.session(&CHANNELS, &json!({}));
    let symbol = link.view.books.keys().next().expect("a symbol").clone();
    link.until("more than the history holds", |link| {
        CHANNELS.iter().all(|channel| {
            link.positions.get(&((*channel).to_owned(), symbol.clone())).is_some_and(|s| *s > 100)
        }) && told(link).iter().sum::<u64>() > 12_000
    });
    let epoch = link.epoch.clone().expect("told");
    let of_another_life = (epoch.parse::<u64>().expect("a number") + 1).to_string();
    // Older than what is held, from the future, of a foreign epoch, of none that ever was.
    begins_anew(&gateway, &epoch, &symbol, 1);
    begins_anew(&gateway, &epoch, &symbol, u64::MAX);
    let now = link.positions[&("trade".to_owned(), symbol.clone())];
    begins_anew(&gateway, &epoch, &symbol, now + 1_000_000);
    begins_anew(&gateway, &of_another_life, &symbol, now);
    begins_anew(&gateway, "0", &symbol, 0);
    assert_eq!(gateway.metrics.shards.len(), 2);
}

#[test]
fn a_number_of_before_a_restart_is_not_taken_for_one_of_after_it() {
    let first = Gateway::start(market(1000.0), "", "");
    let mut link = first.session(&CHANNELS, &json!({}));
    link.until("news", |link| told(link).iter().all(|told| *told > 100));
    let (symbol, epoch) = (link.view.books.keys().next().cloned(), link.epoch.clone());
    drop(first);
    let second = Gateway::start(market(1000.0), "", "");
    // Before its venue has listed them, symbols are unknown.
    drop(second.session(&CHANNELS, &json!({})));
    begins_anew(&second, &epoch.expect("told"), &symbol.expect("a symbol"), 2);
}

#[test]
fn a_heartbeat_tells_who_asked_up_to_where_it_was_told_everything() {
    let rest = "[shard]\nheartbeat_ms = 100\n";
    let gateway = Gateway::start(super::rig::market_of(2000, 2000.0), "", rest);
    let mut link = gateway.session(&CHANNELS, &json!({}));
    link.say(&json!({ "method": "subscribe", "params": { "channel": "heartbeat" } }));
    gateway.wait("the market stands still", PATIENCE, |gateway| {
        link.listen(Duration::from_millis(1));
        gateway.venue.is_done()
    });
    link.listen_for(Duration::from_millis(200));
    link.notes.clear();
    link.until("a heartbeat", |link| link.notes.iter().any(|note| note["x"]["last"].is_object()));
    link.is_content();
    let beat = link.notes.iter().find(|note| note["channel"] == "heartbeat").expect("one");
    assert_eq!(beat["x"]["feed"], "ok");
    let last = |channel: &str, symbol: &str| {
        let names = beat["x"]["last"].as_object().expect("an object").iter();
        let mut of = names.filter(|(name, _)| name.split(':').next() == Some(channel));
        of.find_map(|(_, symbols)| symbols[symbol].as_u64())
    };
    for ((channel, symbol), seq) in &link.positions {
        assert_eq!(last(channel, symbol), Some(*seq), "{channel} {symbol} {beat}");
    }
}
