//! What both commands ask of a run: where to, how many, what to watch; and making it ready.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::discover::{self, DiscoverError};
use super::plan::{Choice, symbols_by_session};
use super::sources::SESSIONS_PER_SOURCE;
use super::target::{Target, TargetError};
use super::thread::Load;
use super::trust::{Trust, TrustError};
use super::watch::Watch;
use crate::scan::message::Channel;

/// Options that `verify` and `fleet` share.
#[derive(Clone, Debug, clap::Args)]
pub struct Aim {
    /// The gateway, as a dashboard would name it
    #[arg(long, value_name = "URL", default_value = "wss://127.0.0.1:8443/v2")]
    pub url: String,
    /// Sessions, all load threads together
    #[arg(
        long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    pub sessions: u32,
    /// Symbols each session subscribes; all of them where there are fewer
    #[arg(
        long, value_name = "K", default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub symbols_per_session: u32,
    /// Symbols to choose from, most popular first; without it, all that the instrument channel
    /// lists
    #[arg(long, value_name = "A/B,C/D", value_delimiter = ',')]
    pub symbols: Vec<String>,
    /// Choose by popularity: the symbol of rank r with weight 1/r^EXPONENT
    #[arg(long, value_name = "EXPONENT", default_value_t = 1.0, conflicts_with = "round_robin")]
    pub zipf: f64,
    /// Choose in turn, so that every symbol is watched equally often
    #[arg(long)]
    pub round_robin: bool,
    /// Seed of the choice: the same seed watches the same symbols
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Channels to subscribe: ticker, trade, book, ohlc
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "ticker,trade,book",
          value_parser = channel)]
    pub channels: Vec<Channel>,
    /// Levels a side of each book
    #[arg(long, value_name = "LEVELS", default_value = "10", value_parser = depth)]
    pub depth: usize,
    /// Minutes of the bars, for the ohlc channel
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1",
          value_parser = clap::value_parser!(u64).range(1..=21_600))]
    pub intervals: Vec<u64>,
    /// How long to watch, counted from when every session has its subscriptions
    #[arg(long, value_name = "S", default_value_t = 10.0, value_parser = seconds)]
    pub seconds: f64,
    /// Believe the certificates of this PEM file (the gateway's own certificate, or its CA)
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub ca: Option<PathBuf>,
    /// Believe any certificate; for tests on your own machine
    #[arg(long)]
    pub insecure: bool,
    /// Load threads
    #[arg(
        long, value_name = "T", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=64)
    )]
    pub threads: u32,
    /// Handshakes under way at once, each load thread
    #[arg(
        long, value_name = "N", default_value_t = 32,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub connecting_max: u32,
    /// Seconds from a session's first packet to its upgrade
    #[arg(long, value_name = "S", default_value_t = 10.0, value_parser = seconds)]
    pub connect_max: f64,
    /// Seconds until all sessions must have their subscriptions
    #[arg(long, value_name = "S", default_value_t = 60.0, value_parser = seconds)]
    pub ready_max: f64,
}

/// Why a run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum AimError {
    /// The address.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The certificates.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The gateway did not say what symbols it has.
    #[error("{url}: {cause}")]
    Discover {
        /// The gateway.
        url: String,
        /// What happened.
        cause: DiscoverError,
    },
}

impl Aim {
    /// Resolves, reads certificates, learns the symbols, and deals them out.
    pub fn prepare(&self, seq: bool) -> Result<(Load, Watch), AimError> {
        let trust = match &self.ca {
            Some(path) => Trust::File(path.clone()),
            None if self.insecure => Trust::Anyone,
            None => Trust::Public,
        };
        let load = Load {
            target: Target::parse(&self.url)?,
            tls: trust.config()?,
            sessions: self.sessions,
            threads: self.threads.min(self.sessions),
            here: 0..self.threads.min(self.sessions),
            sessions_per_source: SESSIONS_PER_SOURCE,
            connecting_max: self.connecting_max,
            connect_max: Duration::from_secs_f64(self.connect_max),
        };
        let symbols = if self.symbols.is_empty() {
            discover::symbols(&load, load.connect_max)
                .map_err(|cause| AimError::Discover { url: self.url.clone(), cause })?
        } else {
            self.symbols.clone()
        };
        let choice = if self.round_robin { Choice::RoundRobin } else { Choice::Zipf(self.zipf) };
        let each = self.symbols_per_session as usize;
        let plan = symbols_by_session(self.sessions, symbols.len(), each, choice, self.seed);
        let watch = Watch {
            symbols: symbols.into(),
            by_session: Arc::from(plan),
            channels: self.channels.clone(),
            depth: self.depth,
            intervals: self.intervals.clone(),
            seq,
        };
        Ok((load, watch))
    }
}

fn channel(name: &str) -> Result<Channel, String> {
    Channel::named(name.as_bytes())
        .filter(|channel| *channel != Channel::Instrument)
        .ok_or_else(|| "must be one of ticker, trade, book, ohlc".to_owned())
}

fn depth(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|depth| [10, 25, 100, 500, 1000].contains(depth))
        .ok_or_else(|| "must be one of 10, 25, 100, 500, 1000".to_owned())
}

pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|seconds: &f64| (0.1..=1e7).contains(seconds))
        .ok_or_else(|| "must be a number of seconds from 0.1 to 10000000".to_owned())
}
