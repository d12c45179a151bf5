//! The sections of the config file, key by key, with range and default of each.
//!
//! Here is the one place where a default or a bound stands in the code; config/gateway.toml repeats
//! them for people, and a test holds the two together.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::{Document, Remains};
use super::level::log_filter;
use super::section::{Item, Section};
use super::types::{
    Admin, Config, Crowd, DELAYS_MAX, Door, Ingest, RelayAddress, Ring, Shard, Sockets, Thread,
    TlsMin,
};
use super::{auth, feeds, relay};

pub(super) const HOUR_MS: u64 = 3_600_000;
pub(super) const MINUTE_MS: u64 = 60_000;
const YEAR_S: u64 = 31_536_000;
const HSTS_S_MAX: u64 = 2 * YEAR_S;
pub(super) const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// The ring counts its readers up to this.
const SHARDS_MAX: u64 = handoff::READERS_MAX as u64;

/// A config as read, with what is not for the threads.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// For the threads.
    pub config: Config,
    /// Which log lines are shown, in the words of `RUST_LOG`.
    pub log_level: String,
    /// What works but will surprise; for people.
    pub warnings: Vec<String>,
}

/// Reads a document. Relative paths are taken from `folder`. Nothing outside the text is looked at.
pub(super) fn read(text: &str, folder: &Path) -> (Option<Loaded>, Remains) {
    let document = Document::new(text);
    let loaded = document.root().and_then(|root| read_root(&document, root, folder));
    let remains = document.finish();
    (loaded.filter(|_| remains.refusals.is_empty()), remains)
}

fn read_root(document: &Document<'_>, mut root: Section<'_, '_>, folder: &Path) -> Option<Loaded> {
    let door = read_door(root.section("door"), folder);
    let listen = door.as_ref().map(|door| door.listen);
    let auth = auth::read(root.section("auth"), folder, listen);
    let shard = read_shard(root.section("shard"));
    let ring = read_ring(document, root.section("ring"));
    let relay = relay::read_relay(root.section("relay"), folder);
    relay::check_readers(document, relay.as_ref(), shard.count);
    let follow = relay::read_follow(root.section("follow"), folder);
    let ingest = read_ingest(document, root.section("ingest"), follow, folder);
    let admin = read_admin(root.section("admin"), folder);
    let log_level = read_log(root.section("log"));
    root.finish();
    let (door, admin) = (door?, admin?);
    if door.listen == admin.listen && door.listen.port() != 0 {
        document.refuse(
            document.line_of("admin.listen").or(document.line_of("door.listen")),
            "admin.listen",
            Some(admin.listen.to_string()),
            "is door.listen too; the two need a port each",
        );
    }
    check_ring(document, ring, &ingest);
    check_delay_line(document, &ingest);
    let config = Config { door, auth, shard, ring, ingest, relay, admin };
    Some(Loaded { config, log_level, warnings: Vec::new() })
}

fn read_door(mut section: Section<'_, '_>, folder: &Path) -> Option<Door> {
    let listen = required_address(&mut section);
    let cert_file = required_path(&mut section, "cert_file", folder);
    let key_file = required_path(&mut section, "key_file", folder);
    let cert_watch = millis(&mut section, "cert_watch_ms", 0, HOUR_MS, 5000);
    let tls_min = read_tls_min(&mut section);
    let hsts = Duration::from_secs(section.number("hsts_s", 0..=HSTS_S_MAX, YEAR_S));
    let handshake_timeout = millis(&mut section, "handshake_timeout_ms", 100, MINUTE_MS, 5000);
    let header_timeout = millis(&mut section, "header_timeout_ms", 100, MINUTE_MS, 10_000);
    // hyper does not read heads into less than 8 KiB.
    let header_bytes_max = size(&mut section, "header_bytes_max", 8192, MIB, 16_384);
    let arriving_max = size(&mut section, "arriving_max", 1, 100_000, 1024);
    let mailbox_wait = millis(&mut section, "mailbox_wait_ms", 0, MINUTE_MS, 2000);
    let crowd = read_crowd(&mut section);
    let sessions_max = size(&mut section, "sessions_max", 1, 1_000_000, 10_000);
    let memory_bytes_max = size(&mut section, "memory_bytes_max", 0, 1024 * GIB, 0);
    let sockets = read_sockets(&mut section);
    let thread = read_thread(&mut section, 5);
    let origins = read_origins(&mut section);
    let origin_required = section.flag("origin_required", false);
    section.finish();
    Some(Door {
        listen: listen?,
        cert_file: cert_file?,
        key_file: key_file?,
        cert_watch,
        tls_min,
        hsts,
        handshake_timeout,
        header_timeout,
        header_bytes_max,
        arriving_max,
        mailbox_wait,
        crowd,
        sessions_max,
        memory_bytes_max,
        sockets,
        thread,
        origins,
        origin_required,
        conformance_echo: false,
    })
}

