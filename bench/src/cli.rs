//! The command line: what can be said, taught by its own help.

use std::path::PathBuf;

use bench::fleet::FleetOptions;
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
  Two symbols in production, full depth, result for a script:
    bench verify --url wss://md.example.com/v2 --symbols BTC/USD,ETH/USD --depth 1000 --json";

const FLEET_HELP: &str = "\
Latency counts from the tick's own time (x.ts_event, or the item's timestamp) to the moment its bytes
were read; both clocks must agree, so run it on the machine that stamps. Let the simulator stamp
intended times, then a late tick counts as late. The load side's own turns and the machine's hiccups
are measured beside it: a run in which the load side was late is marked INVALID.

Exit code: 0 measured, 1 something was lost, out of order, refused or ended, 2 wrong usage,
3 could not connect.

Examples:
  A thousand dashboards, twenty symbols each, the gateway's memory and processor time beside:
    bench fleet --insecure --sessions 1000 --seconds 60 --pid $(pidof gateway)
  One hot symbol, quotes only, result to a file:
    bench fleet --insecure --sessions 1000 --symbols BTC/USD --channels ticker --json hot.json";

const RUN_HELP: &str = "\
Starts feed-sim and the server, each on its core, with a config and a certificate of its own; connects
the fleet, warms up, measures, and ends everything, also on Ctrl-C. The reports (result.json,
latency.hlog, report.html) go to target/bench/SCENARIO-TIME.

Exit code: 0 measured, 1 the server lost, reordered or refused something, 2 wrong usage or a program
failed, 4 the figures are worthless because the load side or the feed was the bottleneck.

Examples:
  A thousand dashboards, twenty symbols each:
    bench run steady
  The same, shorter, against a peer:
    bench run steady --measure 5 --blocks 1 --peer bun
  A scenario of your own:
    bench run my-desk.toml";
