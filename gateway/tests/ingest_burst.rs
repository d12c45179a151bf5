//! What comes in one read of a venue's socket is shown to the shards at once, up to the limit.
//!
//! The venue is a plain socket that writes many messages in one go. A reader of the ring sleeps,
//! and when the ingest thread wakes it, a second reader counts, on that very thread, what there is
//! to see: with a flush for each message that would be one trade.
#![allow(missing_docs, reason = "a test says by its name what it is for")]

mod ingest_harness;

use std::io::{Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use gateway::catalogue::Catalogue;
use gateway::config::{Dialect, Feed, FeedSymbols};
use gateway::ingest::{Ingest, Seams};
use gateway::metrics::Metrics;
use gateway::threads::StopFlag;
use handoff::{Batch, Read, Reader};
use ingest_harness::{feed, settings};
use market::{Body, Tick};
use sha1::{Digest, Sha1};

const PATIENCE: Duration = Duration::from_secs(20);
const INSTRUMENT: &str = concat!(
    r#"{"channel":"instrument","type":"snapshot","data":{"assets":[],"#,
    r#""pairs":[{"symbol":"BTC/USD","base":"BTC","quote":"USD","status":"online","#,
    r#""qty_precision":8,"qty_increment":0.00000001,"price_precision":2,"price_increment":0.01,"#,
    r#""qty_min":0.00005}]}}"#
);

fn trade(id: usize) -> String {
    format!(
        r#"{{"channel":"trade","type":"update","data":[{{"symbol":"BTC/USD","side":"buy",
            "price":61011.32,"qty":0.10000000,"ord_type":"limit","trade_id":{id},
            "timestamp":"2024-08-09T00:00:00.000000Z"}}]}}"#
    )
}

/// A server's text frame, below 64 KiB.
fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u8::try_from(text.len()) {
        Ok(size) if size < 126 => frame.push(size),
        _ => {
            frame.push(126);
            frame.extend(u16::try_from(text.len()).expect("a short text").to_be_bytes());
        }
    }
    frame.extend(text.as_bytes());
    frame
}

/// Takes the feed in and answers its upgrade.
fn upgrade(listener: &TcpListener) -> TcpStream {
    let (mut socket, _) = listener.accept().expect("the feed dials");
    socket.set_nodelay(true).expect("an option");
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte).expect("a request");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("text");
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.to_owned())
    });
    let accept = Sha1::new()
        .chain_update(key.expect("a key"))
        .chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        .finalize();
    write!(
        socket,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        BASE64.encode(accept)
    )
    .expect("an answer");
    socket
}

fn count_trades(reader: &mut Reader, batch: &mut Batch) -> usize {
    let mut count = 0;
    while let Read::Records(_) = reader.read(batch) {
        let is_trade =
            |record: &&[u8]| matches!(Tick::decode(record).expect("ours").body, Body::Trade(_));
        count += batch.iter().filter(is_trade).count();
    }
    count
}

/// Sleeps whenever there is nothing, and says before it does how many trades it has read.
fn sleeper(mut reader: Reader, woken: &Receiver<()>, asleep: &Sender<usize>, stop: &StopFlag) {
    let (mut batch, mut sum) = (Batch::with_size_max(1 << 20), 0);
    while !stop.is_set() {
        sum += count_trades(&mut reader, &mut batch);
        if reader.prepare_park() {
            let _ = asleep.send(sum);
            while woken.recv_timeout(Duration::from_millis(20)).is_err() && !stop.is_set() {}
        }
    }
}

/// How many trades of a burst were to be seen when the sleeper was woken.
fn seen(messages_max: usize, burst: usize) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("ws://{}/v2", listener.local_addr().expect("bound"));
    let feeds = vec![Feed { url, ..feed("venue", Dialect::Kraken, FeedSymbols::All) }];
    let mut settings = settings(feeds);
    settings.flush_messages_max = messages_max;
    settings.silence_timeout = PATIENCE;
    let metrics = Arc::new(Metrics::new(["venue"], 0));
    let (ring, subscribers) = handoff::channel(1 << 20).expect("a good capacity");
    let witness = subscribers.subscribe(|| {}).expect("a seat");
    let witness = Arc::new(Mutex::new((witness, Batch::with_size_max(1 << 20))));
    let before = Arc::clone(&witness);
    let ((wake, woken), (told, sights)) = (unbounded(), unbounded());
    let reader = subscribers.subscribe(move || {
        let (reader, batch) = &mut *witness.lock().expect("no panic");
        told.send(count_trades(reader, batch)).expect("the test listens");
        // The sleeper may have ended.
        let _ = wake.send(());
    });
    let (stop, (_desk, replica_requests)) = (StopFlag::default(), bounded(1));
    let (seams, ending) = (
        Seams {
            ring,
            replica_requests,
            catalogue: Arc::new(Catalogue::default()),
            metrics: Arc::clone(&metrics),
            epoch: 1,
            stop: stop.clone(),
        },
        stop.clone(),
    );
    let reader = reader.expect("a seat");
    let (told_asleep, asleep) = unbounded();
    let sleeping = std::thread::spawn(move || sleeper(reader, &woken, &told_asleep, &ending));
    let ingest = Ingest::new(&settings).expect("usable settings");
    let ingest = std::thread::spawn(move || ingest.run(seams));

    let mut venue = upgrade(&listener);
    venue.write_all(&frame(INSTRUMENT)).expect("sent");
    venue.write_all(&frame(&trade(1))).expect("sent");
    let wait = |count| while asleep.recv_timeout(PATIENCE).expect("it sleeps") < count {};
    wait(1);
    {
        // What came before the burst is not of it.
        let (reader, batch) = &mut *before.lock().expect("no panic");
        count_trades(reader, batch);
        while sights.try_recv().is_ok() {}
    }
    let bytes: Vec<u8> = (2..2 + burst).flat_map(|id| frame(&trade(id))).collect();
    venue.write_all(&bytes).expect("sent");
    let sight = sights.recv_timeout(PATIENCE).expect("the burst is seen");
    wait(1 + burst);
    stop.set();
    sleeping.join().expect("no panic");
    ingest.join().expect("no panic").expect("no error");
    sight
}

#[test]
fn a_burst_is_shown_at_once() {
    assert_eq!(seen(64, 20), 20);
}

#[test]
fn a_long_burst_is_shown_as_soon_as_the_limit_is_reached() {
    assert_eq!(seen(8, 20), 8);
}
