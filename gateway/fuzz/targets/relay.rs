//! What a relay sends to a gateway that follows it: frames, records and images, each as it comes or
//! put in step with those before, over several connections.
//!
//! The input is a plan: a size of pieces, then steps. However the bytes are cut, the outcome is the
//! same. A shard reads the ring behind the follower without a gap, its replica is the truth, what
//! its sessions are told is JSON; and what was taken here, another that follows takes, too.
#![no_main]

use std::path::Path;
use std::sync::{Arc, LazyLock};

use fanout::{Fanout, HistoryLimits, Limits, SessionKey};
use gateway::config::{self, Ingest};
use gateway::ingest::rehearsal::Rehearsal;
use gateway::metrics::Metrics;
use gateway::relay_frame::{Frame, HEAD_BYTES, Place, put_symbol};
use gateway::replica::{Life, REPLACED, Replica};
use handoff::{Batch, Read, Reader};
use libfuzzer_sys::fuzz_target;
use market::{Nanos, Symbol, SymbolId, Tick, Truth};
use serde::de::IgnoredAny;

const RING_BYTES: usize = 1 << 18;
const CONFIG: &str = r#"
[door]
listen = "127.0.0.1:0"
cert_file = "cert.pem"
key_file = "key.pem"
[ring]
bytes = 1048576
[ingest]
book_levels_max = 10
symbols_max = 3
delays_ms = [1000]
[follow]
address = "127.0.0.1:9300"
"#;
const LIMITS: Limits = Limits {
    outbox_bytes_max: 1 << 22,
    slow_warning_bytes: 1 << 20,
    slow_cleared_bytes: 1 << 10,
    write_timeout_ns: u64::MAX,
    trades_behind_max: 20,
    bases_bytes_max: 1 << 20,
    slice_bytes_max: 1 << 18,
    slice_symbols_max: 256,
    history: HistoryLimits { bytes_max: 1 << 16, age_ns_max: u64::MAX },
    subscriptions_max: 1000,
    requests_per_second_max: 1000,
    bad_requests_max: 3,
    credentials_timeout_ns: u64::MAX,
    heartbeat_ns: u64::MAX,
    ping_ns: u64::MAX,
    pong_timeout_ns: u64::MAX,
};
const ASKED: [&str; 6] = [
    r#""channel":"instrument""#,
    r#""channel":"ticker","symbol":["*"],"event_trigger":"bbo""#,
    r#""channel":"ticker","symbol":["*"],"event_trigger":"trades""#,
    r#""channel":"trade","symbol":["*"]"#,
    r#""channel":"book","symbol":["*"],"depth":10"#,
    r#""channel":"ohlc","symbol":["*"],"interval":1"#,
];

static SETTINGS: LazyLock<Ingest> = LazyLock::new(|| {
    let loaded = config::parse(CONFIG, Path::new("fuzz.toml")).unwrap_or_else(|e| panic!("{e}"));
    loaded.config.ingest
});

fuzz_target!(|plan: &[u8]| {
    let [piece_bytes, steps @ ..] = plan else { return };
    let (script, outcome) = play(steps);
    for piece_bytes in [usize::from(*piece_bytes) + 1, usize::MAX] {
        let mut again = follow();
        let heard: Vec<String> =
            script.iter().map(|bytes| again.0.hear(bytes.chunks(piece_bytes))).collect();
        assert_eq!((heard, again.0.look(summary)), outcome, "in pieces of {piece_bytes}");
    }
});

/// What became of each connection, and what is known behind the last.
type Outcome = (Vec<String>, String);

fn follow() -> (Rehearsal, Reader) {
    let (ring, readers) = handoff::channel(RING_BYTES).expect("a good capacity");
    let reader = readers.subscribe(|| {}).expect("a seat");
    // They keep a place for every publisher that they were lent to.
    let metrics = Arc::new(Metrics::new(["relay"], 0));
    (Rehearsal::new(&SETTINGS, ring, &metrics), reader)
}

