//! The command line: options into a `Generate` or a `Replay`, or a sentence about what is wrong.
//!
//! Parsed once at start. Invariant: what comes out holds only values in range.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use feed_sim::{Burst, Generate, Mix, Pace, Replay, ServerOptions, Speed, Start, Tls};

const EXAMPLES: &str = "\
Examples:
  # A market of 500 symbols at 2,000 ticks a second; subscribe at ws://127.0.0.1:9001/v2
  feed-sim generate

  # 50 symbols, 20,000 ticks a second, bursts of 500 every second, truth kept
  feed-sim generate --symbols 50 --rate 20000 --burst 500 --burst-every 1000 --truth truth.jsonl

  # Binance recordings at 20 times their speed, event times replaced by intended send times
  feed-sim replay --binance-spot btcusdt.gz ethusdt.gz --binance-usdm btcusdt-perp.gz \\
      --speed 20 --restamp

  # A Kraken recording as fast as the client reads it, over TLS, then exit
  feed-sim replay --kraken book10.jsonl --speed max --tls-self-signed ./tls --exit-when-done

Exit codes: 0 when all went well, 2 for bad options or files (named with their line).";

/// Plays the venue: a recording in its recorded rhythm, or a seeded market of its own.
#[derive(Debug, Parser)]
#[command(name = "feed-sim", version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play recorded files as the venue they were recorded at.
    ///
    /// Binance files are served at /spot/stream and /usdm/stream (`?streams=a/b`, SUBSCRIBE
    /// requests) with REST depth at /spot/api/v3/depth and /usdm/fapi/v1/depth; Kraken at /v2.
    /// A depth request is held until the recorded snapshot is reached (60 s at most, then 503);
    /// later ones are answered from the book kept meanwhile.
    #[command(after_help = EXAMPLES)]
    Replay(ReplayArgs),
    /// Generate a seeded market and speak the Kraken v2 dialect at /v2.
    ///
    /// A tick is one market event of one symbol: it changes the book, and with it the quote when
    /// it happens at the touch; a trade takes from the touch. Timestamps are intended times.
    #[command(after_help = EXAMPLES)]
    Generate(GenerateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CommonArgs {
    /// Address to listen on; port 0 picks a free one, printed on the first line of stdout.
    #[arg(long, default_value = "127.0.0.1:9001", value_name = "HOST:PORT")]
    pub(crate) addr: SocketAddr,
    /// PEM file with the certificate chain: serves wss and https. Needs --tls-key.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file with the private key.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Serve wss with a self-signed certificate for localhost, made in this directory on first
    /// use and kept (cert.pem is what clients must trust).
    #[arg(long, value_name = "DIR", conflicts_with = "tls_cert")]
    tls_self_signed: Option<PathBuf>,
    /// Write every update in order to this file, as JSON lines.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// How exactly to wait: sleep (1 ms late, cheapest), alarm (0.1 ms), spin (burns a core).
    #[arg(long, value_enum, default_value_t = PaceArg::Auto)]
    pace: PaceArg,
    /// MiB that may wait for one connection before it is closed as too slow, 1 to 4096.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    outbox_mib_max: u32,
    /// Milliseconds to wait after the start condition, up to an hour.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=3_600_000))]
    start_delay: Option<u64>,
    /// End when everything has been sent, instead of going on with snapshots and heartbeats.
    #[arg(long)]
    exit_when_done: bool,
    /// Milliseconds from the last message to the closing of the connections.
    #[arg(long, default_value_t = 1_000, value_name = "MS")]
    linger: u64,
    /// Print the final summary as one JSON object on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Binance spot combined-stream recordings (.gz or plain), merged by receive time.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    binance_spot: Vec<PathBuf>,
    /// Binance USD-M futures combined-stream recordings.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    binance_usdm: Vec<PathBuf>,
    /// Kraken v2 book recordings, one JSON message a line.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    kraken: Vec<PathBuf>,
    /// Speed factor; 0 or max plays as fast as the slowest connection reads.
    #[arg(long, default_value = "1", value_parser = speed, value_name = "FACTOR|max")]
    speed: Speed,
    /// Begin anew at the end; connections are closed in between, as a venue does each day.
    #[arg(long = "loop")]
    repeat: bool,
    /// When to begin: subscribed (each recorded market has a subscriber) or now.
    #[arg(long, value_enum, default_value_t = StartArg::Subscribed)]
    start: StartArg,
    /// Replace event times (E and T, timestamp) by the intended send time; nothing else changes.
    #[arg(long)]
    restamp: bool,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// Symbols, 1 to 10,000: BTC/USD, ETH/USD, ... then AAA/USD, AAB/USD, ...
    #[arg(long, default_value_t = 500)]
    symbols: usize,
    /// Mean ticks a second over all symbols (Poisson), up to 200,000.
    #[arg(long, default_value_t = 2_000.0)]
    rate: f64,
    /// Exponent of Zipf's law over the symbols: 0 alike, 1 the first ones are the busiest.
    #[arg(long, default_value_t = 1.0)]
    zipf: f64,
    /// Levels of each side of each book, 10 to 1000.
    #[arg(long, default_value_t = 25)]
    levels: usize,
    /// Ticks due at one instant, on top of the steady ones. Needs --burst-every.
    #[arg(long, value_name = "COUNT", requires = "burst_every")]
    burst: Option<u32>,
    /// Milliseconds from one burst to the next.
    #[arg(long, value_name = "MS", requires = "burst")]
    burst_every: Option<u32>,
    /// Weights of the kinds of tick: trade, change of the quote, change deeper in the book.
    #[arg(long, default_value = "20,50,30", value_parser = mix, value_name = "TRADE,QUOTE,BOOK")]
    mix: Mix,
    /// The same seed makes the same market.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// When to begin: now, or subscribed (the first subscription to any symbol).
    #[arg(long, value_enum, default_value_t = StartArg::Now)]
    start: StartArg,
    /// Stop after this many ticks.
    #[arg(long, value_name = "COUNT")]
    ticks: Option<u64>,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StartArg {
    Subscribed,
    Now,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PaceArg {
    Auto,
    Sleep,
    Alarm,
    Spin,
}

impl CommonArgs {
    fn server(&self) -> ServerOptions {
        let tls = match (&self.tls_cert, &self.tls_key, &self.tls_self_signed) {
            (Some(cert), Some(key), _) => Some(Tls::Pem { cert: cert.clone(), key: key.clone() }),
            (_, _, Some(directory)) => Some(Tls::SelfSigned(directory.clone())),
            _ => None,
        };
        ServerOptions { tls, outbox_bytes_max: (self.outbox_mib_max as usize) << 20 }
    }

    fn exit_when_done(&self) -> Option<Duration> {
        self.exit_when_done.then(|| Duration::from_millis(self.linger))
    }

    fn start_delay(&self, default: Duration) -> Duration {
        self.start_delay.map_or(default, Duration::from_millis)
    }

    fn pace(&self) -> Pace {
        match self.pace {
            PaceArg::Auto => Pace::Auto,
            PaceArg::Sleep => Pace::Sleep,
            PaceArg::Alarm => Pace::Alarm,
            PaceArg::Spin => Pace::Spin,
        }
    }
}

impl ReplayArgs {
    pub(crate) fn into_replay(self) -> Replay {
        let default = Replay::default();
        Replay {
            speed: self.speed,
            repeat: self.repeat,
            start: match self.start {
                StartArg::Subscribed => Start::AllSubscribed,
                StartArg::Now => Start::Now,
            },
            start_delay: self.common.start_delay(default.start_delay),
            restamp: self.restamp,
            exit_when_done: self.common.exit_when_done(),
            pace: self.common.pace(),
            server: self.common.server(),
            truth: self.common.truth,
            binance_spot: self.binance_spot,
            binance_usdm: self.binance_usdm,
            kraken: self.kraken,
        }
    }
}

impl GenerateArgs {
    pub(crate) fn into_generate(self) -> Generate {
        let default = Generate::default();
        let burst = self.burst.zip(self.burst_every);
        Generate {
            symbols: self.symbols,
            rate: self.rate,
            zipf: self.zipf,
            levels: self.levels,
            burst: burst.map(|(count, every_ms)| Burst { count, every_ms }),
            mix: self.mix,
            seed: self.seed,
            wait_for_subscriber: self.start == StartArg::Subscribed,
            start_delay: self.common.start_delay(default.start_delay),
            ticks_max: self.ticks,
            exit_when_done: self.common.exit_when_done(),
            pace: self.common.pace(),
            server: self.common.server(),
            truth: self.common.truth,
        }
    }
}

fn speed(text: &str) -> Result<Speed, String> {
    match text {
        "max" => Ok(Speed::Max),
        _ => match text.parse::<f64>() {
            Ok(0.0) => Ok(Speed::Max),
            Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(Speed::Factor(factor)),
            _ => Err("a number above 0, or 0 or max for no limit".to_owned()),
        },
    }
}

fn mix(text: &str) -> Result<Mix, String> {
    let weights: Result<Vec<u32>, _> = text.split(',').map(str::parse).collect();
    match weights.as_deref() {
        Ok(&[trade, quote, book]) => Ok(Mix { trade, quote, book }),
        _ => Err("three whole numbers, such as 20,50,30".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn speed_is_a_factor_or_unlimited() {
        assert_eq!(speed("20"), Ok(Speed::Factor(20.0)));
        assert_eq!(speed("0"), Ok(Speed::Max));
        assert_eq!(speed("max"), Ok(Speed::Max));
        assert!(speed("-1").is_err() && speed("fast").is_err());
    }
}
