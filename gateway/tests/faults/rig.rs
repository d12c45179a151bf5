//! A gateway in this process, on free ports, with a certificate of its own and shallow buffers: a
//! dashboard that does not read is noticed after some ten kilobytes.

#[path = "../support/trust.rs"]
mod trust;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use feed_sim::{Generate, Handle};
use gateway::door::certificate::ensure_self_signed;
use gateway::metrics::{CloseReason, Metrics, TickKind};
use gateway::{Running, config};
use serde_json::{Value, json};
use wire::close::CloseCode;

pub(crate) use self::trust::trust;
use super::link::{Link, Target};

/// Long enough that only a hang exceeds it.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Levels of every book.
pub const DEPTH: usize = 10;
pub const SYMBOLS: usize = 12;
pub const CHANNELS: [&str; 3] = ["ticker", "trade", "book"];
/// What the kernel keeps for a dashboard: as little as the config lets.
pub const SHALLOW: &str = "send_buffer_bytes = 32768\nnotsent_bytes_max = 32768\n";

/// As much as the kernel lets: nobody is slow but who stops.
pub const DEEP: &str = "send_buffer_bytes = 0\nnotsent_bytes_max = 0\n";

/// A folder with a certificate, and who trusts it.
pub struct Papers {
    pub folder: tempfile::TempDir,
    pub cert_file: PathBuf,
    key_file: PathBuf,
}

impl Papers {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (cert_file, key_file) = ensure_self_signed(folder.path()).expect("a certificate");
        Self { folder, cert_file, key_file }
    }

    /// `door` and `rest` are lines of the table `door`, and the tables behind it.
    pub fn config(&self, listen: [SocketAddr; 2], door: &str, rest: &str) -> String {
        let (cert, key) = (self.cert_file.display(), self.key_file.display());
        let [dashboards, operators] = listen;
        format!(
            "[door]\nlisten = \"{dashboards}\"\ncert_file = \"{cert}\"\nkey_file = \"{key}\"\n\
             {door}\n\
             [admin]\nlisten = \"{operators}\"\n{rest}"
        )
    }
}

pub fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// The feed of a Kraken dialect, everything it lists.
pub fn kraken_feed(venue: SocketAddr) -> String {
    format!(
        "[[ingest.feeds]]\nname = \"venue\"\ndialect = \"kraken\"\nurl = \"ws://{venue}/v2\"\n\
         symbols = \"all\"\nbook_depth = {DEPTH}\n"
    )
}

/// A market of so many ticks a second.
pub fn market(rate: f64) -> Generate {
    Generate { symbols: SYMBOLS, rate, levels: DEPTH, zipf: 0.5, ..Generate::default() }
}

/// One that stands still after so many ticks.
pub fn market_of(ticks: u64, rate: f64) -> Generate {
    Generate { ticks_max: Some(ticks), wait_for_subscriber: true, ..market(rate) }
}

/// A subscribe with extensions; `x` is added to what is asked for under it.
pub fn subscribe(channel: &str, symbols: &[&str], x: &Value) -> Value {
    let mut params = params(channel, symbols);
    let mut extensions = json!({ "seq": true });
    let more = x.as_object().expect("an object").clone();
    extensions.as_object_mut().expect("an object").extend(more);
    params["x"] = extensions;
    json!({ "method": "subscribe", "params": params })
}

/// One without.
pub fn subscribe_plainly(channel: &str, symbols: &[&str]) -> Value {
    json!({ "method": "subscribe", "params": params(channel, symbols) })
}

fn params(channel: &str, symbols: &[&str]) -> Value {
    let mut params = json!({ "channel": channel, "symbol": symbols });
    match channel {
        "book" => params["depth"] = DEPTH.into(),
        "ticker" => params["event_trigger"] = "bbo".into(),
        _ => {}
    }
    params
}

/// A running gateway and its venue; dropping it stops it in order.
pub struct Gateway {
    running: Option<Running>,
    pub metrics: Arc<Metrics>,
    pub target: Target,
    pub venue: Handle,
    pub papers: Papers,
}

impl Gateway {
    pub fn start(market: Generate, door: &str, rest: &str) -> Self {
        Self::at(any_port(), market, door, rest)
    }

    /// Where dashboards are to find it.
    pub fn at(listen: SocketAddr, market: Generate, door: &str, rest: &str) -> Self {
        let venue = market.start_thread(any_port()).expect("it starts");
        let papers = Papers::new();
        let rest = format!("{rest}\n{}", kraken_feed(venue.addr()));
        let text = papers.config([listen, any_port()], door, &rest);
        let loaded = config::parse(&text, Path::new("test.toml")).expect("a good config");
        let running = gateway::start(loaded.config).expect("it starts");
        let metrics = Arc::clone(running.metrics());
        let target = Target { address: running.door_address(), tls: trust(&papers.cert_file) };
        Self { running: Some(running), metrics, target, venue, papers }
    }

    /// A session that holds every symbol on the channels, and has them.
    pub fn session(&self, channels: &[&str], x: &Value) -> Link {
        let mut link = Link::open(&self.target);
        for channel in channels {
            link.say(&subscribe(channel, &["*"], x));
        }
        link.until("it has every symbol", |link| link.positions.len() == SYMBOLS * channels.len());
        link
    }

    /// A counter or gauge of all shards together, as operators see it.
    pub fn counted(&self, name: &str) -> u64 {
        counted(&self.metrics.exposition(), name)
    }

    /// Updates published, by channel.
    pub fn published(&self) -> [u64; 3] {
        let of = |kind| self.metrics.ingest.ticks_published.of(kind).value();
        [of(TickKind::Quote) + of(TickKind::Statistics), of(TickKind::Trade), of(TickKind::Book)]
    }

    pub fn closed(&self, code: CloseCode) -> u64 {
        self.ended(CloseReason::Code(code))
    }

    pub fn ended(&self, reason: CloseReason) -> u64 {
        self.metrics.shards.iter().map(|shard| shard.sessions_closed.of(reason).value()).sum()
    }

    pub fn sessions(&self) -> u64 {
        self.metrics.shards.iter().map(|shard| shard.sessions.value()).sum()
    }

    pub fn behind(&self) -> u64 {
        self.metrics.shards.iter().map(|shard| shard.sessions_behind.value()).sum()
    }

    /// Waits until the metrics say so.
    pub fn wait(&self, what: &str, limit: Duration, mut met: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + limit;
        while !met(self) {
            assert!(
                Instant::now() < deadline,
                "not within {limit:?}: {what}\n{}",
                self.metrics.exposition()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else { return };
        running.stop();
        let ended = running.join();
        assert!(ended.is_ok() || std::thread::panicking(), "the gateway ended badly: {ended:?}");
    }
}

/// The sum over all samples of a name.
pub fn counted(exposition: &str, name: &str) -> u64 {
    let of_name = |line: &&str| line.split(['{', ' ']).next() == Some(name);
    let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<u64>().ok());
    let values: Vec<u64> = exposition.lines().filter(of_name).filter_map(value).collect();
    assert!(!values.is_empty(), "nothing is called {name} in\n{exposition}");
    values.iter().sum()
}
