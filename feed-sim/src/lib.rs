//! Plays the venue: replays recordings, generates markets, breaks things on purpose, and keeps the
//! ground truth. It imports nothing of the gateway, so that it can be its independent oracle.
//!
//! ```no_run
//! use feed_sim::{Generate, Replay, Speed};
//!
//! # async fn example() -> Result<(), feed_sim::SimError> {
//! let market = Generate { symbols: 50, rate: 500.0, ..Generate::default() };
//! let market = market.start("127.0.0.1:0".parse().expect("an address")).await?;
//! println!("subscribe at {}/v2", market.url());
//!
//! market.disconnect_all(); // TCP drops, no close frame
//! market.pause(); // silence while TCP lives
//! market.resume();
//! market.corrupt_next_checksum("BTC/USD");
//! market.skip_next_update("BTC/USD"); // a gap
//! market.send_raw("{not json"); // to every connection
//! let summary = market.stop();
//! assert_eq!(summary.connections_closed_slow, 0);
//!
//! let replay = Replay {
//!     binance_spot: vec!["btcusdt_20240808.gz".into()],
//!     speed: Speed::Factor(20.0),
//!     ..Replay::default()
//! };
//! let replay = replay.start_thread("127.0.0.1:0".parse().expect("an address"))?;
//! # Ok(())
//! # }
//! ```
//!
//! Each simulator runs on a thread of its own (`sim`), with `truth` and `alarm` beside it when
//! they are needed. Dropping its [`Handle`] stops it; [`Handle::stop`] also waits and hands over
//! the [`Summary`].

#![forbid(unsafe_code)]

mod decimal;
mod error;
mod generate;
mod handle;
mod kraken;
mod net;
mod pace;
mod replay;
mod summary;
mod time;
mod truth;

pub use crate::error::SimError;
pub use crate::generate::{Burst, Generate, Mix, RATE_MAX, SYMBOLS_MAX};
pub use crate::handle::{Handle, ServerOptions};
pub use crate::net::tls::Tls;
pub use crate::pace::Pace;
pub use crate::replay::{Replay, Speed, Start};
pub use crate::summary::{Lateness, Summary};
pub use crate::truth::TruthReport;
