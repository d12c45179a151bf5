//! What stands around a block: a temporary folder with certificate and config, feed-sim, and the
//! server under test. Built in order, taken down whatever happens.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::child::Child;
use super::contender::{Contender, Kind};
use super::cores::granted;
use super::dialect::Dialect;
use super::interrupt::Interrupt;
use super::system::family;
use super::{RunError, http, venue};
use crate::scenario::{Market, Scenario, merge};

/// Everything that runs beside the load side.
#[derive(Debug)]
pub struct Stage {
    /// Where the fleet connects to.
    pub url: String,
    /// The certificate to believe; none where the server is not ours.
    pub ca: Option<PathBuf>,
    /// The symbols there are, most popular first.
    pub symbols: Vec<String>,
    /// Where the venue listens, where it is ours and speaks Kraken's dialect.
    pub venue: Option<SocketAddr>,
    /// How the server is spoken to.
    pub dialect: Dialect,
    /// Where a gateway tells its metrics.
    pub admin: Option<SocketAddr>,
    /// The server under test; none where it is not ours.
    pub server: Option<Child>,
    /// The venue; none where it is not ours.
    pub feed: Option<Child>,
    folder: tempfile::TempDir,
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// This program, for load processes.
    pub bench: PathBuf,
    /// feed-sim.
    pub feed_sim: PathBuf,
    /// Recorded market data.
    pub data: PathBuf,
}

const START_MAX: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The recording's symbols, as the gateway is told to call them.
const RECORDED: [&str; 3] = ["BTC/USDT", "ETH/USDT", "BTC/USDT-PERP"];

impl Stage {
    /// Starts feed and server, and waits until the server serves.
    pub fn build(
        scenario: &Scenario,
        contender: &Contender,
        programs: &Programs,
        interrupt: &Interrupt,
    ) -> Result<Self, RunError> {
        let folder = tempfile::tempdir().map_err(RunError::Folder)?;
        let path = folder.path().to_owned();
        if let Kind::Url { url, ca } = &contender.kind {
            return Ok(Self::elsewhere(url.clone(), ca.clone(), folder));
        }
        let certificate = certify(&path)?;
        let feed_argv = feed_command(&scenario.market, programs);
        let feed_cores = granted(&scenario.cores.feed);
        let mut feed = Child::start("feed-sim", &feed_argv, &feed_cores, path.join("feed.log"))?;
        let feed_address = feed.line(START_MAX, interrupt, |line| {
            let rest = line.strip_prefix("listening on ")?;
            rest.split("://").nth(1)?.split('/').next()?.parse::<SocketAddr>().ok()
        })?;
        let symbols = if scenario.market.recorded {
            RECORDED.map(str::to_owned).to_vec()
        } else {
            venue::symbols(feed_address).map_err(|error| feed.failed(&error.to_string()))?
        };
        let listen = free_address()?;
        let server_cores = granted(&scenario.cores.server);
        let start = Start {
            folder: &path,
            scenario,
            feed: feed_address,
            listen,
            certificate: &certificate,
            interrupt,
        };
        let (server, admin, dialect, at) = match &contender.kind {
            Kind::Gateway { program, settings } => {
                let (mut server, admin) = start.gateway(program, settings, &server_cores)?;
                start.wait_known(&mut server, admin, symbols.len())?;
                (server, Some(admin), Dialect::Kraken, "/v2")
            }
            Kind::Peer(peer) => {
                let argv = peer.command(feed_address, listen, &certificate.0, &certificate.1);
                let log = path.join("server.log");
                let mut server = Child::start(&contender.name, &argv, &server_cores, log)?;
                server
                    .line(START_MAX, interrupt, |line| line.contains("listening").then_some(()))?;
                (server, None, peer.dialect, peer.path.as_str())
            }
            Kind::Url { .. } => unreachable!("answered above"),
        };
        Ok(Self {
            url: format!("wss://{listen}{at}"),
            ca: Some(certificate.0),
            symbols,
            venue: (!scenario.market.recorded).then_some(feed_address),
            dialect,
            admin,
            server: Some(server),
            feed: Some(feed),
            folder,
        })
    }

    /// A server that runs already, with a venue of its own.
    fn elsewhere(url: String, ca: Option<PathBuf>, folder: tempfile::TempDir) -> Self {
        Self {
            url,
            ca,
            symbols: Vec::new(),
            venue: None,
            dialect: Dialect::Kraken,
            admin: None,
            server: None,
            feed: None,
            folder,
        }
    }

    /// The server's processes; none where it is not ours.
    pub fn pids(&self) -> Vec<u32> {
        self.server.as_ref().map(|server| family(server.pid())).unwrap_or_default()
    }

    /// Where logs are kept while the stage stands.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends the server, then the feed; its summary is feed-sim's last word.
    pub fn take_down(self) -> Option<serde_json::Value> {
        if let Some(server) = self.server {
            server.end();
        }
        let said = self.feed?.end();
        said.iter().rev().find_map(|line| serde_json::from_str(line).ok())
    }
}

/// What a server is started with.
struct Start<'a> {
    folder: &'a Path,
    scenario: &'a Scenario,
    feed: SocketAddr,
    listen: SocketAddr,
    certificate: &'a (PathBuf, PathBuf),
    interrupt: &'a Interrupt,
}

