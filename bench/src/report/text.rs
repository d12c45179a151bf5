//! A run's figures for a terminal, and as rows of a Markdown table.

use std::fmt::Write as _;

use super::result::{AgainstSide, Block, RunResult, Step, UnrulySide};
use crate::compare::text as ratio_text;
use crate::fleet::latency::{Percentiles, time};
use crate::fleet::meter::Counts;

/// The run in a screenful.
pub fn summary(run: &RunResult) -> String {
    let mut out = String::new();
    let machine = &run.machine;
    let _ = writeln!(out, "{} against {}: {}", run.scenario, run.contender, run.config.title);
    let _ = writeln!(
        out,
        "  {} x {}, kernel {}, {}, commit {}",
        machine.cores,
        machine.processor,
        machine.kernel,
        machine.congestion_control,
        machine.commit
    );
    for step in &run.steps {
        describe(&mut out, step);
    }
    if !run.config.steps.rates.is_empty() {
        let _ = match run.sustained() {
            Some(step) => {
                let rate = step.median(|block| Some(block.deliveries_per_second)).unwrap_or(0.0);
                writeln!(
                    out,
                    "  sustained   {rate:.0} deliveries/s, p99 {}",
                    time(step.latency.p99_us)
                )
            }
            None => writeln!(out, "  sustained   none of the rates"),
        };
    }
    if let Some(against) = &run.against {
        out.push_str(&related(against));
    }
    for figure in run.floor.iter().flatten() {
        let _ = writeln!(
            out,
            "  floor       {:<28} {:>3} a record: {:>7.0} ns, {:.2} s per million",
            figure.name, figure.messages, figure.ns, figure.cpu_seconds_per_million
        );
    }
    if let Some(ratio) = floor_ratio(run) {
        let _ = writeln!(out, "  to floor    {ratio:.2} x the processor time of seal + send");
    }
    out
}

/// How a run relates to its baseline.
pub fn related(against: &AgainstSide) -> String {
    let (before, after) = against.p99_9_us;
    let step =
        if against.step.is_empty() { String::new() } else { format!(" at {}", against.step) };
    let mut out =
        ratio_text(&format!("  by {}{step}, medians of blocks", against.name), &against.ratios);
    let aim = against.p99_9_ratio_max.map_or(String::new(), |max| {
        let word = if against.p99_9_ratio <= max { "met" } else { "not met" };
        format!(", aim {max}: {word}")
    });
    let _ = writeln!(
        out,
        "  p99.9 of all blocks: {} by {} of {}: ratio {:.3}{aim}",
        time(after),
        time(before),
        against.name,
        against.p99_9_ratio
    );
    if let Some((before, after)) = against.sustained_per_second {
        let _ = writeln!(
            out,
            "  sustained {after:.0} deliveries/s by {before:.0} of {}: ratio {:.3}",
            against.name,
            after / before
        );
    }
    out
}

/// Processor time per delivery by that of a bare seal and send with as many messages a record.
pub fn floor_ratio(run: &RunResult) -> Option<f64> {
    let step = run.steps.first()?;
    let cost = step.median(|block| block.server.cpu_seconds_per_million)?;
    // A server that does not say how it gathers is judged by what its reads brought: its sends held
    // at most so many, so the ratio is no less than that.
    let per_read = || step.median(|block| Some(block.load.messages_per_read));
    let told = step.median(|block| block.server.messages_per_record);
    let gathered = told.or_else(per_read).unwrap_or(1.0).clamp(1.0, 64.0);
    let floor: Vec<_> =
        run.floor.iter().flatten().filter(|one| one.name == "seal+send, bare").collect();
    // Between two measured sizes, along the straight line of cost per record.
    let after = floor.iter().find(|one| f64::from(one.messages) >= gathered)?;
    let before =
        floor.iter().rev().find(|one| f64::from(one.messages) <= gathered).unwrap_or(after);
    let (low, high) = (f64::from(before.messages), f64::from(after.messages));
    let part = if high > low { (gathered - low) / (high - low) } else { 0.0 };
    let record_ns = before.ns + part * (after.ns - before.ns);
    Some(cost / (record_ns / gathered / 1000.0))
}

fn describe(out: &mut String, step: &Step) {
    if !step.label.is_empty() {
        let _ = writeln!(out, "  -- {}", step.label);
    }
    let _ = writeln!(out, "  latency     {}", step.latency);
    for (at, block) in step.blocks.iter().enumerate() {
        let _ = writeln!(out, "  block {:<5} {}", at + 1, block_line(block));
        if step.blocks.len() == 1 || block.counts.merged + block.counts.announced_missing > 0 {
            let _ = writeln!(out, "              {}", numbers(&block.counts));
        }
        describe_remarks(out, block);
    }
    let Some(block) = step.blocks.last() else { return };
    describe_sides(out, block);
    if let Some(unruly) = &block.unruly {
        describe_unruly(out, unruly);
    }
    if let Some(hostile) = &block.hostile {
        for (at, line) in hostile.lines(block.seconds).into_iter().enumerate() {
            let head = if at == 0 { "hostile" } else { "" };
            let _ = writeln!(out, "  {head:<12}{line}");
        }
    }
}

