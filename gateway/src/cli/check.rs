//! `gateway check`: what a config would do, for people and for programs. Nothing is dialled or
//! opened.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::anyhow;
use gateway::config::{
    self, Config, ConfigError, Dialect, Door, Feed, FeedSymbols, Loaded, Population,
};
use gateway::door::keyring::Pair;
use serde_json::{Value, json};

use super::{CheckOptions, Failure, output};

/// Checks a config file and prints the outcome.
pub(super) fn check(options: &CheckOptions) -> Result<(), Failure> {
    let (file, as_json) = (options.config.as_path(), options.json);
    let loaded = match config::load(file) {
        Ok(loaded) => loaded,
        Err(error) if as_json => return refuse(file, &refusals(&error)),
        Err(error) => return Err(error.into()),
    };
    // Each file by itself is good by now.
    let door = &loaded.config.door;
    if let Err(error) = Pair::read(&door.cert_file, &door.key_file) {
        if as_json {
            return refuse(file, &json!([{ "key": "door.key_file", "reason": error.to_string() }]));
        }
        return Err(Failure::Usage(anyhow!("{}: {error}", file.display())));
    }
    let sessions = loaded.config.door.sessions_max as u64;
    let stopped = options.stopped.unwrap_or(sessions / 10).min(sessions);
    let population = Population { sessions, subscriptions: options.subscriptions, stopped };
    if as_json {
        print(&format!("{:#}\n", json(file, &loaded, population)))
    } else {
        print(&text(file, &loaded, population))
    }
}

fn refuse(file: &Path, refusals: &Value) -> Result<(), Failure> {
    let name = file.display().to_string();
    let report = json!({ "file": name, "usable": false, "refusals": refusals });
    print(&format!("{report:#}\n"))?;
    Err(Failure::Told)
}

fn print(text: &str) -> Result<(), Failure> {
    output::print(text).map_err(|error| Failure::Runtime(error.into()))
}

fn text(file: &Path, loaded: &Loaded, population: Population) -> String {
    let Config { door, auth, shard, ring, ingest, relay, admin } = &loaded.config;
    let mut out = format!("{} can be used. `gateway run` would\n", file.display());
    // Writing to a String cannot fail.
    let mut line = |words: String| {
        let _ = writeln!(out, "  {words}");
    };
    line(format!("let dashboards in at wss://{0}/v2, show the page at https://{0}/", door.listen));
    line(format!("  with {} and {}", door.cert_file.display(), door.key_file.display()));
    line(format!("  from {}", origins(door)));
    line(who(auth.credentials_file.as_deref(), "let in whom", "let in everybody"));
    line(who(auth.entitlements_file.as_deref(), "show them what", "show them everything"));
    if let Some(usage) = &auth.usage {
        line(format!("record who saw what in {}", usage.folder.display()));
    }
    line(format!("serve at most {} sessions, shard threads: {}", door.sessions_max, shard.count));
    line(format!("answer operators at http://{}/", admin.listen));
    if let Some(relay) = &relay {
        let (listen, count) = (&relay.listen, relay.followers_max);
        line(format!("lend its ring at {listen}, to {count} gateways at most"));
    }
    if let Some(address) = &ingest.follow {
        line(format!("follow the gateway at {address}"));
    }
    for feed in &ingest.feeds {
        line(format!("take {} from {}, {}", symbols(feed), feed.name, feed.dialect.as_str()));
        line(match feed.dialect {
            Dialect::Kraken => format!("  at {}, books {} deep", feed.url, feed.book_depth),
            Dialect::BinanceSpot | Dialect::BinanceUsdM => format!("  at {}", feed.url),
        });
        if let Some(rest_url) = &feed.rest_url {
            line(format!("  with snapshots from {rest_url}"));
        }
        if let Some(file) = &feed.ca_file {
            line(format!("  trusting {}", file.display()));
        }
    }
    if !ingest.delays.is_empty() {
        let delays: Vec<_> =
            ingest.delays.iter().map(|d| format!("{} ms", d.as_millis())).collect();
        line(format!("tell symbols later by {}, too,", delays.join(", ")));
        line(if ingest.has_delay_line() {
            format!("  through a line of {} MiB", ingest.delay_bytes_max >> 20)
        } else {
            "  as the gateway that is followed delays them".to_owned()
        });
    }
    line(format!("pass ticks through a ring of {} MiB", ring.bytes as f64 / f64::from(1 << 20)));
    memory_lines(&loaded.config, population, &mut line);
    if door.memory_bytes_max > 0 {
        line(format!("refuse sessions while it holds {} MiB or more", door.memory_bytes_max >> 20));
    }
    line(format!("log {}", loaded.log_level));
    for warning in &loaded.warnings {
        let _ = writeln!(out, "warning: {warning}");
    }
    out
}

