//! Each station of a tick's way by itself: time, bytes, allocations and instructions per operation.
//!
//! ```text
//!   venue --> decode --> ingest --> ring --> fan_out --> encode --> seal --> dashboard
//!             bytes to   the whole  in and   fold, find,  one        TLS
//!             events     of ingest  out      gather       frame      record
//!                                               ^
//!                                            subscribe: a request, its acks and snapshots
//! ```
//!
//! One thread, inputs made here (see `fixtures`), nothing sent and nobody waiting: costs, not
//! latencies.
//! `cargo bench -p gateway --bench micro` times everything; `-- TEXT` only workloads whose names
//! hold it; `-- --json` for machines; `-- --instructions [--update]` counts and compares (see
//! `instructions`).
#![allow(clippy::print_stdout, missing_docs, reason = "a benchmark prints its table")]

mod baseline;
mod case;
mod decode;
mod encode;
mod fan_out;
mod fixtures;
mod ingest;
mod instructions;
mod messages;
mod recorded;
mod ring;
mod seal;
mod shard;
mod subscribe;
mod timing;

use std::process::ExitCode;

use crate::case::Workload;
use crate::timing::Figures;

fn workloads() -> Vec<Workload> {
    let mut all = Vec::new();
    decode::workloads(&mut all);
    ingest::workloads(&mut all);
    ring::workloads(&mut all);
    fan_out::workloads(&mut all);
    encode::workloads(&mut all);
    seal::workloads(&mut all);
    subscribe::workloads(&mut all);
    all
}

fn print_table(figures: &[Figures]) {
    println!(
        "{:38} {:>11} {:>11} {:>10} {:>7}",
        "per operation", "ns minimum", "ns median", "bytes", "allocs"
    );
    for Figures { name, ns_min, ns_median, bytes, allocations } in figures {
        println!("{name:38} {ns_min:11.1} {ns_median:11.1} {bytes:10.0} {allocations:7.2}");
    }
}

fn print_json(figures: &[Figures]) {
    for Figures { name, ns_min, ns_median, bytes, allocations } in figures {
        println!(
            "{{\"name\":\"{name}\",\"ns_min\":{ns_min:.2},\"ns_median\":{ns_median:.2},\
             \"bytes\":{bytes:.1},\"allocations\":{allocations:.3}}}"
        );
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let mut workloads = workloads();
    if has("--count") {
        let Some(workload) = workloads.iter().find(|workload| has(&workload.name)) else {
            return ExitCode::from(2);
        };
        instructions::run_counted(workload);
        return ExitCode::SUCCESS;
    }
    if has("--instructions") {
        return instructions::compare(&workloads, has("--update"));
    }
    decode::recorded_workloads(&mut workloads);
    let wanted: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    workloads.retain(|w| wanted.is_empty() || wanted.iter().any(|text| w.name.contains(*text)));
    let figures = timing::measure(&workloads);
    if has("--json") {
        print_json(&figures);
    } else {
        print_table(&figures);
    }
    ExitCode::SUCCESS
}