/// Follows a plan, connection by connection, with a shard behind; returns the bytes of each.
fn play(mut steps: &[u8]) -> (Vec<Vec<u8>>, Outcome) {
    let (mut follower, reader) = follow();
    let mut shard = Shard::new(reader);
    let (mut script, mut heard) = (Vec::new(), Vec::new());
    while !steps.is_empty() {
        // What the connection's records lead to, so that the next one can be put in step.
        let mut model = follower.look(Truth::clone);
        let mut bytes = Vec::new();
        while let Some(step) = next_step(&mut steps) {
            if !say(step, follower.place(), &mut model, &mut bytes) {
                break;
            }
        }
        heard.push(follower.hear([&bytes[..]]));
        script.push(bytes);
        shard.turn(&follower);
        follower.look(|truth| check(truth, shard.fanout.truth()));
    }
    let known = follower.look(summary);
    (script, (heard, known))
}

/// A kind, two bytes of length, a body.
fn next_step<'a>(steps: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let [kind, low, high, rest @ ..] = steps else {
        *steps = &[];
        return None;
    };
    let length = usize::from(u16::from_le_bytes([*low, *high]));
    let (body, rest) = rest.split_at(rest.len().min(length));
    *steps = rest;
    Some((*kind, body))
}

/// Appends what a step says; false where it ends the connection.
fn say((kind, body): (u8, &[u8]), place: Place, model: &mut Truth, out: &mut Vec<u8>) -> bool {
    let begins = |at: usize| u64::from(body.get(at).copied().unwrap_or_default());
    let named = Place { epoch: begins(0), ring: begins(1), records: begins(2) };
    match kind {
        0..0x20 => Frame::Record(body).put(out),
        0x20..0x80 => Frame::Record(&in_step(body, model)).put(out),
        0x80..0xa0 => {
            Frame::Truth(named, u32::from(kind & 7)).put(out);
            *model = Truth::default();
        }
        0xa0..0xb0 => Frame::Symbol(body).put(out),
        0xb0..0xc0 => {
            // Its own truth, as of a place: a lap.
            Frame::Truth(named, model.symbol_count() as u32).put(out);
            for (_, symbol) in model.symbols() {
                put_symbol(|out| symbol.encode(out), out);
            }
        }
        0xc0..0xd0 => Frame::GoOn(place).put(out),
        0xd0..0xd8 => Frame::GoOn(named).put(out),
        0xd8..0xe0 => Frame::Beat.put(out),
        0xe0..0xf0 => {
            out.extend_from_slice(&(1 + body.len() as u32).to_le_bytes());
            out.resize(out.len() + HEAD_BYTES - 4, kind & 0xf);
            out.extend_from_slice(body);
        }
        0xf0..0xf8 => out.extend_from_slice(body),
        0xf8..=0xff => return false,
    }
    true
}

/// A record that follows from those before, if it is one: of a symbol there is, or the next one.
fn in_step(record: &[u8], model: &mut Truth) -> Vec<u8> {
    let Ok(mut tick) = Tick::decode(record) else { return record.to_vec() };
    tick.symbol = SymbolId(tick.symbol.0 % (model.symbol_count() as u32 + 1));
    if tick.is_numbered() {
        tick.sequence = model.next_sequence(tick.symbol, tick.body.channel());
    }
    if tick.is_sound() {
        // What is out of step all the same is the follower's to find out.
        let _ = model.apply(&tick);
    }
    let mut record = Vec::new();
    tick.encode(&mut record);
    record
}

/// A shard behind the ring, with a session that counts and one that does not.
struct Shard {
    reader: Reader,
    batch: Batch,
    fanout: Fanout,
    life: Life,
    sessions: [Option<SessionKey>; 2],
}

impl Shard {
    fn new(reader: Reader) -> Self {
        let (batch, fanout) = (Batch::with_size_max(RING_BYTES), Fanout::new(LIMITS, 0));
        Self { reader, batch, fanout, life: Life::default(), sessions: [None; 2] }
    }

