//! `gateway demo`: a generated market over real sockets of this machine, for a first look.
//!
//! The simulator speaks to the gateway as a venue would. Nothing listens outside loopback, and what
//! is shown is not real. The certificate is made on first use and kept, so that it is trusted once.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use feed_sim::Generate;
use gateway::door::certificate::ensure_self_signed;
use gateway::{Controls, config};

use super::{Failure, logging, output, serve};

pub(super) const EXAMPLES: &str = "\
Examples:
  gateway demo                              50 symbols, 500 ticks a second
  gateway demo --symbols 500 --rate 5000    a busy market
  gateway demo --listen 127.0.0.1:9443      where port 8443 is taken

The browser warns of the self-signed certificate once: it was made on this machine and names
nothing but localhost.";

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Address of page and dashboards; loopback only, port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443", value_parser = loopback)]
    listen: SocketAddr,
    /// Address of health, metrics and latency; loopback only, port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9100", value_parser = loopback)]
    admin: SocketAddr,
    /// Symbols of the generated market, 1 to 10000
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    symbols: usize,
    /// Ticks a second over all symbols, up to 200000
    #[arg(long, value_name = "TICKS", default_value_t = 500.0, allow_negative_numbers = true)]
    rate: f64,
    /// Folder of the kept certificate; by default `gateway` below `$XDG_STATE_HOME` or
    /// `~/.local/state`
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "must be an IP address and a port".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("the demo stays on this machine: 127.0.0.1 or [::1]; use `gateway run` for more"
            .to_owned())
    }
}

/// Runs the demo until it is asked to stop.
pub(super) fn demo(options: &Options, level: Option<&str>) -> Result<(), Failure> {
    let folder = options.data_dir.clone().map_or_else(state_folder, Ok)?;
    let (cert_file, key_file) =
        ensure_self_signed(&folder).context("the demo's certificate").map_err(Failure::Runtime)?;
    let market = Generate { symbols: options.symbols, rate: options.rate, ..Generate::default() };
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let simulator = market.start_thread(any).map_err(|error| match error {
        feed_sim::SimError::Option { .. } => Failure::Usage(error.into()),
        other => Failure::Runtime(anyhow!(other).context("the simulator")),
    })?;
    let text = config_text(options, &cert_file, &key_file, &simulator.url());
    let loaded = config::parse(&text, Path::new("demo"))?;
    let log = logging::start(level, "warn")?;
    let controls = Controls { logs: log.handle.clone(), ..Controls::default() };
    let outcome = serve::serve(loaded.config, controls, |door, admin| {
        output::print(&welcome(options, door, admin, &cert_file))
    });
    drop(simulator.stop());
    log.finish();
    outcome
}

fn state_folder() -> Result<PathBuf, Failure> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_STATE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".local/state")))
        .map(|state| state.join("gateway"))
        .ok_or_else(|| {
            Failure::Usage(anyhow!("neither HOME nor XDG_STATE_HOME is set: say --data-dir"))
        })
}

/// A config as an operator would write it, so that defaults and checks are those of every config.
fn config_text(options: &Options, cert_file: &Path, key_file: &Path, venue: &str) -> String {
    let quoted = |path: &Path| {
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        toml::Value::String(whole.display().to_string()).to_string()
    };
    format!(
        "[door]\nlisten = \"{}\"\ncert_file = {}\nkey_file = {}\nhsts_s = 0\n\
         [admin]\nlisten = \"{}\"\n\
         [ingest]\nsymbols_max = 10000\n\
         [[ingest.feeds]]\nname = \"sim\"\ndialect = \"kraken\"\nurl = \"{venue}/v2\"\n\
         symbols = \"all\"\nbook_depth = 25\n",
        options.listen,
        quoted(cert_file),
        quoted(key_file),
        options.admin,
    )
}

fn welcome(options: &Options, door: SocketAddr, admin: SocketAddr, cert_file: &Path) -> String {
    let cert = cert_file.display();
    let Options { symbols, rate, .. } = options;
    format!(
        r#"
A generated market: {symbols} symbols, {rate} ticks a second. Nothing of it is real, and nothing
listens outside this machine.

  page       https://{door}/
             The certificate was made on this machine, so the browser warns once: choose
             "Advanced", then "Proceed". To trust it instead, import
             {cert}

  metrics    http://{admin}/metrics
  latency    http://{admin}/latency
  subscribe  pip install websockets, then paste

python3 -c '
import ssl
from websockets.sync.client import connect
trust = ssl.create_default_context(cafile="{cert}")
with connect("wss://{door}/v2", ssl=trust) as session:
    session.send("""{{"method":"subscribe","params":{{"channel":"ticker","symbol":["*"]}}}}""")
    for message in session: print(message)
'

Ctrl-C ends it.
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_listens_on_loopback_only() {
        assert!(loopback("127.0.0.1:0").is_ok() && loopback("[::1]:8443").is_ok());
        for outside in ["0.0.0.0:8443", "[::]:8443", "192.0.2.1:1", "localhost:1", "8443"] {
            assert!(loopback(outside).is_err(), "{outside}");
        }
    }

    #[test]
    fn the_demo_writes_a_config_that_can_be_used() {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let options =
            Options { listen: address, admin: address, symbols: 1, rate: 1.0, data_dir: None };
        let (cert, key) = (Path::new("/a \"b\"\\/cert.pem"), Path::new("key.pem"));
        let text = config_text(&options, cert, key, "ws://127.0.0.1:9");
        let config = config::parse(&text, Path::new("demo")).expect("it is right").config;
        assert_eq!(config.door.cert_file, cert);
        assert!(config.door.key_file.is_absolute());
    }
}
