//! `gateway ctl`: an operator's words, sent to the admin port of a running gateway.
//!
//! Tables for people, `--json` for programs. It reads the config only to find the address and the
//! token.

mod client;
mod tables;

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use gateway::config;
use serde_json::{Value, json};

use self::client::Client;
use super::{Failure, output};

pub(super) const EXAMPLES: &str = "\
Examples:
  gateway ctl sessions --slow                       who cannot keep up
  gateway ctl session 17                            what one session holds, and where it stands
  gateway ctl kick 17 --reason 'too many screens'   close it, with code 1008
  gateway ctl symbol BTC/USD                        a symbol as the dashboards see it
  gateway ctl feeds                                 where ticks come from, and how old the last is
  gateway ctl log debug                             more lines, until the next start
  gateway ctl reload                                read config, certificate and key anew
  gateway ctl drain --rate 200 --deadline-s 60      send everybody away gently, then end
  gateway ctl sessions --json | jq .sessions[].id   for programs

Which gateway: --admin, else the address in --config (admin.listen), else 127.0.0.1:9100.
Which token:   --token-file, else the environment's GATEWAY_ADMIN_TOKEN, else admin.token_file of
               --config.

Exit codes: 0 done, 1 no answer or refused by the gateway, 2 command line or files cannot be used,
4 no such session or symbol.";

#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every order")]
pub(super) struct Options {
    /// Address of the admin port
    #[arg(long, global = true, value_name = "ADDRESS")]
    admin: Option<String>,
    /// The config of the gateway, for its address and token
    #[arg(long, short, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// File that holds the token
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    order: Order,
}

#[derive(Debug, Subcommand)]
enum Order {
    /// List sessions
    Sessions {
        /// From this IP address
        #[arg(long)]
        address: Option<String>,
        /// Of this user
        #[arg(long)]
        user: Option<String>,
        /// Subscribed to this symbol
        #[arg(long)]
        symbol: Option<String>,
        /// Only those that are behind
        #[arg(long)]
        slow: bool,
        /// Sessions on a page, 1 to 1000
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// Where the page before ended
        #[arg(long, value_name = "NEXT")]
        from: Option<String>,
    },
    /// Show one session and what it holds
    Session {
        /// Its number, as in the list and in its own status message
        id: u64,
        /// Subscriptions shown, 1 to 1000
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// Subscriptions left out before them
        #[arg(long, default_value_t = 0)]
        from: usize,
    },
    /// Close one session; it may come back (`[blocked]` in the credentials keeps a user out)
    Kick {
        /// Its number
        id: u64,
        /// Close code; 1008 is a policy of ours, 1012 has it come back at once
        #[arg(long, default_value_t = 1008)]
        code: u16,
        /// What the dashboard is told, 123 bytes at most
        #[arg(long, default_value = "closed by an operator")]
        reason: String,
    },
    /// End the gateway: no arrivals, sessions closed one after the other, exit code 0
    Drain {
        /// Closes a second; left out, spread over `shard.drain_window_ms`
        #[arg(long, value_name = "CLOSES")]
        rate: Option<u32>,
        /// When it is over at the latest; left out, `shard.stop_timeout_ms`
        #[arg(long, value_name = "SECONDS")]
        deadline_s: Option<u64>,
    },
    /// Read config, certificate and key anew, and say what changed
    Reload,
    /// Show or set which log lines are shown
    Log {
        /// error, warn, info, debug, trace, or pairs such as `info,gateway::ingest=debug`
        level: Option<String>,
    },
    /// Show a symbol: state, sequences, quote, last trade, book
    Symbol {
        /// As dashboards call it
        name: String,
        /// Levels a side, 0 to 1000
        #[arg(long, default_value_t = 10)]
        depth: usize,
    },
    /// Show every feed: state, age of the last message, counters
    Feeds,
    /// Show the percentiles of each stretch between two stations
    Latency,
}

/// Does what was asked.
pub(super) fn ctl(options: &Options) -> Result<(), Failure> {
    let client = client(options)?;
    let (answer, table): (Value, fn(&Value) -> String) = match &options.order {
        Order::Sessions { address, user, symbol, slow, limit, from } => {
            let words = [("address", address), ("user", user), ("symbol", symbol), ("from", from)];
            let mut path = format!("/sessions?limit={limit}");
            for (key, value) in words {
                if let Some(value) = value {
                    path += &["&", key, "=", &client::escaped(value)].concat();
                }
            }
            if *slow {
                path.push_str("&slow=1");
            }
            (client.get(&path)?, tables::sessions)
        }
        Order::Session { id, limit, from } => {
            let path = format!("/sessions/{id}?limit={limit}&from={from}");
            (client.get(&path)?, tables::session)
        }
        Order::Kick { id, code, reason } => {
            let body = json!({ "code": code, "reason": reason });
            (client.change("POST", &format!("/sessions/{id}/kick"), &body)?, tables::pairs)
        }
        Order::Drain { rate, deadline_s } => {
            let deadline_ms = deadline_s.map(|seconds| seconds.saturating_mul(1000));
            let body = json!({ "closes_per_second": rate, "deadline_ms": deadline_ms });
            (client.change("POST", "/drain", &body)?, tables::pairs)
        }
        Order::Reload => (client.change("POST", "/reload", &json!({}))?, tables::pairs),
        Order::Log { level: None } => (client.get("/log")?, tables::pairs),
        Order::Log { level } => {
            (client.change("PUT", "/log", &json!({ "level": level }))?, tables::pairs)
        }
        Order::Symbol { name, depth } => {
            let path = format!("/symbols/{}?depth={depth}", client::escaped(name));
            (client.get(&path)?, tables::symbol)
        }
        Order::Feeds => (client.get("/feeds")?, tables::feeds),
        Order::Latency => (client.get("/latency")?, tables::latency),
    };
    let text = if options.json { format!("{answer:#}\n") } else { table(&answer) };
    output::print(&text).map_err(|error| Failure::Runtime(error.into()))
}

fn client(options: &Options) -> Result<Client, Failure> {
    let config = match &options.config {
        // What the files it names hold is the gateway's matter, not this program's.
        Some(file) => Some(config_of(file)?),
        None => None,
    };
    let address = match (&options.admin, &config) {
        (Some(address), _) if address.contains(':') => address.clone(),
        (Some(address), _) => {
            let wrong = anyhow!("--admin {address:?}: must be HOST:PORT, such as 127.0.0.1:9100");
            return Err(Failure::Usage(wrong));
        }
        (None, Some(admin)) => admin.listen.to_string(),
        (None, None) => "127.0.0.1:9100".to_owned(),
    };
    let from_environment = std::env::var("GATEWAY_ADMIN_TOKEN").ok().filter(|t| !t.is_empty());
    let file = options.token_file.as_ref().or_else(|| match from_environment {
        Some(_) => None,
        None => config.as_ref().and_then(|admin| admin.token_file.as_ref()),
    });
    let token = match file {
        None => from_environment,
        Some(file) => Some(
            std::fs::read_to_string(file)
                .with_context(|| format!("the token in {}", file.display()))
                .map_err(Failure::Usage)?,
        ),
    };
    Ok(Client::new(address, token.map(|token| token.trim().to_owned())))
}

fn config_of(file: &std::path::Path) -> Result<config::Admin, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Usage(anyhow!("{}: {error}", file.display())))?;
    Ok(config::parse(&text, file)?.config.admin)
}
