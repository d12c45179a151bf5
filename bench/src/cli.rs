//! The command line: what can be said, taught by its own help.

use std::path::PathBuf;

use bench::fleet::FleetOptions;
use bench::floor::FloorOptions;
use bench::run::options::Common;
use bench::verify::VerifyOptions;
use clap::{Parser, Subcommand};

/// Plays the dashboards: many TLS WebSocket sessions against any Kraken-v2-compatible gateway
#[derive(Debug, Parser)]
#[command(name = "bench", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prove from outside that nothing is lost, doubled, reordered or wrong
    #[command(after_help = VERIFY_HELP)]
    Verify(VerifyOptions),
    /// Measure: latency to the last percentile, rate, memory and processor time
    #[command(after_help = FLEET_HELP)]
    Fleet(FleetOptions),
    /// Play a scenario: venue, server and dashboards, from start to report
    #[command(after_help = RUN_HELP)]
    Run(RunOptions),
    /// Two servers in turn, block by block: the ratio, its interval, and the noise
    #[command(after_help = COMPARE_HELP)]
    Compare(CompareOptions),
    /// The gateway and all installed peers in turn: one table, one page
    #[command(after_help = PEERS_HELP)]
    Peers(PeersOptions),
    /// What the work that nobody can avoid costs on this machine
    Floor(FloorOptions),
    /// Results of earlier runs as a Markdown table, and as one page
    Report(ReportOptions),
    /// Part of a run whose sessions are too many for one process
    #[command(name = bench::run::part::COMMAND, hide = true)]
    LoadProcess,
    /// The hostile sessions of a run
    #[command(name = bench::hostile::process::COMMAND, hide = true)]
    HostileProcess,
}

/// Options of `bench compare`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompareOptions {
    /// The first: `gateway`, a program, `commit:REV`, `settings.toml`, either with
    /// `+settings.toml`, or `peer:NAME`
    pub(crate) a: String,
    /// The second
    pub(crate) b: String,
    /// Name of a file in config/bench, or the path of one
    #[arg(long, value_name = "NAME", default_value = "steady")]
    pub(crate) scenario: String,
    /// Rounds of A B B A (with --no-aa), or of A B A' A' B A
    #[arg(
        long, value_name = "N", default_value_t = 3,
        value_parser = clap::value_parser!(u32).range(1..=1000)
    )]
    pub(crate) rounds: u32,
    /// Leave out A against itself
    #[arg(long)]
    pub(crate) no_aa: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Options of `bench peers`.
#[derive(Debug, clap::Args)]
pub(crate) struct PeersOptions {
    /// Names of files in config/bench, or paths
    #[arg(required = true)]
    pub(crate) scenarios: Vec<String>,
    /// Only these peers
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Measure the floor as well
    #[arg(long)]
    pub(crate) floor: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Options of `bench report`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReportOptions {
    /// result.json of each run
    #[arg(required = true)]
    pub(crate) results: Vec<PathBuf>,
    /// Also write one page that shows them side by side
    #[arg(long, value_name = "FILE")]
    pub(crate) page: Option<PathBuf>,
}

/// Options of `bench run`.
#[derive(Debug, clap::Args)]
pub(crate) struct RunOptions {
    /// Name of a file in config/bench (steady, hot, burst, ...), or the path of one
    pub(crate) scenario: String,
    /// Run it against this peer instead of the gateway
    #[arg(long, value_name = "NAME", conflicts_with = "url")]
    pub(crate) peer: Option<String>,
    /// Run it against a server that is already there, with a feed of its own that stamps due times
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Its certificate; without it anyone is believed
    #[arg(long, value_name = "FILE", requires = "url")]
    pub(crate) ca: Option<PathBuf>,
    /// Leave out the variant that the scenario's figures are related to (its `[against]`)
    #[arg(long)]
    pub(crate) alone: bool,
    /// Measure the floor after it, and print processor time as a ratio to it
    #[arg(long)]
    pub(crate) floor: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

const VERIFY_HELP: &str = "\
For every session, symbol and channel it checks that after the snapshot at sequence N come N+1,
N+2, ..., each delivered once or announced as missing (notice \"gap\"); it rebuilds every book and
checks every checksum; trades must come in the order of their ids; no session may fall silent.
With --truth, trades and books are also held against what the simulator published.

Exit code: 0 proven, 1 violated (each violation is listed), 2 wrong usage, 3 could not connect.

Examples:
  A gateway on this machine, its own certificate, ten sessions for ten seconds:
    bench verify --insecure --sessions 10
  The long proof, against the simulator's ground truth:
    feed-sim generate --truth truth.jsonl ...
    bench verify --ca cert.pem --sessions 1000 --seconds 300 --truth truth.jsonl
  A replayed recording, whose truth has the venue's own names:
    bench verify --insecure --truth truth.jsonl --truth-name binance-spot:BTCUSDT=BTC/USDT
  Sessions that act badly: ten that stop reading, the others come and go, half of them paced:
    bench verify --insecure --sessions 100 --seconds 60 --slow 10 --storm --pace 250
  Two symbols in production, full depth, result for a script:
    bench verify --url wss://md.example.com/v2 --symbols BTC/USD,ETH/USD --depth 1000 --json";

const FLEET_HELP: &str = "\
Latency counts from the tick's own time (x.ts_event, or the item's timestamp) to the moment its
bytes were read; both clocks must agree, so run it on the machine that stamps. Let the simulator
stamp intended times, then a late tick counts as late. The load side's own turns and the machine's
hiccups are measured beside it: a run in which the load side was late is marked INVALID.

Exit code: 0 measured, 1 something was lost, out of order, refused or ended, 2 wrong usage,
3 could not connect.

Examples:
  A thousand dashboards, twenty symbols each, the gateway's memory and processor time beside:
    bench fleet --insecure --sessions 1000 --seconds 60 --pid $(pidof gateway)
  One hot symbol, quotes only, result to a file:
    bench fleet --insecure --sessions 1000 --symbols BTC/USD --channels ticker --json hot.json";

const RUN_HELP: &str = "\
Starts feed-sim and the server, each on its core, with a config and a certificate of its own;
connects the fleet, warms up, measures, and ends everything, also on Ctrl-C. The reports
(result.json, latency.hlog, report.html) go to target/bench/SCENARIO-TIME.

Exit code: 0 measured, 1 the server lost, reordered or refused something, 2 wrong usage or a
program failed, 4 the figures are worthless because the load side or the feed was the bottleneck.

Examples:
  A thousand dashboards, twenty symbols each:
    bench run steady
  The same, shorter, against a peer:
    bench run steady --measure 5 --blocks 1 --peer bun
  A scenario of your own:
    bench run my-desk.toml";

const COMPARE_HELP: &str = "\
Each block has a fresh server, feed and fleet. A ratio below 1 means that B is better; where its
interval holds 1, no difference was shown. Read it beside A'/A, which is nothing but noise.

Examples:
  Before and after a change:
    bench compare target/before/gateway target/release/gateway
  Two commits, each built once below target/bench/commits:
    bench compare commit:main~3 commit:main --rounds 5
  What is not committed yet, and a commit:
    bench compare commit:HEAD~1 gateway
  Two settings (files with tables as in config/gateway.toml):
    bench compare gateway spin.toml --scenario light --rounds 5
  The gateway and a peer:
    bench compare peer:bun gateway --scenario hot";

const PEERS_HELP: &str = "\
Peers that are not installed are named with the command that installs them, and left out.

Examples:
    bench peers steady hot burst light
    bench peers steady --only bun,axum --measure 5 --blocks 2 --floor";
