//! Line charts as inline SVG: axes in round numbers, lines, bands and bars, with the colours of the
//! page's style sheet. Pure text in, text out.

use std::fmt::Write as _;

/// How an axis runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Evenly, from nothing to the largest.
    Linear,
    /// By powers of ten.
    Log,
}

/// A line of points.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// For legend and tooltips.
    pub name: String,
    /// Which colour of the style sheet, counted from 0.
    pub colour: usize,
    /// Drawn dashed.
    pub dashed: bool,
    /// In the units of the axes.
    pub points: Vec<(f64, f64)>,
}

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Above it.
    pub title: String,
    /// Height in pixels; the width is always the page's.
    pub height: f64,
    /// How x runs.
    pub x: Scale,
    /// How y runs.
    pub y: Scale,
    /// Writes a value of x.
    pub x_label: fn(f64) -> String,
    /// Writes a value of y.
    pub y_label: fn(f64) -> String,
    /// Lines, later ones on top.
    pub lines: Vec<Line>,
    /// Bars from the ground, all of one width, such as hiccups.
    pub bars: Vec<(f64, f64)>,
    /// Vertical rules with a word each, such as where blocks begin.
    pub rules: Vec<(f64, String)>,
    /// A horizontal rule, such as a limit.
    pub limit: Option<f64>,
}

const WIDTH: f64 = 1060.0;
const LEFT: f64 = 74.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 28.0;

struct Axis {
    scale: Scale,
    from: f64,
    to: f64,
    begin: f64,
    length: f64,
}

impl Axis {
    fn at(&self, value: f64) -> f64 {
        let part = match self.scale {
            Scale::Linear => (value - self.from) / (self.to - self.from),
            Scale::Log => {
                (value.max(self.from) / self.from).log10() / (self.to / self.from).log10()
            }
        };
        self.begin + part * self.length
    }

    /// Values worth a grid line, and whether each is worth a label.
    fn ticks(&self) -> Vec<(f64, bool)> {
        match self.scale {
            Scale::Linear => {
                let step = round_step((self.to - self.from) / 6.0);
                let first = (self.from / step).ceil() as i64;
                let last = (self.to / step + 1e-9).floor() as i64;
                (first..=last).map(|at| (at as f64 * step, true)).collect()
            }
            Scale::Log => {
                let (first, last) =
                    (self.from.log10().floor() as i32, self.to.log10().ceil() as i32);
                let few = last - first <= 2;
                let decades = (first..=last).map(|power| 10f64.powi(power));
                let all = decades
                    .flat_map(|ten| (1..10).map(move |times| (ten * f64::from(times), times)));
                all.filter(|(value, _)| (self.from * 0.999..=self.to * 1.001).contains(value))
                    .map(|(value, times)| (value, times == 1 || few && (times == 2 || times == 5)))
                    .collect()
            }
        }
    }
}

fn round_step(rough: f64) -> f64 {
    let ten = 10f64.powf(rough.max(1e-12).log10().floor());
    let step = [1.0, 2.0, 5.0].into_iter().find(|times| ten * times >= rough);
    step.unwrap_or(10.0) * ten
}

impl Chart {
    /// The chart as an `<svg>` element.
    pub fn svg(&self) -> String {
        let (x, y) = self.axes();
        let mut out = format!(
            "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{}\">",
            self.height,
            escape(&self.title)
        );
        let _ =
            write!(out, "<text class=\"t\" x=\"{LEFT}\" y=\"16\">{}</text>", escape(&self.title));
        self.legend(&mut out);
        self.grid(&mut out, &x, &y);
        let width = (x.length / self.bars.len().max(1) as f64 * 0.8).max(1.0);
        for (at, value) in &self.bars {
            let top = y.at(*value);
            let _ = write!(
                out,
                "<rect class=\"bar\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
                 height=\"{:.1}\">\
                 <title>{}: {}</title></rect>",
                x.at(*at),
                (y.begin - top).max(0.5),
                (self.x_label)(*at),
                (self.y_label)(*value)
            );
        }
        if let Some(limit) = self.limit.filter(|limit| (y.from..=y.to).contains(limit)) {
            let at = y.at(limit);
            let _ = write!(
                out,
                "<path class=\"limit\" d=\"M{LEFT} {at:.1}H{}\"><title>limit {}</title></path>",
                WIDTH - RIGHT,
                (self.y_label)(limit)
            );
        }
        for line in &self.lines {
            draw(&mut out, line, &x, &y);
        }
        out.push_str("</svg>");
        out
    }

