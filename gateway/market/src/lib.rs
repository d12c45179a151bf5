//! What is true of a market: decimals, instruments, trades, quotes, books, bars, statistics, states.
//!
//! Values and their arithmetic only. Deliberately absent: I/O, JSON, clocks (time comes in as an
//! argument), threads, and floating point.
#![forbid(unsafe_code)]

mod decimal;
pub mod digits;
mod instrument;
mod quote;
mod status;
mod time;
mod trade;

pub use decimal::{Decimal, DecimalError, SCALE_MAX};
pub use instrument::{Instrument, Price, Size, SymbolId, Trading};
pub use quote::{Level, Quote};
pub use status::State;
pub use time::Nanos;
pub use trade::{OrderKind, Side, TAPE_LENGTH, Tape, Trade};
