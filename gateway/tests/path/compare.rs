//! What a dashboard was told, held against a recording: every book update, every ticker.
//!
//! The top ten and its checksum after each update; whole books at random points and at the end.

use super::book::Book;
use super::json::Json;
use super::recording::Recording;
use super::view::{BookFrame, View, apply_book};

/// Points at which whole books are compared.
const POINTS: usize = 100;
/// Levels compared after every update: those of the checksum.
const TOP: usize = 10;

/// What was compared.
#[derive(Debug, Default)]
pub struct Figures {
    pub messages: usize,
    pub book_updates: usize,
    pub whole_books: usize,
    pub trades: usize,
    pub tickers: usize,
    pub quotes: usize,
}

/// Follows the frames with one book and the recording with another. Every update is one delta, the
/// last the last one; number 1 is the snapshot with the deltas that waited for it.
pub fn compare_books(
    name: &str,
    recording: &Recording,
    frames: &[BookFrame],
    depth: usize,
    figures: &mut Figures,
) {
    let delta_count = recording.deltas.len() as u64;
    let (first, last) = (frames[0].seq, frames[frames.len() - 1].seq);
    assert!(last <= delta_count + 1, "{name}: more updates than deltas");
    let joined = delta_count + 1 - last;
    assert!(joined < 100, "{name}: {joined} deltas lie in the snapshot: some were lost");
    let mut rng = fastrand::Rng::with_seed(depth as u64);
    let mut points: Vec<u64> = (0..POINTS).map(|_| rng.u64(first..=last)).collect();
    points.push(last);
    let (mut rebuilt, mut told) = (recording.snapshot.clone(), Book::default());
    let (waiting, mut following) = recording.deltas.split_at((joined + first - 1) as usize);
    for delta in waiting {
        delta.apply(&mut rebuilt);
    }
    for (frame, seq) in frames.iter().zip(first..) {
        assert_eq!(frame.seq, seq, "{name}");
        if seq > first {
            let (delta, rest) = following.split_first().expect("a delta for each update");
            delta.apply(&mut rebuilt);
            following = rest;
            assert_eq!(frame.ts_event, delta.ts_event_ns, "{name}: {seq} is another delta");
        }
        let message = Json::parse(&frame.text).expect("it was read before");
        let item = &message.list("data").expect("it was read before")[0];
        apply_book(&mut told, item, seq == first, depth)
            .unwrap_or_else(|reason| panic!("{name}: update {seq}: {reason}"));
        assert_eq!(item.whole("checksum"), Some(rebuilt.checksum()), "{name}: update {seq}");
        assert!(told.has_same_top(&rebuilt, TOP), "{name}: top after update {seq}");
        figures.book_updates += 1;
        let times = points.iter().filter(|point| **point == seq).count();
        if times > 0 {
            assert_same(name, seq, &told, &rebuilt, depth);
            figures.whole_books += times;
        }
    }
    assert!(following.is_empty(), "{name}: every delta was told");
}

fn assert_same(name: &str, at: u64, told: &Book, rebuilt: &Book, depth: usize) {
    let (told, rebuilt) = (told.top(depth), rebuilt.top(depth));
    for (side, (told, rebuilt)) in told.iter().zip(&rebuilt).enumerate() {
        let differs = told.iter().zip(rebuilt).position(|(told, rebuilt)| told != rebuilt);
        assert_eq!(differs, None, "{name}: update {at}, side {side}, depth {depth}: rank");
        assert_eq!(told.len(), rebuilt.len(), "{name}: update {at}, side {side}, depth {depth}");
    }
}

pub fn compare_tickers(name: &str, recording: &Recording, view: &View) {
    let told = &view.tickers[name];
    let differs = told.iter().zip(&recording.tickers).position(|(told, due)| told != due);
    if let Some(at) = differs {
        panic!("{name}: ticker {at} is {:?}, recorded {:?}", told[at], recording.tickers[at]);
    }
    assert_eq!(told.len(), recording.tickers.len(), "{name}: as many tickers as changes");
}
