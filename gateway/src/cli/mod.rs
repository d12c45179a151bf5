//! The command line: what it takes, what it says, and the exit code of each outcome.
//!
//! Standard output carries what was asked for (`check`, `demo`'s page address), standard error
//! carries log lines, errors, and the key that `key` made.

mod check;
mod ctl;
mod demo;
mod key;
mod logging;
mod output;
mod serve;
mod signals;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use gateway::Controls;
use gateway::config::{self, ConfigError};
use gateway::threads::ThreadError;

/// The config or the command line cannot be used; clap exits with it as well.
const EXIT_USAGE: u8 = 2;
/// The gateway could not start, or had to end.
const EXIT_FAILURE: u8 = 1;
/// `ctl` was asked for a session or symbol that is not there.
const EXIT_ABSENT: u8 = 4;
/// A bug of ours ended it (`EX_SOFTWARE` of sysexits).
const EXIT_BUG: u8 = 70;

const EXAMPLES: &str = "\
Examples:
  gateway demo                                          a generated market in your browser
  gateway check --config config/gateway-kraken.toml     what would happen, and what is wrong
  gateway run   --config config/gateway-kraken.toml     Kraken's live market
  gateway ctl   sessions                                who is connected to the one that runs
  gateway key   risk-engine                             an API key for a program

Exit codes: 0 ended in order, 1 could not start or had to end, 2 command line or config cannot be
used, 70 a bug of the gateway ended it.";

const RUN_EXAMPLES: &str = "\
Examples:
  gateway run --config config/gateway-kraken.toml
  gateway run --config config/gateway.toml --log info,gateway::ingest=debug

SIGTERM or Ctrl-C closes every session with code 1012, spread over shard.drain_window_ms, and
ends within shard.stop_timeout_ms; a second one ends at once. SIGHUP reads the config, the
certificate and its key anew: `gateway ctl reload` does the same and says what changed. Every
setting is explained in config/gateway.toml.";

const CHECK_EXAMPLES: &str = "\
Examples:
  gateway check --config config/gateway.toml
  gateway check --config config/gateway.toml --json | jq .warnings

Connects to nothing and listens nowhere. Exit code 0: the config can be used, 2: it cannot.";

#[derive(Debug, Parser)]
#[command(name = "gateway", version, after_help = EXAMPLES)]
#[command(about = "Market data from venues to dashboards over TLS WebSocket")]
struct Cli {
    /// Which log lines are shown on standard error: error, warn, info, debug, trace, or pairs such
    /// as `info,gateway::ingest=debug`. Goes before `RUST_LOG`, which goes before the config
    #[arg(long, global = true, value_name = "LEVEL", help_heading = "Options of every command")]
    log: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve: connect to the venues of a config and let dashboards in
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunOptions),
    /// Say what a config would do, or everything that is wrong with it
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckOptions),
    /// Show a generated market, on this machine only, without a config
    #[command(after_help = demo::EXAMPLES)]
    Demo(demo::Options),
    /// Look into a running gateway, and steer it
    #[command(after_help = ctl::EXAMPLES)]
    Ctl(ctl::Options),
    /// Make an API key: the lines for credentials.toml, and the key for its owner
    #[command(after_help = key::EXAMPLES)]
    Key(key::Options),
}

#[derive(Debug, Args)]
struct RunOptions {
    /// The config file; config/gateway.toml explains every setting
    #[arg(long, short, value_name = "FILE")]
    config: PathBuf,
    /// Serve sessions at /conformance that hear their own messages, for suites of tests; refused
    /// unless door.listen is a loopback address
    #[arg(long, hide = true)]
    conformance_echo: bool,
}

#[derive(Debug, Args)]
struct CheckOptions {
    /// The config file
    #[arg(long, short, value_name = "FILE")]
    config: PathBuf,
    /// Print JSON for programs instead of text for people
    #[arg(long)]
    json: bool,
    /// Subscriptions of each session to reckon memory with
    #[arg(long, value_name = "N", default_value_t = 100)]
    subscriptions: u64,
    /// Sessions that do not read to reckon memory with; without it a tenth of all
    #[arg(long, value_name = "N")]
    stopped: Option<u64>,
}

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The operator's.
    #[error("{}", words(.0))]
    Usage(anyhow::Error),
    /// The machine's or the surroundings'.
    #[error("{}", words(.0))]
    Runtime(anyhow::Error),
    /// Ours.
    #[error("{0}; this is a bug of the gateway")]
    Bug(ThreadError),
    /// What was named does not exist.
    #[error("{0}")]
    Absent(String),
    /// Already printed where it belongs.
    #[error("the config cannot be used")]
    Told,
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Told => EXIT_USAGE,
            Self::Runtime(_) => EXIT_FAILURE,
            Self::Bug(_) => EXIT_BUG,
            Self::Absent(_) => EXIT_ABSENT,
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.into())
    }
}

/// An error and what is behind it, each said once: some errors say their cause themselves.
fn words(error: &anyhow::Error) -> String {
    let mut words = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if words.is_empty() {
            words = cause;
        } else if !words.ends_with(&cause) {
            words += &[": ", &cause].concat();
        }
    }
    words
}

/// Runs what the command line asks for.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let level = cli.log.as_deref();
    let outcome = match cli.command {
        Command::Run(options) => run_config(&options, level),
        Command::Check(options) => check::check(&options),
        Command::Demo(options) => demo::demo(&options, level),
        Command::Ctl(options) => ctl::ctl(&options),
        Command::Key(options) => key::key(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !matches!(failure, Failure::Told) {
                output::error(&failure.to_string());
            }
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run_config(options: &RunOptions, level: Option<&str>) -> Result<(), Failure> {
    let mut loaded = config::load(&options.config)?;
    let door = &mut loaded.config.door;
    if options.conformance_echo && !door.listen.ip().is_loopback() {
        let sentence =
            "--conformance-echo is for tests: it wants door.listen on 127.0.0.1 or [::1]";
        return Err(Failure::Usage(anyhow::anyhow!("{sentence}, not {}", door.listen)));
    }
    door.conformance_echo = options.conformance_echo;
    let log = logging::start(level, &loaded.log_level)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let controls = Controls {
        config_file: Some(options.config.clone()),
        logs: log.handle.clone(),
        log_level: loaded.log_level,
    };
    let outcome = serve::serve(loaded.config, controls, |door, admin| {
        tracing::info!(
            "dashboards: wss://{door}/v2, page: https://{door}/, admin: http://{admin}/"
        );
        Ok(())
    });
    log.finish();
    outcome
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn a_cause_that_an_error_says_itself_is_not_said_again() {
        #[derive(Debug, thiserror::Error)]
        #[error("cert.pem: {0}")]
        struct Unreadable(#[source] std::fmt::Error);
        let cause = std::fmt::Error.to_string();
        let error = anyhow::Error::new(Unreadable(std::fmt::Error)).context("the demo");
        assert_eq!(words(&error), format!("the demo: cert.pem: {cause}"));
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
