//! The drawings: latency by percentile, and what happened over time.

use super::head::name_of;
use super::{figure, grouped};
use crate::fleet::latency::time;
use crate::report::chart::{Chart, Line, Scale};
use crate::report::result::{RunResult, Step};

/// Lines that differ in colour; further ones are dashed.
const COLOURS: usize = 8;

pub(super) fn percentile_chart(runs: &[RunResult]) -> Chart {
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

/// What happened over time: all blocks of all steps, one behind the other.
#[derive(Default)]
struct Tracks {
    p50: Vec<(f64, f64)>,
    p99: Vec<(f64, f64)>,
    max: Vec<(f64, f64)>,
    rate: Vec<(f64, f64)>,
    hiccups: Vec<(f64, f64)>,
    /// Where a block begins, and its name.
    rules: Vec<(f64, String)>,
}

impl Tracks {
    fn of(run: &RunResult) -> Self {
        let mut tracks = Self::default();
        let mut begin = 0.0;
        for step in &run.steps {
            for (at, block) in step.blocks.iter().enumerate() {
                let word = match (step.label.as_str(), step.blocks.len()) {
                    ("", _) => format!("block {}", at + 1),
                    (label, 1) => label.to_owned(),
                    (label, _) => format!("{label} #{}", at + 1),
                };
                tracks.rules.push((begin, word));
                for slice in &block.slices {
                    let x = begin + slice.at_s;
                    tracks.p50.push((x, slice.p50_us));
                    tracks.p99.push((x, slice.p99_us));
                    tracks.max.push((x, slice.max_us));
                    tracks.rate.push((x, slice.arrived_per_second));
                    tracks.hiccups.push((x, slice.hiccup_us));
                }
                let Self { p50, p99, max, rate, .. } = &mut tracks;
                // A pen that is lifted between blocks.
                for line in [p50, p99, max, rate] {
                    line.push((begin, f64::NAN));
                }
                begin += block.seconds;
            }
        }
        tracks
    }
}

pub(super) fn over_time(out: &mut String, run: &RunResult) {
    let Tracks { p50, p99, max, rate, hiccups, rules } = Tracks::of(run);
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
