//! What is true to the frame a dashboard gets: per channel, plain and with the extension's marks.

use market::{BookSide, Interval, Level};
use wire::data::{self, FrameType, Marks};

use crate::case::{Case, Workload, endless};
use crate::fixtures::{self, LEVELS, VARIANTS};

const CHECKSUM: u32 = 3_310_070_434;

/// Encodes variant after variant into a buffer that is emptied before each frame.
fn encoding(
    is_marked: bool,
    mut write: impl FnMut(u64, Option<&Marks>, &mut Vec<u8>) + 'static,
) -> Box<dyn Case> {
    let (mut frame, mut count) = (Vec::new(), 0);
    endless(move || {
        count += 1;
        let variant = count % VARIANTS;
        let marks = Marks::one(1_000_000 + variant, fixtures::stamps(variant));
        frame.clear();
        write(variant, is_marked.then_some(&marks), &mut frame);
        frame.len()
    })
}

fn ticker(is_marked: bool) -> Box<dyn Case> {
    let instrument = fixtures::instrument("BTC/USDT");
    let values: Vec<_> =
        (0..VARIANTS).map(|v| (fixtures::quote(v), fixtures::statistics(v))).collect();
    encoding(is_marked, move |variant, marks, out| {
        let (quote, statistics) = &values[variant as usize];
        let (quote, statistics) = (Some(quote), Some(statistics));
        let stamps = fixtures::stamps(variant);
        data::write_ticker(&instrument, quote, statistics, stamps, FrameType::Update, marks, out);
    })
}

fn trade(is_marked: bool) -> Box<dyn Case> {
    let instrument = fixtures::instrument("BTC/USDT");
    let values: Vec<_> = (0..VARIANTS).map(fixtures::trade).collect();
    encoding(is_marked, move |variant, marks, out| {
        data::write_trades(&instrument, [&values[variant as usize]], FrameType::Update, marks, out);
    })
}

fn book(is_marked: bool, frame_type: FrameType, sides: Vec<[Vec<Level>; 2]>) -> Box<dyn Case> {
    let instrument = fixtures::instrument("BTC/USDT");
    encoding(is_marked, move |variant, marks, out| {
        let levels = &sides[variant as usize % sides.len()];
        let levels = levels.each_ref().map(|side| side.iter().copied());
        let stamps = fixtures::stamps(variant);
        data::write_book(&instrument, levels, CHECKSUM, stamps, frame_type, marks, out);
    })
}

fn book_snapshot(is_marked: bool, depth: u64) -> Box<dyn Case> {
    let whole = |variant| BookSide::BOTH.map(|side| fixtures::side(side, depth, variant));
    book(is_marked, FrameType::Snapshot, (0..VARIANTS).map(whole).collect())
}

fn bar(is_marked: bool) -> Box<dyn Case> {
    let instrument = fixtures::instrument("BTC/USDT");
    let values: Vec<_> = (0..VARIANTS).map(fixtures::bar).collect();
    encoding(is_marked, move |variant, marks, out| {
        let bar = [&values[variant as usize]];
        data::write_bars(&instrument, Interval::Minute1, bar, FrameType::Update, marks, out);
    })
}

fn instrument(is_marked: bool) -> Box<dyn Case> {
    let instrument = fixtures::instrument("BTC/USDT");
    encoding(is_marked, move |_, marks, out| {
        data::write_instruments([&instrument], FrameType::Update, marks, out);
    })
}

pub(crate) fn workloads(all: &mut Vec<Workload>) {
    for is_marked in [false, true] {
        let mut add = |what: &str, counted, make: fn(bool) -> Box<dyn Case>| {
            let class = if is_marked { "marked" } else { "plain" };
            let name = format!("encode.{what}.{class}");
            all.push(Workload::new(name, counted, move || make(is_marked)));
        };
        add("ticker", 64 * VARIANTS, ticker);
        add("trade", 64 * VARIANTS, trade);
        add("book-update", 64 * VARIANTS, |is_marked| {
            book(is_marked, FrameType::Update, (0..VARIANTS).map(fixtures::change).collect())
        });
        add("book-10", 16 * VARIANTS, |is_marked| book_snapshot(is_marked, 10));
        add("book-1000", VARIANTS, |is_marked| book_snapshot(is_marked, LEVELS));
        add("ohlc", 64 * VARIANTS, bar);
        add("instrument", 16 * VARIANTS, instrument);
    }
}