fn read_tls_min(section: &mut Section<'_, '_>) -> TlsMin {
    let version = section.text_or("tls_min", "1.3");
    match version.value.as_str() {
        "1.2" => TlsMin::Tls12,
        "1.3" => TlsMin::Tls13,
        other => {
            section.refuse(version.line, "tls_min", Some(other), "must be \"1.2\" or \"1.3\"");
            TlsMin::default()
        }
    }
}

fn read_crowd(s: &mut Section<'_, '_>) -> Crowd {
    let Crowd {
        arriving_per_address_max,
        handshakes_per_second_max,
        handshakes_per_address_per_second_max,
    } = Crowd::default();
    let address = arriving_per_address_max as u64;
    let mut rate = |name, default: u32| s.number(name, 0..=1_000_000, default.into()) as u32;
    Crowd {
        handshakes_per_second_max: rate("handshakes_per_second_max", handshakes_per_second_max),
        handshakes_per_address_per_second_max: rate(
            "handshakes_per_address_per_second_max",
            handshakes_per_address_per_second_max,
        ),
        arriving_per_address_max: size(s, "arriving_per_address_max", 1, 100_000, address),
    }
}

fn read_sockets(s: &mut Section<'_, '_>) -> Sockets {
    let sockets = Sockets {
        send_buffer_bytes: size(s, "send_buffer_bytes", 0, 64 * MIB, 262_144),
        notsent_bytes_max: s.number("notsent_bytes_max", 0..=64 * MIB, 65_536) as u32,
        congestion_control: read_control(s),
        user_timeout: millis(s, "user_timeout_ms", 0, HOUR_MS, MINUTE_MS),
    };
    // One record has to fit, or every send of one would be cut in two.
    let smallest = |name, bytes: usize| {
        if (1..32_768).contains(&bytes) {
            let reason = "must be 0, for the kernel's own, or 32768 at least";
            s.refuse_number(s.line_of(name), name, bytes as u64, reason);
        }
    };
    smallest("send_buffer_bytes", sockets.send_buffer_bytes);
    smallest("notsent_bytes_max", sockets.notsent_bytes_max as usize);
    sockets
}

/// The kernel's names have 15 bytes at most; which of them it has is asked when the file is loaded.
fn read_control(section: &mut Section<'_, '_>) -> String {
    let name = section.text_or("congestion_control", "");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if name.value.len() > 15 || !name.value.bytes().all(plain) {
        let reason =
            "must be a name of 15 letters at most, such as \"cubic\"; empty for the kernel's own";
        section.refuse(name.line, "congestion_control", Some(&name.value), reason);
    }
    name.value
}

fn read_thread(s: &mut Section<'_, '_>, nice: u64) -> Thread {
    Thread { pin: s.flag("pin", false), nice: s.number("nice", 0..=19, nice) as u8 }
}

