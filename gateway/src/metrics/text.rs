//! Prometheus' text format 0.0.4, as far as this gateway needs it.
//!
//! The writer keeps its rules: one HELP and one TYPE line a metric, its samples right behind them,
//! label values escaped. Source of the format:
//! `prometheus.io/docs/instrumenting/exposition_formats`.

use std::fmt::Write as _;

use super::cell::Cell;
use super::label::{Family, Label};

/// A label of one sample.
pub(super) type Pair<'a> = (&'a str, &'a str);

/// The text so far.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    /// Begins a metric; its samples follow.
    pub(super) fn metric<'a>(
        &'a mut self,
        name: &'a str,
        kind: &'static str,
        help: &str,
    ) -> Samples<'a> {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Samples { out: &mut self.0, name }
    }

    /// The whole text.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// The samples of one metric.
pub(super) struct Samples<'a> {
    out: &'a mut String,
    name: &'a str,
}

impl Samples<'_> {
    /// One sample.
    pub(super) fn sample(&mut self, labels: &[Pair<'_>], value: impl std::fmt::Display) {
        self.suffixed("", labels, value);
    }

    /// One sample whose name has a suffix: the parts of a histogram.
    pub(super) fn suffixed(
        &mut self,
        suffix: &str,
        labels: &[Pair<'_>],
        value: impl std::fmt::Display,
    ) {
        self.out.push_str(self.name);
        self.out.push_str(suffix);
        for (at, (key, text)) in labels.iter().enumerate() {
            self.out.push(if at == 0 { '{' } else { ',' });
            self.out.push_str(key);
            self.out.push_str("=\"");
            escape(text, self.out);
            self.out.push('"');
        }
        if !labels.is_empty() {
            self.out.push('}');
        }
        let _ = writeln!(self.out, " {value}");
    }

    /// One sample for each value of a closed set, behind the labels they share.
    pub(super) fn family<L: Label, C: Cell>(&mut self, shared: &[Pair<'_>], cells: &Family<L, C>) {
        for &label in L::ALL {
            let mut labels = shared.to_vec();
            labels.push((L::KEY, label.word()));
            self.sample(&labels, cells.of(label).read());
        }
    }
}

fn escape(text: &str, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_value_cannot_break_out_of_its_quotes() {
        let mut text = Text::default();
        text.metric("m", "gauge", "Help.").sample(&[("a", "x\"\\\n"), ("b", "")], 7);
        assert_eq!(
            text.finish(),
            "# HELP m Help.\n# TYPE m gauge\nm{a=\"x\\\"\\\\\\n\",b=\"\"} 7\n"
        );
    }
}
