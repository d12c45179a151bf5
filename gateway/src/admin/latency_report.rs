//! The latency report: percentiles of each stretch as JSON, in nanoseconds.
//!
//! Since the start of the process, and over the last whole interval of ten seconds. Percentiles are
//! exact to a thousandth; count and mean are exact.

use std::fmt::Write as _;

use crate::latency::{Latency, Stretch, Tally};

const PERCENTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99_9", 0.999), ("p99_99", 0.9999)];

/// The whole report. Every name in it is ours, so nothing needs escaping.
pub(super) fn write(latency: &Latency) -> String {
    let mut out = String::from("{\"unit\":\"ns\",\"stretches\":{");
    for (at, stretch) in Stretch::ALL.into_iter().enumerate() {
        let separator = if at == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(out, "{separator}\"{}\":{{\"since_start\":", stretch.as_str());
        write_tally(&latency.since_start(stretch), &mut out);
        out.push_str(",\"last_interval\":");
        write_tally(&latency.last_interval(stretch), &mut out);
        out.push('}');
    }
    out.push_str("}}\n");
    out
}

fn write_tally(tally: &Tally, out: &mut String) {
    let histogram = &tally.histogram;
    let count = histogram.len();
    let mean = tally.sum_ns.checked_div(count).unwrap_or(0);
    let (min, max) = if count == 0 { (0, 0) } else { (histogram.min(), histogram.max()) };
    let _ = write!(
        out,
        "{{\"count\":{count},\"negative\":{},\"min\":{min},\"mean\":{mean}",
        tally.negative
    );
    for (name, quantile) in PERCENTILES {
        let _ = write!(out, ",\"{name}\":{}", histogram.value_at_quantile(quantile));
    }
    let _ = write!(out, ",\"max\":{max}}}");
}