fn read_origins(section: &mut Section<'_, '_>) -> Vec<String> {
    let mut origins = Vec::new();
    for item in section.list("origins") {
        let Item::Text(origin) = item.value else {
            section.refuse(item.line, "origins", None, "holds texts only");
            continue;
        };
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        let whole = host
            .is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', '?', '#', '@', ' ']));
        if whole {
            origins.push(origin);
        } else {
            let reason = "must be a web origin: http:// or https://, a host, perhaps a port, \
                          and nothing behind it";
            section.refuse(item.line, "origins", Some(&origin), reason);
        }
    }
    origins
}

fn read_shard(mut section: Section<'_, '_>) -> Shard {
    let s = &mut section;
    let shard = Shard {
        count: size(s, "count", 1, SHARDS_MAX, 1),
        pin: s.flag("pin", false),
        spin: Duration::from_micros(s.number("spin_us", 0..=1_000_000, 0)),
        cycle_records_max: size(s, "cycle_records_max", 1, 1_000_000, 1024),
        record_bytes_max: size(s, "record_bytes_max", 1024, 16_384, 16_384),
        flush_window: Duration::from_micros(s.number("flush_window_us", 0..=100_000, 0)),
        mailbox_max: size(s, "mailbox_max", 1, 65_536, 1024),
        outbox_bytes_max: size(s, "outbox_bytes_max", 65_536, GIB, MIB),
        slow_warning_bytes: size(s, "slow_warning_bytes", 1024, GIB, 262_144),
        slow_cleared_bytes: size(s, "slow_cleared_bytes", 0, GIB, 65_536),
        write_timeout: millis(s, "write_timeout_ms", 100, HOUR_MS, 10_000),
        trades_behind_max: size(s, "trades_behind_max", 1, 1_000_000, 1000),
        bases_bytes_max: size(s, "bases_bytes_max", 0, 64 * GIB, 64 * MIB),
        slice_bytes_max: size(s, "slice_bytes_max", 16_384, GIB, 262_144),
        slice_symbols_max: size(s, "slice_symbols_max", 1, 1_000_000, 128),
        history_bytes_max: size(s, "history_bytes_max", 0, 64 * GIB, 64 * MIB),
        history: millis(s, "history_ms", 0, 24 * HOUR_MS, 60_000),
        message_bytes_max: size(s, "message_bytes_max", 1024, 16 * MIB, 65_536),
        subscriptions_max: size(s, "subscriptions_max", 1, 1_000_000, 10_000),
        requests_per_second_max: count(s, "requests_per_second_max", 1, 100_000, 50),
        bad_requests_max: count(s, "bad_requests_max", 1, 1_000_000, 20),
        heartbeat: millis(s, "heartbeat_ms", 100, MINUTE_MS, 1000),
        ping: millis(s, "ping_ms", 1000, HOUR_MS, 15_000),
        pong_timeout: millis(s, "pong_timeout_ms", 100, 10 * MINUTE_MS, 10_000),
        stop_timeout: millis(s, "stop_timeout_ms", 100, 10 * MINUTE_MS, 5000),
        drain_window: millis(s, "drain_window_ms", 0, 10 * MINUTE_MS, 2000),
    };
    if shard.drain_window > shard.stop_timeout {
        let reason =
            format!("must not be above stop_timeout_ms, {}", shard.stop_timeout.as_millis());
        let line = s.line_of("drain_window_ms").or(s.line_of("stop_timeout_ms"));
        let window_ms = shard.drain_window.as_millis() as u64;
        s.refuse_number(line, "drain_window_ms", window_ms, reason);
    }
    if shard.slow_cleared_bytes > shard.slow_warning_bytes {
        let reason = format!("must not be above slow_warning_bytes, {}", shard.slow_warning_bytes);
        let line = s.line_of("slow_cleared_bytes").or(s.line_of("slow_warning_bytes"));
        s.refuse_number(line, "slow_cleared_bytes", shard.slow_cleared_bytes as u64, reason);
    }
    section.finish();
    shard
}

