//! The table of a run's blocks, each with what is remarkable about it, and its unruly sessions.

use std::fmt::Write as _;

use super::grouped;
use crate::fleet::latency::time;
use crate::hostile::told::HostileSide;
use crate::report::chart::escape;
use crate::report::result::{Block, RunResult, UnrulySide};
use crate::report::text::numbers;

pub(super) fn blocks(out: &mut String, run: &RunResult) {
    out.push_str(
        "<div class=\"scroll\"><table><tr><th>block</th><th>deliveries/s</th><th>p50</th>\
         <th>p99</th><th>p99.9</th><th>max</th><th>lost</th><th>CPU s/M</th><th>msg/record</th>\
         <th>load core</th><th>turns p99</th><th>feed late</th><th>others</th></tr>",
    );
    for step in &run.steps {
        for (at, block) in step.blocks.iter().enumerate() {
            let gap = if step.label.is_empty() { "" } else { " " };
            row(out, &format!("{}{gap}{}", escape(&step.label), at + 1), block);
        }
    }
    out.push_str("</table></div>");
    let sides =
        run.steps.iter().flat_map(|step| &step.blocks).filter_map(|one| one.unruly.as_ref());
    sides.for_each(|side| unruly(out, side));
    hostile(out, run);
}

/// What became of the hostile sessions in all blocks together.
fn hostile(out: &mut String, run: &RunResult) {
    let blocks = run.steps.iter().flat_map(|step| &step.blocks);
    let attacked = blocks.filter_map(|block| Some((block.seconds, block.hostile.as_ref()?)));
    let (seconds, sides): (Vec<_>, Vec<_>) = attacked.unzip();
    let Some(all) = HostileSide::together(sides) else { return };
    let summary = all.summary(seconds.iter().sum());
    let _ = write!(
        out,
        "<p class=\"sub after\">Hostile, all blocks together: {}.</p><div class=\"scroll\"><table>\
         <tr><th>what they do</th><th>sessions</th><th>attempts</th>\
         <th class=\"w\">how these ended</th></tr>",
        escape(&summary)
    );
    for side in &all.kinds {
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"w\">{}</td></tr>",
            side.kind.name(),
            side.sessions,
            side.attempts,
            escape(&side.ended())
        );
    }
    out.push_str("</table></div>");
}

fn row(out: &mut String, label: &str, block: &Block) {
    let number = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.2}"));
    let class = if block.excluded { " class=\"out\"" } else { "" };
    let _ = write!(
        out,
        "<tr{class}><td>{label}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
         <td>{}</td><td>{}</td><td>{}</td><td>{:.0} %</td><td>{}</td><td>{}</td><td>{:.0} %</td>\
         </tr>",
        grouped(block.deliveries_per_second),
        time(block.latency.p50_us),
        time(block.latency.p99_us),
        time(block.latency.p99_9_us),
        time(block.latency.max_us),
        block.counts.lost,
        number(block.server.cpu_seconds_per_million),
        number(block.server.messages_per_record),
        block.load.cpu_pct.iter().copied().fold(0.0, f64::max),
        time(block.load.turns.p99_us),
        time(block.feed.p99_us()),
        block.foreign_cpu_pct,
    );
    let mut remarks = String::new();
    let groups = [("bad", &block.faults), ("bad", &block.invalid), ("warn", &block.marked)];
    for (class, words) in groups {
        for word in words {
            let _ = write!(remarks, "<span class=\"{class}\">{}</span>", escape(word));
        }
    }
    if !remarks.is_empty() {
        let _ = write!(out, "<tr class=\"r\"><td class=\"w\" colspan=\"13\">{remarks}</td></tr>");
    }
}

fn unruly(out: &mut String, side: &UnrulySide) {
    let slowest = side.rounds_ms.iter().copied().fold(0.0, f64::max);
    let _ = write!(
        out,
        "<p class=\"sub\">Unruly: {} sessions, {} acts; back after p50 {}, max {}; {} rounds, \
         the slowest {}; {} away at the end{}. {}.</p>",
        side.sessions,
        side.acts,
        time(side.back.p50_us),
        time(side.back.max_us),
        side.rounds_ms.len(),
        time(slowest * 1000.0),
        side.away_at_end,
        side.recovered_pct().map_or(String::new(), |pct| format!("; {pct:.1} % recovered")),
        numbers(&side.counts)
    );
}