fn describe_remarks(out: &mut String, block: &Block) {
    if block.counts.turned_away > 0 {
        let _ = writeln!(
            out,
            "              {} times a session was turned away at the door, and came again",
            block.counts.turned_away
        );
    }
    let groups = [("INVALID", &block.invalid), ("marked", &block.marked), ("FAULT", &block.faults)];
    for (word, reasons) in groups {
        for reason in reasons {
            let left_out = if block.excluded { " (excluded)" } else { "" };
            let _ = writeln!(out, "              {word}: {reason}{left_out}");
        }
    }
    if let Some(trouble) = &block.trouble {
        let _ = writeln!(out, "              first trouble: {trouble}");
    }
}

/// What the server and the load side took.
fn describe_sides(out: &mut String, block: &Block) {
    let server = &block.server;
    let _ = writeln!(
        out,
        "  server      {:.1} KiB a session, {} -> {} -> {} KiB{}",
        server.resident_kib_per_session,
        server.resident_kib_alone,
        server.resident_kib_with_fleet,
        server.resident_kib_end,
        server.messages_per_record.map_or(String::new(), |per| format!(
            ", {per:.2} messages a record, {:.2} a send",
            server.messages_per_send.unwrap_or(0.0)
        ))
    );
    let load: Vec<String> = block.load.cpu_pct.iter().map(|pct| format!("{pct:.0} %")).collect();
    let _ = writeln!(
        out,
        "  load side   {}{} of a core, feed {:.0} %, turns p99 {}; feed late p99 {} (whole block \
         {}, max {}); {:.0} bytes a delivery",
        if block.load.processes > 1 {
            format!("{} processes, ", block.load.processes)
        } else {
            String::new()
        },
        load.join(" + "),
        block.feed.cpu_pct,
        time(block.load.turns.p99_us),
        time(block.feed.p99_us()),
        time(block.feed.late_p99_us),
        time(block.feed.late_max_us),
        block.load.bytes_per_delivery
    );
}

fn describe_unruly(out: &mut String, unruly: &UnrulySide) {
    let slowest = unruly.rounds_ms.iter().copied().fold(0.0, f64::max);
    let _ = writeln!(
        out,
        "  unruly      {} sessions, {} acts; back after p50 {} max {}; {} rounds, slowest \
         {slowest:.0} ms; {} away at the end",
        unruly.sessions,
        unruly.acts,
        time(unruly.back.p50_us),
        time(unruly.back.max_us),
        unruly.rounds_ms.len(),
        unruly.away_at_end
    );
    if let Some(pct) = unruly.recovered_pct() {
        let (recovered, resumes) = (unruly.recovered, unruly.resumes);
        let _ = writeln!(out, "              {pct:.1} % recovered: {recovered} of {resumes}");
    }
    let _ = writeln!(out, "              {}", numbers(&unruly.counts));
}

/// What became of the ticks, where frames are numbered.
pub(super) fn numbers(counts: &Counts) -> String {
    let Counts { deliveries, merged, announced_missing, lost, .. } = counts;
    format!(
        "{deliveries} deliveries, {merged} merged, {announced_missing} announced missed, {lost} \
         lost"
    )
}

fn block_line(block: &Block) -> String {
    let cost = block.server.cpu_seconds_per_million;
    format!(
        "{:>9.0} deliveries/s  p50 {}  p99 {}  p99.9 {}  max {}  {} lost  {}",
        block.deliveries_per_second,
        time(block.latency.p50_us),
        time(block.latency.p99_us),
        time(block.latency.p99_9_us),
        time(block.latency.max_us),
        block.counts.lost,
        cost.map_or_else(String::new, |cost| format!("{cost:.2} cpu-s/M")),
    )
}

/// The Markdown table of some runs.
pub fn table(runs: &[RunResult]) -> String {
    let mut out = "| scenario | server | deliveries/s | p50 | p99 | p99.9 | p99.99 | max | lost | \
         CPU s/M | x floor | messages a record | KiB a session | notes |\n\
         |---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|\n"
        .to_owned();
    for run in runs {
        for step in &run.steps {
            row(&mut out, run, step);
        }
    }
    out
}

fn row(out: &mut String, run: &RunResult, step: &Step) {
    let number = |figure: Option<f64>, digits: usize| {
        figure.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
    };
    let scenario = if step.label.is_empty() {
        run.scenario.clone()
    } else {
        format!("{} ({})", run.scenario, step.label)
    };
    let p = |pick: fn(&Percentiles) -> f64| time(pick(&step.latency));
    let lost: u64 = step.counting().map(|block| block.counts.lost).sum();
    let mut notes: Vec<String> =
        step.counting().flat_map(|one| one.invalid.iter().chain(&one.faults)).cloned().collect();
    notes.sort();
    notes.dedup();
    let marked = step.blocks.iter().filter(|block| !block.marked.is_empty()).count();
    if marked > 0 {
        notes.push(format!("{marked} of {} blocks noisy", step.blocks.len()));
    }
    let ratio = if run.steps.len() == 1 { floor_ratio(run) } else { None };
    let _ = writeln!(
        out,
        "| {scenario} | {} | {} | {} | {} | {} | {} | {} | {lost} | {} | {} | {} | {} | {} |",
        run.contender,
        number(step.median(|block| Some(block.deliveries_per_second)), 0),
        p(|told| told.p50_us),
        p(|told| told.p99_us),
        p(|told| told.p99_9_us),
        p(|told| told.p99_99_us),
        p(|told| told.max_us),
        number(step.median(|block| block.server.cpu_seconds_per_million), 2),
        number(ratio, 2),
        number(step.median(|block| block.server.messages_per_record), 2),
        number(step.median(|block| Some(block.server.resident_kib_per_session)), 1),
        notes.join("; "),
    );
}
