//! The files in config/ are loaded, and the manual among them says what the code does.

use std::path::{Path, PathBuf};

use gateway::config::{self, Dialect, FeedSymbols, KeyFacts};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config")
}

fn manual() -> String {
    std::fs::read_to_string(folder().join("gateway.toml")).expect("config/gateway.toml is readable")
}

#[test]
fn every_gateway_config_in_the_folder_can_be_used() {
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).expect("config/ exists") {
        let file = entry.expect("config/ can be listed").path();
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with("gateway") || file.extension().is_none_or(|end| end != "toml") {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("a config is readable");
        if let Err(error) = config::parse(&text, &file) {
            panic!("{error}");
        }
        count += 1;
    }
    assert!(count >= 5, "only {count} configs were found");
}

#[test]
fn the_replay_config_names_the_recorded_symbols() {
    let file = folder().join("gateway-replay.toml");
    let text = std::fs::read_to_string(&file).expect("the config is readable");
    let feeds = config::parse(&text, &file).expect("the config is right").config.ingest.feeds;
    assert_eq!(
        feeds.iter().map(|feed| feed.dialect).collect::<Vec<_>>(),
        [Dialect::BinanceSpot, Dialect::BinanceUsdM]
    );
    let FeedSymbols::List(future) = &feeds[1].symbols else { panic!("a list is expected") };
    let future = &future[0];
    assert_eq!(
        [&future.venue_symbol, &future.symbol, &future.base, &future.quote],
        ["BTCUSDT", "BTC/USDT-PERP", "BTC", "USDT"]
    );
}

/// A key as the manual describes it.
#[derive(Debug, PartialEq, Eq)]
struct Described {
    section: String,
    name: String,
    value: String,
    comment: Vec<String>,
}

/// Reads the manual as a person does: section headings, comment blocks, and the key below each.
fn described(manual: &str) -> Vec<Described> {
    let (mut all, mut section, mut comment) = (Vec::new(), String::new(), Vec::new());
    let mut in_symbol = false;
    for line in manual.lines().map(str::trim) {
        if line.is_empty() {
            comment.clear();
            continue;
        }
        let bare = line.strip_prefix("# ").filter(|rest| is_key(rest)).unwrap_or(line);
        if let Some(heading) = line.strip_prefix('[').filter(|_| line.ends_with(']')) {
            if heading.trim_matches(['[', ']']).chars().all(|c| c.is_ascii_lowercase() || c == '.')
            {
                heading.trim_matches(['[', ']']).clone_into(&mut section);
            }
        } else if let Some((name, value)) = bare.split_once(" = ").filter(|_| is_key(bare)) {
            let section = if in_symbol { format!("{section}.symbols") } else { section.clone() };
            let value = value.trim_end_matches(',').to_owned();
            let comment = std::mem::take(&mut comment);
            all.push(Described { section, name: name.to_owned(), value, comment });
        } else if let Some(words) = line.strip_prefix('#') {
            comment.push(words.trim().to_owned());
        } else {
            in_symbol = line == "{" || (in_symbol && !line.starts_with('}'));
        }
    }
    all
}

fn is_key(line: &str) -> bool {
    line.split_once(" = ").is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    })
}

#[test]
fn the_manual_describes_every_key_with_the_range_and_default_of_the_code() {
    let described = described(&manual());
    assert!(config::keys().len() > 40, "only {} keys are known", config::keys().len());
    for KeyFacts { section, name, range, default } in config::keys() {
        let key = format!("{section}.{name}");
        let found: Vec<_> =
            described.iter().filter(|d| d.section == section && d.name == name).collect();
        let [entry] = found[..] else { panic!("{key} is described {} times", found.len()) };
        assert!(entry.comment.len() >= 2, "{key} has no words of its own: {:?}", entry.comment);
        let last = entry.comment.last().expect("there are two lines at least");
        let mut facts =
            range.map_or(String::new(), |(min, max)| format!("Range: {min} to {max}. "));
        if let Some(default) = default {
            facts.push_str("Default: ");
            assert_eq!(last, &(facts + &default), "{key}");
            assert_eq!(entry.value, default, "{key}: the manual shows another value");
        } else {
            facts.push_str("No default.");
            assert!(last.starts_with(&facts), "{key}: {last:?} does not begin with {facts:?}");
        }
    }
}

#[test]
fn the_manual_describes_no_key_that_does_not_exist() {
    let known = config::keys();
    for Described { section, name, .. } in described(&manual()) {
        assert!(
            known.iter().any(|facts| facts.section == section && facts.name == name),
            "{section}.{name} is described, the code does not know it"
        );
    }
}

#[test]
fn a_dashboard_that_vanished_is_freed_within_half_a_minute_by_default() {
    let shard = config::parse(&manual(), Path::new("gateway.toml")).expect("right").config.shard;
    // Behind the pong that did not come: a look twenty times a second, and the close that nobody
    // answers.
    let to_end = std::time::Duration::from_millis(2100);
    assert!(shard.ping + shard.pong_timeout + to_end <= std::time::Duration::from_secs(30));
    // Where something waits to be sent, the write deadline comes before that.
    assert!(shard.write_timeout <= shard.ping);
}

#[test]
fn a_config_without_optional_keys_has_the_defaults_of_the_manual() {
    let text = "[door]\nlisten = '127.0.0.1:0'\ncert_file = 'c'\nkey_file = 'k'\n\
                [[ingest.feeds]]\nname = 'f'\ndialect = 'kraken'\nurl = 'ws://127.0.0.1:1/v2'\n\
                symbols = ['BTC/USD']\n";
    let short = config::parse(text, Path::new("/etc/x/short.toml")).expect("it is complete");
    let long = config::parse(&manual(), Path::new("/etc/x/gateway.toml")).expect("it is right");
    assert_eq!(format!("{:?}", short.config.shard), format!("{:?}", long.config.shard));
    assert_eq!(format!("{:?}", short.config.admin), format!("{:?}", long.config.admin));
    assert_eq!(short.config.ring.bytes, long.config.ring.bytes);
    assert_eq!(short.log_level, long.log_level);
    assert_eq!(short.config.door.cert_file, Path::new("/etc/x/c"));
}
