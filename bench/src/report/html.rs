//! One page that shows a run, or several side by side: self-contained, without scripts and without
//! anything to be fetched.

use std::fmt::Write as _;

use super::chart::{Chart, Line, Scale, escape};
use super::result::{Block, RunResult, Step};
use super::text::{floor_ratio, numbers, related, time};

const STYLE: &str = include_str!("style.css");
const COLOURS: usize = 8;

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
        single_head(&mut out, run);
    } else {
        many_head(&mut out, runs);
    }
    figure(
        &mut out,
        &percentile_chart(runs),
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
            against(&mut out, run);
        }
        over_time(&mut out, run);
        blocks(&mut out, run);
    }
    for run in &runs[..1.min(runs.len())] {
        machine(&mut out, run);
    }
    for run in runs {
        let config = toml::to_string(&run.config).unwrap_or_default();
        let _ = write!(
            out,
            "<details><summary>Scenario {} as it was run against {}</summary><pre>{}</pre></details>",
            escape(&run.scenario),
            escape(&run.contender),
            escape(&config)
        );
    }
    out.push_str("</main></body></html>\n");
    out
}

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

fn single_head(out: &mut String, run: &RunResult) {
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
    let told = &step.latency;
    let figures = [
        ("p50", told.p50_us),
        ("p90", told.p90_us),
        ("p99", told.p99_us),
        ("p99.9", told.p99_9_us),
        ("p99.99", told.p99_99_us),
        ("max", told.max_us),
    ];
    for (name, micros) in figures {
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
fn against(out: &mut String, run: &RunResult) {
    if let Some(against) = &run.against {
        let _ = write!(out, "<pre>{}</pre>", escape(&related(against)));
    }
}

fn many_head(out: &mut String, runs: &[RunResult]) {
    if let Some(first) = runs.first() {
        let _ = write!(
            out,
            "<p class=\"sub\">{}. {}</p>",
            escape(&first.config.title),
            escape(&first.began)
        );
    }
    out.push_str(
        "<div class=\"scroll\"><table><tr><th>run</th><th>deliveries/s</th><th>p50</th><th>p90</th><th>p99</th>\
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
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
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

fn name_of(run: &RunResult, step: &Step, runs: &[RunResult]) -> String {
    let mut name = run.contender.clone();
    if runs.iter().any(|one| one.scenario != run.scenario) {
        name = format!("{} {name}", run.scenario);
    }
    if !step.label.is_empty() {
        name = if runs.len() == 1 { step.label.clone() } else { format!("{name} {}", step.label) };
    }
    name
}

fn percentile_chart(runs: &[RunResult]) -> Chart {
    let steps: Vec<(&RunResult, &Step)> =
        runs.iter().flat_map(|run| run.steps.iter().map(move |step| (run, step))).collect();
    let lines = steps.iter().enumerate().map(|(at, (run, step))| Line {
        name: name_of(run, step, runs),
        colour: at % COLOURS,
        dashed: at >= COLOURS,
        points: step.curve.clone(),
    });
    Chart {
        title: "Latency by percentile".into(),
        height: 380.0,
        x: Scale::Log,
        y: Scale::Log,
        x_label: |rarity| match rarity.log10().round() as i32 {
            0 => "min".into(),
            1 => "90 %".into(),
            2 => "99 %".into(),
            nines => format!("99.{} %", "9".repeat((nines - 2).max(0) as usize)),
        },
        y_label: time,
        lines: lines.collect(),
        bars: Vec::new(),
        rules: Vec::new(),
        limit: None,
    }
}

/// All blocks of all steps, one behind the other.
fn over_time(out: &mut String, run: &RunResult) {
    let (mut p50, mut p99, mut max) = (Vec::new(), Vec::new(), Vec::new());
    let (mut rate, mut hiccups, mut rules) = (Vec::new(), Vec::new(), Vec::new());
    let mut begin = 0.0;
    for step in &run.steps {
        for (at, block) in step.blocks.iter().enumerate() {
            let word = match (step.label.as_str(), step.blocks.len()) {
                ("", _) => format!("block {}", at + 1),
                (label, 1) => label.to_owned(),
                (label, _) => format!("{label} #{}", at + 1),
            };
            rules.push((begin, word));
            for slice in &block.slices {
                let x = begin + slice.at_s;
                p50.push((x, slice.p50_us));
                p99.push((x, slice.p99_us));
                max.push((x, slice.max_us));
                rate.push((x, slice.arrived_per_second));
                hiccups.push((x, slice.hiccup_us));
            }
            // A pen that is lifted between blocks.
            for line in [&mut p50, &mut p99, &mut max, &mut rate] {
                line.push((begin, f64::NAN));
            }
            begin += block.seconds;
        }
    }
    let line = |name: &str, colour: usize, points: &[(f64, f64)]| Line {
        name: name.into(),
        colour,
        dashed: false,
        points: points.to_vec(),
    };
    let base = Chart {
        title: String::new(),
        height: 230.0,
        x: Scale::Linear,
        y: Scale::Log,
        x_label: |seconds| format!("{} s", (seconds * 1000.0).round() / 1000.0),
        y_label: time,
        lines: Vec::new(),
        bars: Vec::new(),
        rules,
        limit: None,
    };
    let latency = Chart {
        title: "Latency over time, by when ticks were due".into(),
        lines: vec![line("max", 1, &max), line("p99", 3, &p99), line("p50", 0, &p50)],
        ..base.clone()
    };
    let throughput = Chart {
        title: "Deliveries read each second".into(),
        height: 160.0,
        y: Scale::Linear,
        y_label: grouped,
        lines: vec![line("", 2, &rate)],
        ..base.clone()
    };
    let hiccups = Chart {
        title: "Hiccups: how late a thread was that only sleeps".into(),
        height: 140.0,
        y: Scale::Linear,
        bars: hiccups,
        limit: Some(run.config.limits.hiccup_ms * 1000.0),
        ..base
    };
    figure(out, &latency, "");
    figure(out, &throughput, "");
    figure(
        out,
        &hiccups,
        "What this track shows no server could have done better. Blocks above the red line \
        (or with other programs running) are marked.",
    );
}

fn blocks(out: &mut String, run: &RunResult) {
    out.push_str(
        "<div class=\"scroll\"><table><tr><th>block</th><th>deliveries/s</th><th>p50</th><th>p99</th><th>p99.9</th>\
         <th>max</th><th>lost</th><th>CPU s/M</th><th>msg/record</th><th>load core</th><th>turns p99</th>\
         <th>feed late</th><th>others</th></tr>",
    );
    for step in &run.steps {
        for (at, block) in step.blocks.iter().enumerate() {
            let number =
                |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.2}"));
            let mut remarks = String::new();
            let groups = [("bad", &block.faults), ("bad", &block.invalid), ("warn", &block.marked)];
            for (class, words) in groups {
                for word in words {
                    let _ = write!(remarks, "<span class=\"{class}\">{}</span>", escape(word));
                }
            }
            let class = if block.excluded { " class=\"out\"" } else { "" };
            let label =
                if step.label.is_empty() { String::new() } else { format!("{} ", step.label) };
            let _ = write!(
                out,
                "<tr{class}><td>{}{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
                 <td>{}</td><td>{:.0} %</td><td>{}</td><td>{}</td><td>{:.0} %</td></tr>",
                escape(&label),
                at + 1,
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
            if !remarks.is_empty() {
                let _ = write!(
                    out,
                    "<tr class=\"r\"><td class=\"w\" colspan=\"13\">{remarks}</td></tr>"
                );
            }
        }
    }
    out.push_str("</table></div>");
    let unruly =
        run.steps.iter().flat_map(|step| &step.blocks).filter_map(|one| one.unruly.as_ref());
    for side in unruly {
        let slowest = side.rounds_ms.iter().copied().fold(0.0, f64::max);
        let _ = write!(
            out,
            "<p class=\"sub\">Unruly: {} sessions, {} acts; back after p50 {}, max {}; {} rounds, the slowest {}; \
             {} away at the end{}. {}.</p>",
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
            "<h2>Floor of this machine, from the same run</h2><div class=\"scroll\"><table><tr><th>what</th>\
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
