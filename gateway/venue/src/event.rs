//! What a decoded message says, in words common to all dialects.
//!
//! Events borrow from the decoder's buffers. Symbols are the venue's own names, with whatever bytes
//! it chose to put there. Prices and sizes keep the digits of the venue's text; whether they fit an
//! instrument, and whether a quote is crossed, is for the one who knows the instrument.

use market::{Decimal, Nanos, OrderKind, Side, Trading};

/// A price and the size offered there; size zero removes the level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// At this price,
    pub price: Decimal,
    /// this much.
    pub size: Decimal,
}

/// The buffers in which a decoder gathers a book's levels, and which its events borrow.
#[derive(Default)]
pub(crate) struct Levels {
    pub(crate) bids: Vec<Level>,
    pub(crate) asks: Vec<Level>,
}

/// One thing a venue said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'a> {
    /// Best bid and ask.
    Quote(Quote<'a>),
    /// Best bid and ask with the statistics of the last 24 hours.
    Ticker(Ticker<'a>),
    /// One execution.
    Trade(Trade<'a>),
    /// A whole book.
    BookSnapshot(BookSnapshot<'a>),
    /// Changes of a book.
    BookDelta(BookDelta<'a>),
    /// The definition of a symbol.
    Instrument(Instrument<'a>),
    /// The venue's own state, in its own word: `online`, `maintenance`.
    Status {
        /// The word.
        system: &'a str,
    },
    /// Nothing happened, and the venue lives.
    Heartbeat,
    /// The answer to a request of ours.
    Ack(Ack<'a>),
    /// The answer to a ping of ours.
    Pong,
    /// Known, and of no use here.
    Ignored(Ignored),
}

/// Best bid and ask. A side without orders has size zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote<'a> {
    /// The venue's name.
    pub symbol: &'a str,
    /// Highest buyer.
    pub bid: Level,
    /// Lowest seller.
    pub ask: Level,
    /// The venue's time; Binance spot does not state it.
    pub ts_event: Nanos,
    /// Grows with every change of the book, where the venue numbers them.
    pub update_id: Option<u64>,
}

/// Best bid and ask with the statistics of the last 24 hours, each where the venue states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticker<'a> {
    /// The venue's name.
    pub symbol: &'a str,
    /// Highest buyer.
    pub bid: Level,
    /// Lowest seller.
    pub ask: Level,
    /// Price of the last trade.
    pub last: Option<Decimal>,
    /// Traded size.
    pub volume: Option<Decimal>,
    /// Average price, weighted by size.
    pub vwap: Option<Decimal>,
    /// Lowest price.
    pub low: Option<Decimal>,
    /// Highest price.
    pub high: Option<Decimal>,
    /// Price now less price then; may be negative.
    pub change: Option<Decimal>,
    /// The same in percent of the price then.
    pub change_pct: Option<Decimal>,
    /// The venue's time.
    pub ts_event: Nanos,
}

/// One execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade<'a> {
    /// The venue's name.
    pub symbol: &'a str,
    /// Price paid.
    pub price: Decimal,
    /// Size exchanged.
    pub size: Decimal,
    /// Who crossed the spread.
    pub side: Side,
    /// The taker's order kind; market where the venue does not say.
    pub order_kind: OrderKind,
    /// The venue's number, growing per symbol.
    pub trade_id: u64,
    /// The venue's time of the execution.
    pub ts_event: Nanos,
}

/// A whole book, as deep as the venue tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookSnapshot<'a> {
    /// The venue's name.
    pub symbol: &'a str,
    /// Buyers, in the venue's order.
    pub bids: &'a [Level],
    /// Sellers, in the venue's order.
    pub asks: &'a [Level],
    /// CRC32 of the top ten, where the venue states it.
    pub checksum: Option<u32>,
    /// The number of the last change in it, where the venue numbers them.
    pub last_update_id: Option<u64>,
    /// The venue's time, where stated.
    pub ts_event: Nanos,
}

/// Changes of a book; each level replaces what stood at its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookDelta<'a> {
    /// The venue's name.
    pub symbol: &'a str,
    /// Buyers.
    pub bids: &'a [Level],
    /// Sellers.
    pub asks: &'a [Level],
    /// CRC32 of the top ten after this delta, where the venue states it.
    pub checksum: Option<u32>,
    /// The numbers of the changes in it, where the venue numbers them.
    pub update_ids: Option<UpdateIds>,
    /// The venue's time.
    pub ts_event: Nanos,
}

/// Which changes a delta holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateIds {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// The last of the delta before, where the venue says so (futures).
    pub previous: Option<u64>,
}

/// The definition of a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instrument<'a> {
    /// The venue's name.
    pub symbol: &'a str,
    /// The asset that is traded.
    pub base: &'a str,
    /// The asset it is priced in.
    pub quote: &'a str,
    /// Digits behind the point of a price.
    pub price_precision: u8,
    /// Digits behind the point of a size.
    pub size_precision: u8,
    /// Smallest step of a price.
    pub price_increment: Option<Decimal>,
    /// Smallest step of a size.
    pub size_increment: Option<Decimal>,
    /// Smallest order.
    pub size_min: Option<Decimal>,
    /// Whether it trades.
    pub trading: Trading,
}

/// The answer to a request of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack<'a> {
    /// What was asked: `subscribe`; empty where the venue does not repeat it.
    pub method: &'a str,
    /// The channel, where stated.
    pub channel: Option<&'a str>,
    /// The symbol, where stated.
    pub symbol: Option<&'a str>,
    /// Granted.
    pub success: bool,
    /// Why not.
    pub error: Option<&'a str>,
}

/// What is known and of no use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ignored {
    /// A channel we do not ask for (Kraken `ohlc`, `level3`).
    Channel,
    /// A stream or event we do not ask for (Binance `aggTrade`, `kline`, partial depth).
    Stream,
    /// A futures execution between the venue and an account, not between two orders in the book:
    /// `X` is `INSURANCE_FUND`, `ADL` or `NA`. Its price is far off the market, so it would put a
    /// false wick in every bar; it is counted and not published.
    NotAMarketTrade,
}

impl Ignored {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Channel, Self::Stream, Self::NotAMarketTrade];

    /// Its label in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Stream => "stream",
            Self::NotAMarketTrade => "not_a_market_trade",
        }
    }
}
