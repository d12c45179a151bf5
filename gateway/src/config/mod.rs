//! Configuration: TOML in, checked values out.
//!
//! [`load`] reads a file once, at start, and says everything that is wrong with it at once, each
//! thing with file, line, key, value and reason. What it returns cannot hold a bad value.

mod auth;
mod compare;
mod document;
mod feeds;
mod files;
mod level;
mod memory;
mod read;
mod refusal;
mod relay;
mod section;
mod symbols;
mod types;

use std::path::Path;

pub use compare::{Changes, bring_up_to_date};
pub use document::KeyFacts;
pub use level::log_filter;
pub use memory::{
    KEPT_BYTES, MemoryEstimate, Population, Reckoning, SESSION_BYTES, SOCKET_BYTES, STOPPED_BYTES,
    SUBSCRIPTION_BYTES,
};
pub use read::Loaded;
pub use refusal::{ConfigError, Refusal};
pub use types::{
    Admin, Auth, Config, Crowd, DELAYS_MAX, Dialect, Door, Feed, FeedSymbol, FeedSymbols, Ingest,
    Relay, RelayAddress, Ring, Shard, Sockets, Thread, TlsMin, Usage,
};

/// Reads a config file and checks it, the files it names, and this machine.
pub fn load(file: &Path) -> Result<Loaded, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|error| ConfigError::Unreadable {
        file: file.to_owned(),
        reason: error.to_string(),
    })?;
    let refused = |refusals| ConfigError::Refused { file: file.to_owned(), refusals };
    let (loaded, remains) = read::read(&text, folder_of(file));
    let mut loaded = loaded.ok_or_else(|| refused(remains.refusals))?;
    let refusals = files::check(&loaded.config, &remains.lines);
    if !refusals.is_empty() {
        return Err(refused(refusals));
    }
    loaded.warnings = files::warnings(&loaded.config);
    Ok(loaded)
}

/// Reads a config text as if it stood in `file`, whose folder relative paths start from. Nothing
/// outside the text is looked at.
pub fn parse(text: &str, file: &Path) -> Result<Loaded, ConfigError> {
    let (loaded, remains) = read::read(text, folder_of(file));
    loaded.ok_or_else(|| ConfigError::Refused { file: file.to_owned(), refusals: remains.refusals })
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

/// Every key there is, with its range and default.
pub fn keys() -> Vec<KeyFacts> {
    // Feeds and symbols are asked for once one of each is there.
    let text = "[[ingest.feeds]]\nsymbols = [{}]\n";
    read::read(text, Path::new("")).1.facts
}