    fn axes(&self) -> (Axis, Axis) {
        let points = || self.lines.iter().flat_map(|line| &line.points).chain(&self.bars);
        let bounds = |scale: Scale, values: &mut dyn Iterator<Item = f64>| {
            let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
            for value in values.filter(|value| value.is_finite()) {
                if scale == Scale::Linear || value > 0.0 {
                    low = low.min(value);
                }
                high = high.max(value);
            }
            match scale {
                Scale::Linear => (0.0, if high > 0.0 { high * 1.08 } else { 1.0 }),
                Scale::Log if low.is_finite() => {
                    let high = high.max(low * 2.0);
                    (
                        10f64.powf((low.log10() * 4.0).floor() / 4.0),
                        10f64.powf((high.log10() * 4.0).ceil() / 4.0),
                    )
                }
                Scale::Log => (1.0, 10.0),
            }
        };
        let (x_from, x_to) = bounds(self.x, &mut points().map(|(at, _)| *at));
        let (y_from, y_to) = bounds(self.y, &mut points().map(|(_, value)| *value));
        // Time ends where the last slice does, not in a round number beyond.
        let x_to = if self.x == Scale::Linear { x_to / 1.08 * 1.01 } else { x_to };
        let x = Axis {
            scale: self.x,
            from: x_from,
            to: x_to,
            begin: LEFT,
            length: WIDTH - LEFT - RIGHT,
        };
        let ground = self.height - BOTTOM;
        let y = Axis { scale: self.y, from: y_from, to: y_to, begin: ground, length: TOP - ground };
        (x, y)
    }

    fn grid(&self, out: &mut String, x: &Axis, y: &Axis) {
        let (right, ground) = (WIDTH - RIGHT, self.height - BOTTOM);
        for (value, labelled) in y.ticks() {
            let at = y.at(value);
            let class = if labelled { "g" } else { "g f" };
            let _ = write!(out, "<path class=\"{class}\" d=\"M{LEFT} {at:.1}H{right}\"/>");
            if labelled {
                let label = (self.y_label)(value);
                let _ = write!(
                    out,
                    "<text class=\"l e\" x=\"{}\" y=\"{:.1}\">{label}</text>",
                    LEFT - 8.0,
                    at + 4.0
                );
            }
        }
        for (value, labelled) in x.ticks() {
            let at = x.at(value);
            let class = if labelled { "g" } else { "g f" };
            let _ = write!(out, "<path class=\"{class}\" d=\"M{at:.1} {TOP}V{ground}\"/>");
            // A label that would hang over the edge is left out.
            if labelled && at < right - 14.0 {
                let label = (self.x_label)(value);
                let _ = write!(
                    out,
                    "<text class=\"l m\" x=\"{at:.1}\" y=\"{}\">{label}</text>",
                    ground + 18.0
                );
            }
        }
        for (value, word) in &self.rules {
            let at = x.at(*value);
            let _ = write!(
                out,
                "<path class=\"rule\" d=\"M{at:.1} {TOP}V{ground}\"/>\
                 <text class=\"l\" x=\"{:.1}\" y=\"{}\">{}</text>",
                at + 4.0,
                TOP + 11.0,
                escape(word)
            );
        }
    }

    fn legend(&self, out: &mut String) {
        let mut at = WIDTH - RIGHT;
        for line in self.lines.iter().rev().filter(|line| !line.name.is_empty()) {
            at -= line.name.chars().count() as f64 * 6.6 + 34.0;
            let dash = if line.dashed { " d" } else { "" };
            let _ = write!(
                out,
                "<path class=\"c{}{dash}\" d=\"M{at:.1} 12h18\"/>\
                 <text class=\"l\" x=\"{:.1}\" y=\"16\">{}</text>",
                line.colour,
                at + 23.0,
                escape(&line.name)
            );
        }
    }
}

fn draw(out: &mut String, line: &Line, x: &Axis, y: &Axis) {
    let mut path = String::new();
    let mut pen_down = false;
    for (at, value) in &line.points {
        // A gap stays a gap: nothing was delivered there.
        if !value.is_finite() || *value <= 0.0 && y.scale == Scale::Log {
            pen_down = false;
            continue;
        }
        let _ = write!(
            path,
            "{}{:.1} {:.1}",
            if pen_down { 'L' } else { 'M' },
            x.at(*at),
            y.at(*value)
        );
        pen_down = true;
    }
    let dash = if line.dashed { " d" } else { "" };
    let name = escape(&line.name);
    let _ = write!(
        out,
        "<path class=\"c{}{dash}\" d=\"{path}\"><title>{name}</title></path>",
        line.colour
    );
}

/// Text that is safe inside HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>) -> Chart {
        Chart {
            title: "a < b".into(),
            height: 200.0,
            x: Scale::Linear,
            y: Scale::Log,
            x_label: |value| format!("{value} s"),
            y_label: |value| format!("{value} us"),
            lines: vec![Line { name: "p99".into(), points, ..Line::default() }],
            bars: Vec::new(),
            rules: Vec::new(),
            limit: None,
        }
    }

    #[test]
    fn a_chart_keeps_all_points_inside_its_frame_and_escapes_its_words() {
        let svg = chart((1..100).map(|at| (f64::from(at), f64::from(at * at))).collect()).svg();
        assert!(svg.contains("a &lt; b") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn nothing_at_all_is_still_a_chart() {
        assert!(!chart(Vec::new()).svg().contains("NaN"));
        assert!(!chart(vec![(0.0, 0.0)]).svg().contains("NaN"));
    }

    #[test]
    fn steps_are_round() {
        assert!((round_step(0.7) - 1.0).abs() < 1e-12);
        assert!((round_step(13.0) - 20.0).abs() < 1e-12);
        assert!((round_step(0.0021) - 0.005).abs() < 1e-12);
    }
}