fn read_ring(document: &Document<'_>, mut section: Section<'_, '_>) -> Ring {
    let bytes = size(&mut section, "bytes", 65_536, GIB, 64 * MIB);
    if !bytes.is_power_of_two() {
        let reason = format!(
            "must be a power of two; {} is the next below, {} the next above",
            1_usize << bytes.ilog2(),
            bytes.next_power_of_two()
        );
        document.refuse(section.line_of("bytes"), "ring.bytes", Some(bytes.to_string()), reason);
    }
    section.finish();
    Ring { bytes }
}

/// A book that is replaced travels in one record, and the largest record is an eighth of the ring.
fn check_ring(document: &Document<'_>, ring: Ring, ingest: &Ingest) {
    let mut needed = 8 * market::book_record_bytes_max(ingest.deepest_book());
    if !ingest.delays.is_empty() {
        needed = needed.max(8 * market::renewal_record_bytes_max(ingest.deepest_book()));
    }
    if ring.bytes < needed {
        let line = document.line_of("ring.bytes").or(document.line_of("ingest.book_levels_max"));
        let reason = format!(
            "is too small for books of {} levels a side; {} would do",
            ingest.deepest_book(),
            needed.next_power_of_two()
        );
        document.refuse(line, "ring.bytes", Some(ring.bytes.to_string()), reason);
    }
}

fn read_ingest(
    document: &Document<'_>,
    mut section: Section<'_, '_>,
    follow: Option<RelayAddress>,
    folder: &Path,
) -> Ingest {
    let s = &mut section;
    let pin = s.flag("pin", false);
    let spin = Duration::from_micros(s.number("spin_us", 0..=1_000_000, 0));
    let flush_messages_max = size(s, "flush_messages_max", 1, 4096, 64);
    let flush_bytes_max = size(s, "flush_bytes_max", 1, 16 * MIB, 65_536);
    let silence_timeout = millis(s, "silence_timeout_ms", 500, 10 * MINUTE_MS, 2500);
    let backoff_min = millis(s, "backoff_min_ms", 10, MINUTE_MS, 250);
    let backoff_max = millis(s, "backoff_max_ms", 10, 10 * MINUTE_MS, 10_000);
    if backoff_max < backoff_min {
        let reason = format!("must not be below backoff_min_ms, {}", backoff_min.as_millis());
        let line = s.line_of("backoff_max_ms").or(s.line_of("backoff_min_ms"));
        let value = backoff_max.as_millis().to_string();
        document.refuse(line, "ingest.backoff_max_ms", Some(value), reason);
    }
    let connect_timeout = millis(s, "connect_timeout_ms", 100, MINUTE_MS, 5000);
    let message_bytes_max = size(s, "message_bytes_max", 65_536, 256 * MIB, 16 * MIB);
    let book_levels_max = size(s, "book_levels_max", 10, 100_000, 5000);
    let symbols_max = size(s, "symbols_max", 1, 1_000_000, 4096);
    let delays = read_delays(s);
    let delay_bytes_max = size(s, "delay_bytes_max", MIB, 64 * GIB, 256 * MIB);
    let tables = s.tables("feeds");
    let has_feeds = !tables.is_empty();
    let feeds = feeds::read(document, tables, folder, symbols_max);
    section.finish();
    let ingest = Ingest {
        pin,
        spin,
        flush_messages_max,
        flush_bytes_max,
        silence_timeout,
        backoff_min,
        backoff_max,
        connect_timeout,
        message_bytes_max,
        book_levels_max,
        symbols_max,
        delays,
        delay_bytes_max,
        follow,
        feeds,
    };
    relay::check_origin(document, &ingest, has_feeds);
    ingest
}

