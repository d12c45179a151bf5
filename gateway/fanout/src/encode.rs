//! From what is known of a symbol to the frame of one class.

use market::{BookSide, Channel, Interval, Level, Symbol};
use wire::data::{self, FrameType, Marks};
use wire::topic::Topic;

/// Appends the snapshot of a topic: the value as of now.
pub(crate) fn snapshot(symbol: &Symbol, topic: Topic, sequenced: bool, out: &mut Vec<u8>) {
    let channel = topic.channel();
    let marks = Marks::one(symbol.sequence(channel), symbol.stamps(channel));
    let marks = sequenced.then_some(&marks);
    let instrument = &symbol.instrument;
    match topic {
        Topic::TickerOnQuote | Topic::TickerOnTrade => {
            ticker(symbol, topic, FrameType::Snapshot, marks, out);
        }
        Topic::Trade => {
            data::write_trades(instrument, symbol.tape.iter(), FrameType::Snapshot, marks, out);
        }
        Topic::Book(depth) => {
            let top = BookSide::BOTH.map(|side| symbol.book.side(side).take(depth.levels()));
            book(symbol, top, symbol.book.checksum(), FrameType::Snapshot, marks, out);
        }
        Topic::Bars(interval) => {
            let bars = symbol.bars.of(interval);
            data::write_bars(instrument, interval, bars, FrameType::Snapshot, marks, out);
        }
        Topic::Instrument => {
            data::write_instruments([instrument], FrameType::Snapshot, marks, out);
        }
    }
}

/// True when there is a value to show: a snapshot then stands at the channel's sequence, zero
/// included.
pub(crate) fn is_known(symbol: &Symbol, topic: Topic) -> bool {
    match topic {
        Topic::TickerOnQuote | Topic::TickerOnTrade => {
            symbol.quote.is_some() || symbol.statistics.is_some()
        }
        _ => symbol.sequence(topic.channel()) > 0,
    }
}

/// Appends a ticker as of now.
pub(crate) fn ticker(
    symbol: &Symbol,
    topic: Topic,
    frame_type: FrameType,
    marks: Option<&Marks>,
    out: &mut Vec<u8>,
) {
    data::write_ticker(
        &symbol.instrument,
        symbol.quote.as_ref(),
        symbol.statistics.as_ref(),
        symbol.stamps(topic.channel()),
        frame_type,
        marks,
        out,
    );
}

/// Appends the latest `count` trades as an update.
pub(crate) fn latest_trades(
    symbol: &Symbol,
    count: usize,
    marks: Option<&Marks>,
    out: &mut Vec<u8>,
) {
    let older = symbol.tape.iter().len().saturating_sub(count);
    let trades = symbol.tape.iter().skip(older);
    data::write_trades(&symbol.instrument, trades, FrameType::Update, marks, out);
}

/// Appends the latest `count` bars as an update.
pub(crate) fn latest_bars(
    symbol: &Symbol,
    interval: Interval,
    count: usize,
    marks: Option<&Marks>,
    out: &mut Vec<u8>,
) {
    let bars = symbol.bars.of(interval);
    let older = bars.len().saturating_sub(count);
    data::write_bars(&symbol.instrument, interval, bars.skip(older), FrameType::Update, marks, out);
}

/// Appends levels of a book; `checksum` is that of the book as of now, the same for every depth.
pub(crate) fn book(
    symbol: &Symbol,
    levels: [impl IntoIterator<Item = Level>; 2],
    checksum: u32,
    frame_type: FrameType,
    marks: Option<&Marks>,
    out: &mut Vec<u8>,
) {
    let stamps = symbol.stamps(Channel::Book);
    data::write_book(&symbol.instrument, levels, checksum, stamps, frame_type, marks, out);
}
