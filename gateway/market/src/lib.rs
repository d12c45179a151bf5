//! What is true of a market: decimals, instruments, trades, quotes, books, bars.
#![forbid(unsafe_code)]
