//! What stands first: title, badges and tiles of one run, or a row for each of several.

use std::fmt::Write as _;

use super::grouped;
use crate::fleet::latency::time;
use crate::report::chart::escape;
use crate::report::result::{Block, RunResult, Step};
use crate::report::text::{floor_ratio, related};

fn badges(out: &mut String, run: &RunResult) {
    let blocks = || run.steps.iter().flat_map(Step::counting);
    let rising = !run.config.steps.rates.is_empty();
    let mut badge = |class: &str, text: &str| {
        let _ = write!(out, "<span class=\"badge {class}\">{text}</span>");
    };
    if blocks().any(|block| !block.invalid.is_empty()) && !rising {
        badge("bad", "invalid: load side or feed was the limit");
    } else {
        badge("good", "load side kept up");
    }
    if blocks().any(|block| !block.faults.is_empty()) && !rising {
        badge("bad", "the server lost or refused something");
    } else {
        badge("good", "nothing lost");
    }
    let all: Vec<&Block> = run.steps.iter().flat_map(|step| &step.blocks).collect();
    let noisy = all.iter().filter(|block| !block.marked.is_empty()).count();
    let out_of = all.iter().filter(|block| block.excluded).count();
    if noisy > 0 {
        let left = if out_of > 0 { format!(", {out_of} excluded") } else { String::new() };
        badge("warn", &format!("{noisy} of {} blocks noisy{left}", all.len()));
    }
}

pub(super) fn single_head(out: &mut String, run: &RunResult) {
    let _ = write!(
        out,
        "<p class=\"sub\">{}. {}, commit {}</p>",
        escape(&run.config.title),
        escape(&run.began),
        escape(&run.machine.commit)
    );
    badges(out, run);
    let chosen = if run.config.steps.rates.is_empty() {
        run.steps.first()
    } else {
        run.sustained().or(run.steps.first())
    };
    let Some(step) = chosen else { return };
    out.push_str("<div class=\"tiles\">");
    let mut tile = |name: &str, value: String| {
        let _ = write!(out, "<div class=\"tile\"><b>{value}</b><span>{name}</span></div>");
    };
    if !step.label.is_empty() {
        tile("figures of", escape(&step.label));
    }
    for (name, micros) in step.latency.named() {
        tile(name, time(micros));
    }
    let rate = step.median(|block| Some(block.deliveries_per_second)).unwrap_or(0.0);
    tile("deliveries/s", grouped(rate));
    let sum = |pick: fn(&Block) -> u64| step.counting().map(pick).sum::<u64>();
    tile("lost", grouped(sum(|block| block.counts.lost) as f64));
    tile("out of order", grouped(sum(|block| block.counts.out_of_order) as f64));
    if run.config.fleet.sequences {
        tile("merged", grouped(sum(|block| block.counts.merged) as f64));
        tile("announced missed", grouped(sum(|block| block.counts.announced_missing) as f64));
    }
    let optional = [
        ("CPU s per million", step.median(|block| block.server.cpu_seconds_per_million), 2),
        ("x floor's CPU", floor_ratio(run), 2),
        ("messages a record", step.median(|block| block.server.messages_per_record), 2),
        ("messages a send", step.median(|block| block.server.messages_per_send), 2),
        ("KiB a session", step.median(|one| Some(one.server.resident_kib_per_session)), 1),
    ];
    for (name, value, digits) in optional {
        if let Some(value) = value {
            tile(name, format!("{value:.digits$}"));
        }
    }
    let load = step.median(|block| Some(block.load.cpu_pct.iter().copied().fold(0.0, f64::max)));
    tile("load side's core", format!("{:.0} %", load.unwrap_or(0.0)));
    out.push_str("</div>");
    against(out, run);
}

/// How the run relates to the variant that was played in turn with it.
pub(super) fn against(out: &mut String, run: &RunResult) {
    if let Some(against) = &run.against {
        let _ = write!(out, "<pre>{}</pre>", escape(&related(against)));
    }
}

pub(super) fn many_head(out: &mut String, runs: &[RunResult]) {
    if let Some(first) = runs.first() {
        let _ = write!(
            out,
            "<p class=\"sub\">{}. {}</p>",
            escape(&first.config.title),
            escape(&first.began)
        );
    }
    out.push_str(
        "<div class=\"scroll\"><table><tr><th>run</th><th>deliveries/s</th><th>p50</th>\
         <th>p90</th><th>p99</th>\
         <th>p99.9</th><th>p99.99</th><th>max</th><th>lost</th><th>CPU s/M</th><th>msg/record</th>\
         <th>KiB/session</th><th>load core</th></tr>",
    );
    for run in runs {
        for step in &run.steps {
            let number = |value: Option<f64>, digits: usize| {
                value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
            };
            let told = &step.latency;
            let _ = write!(
                out,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
                 <td>{}</td>\
                 <td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{} %</td></tr>",
                escape(&name_of(run, step, runs)),
                grouped(step.median(|block| Some(block.deliveries_per_second)).unwrap_or(0.0)),
                time(told.p50_us),
                time(told.p90_us),
                time(told.p99_us),
                time(told.p99_9_us),
                time(told.p99_99_us),
                time(told.max_us),
                step.counting().map(|block| block.counts.lost).sum::<u64>(),
                number(step.median(|block| block.server.cpu_seconds_per_million), 2),
                number(step.median(|block| block.server.messages_per_record), 2),
                number(step.median(|block| Some(block.server.resident_kib_per_session)), 1),
                number(
                    step.median(|one| Some(one.load.cpu_pct.iter().copied().fold(0.0, f64::max))),
                    0
                ),
            );
        }
    }
    out.push_str("</table></div>");
}

pub(super) fn name_of(run: &RunResult, step: &Step, runs: &[RunResult]) -> String {
    let mut name = run.contender.clone();
    if runs.iter().any(|one| one.scenario != run.scenario) {
        name = format!("{} {name}", run.scenario);
    }
    if !step.label.is_empty() {
        name = if runs.len() == 1 { step.label.clone() } else { format!("{name} {}", step.label) };
    }
    name
}
