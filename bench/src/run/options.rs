//! The options that `run`, `compare` and `peers` share, and what they resolve to.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::RunError;
use super::block::Setting;
use super::commits;
use super::contender::{Contender, Kind, Peer};
use super::interrupt::Interrupt;
use super::stage::Programs;
use crate::scenario::Scenario;

/// Where the programs are, and what is changed of a scenario for this time.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// The gateway's program; by default beside this one
    #[arg(long, value_name = "FILE")]
    pub gateway: Option<PathBuf>,
    /// The simulator's program; by default beside this one
    #[arg(long, value_name = "FILE")]
    pub feed_sim: Option<PathBuf>,
    /// The list of peers
    #[arg(long, value_name = "FILE", default_value = "bench/peers/peers.toml")]
    pub peers_file: PathBuf,
    /// Recorded market data; by default `GATEWAY_DATA`, else ../shared/data
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Seconds each block is measured, in place of the scenario's
    #[arg(long, value_name = "S")]
    pub measure: Option<f64>,
    /// Seconds of warm-up, in place of the scenario's
    #[arg(long, value_name = "S")]
    pub warm_up: Option<f64>,
    /// Blocks, in place of the scenario's
    #[arg(long, value_name = "N")]
    pub blocks: Option<u32>,
    /// Sessions, in place of the scenario's
    #[arg(long, value_name = "N")]
    pub sessions: Option<u32>,
    /// Ticks a second, in place of the scenario's
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// Leave noisy and invalid blocks out of the summary; they stay in the report, marked
    #[arg(long)]
    pub exclude_marked: bool,
    /// Folder of the reports; by default target/bench/NAME-TIME
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

impl Common {
    /// The scenario called `name`, changed as asked.
    pub fn scenario(&self, name: &str) -> Result<(String, Scenario), RunError> {
        let (short, mut scenario) = Scenario::load(name)?;
        scenario.time.measure_s = self.measure.unwrap_or(scenario.time.measure_s);
        scenario.time.warm_up_s = self.warm_up.unwrap_or(scenario.time.warm_up_s);
        scenario.time.blocks = self.blocks.unwrap_or(scenario.time.blocks);
        scenario.fleet.sessions = self.sessions.unwrap_or(scenario.fleet.sessions);
        scenario.market.rate = self.rate.unwrap_or(scenario.market.rate);
        let text = toml::to_string(&scenario).expect("a scenario always becomes TOML");
        Ok((short, Scenario::parse(&text, "command line")?))
    }

    /// What all blocks need.
    pub fn setting(&self, interrupt: &Interrupt) -> Result<Setting, RunError> {
        let data = self.data.clone().or_else(|| std::env::var_os("GATEWAY_DATA").map(Into::into));
        let programs = Programs {
            bench: std::env::current_exe().map_err(RunError::Folder)?,
            feed_sim: program(self.feed_sim.as_deref(), "feed-sim")?,
            data: data.unwrap_or_else(|| "../shared/data".into()),
        };
        Ok(Setting { programs, interrupt: interrupt.clone(), label: String::new() })
    }

    /// The gateway as it is configured by the scenario.
    pub fn gateway(&self) -> Result<Contender, RunError> {
        let program = program(self.gateway.as_deref(), "gateway")?;
        let kind = Kind::Gateway { program, settings: toml::Table::new() };
        Ok(Contender { name: "gateway".to_owned(), kind })
    }

    /// What `spec` names: `gateway`, a gateway's program, `commit:REV`, `settings.toml` for the
    /// default program, `PROGRAM+settings.toml`, `commit:REV+settings.toml`, or `peer:NAME`.
    pub fn contender(&self, spec: &str, interrupt: &Interrupt) -> Result<Contender, RunError> {
        if let Some(peer) = spec.strip_prefix("peer:") {
            return self.peer(peer);
        }
        let is_settings = |text: &str| Path::new(text).extension().is_some_and(|e| e == "toml");
        let (program_name, file) = match spec.rsplit_once('+') {
            Some((program, file)) => (program, Some(file)),
            None if is_settings(spec) => ("gateway", Some(spec)),
            None => (spec, None),
        };
        let mut name = spec.to_owned();
        let given = match (program_name, program_name.strip_prefix("commit:")) {
            ("gateway", _) => self.gateway.clone(),
            (_, Some(revision)) => {
                let here = std::env::current_dir().map_err(RunError::Folder)?;
                let built = commits::build(&here, revision, interrupt, |line| {
                    // Progress; a terminal that is gone is no reason to end.
                    let _ = writeln!(std::io::stderr().lock(), "bench: {line}");
                })?;
                name = format!("commit:{}", built.hash);
                name.extend(file.map(|file| format!("+{file}")));
                Some(built.program)
            }
            (path, None) => Some(PathBuf::from(path)),
        };
        let settings = match file {
            None => toml::Table::new(),
            Some(file) => {
                let fail = |cause: String| RunError::Result { path: file.to_owned(), cause };
                let text =
                    std::fs::read_to_string(file).map_err(|error| fail(error.to_string()))?;
                text.parse().map_err(|error: toml::de::Error| fail(error.to_string()))?
            }
        };
        let kind = Kind::Gateway { program: program(given.as_deref(), "gateway")?, settings };
        Ok(Contender { name, kind })
    }

    /// All peers of the list.
    pub fn peers(&self) -> Result<Vec<Peer>, RunError> {
        Peer::list(&self.peers_file)
    }

    /// The peer called `name`.
    pub fn peer(&self, name: &str) -> Result<Contender, RunError> {
        let peers = self.peers()?;
        let known: Vec<String> = peers.iter().map(|peer| peer.name.clone()).collect();
        let found = peers.into_iter().find(|peer| peer.name == name).ok_or_else(|| {
            RunError::Missing(format!("peer {name:?}: unknown; there are {}", known.join(", ")))
        })?;
        if !found.is_installed() {
            let install = &found.install;
            return Err(RunError::Missing(format!("peer {name}: not installed; run: {install}")));
        }
        Ok(Contender { name: name.to_owned(), kind: Kind::Peer(found) })
    }
}

/// `given`, or `name` beside this program.
pub fn program(given: Option<&Path>, name: &str) -> Result<PathBuf, RunError> {
    let beside = || Some(std::env::current_exe().ok()?.parent()?.join(name));
    let path = given.map(Path::to_owned).or_else(beside).unwrap_or_else(|| name.into());
    if path.is_file() {
        return Ok(path.canonicalize().unwrap_or(path));
    }
    Err(RunError::Missing(format!(
        "{name}: not found at {}; build it (cargo build --release) or name it with --{name} FILE",
        path.display()
    )))
}
