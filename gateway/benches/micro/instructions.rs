//! Instructions per operation, counted by callgrind, and their comparison with the committed ones.
//!
//! Each workload runs in a process of its own under valgrind, with an empty environment. Callgrind
//! counts only inside [`the_measured_part`], so that start-up, setup, warm-up and resets are left
//! out and nothing has to be subtracted.

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};

use crate::baseline::{Baseline, Count, MadeWith};
use crate::case::{Case, Workload, run_in_bursts};
use crate::timing::count_allocations;

/// Of what libraries on the way ask for before they choose their code, what is there.
#[cfg(target_arch = "x86_64")]
fn cpu() -> String {
    let features = [
        ("sse4.2", is_x86_feature_detected!("sse4.2")),
        ("pclmulqdq", is_x86_feature_detected!("pclmulqdq")),
        ("aes", is_x86_feature_detected!("aes")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
    ];
    let found = features.iter().filter(|(_, has)| *has).map(|(name, _)| *name);
    found.fold("x86_64".to_owned(), |found, name| found + " " + name)
}

#[cfg(not(target_arch = "x86_64"))]
fn cpu() -> String {
    std::env::consts::ARCH.to_owned()
}

/// Callgrind is told this name: it counts from entry to return.
#[inline(never)]
fn the_measured_part(case: &mut dyn Case, count: u64) {
    case.run(count);
}

/// The process under valgrind: runs one workload and says what it saw.
pub(crate) fn run_counted(workload: &Workload) {
    let mut case = workload.warm();
    let allocations = count_allocations(&mut *case, workload.counted);
    run_in_bursts(&mut *case, workload.counted, the_measured_part);
    println!("{allocations}\n{}", cpu());
}

/// Counts every workload and compares, or with `is_update` writes the baseline anew.
pub(crate) fn compare(workloads: &[Workload], is_update: bool) -> ExitCode {
    match counted(workloads).and_then(|now| judge(&now, is_update)) {
        Ok(code) => code,
        Err(reason) => {
            eprintln!("instructions: {reason}");
            ExitCode::from(2)
        }
    }
}

fn counted(workloads: &[Workload]) -> Result<Baseline, String> {
    let mut now = Baseline {
        made_with: MadeWith {
            rustc: version("rustc")?,
            valgrind: version("valgrind")?,
            cpu: String::new(),
        },
        workload: BTreeMap::new(),
    };
    for workload in workloads {
        let (count, cpu) = count(workload)?;
        now.made_with.cpu = cpu;
        now.workload.insert(workload.name.clone(), count);
    }
    Ok(now)
}

fn version(program: &str) -> Result<String, String> {
    let output = Command::new(program)
        .arg("--version")
        .output()
        .map_err(|error| format!("{program} is needed: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn count(workload: &Workload) -> Result<(Count, String), String> {
    let myself = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=*the_measured_part*")
        .arg(myself)
        .args(["--count", &workload.name])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        // What mimalloc gives back to the system would depend on how long things took.
        .env("MIMALLOC_PURGE_DELAY", "-1")
        .output()
        .map_err(|error| format!("valgrind is needed: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let failed = || format!("{}: no count; valgrind said:\n{said}", workload.name);
    let collected = said
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, number)| number.trim().parse::<u64>().ok())
        .filter(|number| output.status.success() && *number > 0)
        .ok_or_else(failed)?;
    let out = String::from_utf8_lossy(&output.stdout);
    let mut lines = out.lines();
    let allocations: u64 = lines.next().and_then(|line| line.parse().ok()).ok_or_else(failed)?;
    let per_operation = |sum: u64| sum as f64 / workload.counted as f64;
    let count =
        Count { instructions: per_operation(collected), allocations: per_operation(allocations) };
    Ok((count, lines.next().unwrap_or_default().to_owned()))
}

fn judge(now: &Baseline, is_update: bool) -> Result<ExitCode, String> {
    let path = Baseline::path();
    let was = Baseline::read(&path)?.unwrap_or_default();
    let is_comparable = print_makers(&was.made_with, &now.made_with);
    let failures = print_table(&was, now);
    if is_update {
        now.write(&path)?;
        println!("\nwritten: bench/instructions.toml");
        return Ok(ExitCode::SUCCESS);
    }
    if !is_comparable {
        return Err("this machine plays another processor than the baseline's, so its counts \
                    cannot be compared"
            .to_owned());
    }
    if failures == 0 {
        println!("\nno count grew by more than 5 %, nothing allocates more");
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "\n{failures} failed. If the change is meant to cost this: run .ci/instructions --update, \
         commit bench/instructions.toml with it and say why."
    );
    Ok(ExitCode::FAILURE)
}

/// Says where the baseline was made with other tools; false where its counts mean nothing here.
fn print_makers(was: &MadeWith, now: &MadeWith) -> bool {
    for (what, was, now) in [
        ("rustc", &was.rustc, &now.rustc),
        ("valgrind", &was.valgrind, &now.valgrind),
        ("cpu", &was.cpu, &now.cpu),
    ] {
        if was == now {
            println!("{what}: {now}");
        } else {
            println!("{what}: {now}  BUT the baseline was made with: {was}");
        }
    }
    was.cpu == now.cpu
}

fn print_table(was: &Baseline, now: &Baseline) -> usize {
    println!("\n{:34} {:>12} {:>12} {:>7} {:>7}", "workload", "old", "new", "ratio", "allocs");
    let mut failures = 0;
    for (name, count) in &now.workload {
        let verdict = was.judge(name, *count);
        failures += usize::from(verdict.is_failure());
        let Count { instructions, allocations } = *count;
        let (old, ratio) = match was.workload.get(name) {
            Some(old) => (
                format!("{:.1}", old.instructions),
                format!("{:.4}", instructions / old.instructions),
            ),
            None => ("-".to_owned(), "-".to_owned()),
        };
        println!(
            "{name:34} {old:>12} {instructions:>12.1} {ratio:>7} {allocations:>7.2}  {}",
            verdict.word()
        );
    }
    for name in was.workload.keys().filter(|name| !now.workload.contains_key(*name)) {
        failures += 1;
        println!("{name:34} is in the baseline but no longer counted");
    }
    failures
}
