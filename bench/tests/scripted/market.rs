//! A small seeded market as protocol v2 frames with sequences, and its ground truth.

use bench::load::clock::now_ns;
use bench::scan::decimal::Decimal;
use bench::scan::items::Side;
use bench::verify::book::Book;

use super::Step;

/// A frame that can be left out, swapped or doubled.
#[derive(Clone, Debug)]
pub struct Said {
    pub channel: &'static str,
    pub seq: u64,
    pub text: String,
}

/// Everything one session hears of one symbol, and what was published.
pub struct Market {
    pub snapshots: Vec<Said>,
    pub updates: Vec<Said>,
    pub truth: Vec<String>,
}

/// The sequence of every snapshot.
pub const SNAPSHOT: u64 = 100;

impl Market {
    /// `count` updates of each of ticker, trade and book of `symbol`, in turns.
    pub fn new(symbol: &str, count: u64, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut book = Book::default();
        let (mut snapshots, mut updates, mut truth) = (Vec::new(), Vec::new(), Vec::new());
        let mut first = (String::new(), String::new());
        for step in 1..=12u32 {
            for (side, price) in [(Side::Bid, 1000 - step), (Side::Ask, 1000 + step)] {
                let text = if side == Side::Bid { &mut first.0 } else { &mut first.1 };
                put_level(&mut book, text, side, price, 5000 + step);
            }
        }
        truth.push(truth_book(symbol, 0, &first, "snapshot"));
        // A dashboard of depth ten never sees the two levels beyond.
        book.truncate(10);
        let told = (cut(&first.0, 10), cut(&first.1, 10));
        snapshots.push(said_book(symbol, "snapshot", SNAPSHOT, &told, book.checksum()));
        snapshots.push(said_trade(symbol, "snapshot", SNAPSHOT, 50, "100.0"));
        snapshots.push(said_ticker(symbol, "snapshot", SNAPSHOT));
        truth.push(truth_trade(symbol, 1, 50, "100.0"));
        for index in 1..=count {
            let seq = SNAPSHOT + index;
            let mut levels = (String::new(), String::new());
            let price = 1001 + random.u32(0..5);
            put_level(&mut book, &mut levels.1, Side::Ask, price, 1 + random.u32(0..9000));
            truth.push(truth_book(symbol, index, &levels, "update"));
            updates.push(said_book(symbol, "update", seq, &levels, book.checksum()));
            let paid = format!("{}.{}", random.u32(90..110), random.u32(0..10));
            truth.push(truth_trade(symbol, index + 1, 50 + index, &paid));
            updates.push(said_trade(symbol, "update", seq, 50 + index, &paid));
            updates.push(said_ticker(symbol, "update", seq));
        }
        Self { snapshots, updates, truth }
    }

    /// Position of the update of `channel` with `seq`.
    pub fn at(&self, channel: &str, seq: u64) -> usize {
        let found = |said: &Said| said.channel == channel && said.seq == seq;
        self.updates.iter().position(found).expect("the market has that update")
    }

    /// All of it, in order.
    pub fn steps(&self) -> Vec<Step> {
        let all = self.snapshots.iter().chain(&self.updates);
        all.map(|said| Step::Text(said.text.clone())).collect()
    }
}

fn put_level(book: &mut Book, text: &mut String, side: Side, price: u32, qty: u32) {
    let price = format!("{}.{}", price / 10, price % 10);
    let qty = format!("{}.{:03}00", qty / 1000, qty % 1000);
    let read = |text: &str| Decimal::parse(text.as_bytes()).unwrap();
    book.apply(side, read(&price), read(&qty));
    if !text.is_empty() {
        text.push(',');
    }
    text.push_str(&level(&price, &qty));
}

fn level(price: &str, qty: &str) -> String {
    format!(r#"{{"price":{price},"qty":{qty}}}"#)
}

fn cut(levels: &str, count: usize) -> String {
    let kept: Vec<_> = levels.split_inclusive('}').take(count).collect();
    kept.concat()
}

fn x(seq: u64) -> String {
    format!(r#""x":{{"seq":{seq},"ts_event":"{}","ts_recv":"1","ts_pub":"2"}}"#, now_ns())
}

fn said_book(
    symbol: &str,
    kind: &str,
    seq: u64,
    (bids, asks): &(String, String),
    checksum: u32,
) -> Said {
    let text = format!(
        r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":[{bids}],
            "asks":[{asks}],"checksum":{checksum},"timestamp":"2024-01-01T00:00:00.000000Z"}}],
            {}}}"#,
        x(seq)
    );
    Said { channel: "book", seq, text }
}

fn said_trade(symbol: &str, kind: &str, seq: u64, id: u64, price: &str) -> Said {
    let text = format!(
        r#"{{"channel":"trade","type":"{kind}","data":[{{"symbol":"{symbol}","side":"buy",
            "price":{price},"qty":0.50,"ord_type":"limit","trade_id":{id},
            "timestamp":"2024-01-01T00:00:00.000000Z"}}],{}}}"#,
        x(seq)
    );
    Said { channel: "trade", seq, text }
}

fn said_ticker(symbol: &str, kind: &str, seq: u64) -> Said {
    let text = format!(
        r#"{{"channel":"ticker","type":"{kind}",
            "data":[{{"symbol":"{symbol}","bid":1.0,"ask":2.0}}],{}}}"#,
        x(seq)
    );
    Said { channel: "ticker", seq, text }
}

/// A gap notice.
pub fn gap(symbol: &str, channel: &str, from: u64, to: u64) -> String {
    let count = to - from + 1;
    format!(
        r#"{{"channel":"notice","type":"update","data":[{{"kind":"gap","symbol":"{symbol}",
            "channel":"{channel}","from_seq":{from},"to_seq":{to},"count":{count},
            "reason":"lagged"}}]}}"#
    )
}

fn truth_trade(symbol: &str, seq: u64, id: u64, price: &str) -> String {
    let trade = format!(r#""price":"{price}","qty":"0.5","side":"buy","trade_id":{id}"#);
    truth_line(symbol, "trade", seq, "update", &trade)
}

fn truth_book(symbol: &str, seq: u64, (bids, asks): &(String, String), kind: &str) -> String {
    let book = format!(r#""bids":[{bids}],"asks":[{asks}],"checksum":0"#);
    truth_line(symbol, "book", seq, kind, &book)
}

/// A line of the ground truth; `what` are its last fields.
fn truth_line(symbol: &str, channel: &str, seq: u64, kind: &str, what: &str) -> String {
    let ts = 1_000_000 + seq;
    let head = format!(r#""symbol":"{symbol}","channel":"{channel}","seq":{seq},"ts":{ts}"#);
    format!(r#"{{{head},"type":"{kind}",{what}}}"#)
}