/// What is needed for a population, and of what it is made up.
fn memory_lines(config: &Config, population: Population, line: &mut impl FnMut(String)) {
    let memory = config.memory();
    let reckoned = config.reckon(population);
    let Population { sessions, subscriptions, stopped } = population;
    line(format!(
        "need {} MiB for {sessions} sessions of {subscriptions} subscriptions, {stopped} of which \
         do not read,",
        mib(reckoned.own_bytes)
    ));
    line(format!(
        "  and the kernel {} MiB for their connections, {} MiB for what is not read: in all {} MiB",
        mib(reckoned.sockets_bytes),
        mib(reckoned.unread_bytes),
        mib(reckoned.bytes())
    ));
    line(format!(
        "  made up of {} MiB for ring, history and venues' messages, {} for books at their \
         deepest,",
        mib(memory.fixed_bytes),
        mib(memory.books_bytes_max)
    ));
    line(format!(
        "  {} for arrivals; sessions ({} bytes each, and {} for each of their subscriptions);",
        mib(memory.arrivals_bytes_max),
        config::SESSION_BYTES,
        config::SUBSCRIPTION_BYTES
    ));
    line(format!(
        "  at most {} MiB more for outboxes, and {} for the books that slow sessions hold",
        mib(memory.outboxes_bytes_max),
        mib(memory.bases_bytes_max)
    ));
}

/// Rounded up: what is asked for is to suffice.
fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

fn who(file: Option<&Path>, some: &str, all: &str) -> String {
    file.map_or_else(|| all.to_owned(), |file| format!("{some} {} says", file.display()))
}

fn origins(door: &Door) -> String {
    let mut said = vec!["its own page"];
    said.extend(door.origins.iter().map(String::as_str));
    said.extend((!door.origin_required).then_some("and programs"));
    said.join(", ")
}

fn symbols(feed: &Feed) -> String {
    match &feed.symbols {
        FeedSymbols::All => "all symbols".to_owned(),
        FeedSymbols::List(list) => {
            let names: Vec<_> = list.iter().map(|symbol| symbol.symbol.as_str()).collect();
            names.join(" ")
        }
    }
}

fn json(file: &Path, loaded: &Loaded, population: Population) -> Value {
    let Config { door, auth, shard, ring, ingest, relay, admin } = &loaded.config;
    let memory = loaded.config.memory();
    let reckoned = loaded.config.reckon(population);
    let feeds: Vec<_> = ingest.feeds.iter().map(feed_json).collect();
    json!({
        "file": file.display().to_string(),
        "usable": true,
        "warnings": loaded.warnings,
        "log_level": loaded.log_level,
        "door": {
            "listen": door.listen.to_string(),
            "cert_file": door.cert_file.display().to_string(),
            "key_file": door.key_file.display().to_string(),
            "sessions_max": door.sessions_max,
            "memory_bytes_max": door.memory_bytes_max,
            "origins": door.origins,
            "origin_required": door.origin_required,
        },
        "auth": {
            "credentials_file": auth.credentials_file.as_deref().map(said),
            "entitlements_file": auth.entitlements_file.as_deref().map(said),
            "usage_folder": auth.usage.as_ref().map(|usage| said(&usage.folder)),
        },
        "shard": { "count": shard.count, "pin": shard.pin },
        "ring": { "bytes": ring.bytes },
        "admin": { "listen": admin.listen.to_string() },
        "relay": relay.as_ref().map(|relay| json!({
            "listen": relay.listen.to_string(),
            "followers_max": relay.followers_max,
        })),
        "follow": ingest.follow.as_ref().map(ToString::to_string),
        "ingest": {
            "pin": ingest.pin,
            "delays_ms": ingest.delays.iter().map(|d| d.as_millis() as u64).collect::<Vec<_>>(),
            "delay_bytes_max": ingest.delay_bytes_max,
            "feeds": feeds,
        },
        "memory": {
            "fixed_bytes": memory.fixed_bytes,
            "books_bytes_max": memory.books_bytes_max,
            "arrivals_bytes_max": memory.arrivals_bytes_max,
            "sessions_bytes_max": memory.sessions_bytes_max,
            "session_bytes": config::SESSION_BYTES,
            "subscription_bytes": config::SUBSCRIPTION_BYTES,
            "outboxes_bytes_max": memory.outboxes_bytes_max,
            "bases_bytes_max": memory.bases_bytes_max,
            "reckoned": {
                "sessions": population.sessions,
                "subscriptions": population.subscriptions,
                "stopped": population.stopped,
                "own_bytes": reckoned.own_bytes,
                "sockets_bytes": reckoned.sockets_bytes,
                "unread_bytes": reckoned.unread_bytes,
                "bytes": reckoned.bytes(),
            },
        },
    })
}

fn said(path: &Path) -> String {
    path.display().to_string()
}

/// Headers are told by name only; their values may be secret.
fn feed_json(feed: &Feed) -> Value {
    let symbols = match &feed.symbols {
        FeedSymbols::All => json!("all"),
        FeedSymbols::List(list) => list
            .iter()
            .map(|symbol| json!({ "symbol": symbol.symbol, "venue_symbol": symbol.venue_symbol }))
            .collect(),
    };
    json!({
        "name": feed.name,
        "dialect": feed.dialect.as_str(),
        "url": feed.url,
        "rest_url": feed.rest_url,
        "ca_file": feed.ca_file.as_ref().map(|file| file.display().to_string()),
        "headers": feed.headers.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "book_depth": feed.book_depth,
        "symbols": symbols,
    })
}

fn refusals(error: &ConfigError) -> Value {
    match error {
        ConfigError::Unreadable { reason, .. } => json!([{ "reason": reason }]),
        ConfigError::Refused { refusals, .. } => refusals
            .iter()
            .map(|r| json!({ "line": r.line, "key": r.key, "value": r.value, "reason": r.reason }))
            .collect(),
    }
}
