//! A gateway whose market goes on for ever: quotes and trades of one symbol at a fixed rate,
//! numbers by the clock, so that every session (and every return of one) sees the same market
//! without any state between them. It merges quotes by itself, keeps paces and replays what was
//! missed; each `Fault` breaks one promise.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bench::load::clock::now_ns;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use super::{Gateway, Tls, certified, frame, say, upgrade};

/// What is wrong with the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Nothing,
    /// Every return is told to begin anew, rightly.
    ForgetsHistory,
    /// Whoever asks to go on is refused.
    KnowsNoResume,
    /// A replay lacks its first update.
    ReplaysWithGap,
    /// A replay begins with what had been delivered.
    ReplaysTwice,
    /// A snapshot after `recovered: true`.
    SnapshotThoughRecovered,
    /// Updates at once after `recovered: false`.
    NeitherRecoveredNorAnew,
    /// Two trades' numbers on one trade.
    MergesTrades,
    /// Frames much faster than the pace it granted.
    IgnoresPace,
    /// A paced session hears nothing after its first second.
    PacedFallAsleep,
    /// Whoever unsubscribes is told that it did, and goes on to be told of the market.
    GoesOnUnsubscribed,
    /// In its first seconds, every session is shut out one second after it came.
    ShutsOut,
}

const EVERY_NS: u64 = 5_000_000;
const INSTRUMENTS: &str = concat!(
    r#"{"channel":"instrument","type":"snapshot","data":{"assets":[],"#,
    r#""pairs":[{"symbol":"BTC/USD"}]}}"#
);
const REFUSAL: &str = r#"{"method":"subscribe","success":false,"error":"what is resume?"}"#;
const EPOCH: &str = "18446744073709551615";

#[derive(Debug)]
struct Stream {
    trade: bool,
    last: u64,
    pace_ns: u64,
    sent_ns: u64,
    began_ns: u64,
}

impl Gateway {
    /// A living one.
    pub fn living(fault: Fault) -> Self {
        let (ca, config, directory) = certified();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("wss://{}/v2", listener.local_addr().unwrap());
        let born_ns = now_ns() - 1000 * EVERY_NS;
        let peers: Arc<Mutex<BTreeSet<IpAddr>>> = Arc::default();
        let seen = Arc::clone(&peers);
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                seen.lock().unwrap().extend(socket.peer_addr().map(|peer| peer.ip()));
                let config = Arc::clone(&config);
                // A session that the test ends is an error here, and none of the test's.
                thread::spawn(move || live(socket, config, fault, born_ns));
            }
        });
        Self { url, ca, peers, _directory: directory }
    }
}

