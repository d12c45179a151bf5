//! A whole gateway on free ports with a certificate of its own, as a test needs it.
//!
//! The config is a text as an operator writes it, so that what a test does not say is the default.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway::door::certificate::ensure_self_signed;
use gateway::metrics::{FeedMetrics, Metrics};
use rustls::ClientConfig;

use super::dashboard::{Dashboard, Target, Wish};
use super::orderly::Orderly;
use super::trust::trust;
use super::view::Rules;

/// Long enough that only a hang exceeds it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A folder with a certificate, and who trusts it.
pub struct Papers {
    pub folder: tempfile::TempDir,
    pub tls: Arc<ClientConfig>,
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}

impl Papers {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (cert_file, key_file) = ensure_self_signed(folder.path()).expect("a certificate");
        let tls = trust(&cert_file);
        Self { folder, tls, cert_file, key_file }
    }

    /// A config on the ports given; `rest` is what stands behind its tables `door` and `admin`. The
    /// kernel's buffers are deep, so that a test's dashboard that a busy machine holds up is not
    /// taken for a slow one.
    pub fn config(&self, door: SocketAddr, rest: &str) -> String {
        let (cert, key) = (self.cert_file.display(), self.key_file.display());
        format!(
            "[door]\nlisten = \"{door}\"\ncert_file = \"{cert}\"\nkey_file = \"{key}\"\n\
             send_buffer_bytes = 0\nnotsent_bytes_max = 0\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n{rest}"
        )
    }
}

/// A running gateway; dropping it stops it in order.
pub struct Gateway {
    _running: Orderly,
    pub metrics: Arc<Metrics>,
    pub target: Target,
    _papers: Papers,
}

impl Gateway {
    pub fn start(rest: &str) -> Self {
        let papers = Papers::new();
        let text = papers.config(any_port(), rest);
        let running = Orderly::by_text(&text);
        let metrics = Arc::clone(running.metrics());
        let target = Target { address: running.door_address(), tls: Some(Arc::clone(&papers.tls)) };
        Self { _running: running, metrics, target, _papers: papers }
    }

    pub fn feed(&self) -> &FeedMetrics {
        &self.metrics.ingest.feeds[0]
    }

    pub fn laps(&self) -> u64 {
        self.metrics.shards.iter().map(|shard| shard.laps.value()).sum()
    }

    /// A counter, or several of one name together, as operators see it.
    pub fn counted(&self, name: &str) -> u64 {
        let text = self.metrics.exposition();
        let of_name = |line: &&str| line.split(['{', ' ']).next() == Some(name);
        let value =
            |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<u64>().ok());
        let values: Vec<u64> = text.lines().filter(of_name).filter_map(value).collect();
        assert!(!values.is_empty(), "nothing is called {name} in\n{text}");
        values.iter().sum()
    }

    pub fn dashboard(&self, name: &str, wish: &Wish) -> Dashboard {
        Dashboard::start(name, self.target.clone(), wish)
    }

    /// Waits until the metrics say so.
    pub fn wait(&self, what: &str, limit: Duration, mut met: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + limit;
        while !met(self) {
            assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

pub fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A port that is free now, for one who starts to listen later.
pub fn free_port() -> SocketAddr {
    let listener = TcpListener::bind(any_port()).expect("a free port");
    listener.local_addr().expect("it is bound")
}

/// The feed of a Kraken dialect, everything it lists.
pub fn kraken_feed(venue: SocketAddr, depth: usize) -> String {
    format!(
        "[[ingest.feeds]]\nname = \"venue\"\ndialect = \"kraken\"\nurl = \"ws://{venue}/v2\"\n\
         symbols = \"all\"\nbook_depth = {depth}\n"
    )
}

/// A session that uses extensions, or one that does not.
pub fn wish(sequenced: bool, depth: usize, channels: &[&'static str], symbols: &[&str]) -> Wish {
    Wish {
        rules: Rules { sequenced, depth, keeps_frames: false },
        channels: channels.to_vec(),
        symbols: symbols.iter().map(|symbol| (*symbol).to_owned()).collect(),
        resume: None,
    }
}
