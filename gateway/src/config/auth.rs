//! The section `auth`: who is let in, and what is recorded of it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rights::BackoffLimits;
use rights::usage::{Fsync, JournalLimits};

use super::document::Document;
use super::read::{HOUR_MS, MIB, MINUTE_MS, millis, size};
use super::section::Section;
use super::types::{Auth, Usage};
use crate::seat::Beyond;

const GIB: u64 = MIB << 10;

impl Auth {
    /// As it is where a config says nothing about it: everybody is let in and sees everything.
    pub fn open() -> Self {
        let document = Document::new("");
        let root = document.root().expect("an empty text is TOML");
        let mut root = root;
        read(root.section("auth"), Path::new(""), None)
    }
}

/// Reads the section. `listen` is where dashboards arrive.
pub(super) fn read(
    mut section: Section<'_, '_>,
    folder: &Path,
    listen: Option<SocketAddr>,
) -> Auth {
    let s = &mut section;
    let is_open = s.flag("open", false);
    let credentials_file = path(s, "credentials_file", folder);
    let entitlements_file = path(s, "entitlements_file", folder);
    let client_ca_file = path(s, "client_ca_file", folder);
    let is_public = listen.is_some_and(|listen| !listen.ip().is_loopback());
    if credentials_file.is_none() && is_public && !is_open {
        let reason = "is missing, and door.listen is not this machine alone: everybody who gets \
                      there would be let in. Name a file, or say so: open = true";
        s.refuse(None, "credentials_file", None, reason);
    }
    if credentials_file.is_some() && is_open {
        let reason = "contradicts credentials_file, which says who is let in";
        s.refuse(s.line_of("open"), "open", None, reason);
    }
    let auth = Auth {
        query_key: read_query_key(s),
        deadline: millis(s, "deadline_ms", 100, MINUTE_MS, 10_000),
        user_sessions_max: size(s, "user_sessions_max", 1, 1_000_000, 100),
        beyond: read_beyond(s),
        address_sessions_max: size(s, "address_sessions_max", 1, 1_000_000, 10_000),
        backoff: BackoffLimits {
            free: s.number("failures_free", 0..=1000, 3) as u32,
            first: millis(s, "backoff_first_ms", 10, HOUR_MS, 1000),
            longest: millis(s, "backoff_longest_ms", 10, 24 * HOUR_MS, 300_000),
            addresses_max: size(s, "backoff_addresses_max", 0, 10_000_000, 65_536),
        },
        usage: read_usage(s, folder),
        credentials_file,
        entitlements_file,
        client_ca_file,
    };
    if auth.backoff.longest < auth.backoff.first {
        let line = s.line_of("backoff_longest_ms").or(s.line_of("backoff_first_ms"));
        let number = auth.backoff.longest.as_millis() as u64;
        s.refuse_number(line, "backoff_longest_ms", number, "must not be below backoff_first_ms");
    }
    section.finish();
    auth
}

fn path(section: &mut Section<'_, '_>, name: &'static str, folder: &Path) -> Option<PathBuf> {
    section.text(name).map(|text| folder.join(text.value))
}

fn read_query_key(section: &mut Section<'_, '_>) -> Option<String> {
    let key = section.text("query_key")?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if key.value.is_empty() || key.value.len() > 64 || !key.value.bytes().all(is_plain) {
        let reason = "must be a name of 1 to 64 letters, digits, dashes and underscores";
        section.refuse(key.line, "query_key", Some(&key.value), reason);
    }
    Some(key.value)
}

fn read_beyond(section: &mut Section<'_, '_>) -> Beyond {
    let word = section.text_or("beyond", "refuse");
    match word.value.as_str() {
        "refuse" => Beyond::Refuse,
        "displace" => Beyond::Displace,
        other => {
            let reason = "must be \"refuse\" (the newest) or \"displace\" (the oldest)";
            section.refuse(word.line, "beyond", Some(other), reason);
            Beyond::Refuse
        }
    }
}

fn read_usage(s: &mut Section<'_, '_>, folder: &Path) -> Option<Usage> {
    let usage_folder = path(s, "usage_folder", folder);
    let queue_max = size(s, "usage_queue_max", 1, 1_000_000, 16_384);
    let sync = millis(s, "usage_sync_ms", 0, HOUR_MS, 1000);
    let limits = JournalLimits {
        file_bytes_max: s.number("usage_file_bytes_max", 4096..=64 * GIB, 64 * MIB),
        file_age_max: Duration::from_secs(s.number("usage_file_age_s", 60..=31_536_000, 86_400)),
        files_max: size(s, "usage_files_max", 1, 100_000, 90),
        fsync: if sync.is_zero() { Fsync::EachBatch } else { Fsync::Every(sync) },
    };
    Some(Usage { folder: usage_folder?, queue_max, limits })
}