fn live(
    socket: TcpStream,
    config: Arc<ServerConfig>,
    fault: Fault,
    born_ns: u64,
) -> io::Result<()> {
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut tls = StreamOwned::new(connection, socket);
    upgrade(&mut tls)?;
    tls.sock.set_read_timeout(Some(Duration::from_millis(10)))?;
    let mut streams: Vec<Stream> = Vec::new();
    let (mut heard, began_ns) = (Vec::new(), now_ns());
    loop {
        let mut some = [0; 4096];
        match tls.read(&mut some) {
            Ok(0) => return Ok(()),
            Ok(count) => heard.extend_from_slice(&some[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        let now = (now_ns() - born_ns) / EVERY_NS;
        while let Some((op, payload)) = unmasked(&mut heard) {
            match op {
                0x81 => {
                    let request: Value = serde_json::from_slice(&payload)?;
                    if request["params"]["channel"] == "instrument" {
                        say(&mut tls, INSTRUMENTS)?;
                        continue;
                    }
                    if fault == Fault::KnowsNoResume && request["params"]["x"]["resume"].is_object()
                    {
                        say(&mut tls, REFUSAL)?;
                        continue;
                    }
                    if request["method"] == "unsubscribe" {
                        let trade = request["params"]["channel"] == "trade";
                        streams
                            .retain(|one| one.trade != trade || fault == Fault::GoesOnUnsubscribed);
                        unsubscribed(&mut tls, &request)?;
                        continue;
                    }
                    streams.push(subscribe(&mut tls, &request, now, fault)?);
                }
                0x88 => return Ok(()),
                _ => {}
            }
        }
        if heard.get(1) == Some(&0xff) {
            let payload = [&1009u16.to_be_bytes()[..], b"too long"].concat();
            return io::Write::write_all(&mut tls, &frame(0x88, &payload));
        }
        for stream in &mut streams {
            tell(&mut tls, stream, now, fault)?;
        }
        let young = now < 1000 + 1_900_000_000 / EVERY_NS;
        if fault == Fault::ShutsOut && young && now_ns() - began_ns > 1_000_000_000 {
            let payload = [&4001u16.to_be_bytes()[..], b"too slow"].concat();
            return io::Write::write_all(&mut tls, &frame(0x88, &payload));
        }
    }
}

/// Takes a whole client's frame off `heard`.
fn unmasked(heard: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let (head, length) = match heard.get(1)? & 0x7f {
        127 => return None,
        126 => (4, usize::from(u16::from_be_bytes([*heard.get(2)?, *heard.get(3)?]))),
        short => (2, usize::from(short)),
    };
    let mask: Vec<u8> = heard.get(head..head + 4)?.to_vec();
    let payload = heard.get(head + 4..head + 4 + length)?;
    let plain = payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    let op = heard[0];
    heard.drain(..head + 4 + length);
    Some((op, plain))
}

fn unsubscribed(tls: &mut Tls, request: &Value) -> io::Result<()> {
    let channel = request["params"]["channel"].as_str().unwrap();
    let result = format!(r#"{{"channel":"{channel}","symbol":"BTC/USD"}}"#);
    say(tls, &format!(r#"{{"method":"unsubscribe","result":{result},"success":true}}"#))
}

fn subscribe(tls: &mut Tls, request: &Value, now: u64, fault: Fault) -> io::Result<Stream> {
    let params = &request["params"];
    let channel = params["channel"].as_str().unwrap();
    let pace_ms = params["x"]["conflate_ms"].as_u64();
    let asked = &params["x"]["resume"]["BTC/USD"];
    let resume = asked["seq"].as_u64().inspect(|_| assert_eq!(asked["epoch"], EPOCH));
    let recovered =
        resume.map(|_| !matches!(fault, Fault::ForgetsHistory | Fault::NeitherRecoveredNorAnew));
    let seq = resume.unwrap_or(now);
    let mut x = vec![format!(r#""epoch":"{EPOCH}","seq":{seq},"qos":"streaming""#)];
    x.extend(recovered.map(|recovered| format!(r#""recovered":{recovered}"#)));
    x.extend(pace_ms.map(|pace_ms| format!(r#""conflate_ms":{pace_ms}"#)));
    let x = x.join(",");
    say(
        tls,
        &format!(
            r#"{{"method":"subscribe","result":{{"channel":"{channel}","symbol":"BTC/USD",
                "x":{{{x}}}}},"success":true}}"#
        ),
    )?;
    let trade = channel == "trade";
    let last = match (resume, fault) {
        (Some(seq), Fault::ReplaysWithGap) => seq + 1,
        (Some(seq), Fault::ReplaysTwice) => seq - 1,
        (Some(seq), _) if recovered == Some(true) => seq,
        _ => now,
    };
    let anew = recovered != Some(true) && fault != Fault::NeitherRecoveredNorAnew
        || recovered == Some(true) && fault == Fault::SnapshotThoughRecovered
        || resume.is_none();
    if anew {
        say(tls, &text(trade, "snapshot", last, last))?;
    }
    let pace_ns = pace_ms.unwrap_or(0) * 1_000_000;
    Ok(Stream { trade, last, pace_ns, sent_ns: 0, began_ns: now_ns() })
}

/// All that is due: each trade by itself, of quotes only the newest, at its pace.
fn tell(tls: &mut Tls, stream: &mut Stream, now: u64, fault: Fault) -> io::Result<()> {
    if stream.trade {
        while stream.last < now {
            let merges = fault == Fault::MergesTrades && stream.last.is_multiple_of(50);
            let step = if merges { 2 } else { 1 };
            let first = stream.last + 1;
            stream.last += step;
            say(tls, &text(true, "update", first, stream.last))?;
        }
        return Ok(());
    }
    let moment_ns = now_ns();
    let asleep = fault == Fault::PacedFallAsleep && moment_ns - stream.began_ns > 1_000_000_000;
    let early = moment_ns - stream.sent_ns < stream.pace_ns && fault != Fault::IgnoresPace;
    if stream.last >= now || stream.pace_ns > 0 && (asleep || early) {
        return Ok(());
    }
    stream.sent_ns = moment_ns;
    let first = stream.last + 1;
    stream.last = now;
    say(tls, &text(false, "update", first, now))
}

fn text(trade: bool, kind: &str, first: u64, seq: u64) -> String {
    let at = now_ns();
    let merged = if first < seq {
        format!(r#","first_seq":{first},"merged":{}"#, seq - first + 1)
    } else {
        String::new()
    };
    let (channel, data) = if trade {
        ("trade", format!(r#""side":"buy","price":{seq}.0,"qty":1.0,"trade_id":{seq}"#))
    } else {
        ("ticker", format!(r#""bid":{seq}.0,"bid_qty":1,"ask":{}.0,"ask_qty":1"#, seq + 1))
    };
    format!(
        r#"{{"channel":"{channel}","type":"{kind}","data":[{{"symbol":"BTC/USD",
            {data}}}],"x":{{"seq":{seq}{merged},"ts_event":"{at}"}}}}"#
    )
}
