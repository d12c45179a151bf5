//! A gateway on a port of its own whose venue nobody answers for.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway::door::certificate::ensure_self_signed;
use gateway::metrics::{Metrics, ShardMetrics};

use super::orderly::Orderly;

/// Long enough that only a hang exceeds it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running gateway; dropping it stops it in order.
pub struct Gateway {
    _running: Orderly,
    metrics: Arc<Metrics>,
    pub address: SocketAddr,
    pub cert_file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Gateway {
    pub fn start() -> Self {
        Self::with("requests_per_second_max = 100000\noutbox_bytes_max = 1073741824\n")
    }

    /// With these settings in the table of the shard.
    pub fn with(shard: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (cert_file, key_file) = ensure_self_signed(folder.path()).expect("a certificate");
        let nobody = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
        let text = format!(
            "[door]\nlisten = \"127.0.0.1:0\"\ncert_file = \"{}\"\nkey_file = \"{}\"\n\
             tls_min = \"1.2\"\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n\
             [shard]\n{shard}\
             [[ingest.feeds]]\nname = \"none\"\ndialect = \"kraken\"\nurl = \"ws://{nobody}/v2\"\n\
             symbols = \"all\"\n",
            cert_file.display(),
            key_file.display()
        );
        let running = Orderly::by_text(&text);
        let (metrics, address) = (Arc::clone(running.metrics()), running.door_address());
        Self { _running: running, metrics, address, cert_file, _folder: folder }
    }

    /// What operators see.
    #[allow(dead_code, reason = "the tests of sessions use this rig, too")]
    pub fn exposition(&self) -> String {
        self.metrics.exposition()
    }

    pub fn shard(&self) -> &ShardMetrics {
        &self.metrics.shards[0]
    }

    /// Waits until the shard's metrics say so.
    pub fn wait(&self, what: &str, mut met: impl FnMut(&ShardMetrics) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !met(self.shard()) {
            assert!(Instant::now() < deadline, "not in time: {what}\n{:?}", self.shard());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
