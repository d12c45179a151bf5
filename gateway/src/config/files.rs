//! What the config says about this machine: files that must be there, memory, file descriptors.
//!
//! Run once, before any thread starts. A file that cannot be used is refused; a machine that is
//! small for the limits is warned about, because limits are rarely reached all at once.

use std::fs;
use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::document::Lines;
use super::refusal::Refusal;
use super::types::Config;
use crate::access::Access;
use crate::metrics::resident_bytes;
use crate::sockets;

/// Descriptors beside the sessions': listeners, wakers, feeds, logs.
const OTHER_DESCRIPTORS: usize = 64;

/// Everything in this machine that makes the config unusable.
pub(super) fn check(config: &Config, lines: &Lines) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut note = |key: &str, at: usize, path: &Path, outcome: Result<(), String>| {
        if let Err(reason) = outcome {
            let value = Some(format!("{:?}", path.display().to_string()));
            refusals.push(Refusal { line: lines.of(key, at), key: key.to_owned(), value, reason });
        }
    };
    note("door.cert_file", 0, &config.door.cert_file, certificates(&config.door.cert_file));
    note("door.key_file", 0, &config.door.key_file, private_key(&config.door.key_file));
    if let Some(file) = &config.auth.client_ca_file {
        note("auth.client_ca_file", 0, file, certificates(file));
    }
    let ca_files = config.ingest.feeds.iter().filter_map(|feed| feed.ca_file.as_ref());
    for (at, file) in ca_files.enumerate() {
        note("ingest.feeds.ca_file", at, file, certificates(file));
    }
    if let Err(error) = Access::load(&config.auth, config.ingest.delay_max()) {
        let is_of_rules = config.auth.entitlements_file.as_deref() == Some(error.file());
        let key = if is_of_rules { "auth.entitlements_file" } else { "auth.credentials_file" };
        let reason = error.to_string().replace('\n', "; ");
        refusals.push(Refusal { line: lines.of(key, 0), key: key.to_owned(), value: None, reason });
    }
    let control = &config.door.sockets.congestion_control;
    if let Err(error) = sockets::check_control(control) {
        refusals.push(Refusal {
            line: lines.of("door.congestion_control", 0),
            key: "door.congestion_control".to_owned(),
            value: Some(format!("{control:?}")),
            reason: error.reason,
        });
    }
    refusals.extend(memory_refusal(config, lines));
    refusals
}

/// The first limit that this machine's memory, or the budget, has no room for.
fn memory_refusal(config: &Config, lines: &Lines) -> Option<Refusal> {
    let refusal = |key: &str, value: usize, reason| Refusal {
        line: lines.of(key, 0),
        key: key.to_owned(),
        value: Some(value.to_string()),
        reason,
    };
    let fixed = config.memory().fixed_bytes;
    if let Some(memory) = memory_bytes() {
        if config.ring.bytes as u64 > memory / 2 {
            let reason = format!("is more than half of this machine's memory, {memory} bytes");
            return Some(refusal("ring.bytes", config.ring.bytes, reason));
        }
        if fixed > memory {
            let reason = format!(
                "is too much: with all shards, the ring and the venues' messages {fixed} bytes are \
                 taken, the machine has {memory}"
            );
            let bytes = config.shard.history_bytes_max;
            return Some(refusal("shard.history_bytes_max", bytes, reason));
        }
    }
    let budget = config.door.memory_bytes_max;
    if budget == 0 {
        return None;
    }
    let reason = if resident_bytes().is_none() {
        "cannot be kept: this system does not say how much memory a process holds".to_owned()
    } else if budget as u64 <= fixed {
        format!("leaves no room for sessions: {fixed} bytes are taken without any")
    } else {
        return None;
    };
    Some(refusal("door.memory_bytes_max", budget, reason))
}

/// What works but will surprise.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    let needed = config.door.sessions_max + config.door.arriving_max + OTHER_DESCRIPTORS;
    if let Some(allowed) = descriptors_max().filter(|&allowed| allowed < needed) {
        warnings.push(format!(
            "door.sessions_max and door.arriving_max need {needed} file descriptors, the process \
             may have {allowed}: raise the limit (ulimit -n, LimitNOFILE)"
        ));
    }
    let estimate = config.memory();
    if let Some(memory) = memory_bytes().filter(|&bytes| estimate.bytes_max() > bytes) {
        warnings.push(format!(
            "with every limit reached at once the gateway would need {} MiB, the machine has {} \
             MiB",
            estimate.bytes_max() >> 20,
            memory >> 20
        ));
    }
    let wanted = config.door.sockets.send_buffer_bytes;
    if let Some(allowed) = send_buffer_bytes_max().filter(|&allowed| allowed < wanted) {
        warnings.push(format!(
            "door.send_buffer_bytes asks for {wanted} bytes, the system gives {allowed}: raise \
             net.core.wmem_max"
        ));
    }
    let pinned = if config.shard.pin { config.shard.count } else { 0 };
    let others = [config.ingest.pin, config.door.thread.pin, config.admin.thread.pin];
    let pinned = pinned + others.into_iter().filter(|&pin| pin).count();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if pinned > cores {
        warnings.push(format!("{pinned} threads are pinned, the machine has {cores} cores"));
    }
    warnings
}

fn certificates(path: &Path) -> Result<(), String> {
    let pem = fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        certificate.map_err(|error| format!("is not PEM: {error}"))?;
        count += 1;
    }
    if count == 0 { Err("holds no certificate in PEM".to_owned()) } else { Ok(()) }
}

fn private_key(path: &Path) -> Result<(), String> {
    let pem = fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    let key = PrivateKeyDer::from_pem_slice(&pem);
    key.map(drop).map_err(|_| "holds no private key in PEM".to_owned())
}

/// None where the system does not say.
fn memory_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// None where the system does not say.
fn send_buffer_bytes_max() -> Option<usize> {
    fs::read_to_string("/proc/sys/net/core/wmem_max").ok()?.trim().parse().ok()
}

/// None where the system does not say, or does not limit.
fn descriptors_max() -> Option<usize> {
    let text = fs::read_to_string("/proc/self/limits").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
