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
    if let Some(ticks) = processor_ticks() {
        let (seconds, rest) = (ticks / TICKS_PER_SECOND, ticks % TICKS_PER_SECOND);
        text.metric("process_cpu_seconds_total", "counter", "Processor time, user and system.")
            .sample(&[], format_args!("{seconds}.{rest:02}"));
    }
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

fn processor_ticks() -> Option<u64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name in brackets may hold spaces; what follows it is numbered from the state, field 3.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (times.next()?.parse().ok()?, times.next()?.parse().ok()?);
    Some(user + system)
}
