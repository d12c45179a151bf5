//! What a venue says: bytes to events, one file a dialect, and the requests a dialect needs.
//!
//! A decoder owns its buffers and reuses them; after the largest message was seen once, no message
//! allocates. Events borrow from those buffers, so they live for one call of the sink. Numbers are
//! decimals from the venue's own text; no float stands in between. Nothing here panics on any
//! bytes. Deliberately absent: sockets, dashboards, clocks, and any memory of a market but the join
//! of a Binance snapshot with its deltas.
#![forbid(unsafe_code)]

mod binance;
mod document;
mod error;
mod event;
mod join;
mod json;
mod kraken;
pub mod request;

pub use binance::Binance;
pub use error::{DecodeError, KINDS};
pub use event::{
    Ack, BookDelta, BookSnapshot, Event, Ignored, Instrument, Level, Quote, Ticker, Trade,
    UpdateIds,
};
pub use join::{Dialect, Join, JoinLimits, Outcome, Replay};
pub use kraken::Kraken;
