//! What ingest counts. Written by the ingest thread alone.

use market::State;
use venue::{DecodeError, KINDS};

use super::cell::{Counter, Gauge};
use super::label::{Family, Label, label_set};
use super::relay::FollowMetrics;

/// Why a venue's message could not be understood; the words are the decoders' own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DecodeFailure(usize);

impl From<&DecodeError> for DecodeFailure {
    fn from(error: &DecodeError) -> Self {
        let kind = error.kind();
        Self(KINDS.iter().position(|word| *word == kind).expect("KINDS holds every kind"))
    }
}

impl DecodeFailure {
    const ALL: [Self; KINDS.len()] = {
        let mut all = [Self(0); KINDS.len()];
        let mut at = 0;
        while at < KINDS.len() {
            all[at] = Self(at);
            at += 1;
        }
        all
    };
}

impl Label for DecodeFailure {
    const KEY: &'static str = "kind";
    const ALL: &'static [Self] = &Self::ALL;
    type Cells<C: Default> = [C; KINDS.len()];

    fn index(self) -> usize {
        self.0
    }

    fn word(self) -> &'static str {
        KINDS[self.0]
    }
}

label_set! {
    /// The kind of a published tick.
    TickKind, "kind",
    /// Best bid and ask.
    Quote = "quote",
    /// One execution.
    Trade = "trade",
    /// Changed levels of a book.
    Book = "book",
    /// A whole book.
    BookSnapshot = "book_snapshot",
    /// OHLCV.
    Bar = "bar",
    /// 24-hour statistics.
    Statistics = "statistics",
    /// A definition.
    Instrument = "instrument",
    /// A symbol's state, or a feed's.
    State = "state",
}

label_set! {
    /// Why a decoded tick was not published.
    TickRefusal, "reason",
    /// Its symbol has no definition yet.
    NoInstrument = "no_instrument",
    /// Its number does not fit the instrument's precision.
    Precision = "precision",
    /// Older than what is already known.
    OutOfOrder = "out_of_order",
    /// Its book waits for a snapshot.
    AwaitingSnapshot = "awaiting_snapshot",
    /// One symbol more than `symbols_max`.
    SymbolLimit = "symbol_limit",
    /// A record larger than the ring takes.
    TooLarge = "too_large",
    /// A side, price or size that makes no sense.
    Invalid = "invalid",
}

/// One feed's numbers.
#[derive(Debug, Default)]
pub struct FeedMetrics {
    /// The feed's name in the config; the value of the `feed` label.
    pub name: String,
    /// Messages read.
    pub messages: Counter,
    /// Bytes of these messages.
    pub bytes: Counter,
    /// Messages not understood, by kind.
    pub decode_failures: Family<DecodeFailure>,
    /// Messages that are known and of no use here, by kind.
    pub ignored: Family<venue::Ignored>,
    /// Sequence gaps of the venue.
    pub gaps: Counter,
    /// Books whose checksum was wrong.
    pub checksum_failures: Counter,
    /// Connections made after the first.
    pub reconnects: Counter,
    /// Books fetched anew.
    pub resnapshots: Counter,
    /// Times the venue was silent for too long.
    pub silences: Counter,
    /// When the last one was read, nanoseconds since 1970; zero before the first.
    pub heard_at_ns: Gauge,
    /// 1 while connected and speaking, else 0.
    pub live: Gauge,
}

/// What is told later.
#[derive(Debug, Default)]
pub struct DelayMetrics {
    /// Ticks that were old enough and were published anew.
    pub released: Counter,
    /// Times the line had no room for a symbol, which went stale in it.
    pub overflows: Counter,
    /// Ticks that did not get into the line for that.
    pub lost: Counter,
    /// Symbols that were let in again.
    pub renewals: Counter,
    /// Bytes in the line.
    pub bytes: Gauge,
    /// When the oldest of them came, nanoseconds since 1970; zero where it is empty.
    pub oldest_at_ns: Gauge,
}

/// The ingest thread's numbers.
#[derive(Debug, Default)]
#[repr(align(128))] // No cache line is shared with another thread's cells.
pub struct IngestMetrics {
    /// In the order of the config.
    pub feeds: Vec<FeedMetrics>,
    /// Of the gateway that is followed; it is also the first feed.
    pub follow: FollowMetrics,
    /// Symbols by their state now.
    pub symbols: Family<State, Gauge>,
    /// Ticks written into the ring, by kind.
    pub ticks_published: Family<TickKind>,
    /// Ticks not published, by reason.
    pub ticks_refused: Family<TickRefusal>,
    /// Bytes written into the ring.
    pub ring_bytes: Counter,
    /// Of delayed data.
    pub delay: DelayMetrics,
}