impl Start<'_> {
    fn gateway(
        &self,
        program: &Path,
        settings: &toml::Table,
        cores: &[usize],
    ) -> Result<(Child, SocketAddr), RunError> {
        let admin = free_address()?;
        let mut config = self.gateway_config(admin);
        merge(&mut config, &self.scenario.gateway);
        merge(&mut config, settings);
        let file = self.folder.join("gateway.toml");
        std::fs::write(&file, config.to_string()).map_err(RunError::Folder)?;
        let argv = ["run", "--config"].map(str::to_owned);
        let mut all = vec![program.display().to_string()];
        all.extend(argv);
        all.push(file.display().to_string());
        let mut server = Child::start("gateway", &all, cores, self.folder.join("server.log"))?;
        let deadline = Instant::now() + START_MAX;
        while !matches!(http::get(admin, "/readyz"), Ok((200, _))) {
            self.still_waits(&mut server, deadline, "not ready")?;
        }
        Ok((server, admin))
    }

    /// A symbol exists for dashboards once the venue has spoken of it: until then it would be
    /// refused.
    fn wait_known(
        &self,
        server: &mut Child,
        admin: SocketAddr,
        symbols: usize,
    ) -> Result<(), RunError> {
        let deadline = Instant::now() + START_MAX;
        loop {
            let known = http::get(admin, "/metrics")
                .ok()
                .and_then(|(_, text)| http::sum_of(&text, "gateway_ingest_symbols{state=\"ok\"}"));
            if known.is_some_and(|known| known >= symbols as f64) {
                return Ok(());
            }
            self.still_waits(server, deadline, "not all symbols known")?;
        }
    }

    fn still_waits(
        &self,
        server: &mut Child,
        deadline: Instant,
        what: &str,
    ) -> Result<(), RunError> {
        server.check()?;
        if self.interrupt.is_raised() {
            return Err(RunError::Interrupted);
        }
        if Instant::now() > deadline {
            return Err(server.failed(&format!("{what} within {START_MAX:?}")));
        }
        std::thread::sleep(LOOK_EVERY);
        Ok(())
    }

    fn gateway_config(&self, admin: SocketAddr) -> toml::Table {
        let Self { scenario, feed, listen, certificate, .. } = self;
        let sessions_max = i64::from(scenario.fleet.sessions + scenario.hostile_sessions()) + 100;
        let feeds = if scenario.market.recorded {
            format!(
                "[[ingest.feeds]]\nname = \"spot\"\ndialect = \"binance-spot\"\n\
                 url = \"ws://{feed}/spot\"\nrest_url = \"http://{feed}/spot\"\nsymbols = [\
                 {{ venue_symbol = \"BTCUSDT\", symbol = \"{0}\" }}, \
                 {{ venue_symbol = \"ETHUSDT\", symbol = \"{1}\" }}]\n\
                 [[ingest.feeds]]\nname = \"usdm\"\ndialect = \"binance-usdm\"\n\
                 url = \"ws://{feed}/usdm\"\nrest_url = \"http://{feed}/usdm\"\nsymbols = [\
                 {{ venue_symbol = \"BTCUSDT\", symbol = \"{2}\" }}]\n",
                RECORDED[0], RECORDED[1], RECORDED[2]
            )
        } else {
            format!(
                "[[ingest.feeds]]\nname = \"sim\"\ndialect = \"kraken\"\n\
                 url = \"ws://{feed}/v2\"\nsymbols = \"all\"\nbook_depth = 10\n"
            )
        };
        let text = format!(
            "[door]\nlisten = \"{listen}\"\ncert_file = '{}'\nkey_file = '{}'\n\
             sessions_max = {sessions_max}\n[admin]\nlisten = \"{admin}\"\n\
             [log]\nlevel = \"warn\"\n[shard]\nrequests_per_second_max = 1000\n\
             mailbox_max = 4096\n{feeds}",
            certificate.0.display(),
            certificate.1.display(),
        );
        text.parse().expect("the text above is TOML")
    }
}

fn feed_command(market: &Market, programs: &Programs) -> Vec<String> {
    let mut argv = vec![programs.feed_sim.display().to_string()];
    let mut add = |more: &[&str]| argv.extend(more.iter().map(|one| (*one).to_owned()));
    if market.recorded {
        let file = |name: &str| programs.data.join(name).display().to_string();
        add(&["replay", "--binance-spot"]);
        add(&[
            &file("binance_spot/btcusdt_20240808.gz"),
            &file("binance_spot/ethusdt_20240808.gz"),
        ]);
        add(&["--binance-usdm", &file("binance_usdm/btcusdt_20240808.gz"), "--restamp"]);
        add(&["--speed", &market.speed.to_string(), "--start-delay", "500"]);
    } else {
        let [trade, quote, book] = market.mix;
        add(&["generate", "--symbols", &market.symbols.to_string()]);
        add(&["--rate", &market.rate.to_string(), "--zipf", &market.zipf.to_string()]);
        add(&["--mix", &format!("{trade},{quote},{book}"), "--seed", &market.seed.to_string()]);
        add(&["--levels", "10"]);
        if market.burst > 0 {
            add(&["--burst", &market.burst.to_string()]);
            add(&["--burst-every", &market.burst_every_ms.to_string()]);
        }
    }
    // Spinning would take the load threads' core.
    add(&["--addr", "127.0.0.1:0", "--pace", "alarm", "--json"]);
    argv
}

/// A self-signed certificate for loopback, made for this stage and gone with it.
fn certify(folder: &Path) -> Result<(PathBuf, PathBuf), RunError> {
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names)
        .map_err(|error| RunError::Certificate(error.to_string()))?;
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).map_err(RunError::Folder)?;
    std::fs::write(&key, made.signing_key.serialize_pem()).map_err(RunError::Folder)?;
    Ok((cert, key))
}

/// A port that was free a moment ago; a server that finds it taken fails to start and says so.
fn free_address() -> Result<SocketAddr, RunError> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(RunError::Folder)?;
    listener.local_addr().map_err(RunError::Folder)
}
