//! The sections `relay` and `follow`: gateways that lend their ring, and those that take it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::{Document, Placed};
use super::read::{HOUR_MS, millis, size};
use super::section::Section;
use super::types::{Ingest, Relay, RelayAddress};

/// In front of the path of a socket file.
const UNIX: &str = "unix:";
/// The kernel's own limit of such a path, its end included.
const UNIX_PATH_BYTES_MAX: usize = 107;

impl std::fmt::Display for RelayAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(file) => write!(f, "{UNIX}{}", file.display()),
        }
    }
}

/// Where the ring is lent, if it is.
pub(super) fn read_relay(mut section: Section<'_, '_>, folder: &Path) -> Option<Relay> {
    let s = &mut section;
    let listen = address(s, "listen", folder);
    let followers_max = size(s, "followers_max", 1, 32, 8);
    let write_timeout: Duration = millis(s, "write_timeout_ms", 100, HOUR_MS, 10_000);
    section.finish();
    listen.map(|listen| Relay { listen, followers_max, write_timeout })
}

/// Which gateway is followed, if one is.
pub(super) fn read_follow(mut section: Section<'_, '_>, folder: &Path) -> Option<RelayAddress> {
    let address = address(&mut section, "address", folder);
    if let Some(RelayAddress::Tcp(tcp)) = address
        && tcp.port() == 0
    {
        section.refuse(section.line_of("address"), "address", None, "needs a port");
    }
    section.finish();
    address
}

/// Each follower is a reader of the ring, as each shard is.
pub(super) fn check_readers(document: &Document<'_>, relay: Option<&Relay>, shards: usize) {
    let Some(relay) = relay else { return };
    let readers_max = handoff::READERS_MAX;
    if relay.followers_max + shards > readers_max {
        let line = document.line_of("relay.followers_max").or(document.line_of("shard.count"));
        let reason =
            format!("with shard.count, {shards}, exceeds the ring's {readers_max} readers");
        let value = Some(relay.followers_max.to_string());
        document.refuse(line, "relay.followers_max", value, reason);
    }
}

/// Ticks come from venues or from another gateway, not from both, and from one of them.
pub(super) fn check_origin(document: &Document<'_>, ingest: &Ingest, has_feeds: bool) {
    match (&ingest.follow, has_feeds) {
        (Some(_), true) => {
            let reason = "does not go with [[ingest.feeds]]: what is followed has the venues, and \
                          numbers what they say";
            document.refuse(document.line_of("follow.address"), "follow.address", None, reason);
        }
        (None, false) => {
            let reason = "at least one feed is needed, under [[ingest.feeds]]; or another gateway, \
                          under [follow]";
            document.refuse(None, "ingest.feeds", None, reason);
        }
        _ => {}
    }
}

fn address(s: &mut Section<'_, '_>, name: &'static str, folder: &Path) -> Option<RelayAddress> {
    let Placed { value: text, line } = s.text(name)?;
    if let Some(path) = text.strip_prefix(UNIX) {
        let file: PathBuf = folder.join(path);
        if !path.is_empty() && file.as_os_str().len() <= UNIX_PATH_BYTES_MAX {
            return Some(RelayAddress::Unix(file));
        }
        let reason = format!("needs a path of 1 to {UNIX_PATH_BYTES_MAX} bytes");
        s.refuse(line, name, Some(&text), reason);
        return None;
    }
    let reason = match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => return Some(RelayAddress::Tcp(address)),
        Ok(_) => {
            "leaves this machine, and what passes is neither encrypted nor authenticated: stay on \
             127.0.0.1 or [::1], or name a file, \"unix:/path\""
        }
        Err(_) => "must be an address and port of this machine, or \"unix:\" and a path",
    };
    s.refuse(line, name, Some(&text), reason);
    None
}
