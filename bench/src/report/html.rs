//! One page that shows a run, or several side by side: self-contained, without scripts and without
//! anything to be fetched.

use std::fmt::Write as _;

use super::chart::{Chart, escape};
use super::result::RunResult;

mod blocks;
mod charts;
mod head;

const STYLE: &str = include_str!("style.css");

/// The page of `runs`.
pub fn page(runs: &[RunResult]) -> String {
    let title = if let [one] = runs {
        format!("{} against {}", one.scenario, one.contender)
    } else {
        let mut names: Vec<&str> = runs.iter().map(|run| run.scenario.as_str()).collect();
        names.dedup();
        format!("{}: {} runs side by side", names.join(", "), runs.len())
    };
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{0}</title>\
         <style>{STYLE}</style></head><body><main><h1>{0}</h1>",
        escape(&title)
    );
    if let [run] = runs {
        head::single_head(&mut out, run);
    } else {
        head::many_head(&mut out, runs);
    }
    figure(
        &mut out,
        &charts::percentile_chart(runs),
        "Latency counts from when a tick was due, not from when it \
        was sent. Each step to the right is ten times rarer; both axes are logarithmic.",
    );
    for run in runs {
        if runs.len() > 1 {
            let _ = write!(
                out,
                "<h2>{} against {}</h2>",
                escape(&run.scenario),
                escape(&run.contender)
            );
        }
        if runs.len() > 1 {
            head::against(&mut out, run);
        }
        charts::over_time(&mut out, run);
        blocks::blocks(&mut out, run);
    }
    for run in &runs[..1.min(runs.len())] {
        machine(&mut out, run);
    }
    for run in runs {
        let config = toml::to_string(&run.config).unwrap_or_default();
        let _ = write!(
            out,
            "<details><summary>Scenario {} as it was run against {}</summary><pre>{}</pre>\
             </details>",
            escape(&run.scenario),
            escape(&run.contender),
            escape(&config)
        );
    }
    out.push_str("</main></body></html>\n");
    out
}

fn machine(out: &mut String, run: &RunResult) {
    let machine = &run.machine;
    let cores = &run.config.cores;
    let rows = [
        ("processor", format!("{} cores, {}", machine.cores, machine.processor)),
        ("memory", format!("{} MiB", grouped(machine.memory_mib as f64))),
        ("kernel", machine.kernel.clone()),
        ("congestion control", format!("{}, alike for all", machine.congestion_control)),
        ("commit", machine.commit.clone()),
        (
            "cores asked for",
            format!("server {:?}, load side {:?}, feed {:?}", cores.server, cores.load, cores.feed),
        ),
    ];
    out.push_str("<h2>Machine</h2><dl>");
    for (name, value) in rows {
        let _ = write!(out, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
    }
    out.push_str("</dl>");
    if let Some(floor) = &run.floor {
        out.push_str(
            "<h2>Floor of this machine, from the same run</h2><div class=\"scroll\"><table><tr>\
             <th>what</th>\
             <th>messages</th><th>ns each</th><th>CPU s per million messages</th></tr>",
        );
        for one in floor {
            let _ = write!(
                out,
                "<tr><td>{}</td><td>{}</td><td>{:.0}</td><td>{:.3}</td></tr>",
                escape(&one.name),
                one.messages,
                one.ns,
                one.cpu_seconds_per_million
            );
        }
        out.push_str("</table></div>");
    }
}

fn figure(out: &mut String, chart: &Chart, caption: &str) {
    let _ = write!(out, "<figure>{}", chart.svg());
    if !caption.is_empty() {
        let _ = write!(out, "<figcaption>{caption}</figcaption>");
    }
    out.push_str("</figure>");
}

/// A whole number with thin groups of three.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