    fn turn(&mut self, follower: &Rehearsal) {
        loop {
            match self.reader.read(&mut self.batch) {
                Read::Empty => break,
                Read::Records(_) if self.fold() => {}
                Read::Records(_) | Read::Lagged { .. } => self.resynchronise(follower.replica()),
            }
            self.write();
        }
        self.write();
    }

    /// False where the truth was replaced.
    fn fold(&mut self) -> bool {
        for record in &self.batch {
            if record == REPLACED {
                return false;
            }
            let tick = Tick::decode(record).expect("a record of ours");
            self.fanout.handle_tick(&tick).expect("every sequence follows the one before");
        }
        true
    }

    fn resynchronise(&mut self, Replica { life, truth, position }: Replica) {
        self.reader.seek(position);
        if life == self.life {
            self.fanout.handle_truth(truth);
        } else {
            self.life = life;
            self.fanout.handle_new_life(truth, life.epoch);
        }
    }

    /// Gives everybody everything; who was closed comes back.
    fn write(&mut self) {
        while let Some(key) = self.fanout.poll_dirty() {
            let mut is_more = true;
            while is_more {
                let mut frames = Vec::new();
                is_more = self.fanout.take(key, 1 << 16, &mut frames, |_| {}, 1);
                check_frames(&frames);
            }
        }
        self.fanout.end_cycle();
        for at in 0..self.sessions.len() {
            let key = self.sessions[at];
            if key.is_some_and(|key| self.fanout.closing(key).is_none()) {
                continue;
            }
            key.into_iter().for_each(|key| self.fanout.handle_gone(key));
            let key = self.fanout.handle_open(at as u64, 1);
            self.sessions[at] = Some(key);
            for asked in ASKED {
                let x = ["", r#","x":{"seq":true}"#][at];
                let text = format!(r#"{{"method":"subscribe","params":{{{asked}{x}}}}}"#);
                self.fanout.handle_text(key, &mut text.into_bytes(), Nanos(1));
            }
            self.fanout.handle_work(Nanos(1));
        }
    }
}

/// Every frame is text that is JSON, or a close.
fn check_frames(mut frames: &[u8]) {
    while !frames.is_empty() {
        let (frame, rest) = frames.split_at(wire::frame::length(frames));
        frames = rest;
        let head = match frame[1] {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        if frame[0] == 0x81 {
            let text = &frame[head..];
            let parsed = serde_json::from_slice::<IgnoredAny>(text);
            assert!(parsed.is_ok(), "{}", String::from_utf8_lossy(text));
        }
    }
}

fn check(truth: &Truth, replica: &Truth) {
    assert_eq!(truth.symbol_count(), replica.symbol_count());
    assert!(truth.symbol_count() <= SETTINGS.symbols_max * 2);
    for ((id, ours), (_, theirs)) in truth.symbols().zip(replica.symbols()) {
        let [ours, theirs] = [ours, theirs].map(image);
        assert!(ours == theirs, "{id:?} differs");
        let again = Symbol::decode(&ours, SETTINGS.book_levels_max);
        assert!(image(&again.expect("another that follows takes it")) == ours);
    }
    for (id, symbol) in truth.originals() {
        assert_eq!(truth.find(&symbol.instrument.symbol), Some(id));
    }
}

fn image(symbol: &Symbol) -> Vec<u8> {
    let mut image = Vec::new();
    symbol.encode(&mut image);
    image
}

/// All that does not depend on when it was heard.
fn summary(truth: &Truth) -> String {
    let known = |(_, symbol): (_, &Symbol)| {
        let Symbol { instrument, twin, state, quote, statistics, book, tape, .. } = symbol;
        format!("{instrument:?} {twin:?} {state:?} {quote:?} {statistics:?} {book:?} {tape:?}\n")
    };
    truth.symbols().map(known).collect()
}
