//! A config file: any text is read or refused, and a refusal says file, line and key.
#![no_main]

use std::path::Path;

use gateway::config::{self, ConfigError, Refusal};
use libfuzzer_sys::fuzz_target;

const FILE: &str = "fuzz.toml";

fuzz_target!(|text: &str| {
    match config::parse(text, Path::new(FILE)) {
        // The bounds of one value hold the others in check: an estimate that overflowed would
        // panic.
        Ok(loaded) => drop(loaded.config.memory().bytes_max()),
        Err(error @ ConfigError::Refused { .. }) => {
            let words = error.to_string();
            let ConfigError::Refused { refusals, .. } = error else { unreachable!() };
            assert!(!refusals.is_empty(), "refused for nothing");
            assert_eq!(words.lines().count(), refusals.len(), "one line each: {words}");
            for line in words.lines() {
                assert!(line.starts_with(FILE) && line.len() < 4096, "{line}");
                assert!(!line.contains(char::is_control), "it could draw on a terminal: {line:?}");
            }
            for refusal in &refusals {
                check(text, refusal);
            }
        }
        Err(error) => panic!("nothing outside the text is looked at: {error}"),
    }
});

fn check(text: &str, refusal: &Refusal) {
    assert!(!refusal.reason.is_empty(), "{refusal:?}");
    let lines = text.split('\n').count();
    match refusal.line {
        Some(line) => assert!((1..=lines).contains(&line), "{refusal:?} of {lines} lines"),
        None => assert!(!refusal.key.is_empty(), "neither line nor key: {refusal:?}"),
    }
}
