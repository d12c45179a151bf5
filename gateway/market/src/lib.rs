//! What is true of a market: decimals, instruments, trades, quotes, books, bars, statistics,
//! states.
//!
//! Values and their arithmetic only. Deliberately absent: I/O, JSON, clocks (time comes in as an
//! argument), threads, and floating point.
#![forbid(unsafe_code)]

mod bar;
mod book;
mod book_change;
mod channel;
mod checksum;
mod decimal;
pub mod digits;
mod instrument;
mod quote;
mod ratio;
mod record;
mod renewal;
mod sound;
mod statistics;
mod status;
mod tick;
mod time;
mod trade;
mod truth;
mod twin;

pub use bar::{BAR_HISTORY, Bar, Bars, Interval};
pub use book::{Book, BookSide};
pub use book_change::{BookChange, Levels};
pub use channel::Channel;
pub use checksum::Checksum;
pub use decimal::{Decimal, DecimalError, SCALE_MAX};
pub use instrument::{Instrument, Price, Size, SymbolId, Trading};
pub use quote::{Level, Quote};
pub use record::{LAYOUT_VERSION, RecordError, book_record_bytes_max, renewal_record_bytes_max};
pub use sound::{TURNOVER_MAX, is_instrument, is_sum};
pub use statistics::{Roller, Statistics};
pub use status::State;
pub use tick::{Body, Stamps, Tick};
pub use time::Nanos;
pub use trade::{OrderKind, Side, TAPE_LENGTH, Tape, Trade};
pub use truth::{OutOfStep, Symbol, Truth, image_bytes_max};
pub use twin::Twin;

pub use ratio::rounded_ratio;