fn read_delays(s: &mut Section<'_, '_>) -> Vec<Duration> {
    let lengths = s.numbers("delays_ms", 1..=24 * HOUR_MS);
    let delays = lengths.value.into_iter().map(Duration::from_millis).collect::<Vec<_>>();
    if delays.len() > DELAYS_MAX || !delays.is_sorted_by(|shorter, longer| shorter < longer) {
        let reason = format!("must be at most {DELAYS_MAX} numbers, each larger than the last");
        s.refuse(lengths.line, "delays_ms", None, &reason);
    }
    delays
}

/// A symbol may be let in again whole, and each leaves room for the mark of its going.
fn check_delay_line(document: &Document<'_>, ingest: &Ingest) {
    let needed = needed_delay_bytes(ingest);
    if ingest.has_delay_line() && ingest.delay_bytes_max < needed {
        let line = document.line_of("ingest.delay_bytes_max");
        let line = line.or(document.line_of("ingest.delays_ms"));
        let value = Some(ingest.delay_bytes_max.to_string());
        let reason = format!(
            "is too small for {} symbols with books of {} levels a side; {needed} would do",
            ingest.symbols_max,
            ingest.deepest_book()
        );
        document.refuse(line, "ingest.delay_bytes_max", value, reason);
    }
}

fn needed_delay_bytes(ingest: &Ingest) -> usize {
    let renewal = market::renewal_record_bytes_max(ingest.deepest_book());
    8 * renewal.max(market::book_record_bytes_max(ingest.deepest_book()))
        + 2 * ingest.symbols_max * crate::ingest::MARK_BYTES
}

fn read_admin(mut section: Section<'_, '_>, folder: &Path) -> Option<Admin> {
    let listen = section.text_or("listen", "127.0.0.1:9100");
    let address = address(&section, &listen.value, listen.line);
    let token_file = section.text("token_file").map(|text| folder.join(text.value));
    if let Some(address) = address.filter(|address| !address.ip().is_loopback())
        && token_file.is_none()
    {
        let reason = "is open to the network: name a token_file, or stay on 127.0.0.1 or [::1]";
        section.refuse(listen.line, "listen", Some(&address.to_string()), reason);
    }
    let answer_timeout = millis(&mut section, "answer_timeout_ms", 10, MINUTE_MS, 2000);
    let thread = read_thread(&mut section, 10);
    section.finish();
    Some(Admin { listen: address?, token_file, answer_timeout, thread })
}

fn read_log(mut section: Section<'_, '_>) -> String {
    let level = section.text_or("level", "info");
    if log_filter(&level.value).is_err() {
        let reason = "must be error, warn, info, debug, trace, or pairs such as \
                      info,gateway::ingest=debug";
        section.refuse(level.line, "level", Some(&level.value), reason);
    }
    section.finish();
    level.value
}

fn required_address(section: &mut Section<'_, '_>) -> Option<SocketAddr> {
    let text = section.required_text("listen")?;
    address(section, &text.value, text.line)
}

fn address(section: &Section<'_, '_>, text: &str, line: Option<usize>) -> Option<SocketAddr> {
    let address = text.parse().ok();
    if address.is_none() {
        let reason = "must be an IP address and a port, such as 127.0.0.1:8443 or [::]:8443";
        section.refuse(line, "listen", Some(text), reason);
    }
    address
}

fn required_path(
    section: &mut Section<'_, '_>,
    name: &'static str,
    folder: &Path,
) -> Option<PathBuf> {
    section.required_text(name).map(|text| folder.join(text.value))
}

pub(super) fn millis(
    s: &mut Section<'_, '_>,
    name: &'static str,
    min: u64,
    max: u64,
    or: u64,
) -> Duration {
    Duration::from_millis(s.number(name, min..=max, or))
}

pub(super) fn size(
    s: &mut Section<'_, '_>,
    name: &'static str,
    min: u64,
    max: u64,
    or: u64,
) -> usize {
    s.number(name, min..=max, or) as usize
}

fn count(s: &mut Section<'_, '_>, name: &'static str, min: u32, max: u32, or: u32) -> u32 {
    s.number(name, u64::from(min)..=u64::from(max), u64::from(or)) as u32
}
