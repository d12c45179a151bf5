//! Configuration: TOML in, checked values out.

mod types;

pub use types::{Admin, Config, Dialect, Door, Feed, FeedSymbol, FeedSymbols, Ingest, Ring, Shard};
