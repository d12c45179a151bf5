//! What the system knows about this process, under Prometheus' customary names.
//!
//! Read from /proc at each scrape; where there is none, the metrics are left out.

use std::fs;

use super::text::Text;

/// Ticks a second of the times in /proc/self/stat; Linux shows 100 on every machine.
const TICKS_PER_SECOND: u64 = 100;

/// Adds the process' metrics.
pub(super) fn write(text: &mut Text) {
    if let Some(bytes) = resident_bytes() {
        text.metric("process_resident_memory_bytes", "gauge", "Memory the process holds now.")
            .sample(&[], bytes);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        text.metric("process_open_fds", "gauge", "File descriptors open now.")
            .sample(&[], open.count());
    }
    if let Some(max) = descriptors_max() {
        text.metric("process_max_fds", "gauge", "File descriptors the process may open.")
            .sample(&[], max);
    }
    let Some(stat) = Stat::read() else { return };
    text.metric("process_cpu_seconds_total", "counter", "Processor time, user and system.")
        .sample(&[], seconds(stat.processor_ticks));
    if let Some(boot) = boot_seconds() {
        let help = "When the process began, in seconds since 1970.";
        text.metric("process_start_time_seconds", "gauge", help)
            .sample(&[], seconds(boot * TICKS_PER_SECOND + stat.start_ticks));
    }
}

/// Ticks as seconds, without a detour through floats.
fn seconds(ticks: u64) -> String {
    format!("{}.{:02}", ticks / TICKS_PER_SECOND, ticks % TICKS_PER_SECOND)
}

/// Memory the process holds now; none where the system does not say.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// The soft limit, which is the one that is felt; none where there is no limit.
fn descriptors_max() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// When this machine began, in seconds since 1970.
fn boot_seconds() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// What /proc/self/stat says of times.
struct Stat {
    processor_ticks: u64,
    /// Since the machine began.
    start_ticks: u64,
}

impl Stat {
    fn read() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // The name in brackets may hold spaces; what follows it begins with the state, field 3.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self { processor_ticks: field(14)? + field(15)?, start_ticks: field(22)? })
    }
}
