//! What the kernel says about processes and the machine: processor time, memory, and who else was
//! busy. From /proc; processor time comes in steps of 10 ms.

use std::fs::read_to_string;

use serde::{Deserialize, Serialize};

/// `USER_HZ`: fixed at 100 on every Linux that is in use.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process and all it started has used and holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// User and system time.
    pub cpu_seconds: f64,
    /// Resident memory, without what is shared with files where the kernel says so.
    pub resident_kib: u64,
}

/// `pid` and everything below it.
pub fn family(pid: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let one: u32 = entry.file_name().to_str()?.parse().ok()?;
            Some((one, stat_fields(&format!("/proc/{one}/stat"))?.get(1)?.parse().ok()?))
        })
        .collect();
    let mut all = vec![pid];
    let mut at = 0;
    while at < all.len() {
        let parent = all[at];
        all.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(one, _)| *one));
        at += 1;
    }
    all
}

/// The usage of all of `pids` together; those that are gone count nothing.
pub fn usage(pids: &[u32]) -> Usage {
    pids.iter().fold(Usage::default(), |sum, pid| Usage {
        cpu_seconds: sum.cpu_seconds + cpu_seconds(&format!("/proc/{pid}/stat")).unwrap_or(0.0),
        resident_kib: sum.resident_kib + resident_kib(*pid).unwrap_or(0),
    })
}

/// Name and processor time of each thread of the processes `pids` whose name begins with `prefix`.
pub fn threads_of(pids: &[u32], prefix: &str) -> Vec<(String, f64)> {
    let tasks = pids.iter().flat_map(|pid| {
        std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten()
    });
    let mut threads: Vec<(String, f64)> = tasks
        .filter_map(|task| {
            let name = read_to_string(task.path().join("comm")).ok()?.trim().to_owned();
            let stat = task.path().join("stat").display().to_string();
            name.starts_with(prefix).then(|| cpu_seconds(&stat).map(|used| (name, used)))?
        })
        .collect();
    threads.sort_by(|a, b| a.0.cmp(&b.0));
    threads
}

fn resident_kib(pid: u32) -> Option<u64> {
    let text = read_to_string(format!("/proc/{pid}/smaps_rollup"))
        .ok()
        .filter(|text| text.contains("Rss:"))
        .or_else(|| read_to_string(format!("/proc/{pid}/status")).ok())?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Rss:").or_else(|| line.strip_prefix("VmRSS:")))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The fields behind the name in brackets: state, parent, ...
fn stat_fields(path: &str) -> Option<Vec<String>> {
    let stat = read_to_string(path).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

fn cpu_seconds(path: &str) -> Option<f64> {
    let fields = stat_fields(path)?;
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

/// Processor time of the whole machine since it started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Busy {
    /// Everything but idle and waiting.
    pub busy_seconds: f64,
    /// Taken away by the host.
    pub stolen_seconds: f64,
}

/// The machine's processor time so far.
pub fn busy() -> Busy {
    let stat = read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<f64> =
        line.split_whitespace().skip(1).filter_map(|one| one.parse().ok()).collect();
    let at = |index: usize| ticks.get(index).copied().unwrap_or(0.0) / TICKS_PER_SECOND;
    // user, nice, system, (idle, iowait,) irq, softirq, steal
    Busy { busy_seconds: at(0) + at(1) + at(2) + at(5) + at(6) + at(7), stolen_seconds: at(7) }
}

/// What a report says about the machine.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Machine {
    /// Processor model.
    pub processor: String,
    /// Cores that may be used.
    pub cores: usize,
    /// Memory.
    pub memory_mib: u64,
    /// Kernel.
    pub kernel: String,
    /// TCP congestion control, for all programs alike.
    pub congestion_control: String,
    /// Commit of the code that was measured, where the sources are at hand.
    pub commit: String,
}

/// This machine.
pub fn machine() -> Machine {
    let one_line = |path: &str| {
        read_to_string(path).map_or_else(|_| "unknown".into(), |text| text.trim().to_owned())
    };
    let field = |path: &str, name: &str| {
        let text = read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned())).unwrap_or_default()
    };
    let memory = field("/proc/meminfo", "MemTotal");
    let kib: u64 = memory.split(' ').next().and_then(|kib| kib.parse().ok()).unwrap_or(0);
    Machine {
        processor: field("/proc/cpuinfo", "model name"),
        cores: super::cores::available().len(),
        memory_mib: kib / 1024,
        kernel: one_line("/proc/sys/kernel/osrelease"),
        congestion_control: one_line("/proc/sys/net/ipv4/tcp_congestion_control"),
        commit: commit(),
    }
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let Some(mut commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    if changed.is_some_and(|changed| !changed.is_empty()) {
        commit.push_str(" with local changes");
    }
    commit
}
