//! Answers as tables for people. Colour only on a terminal; what dashboards and venues wrote is
//! shown escaped.

use std::io::{self, IsTerminal};

use serde_json::Value;

use crate::cli::output;

/// What a cell holds: nothing, a number, a word.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.chars().flat_map(char::escape_debug).collect(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Rows under a heading; numbers stand to the right.
fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let width = |at: usize| {
        let cells = rows.iter().map(|row| row[at].chars().count());
        cells.max().unwrap_or(0).max(heading[at].len())
    };
    let widths: Vec<_> = (0..heading.len()).map(width).collect();
    let is_number = |text: &str| text.parse::<f64>().is_ok() || text == "-";
    let right: Vec<_> =
        (0..heading.len()).map(|at| rows.iter().all(|row| is_number(&row[at]))).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().enumerate().map(|(at, text)| {
            let width = widths[at];
            if right[at] { format!("{text:>width$}") } else { format!("{text:<width$}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let heading = line(heading.to_vec());
    let is_coloured = output::colours(io::stdout().is_terminal());
    let mut out = if is_coloured { format!("\x1b[1m{heading}\x1b[0m\n") } else { heading + "\n" };
    for row in rows {
        out.push_str(&line(row.iter().map(String::as_str).collect()));
        out.push('\n');
    }
    out
}

/// A table of objects: heading and key of each column.
fn of_objects(columns: &[(&str, &str)], objects: &Value) -> String {
    let objects = objects.as_array().map_or(&[][..], Vec::as_slice);
    let row = |object: &Value| columns.iter().map(|(_, key)| cell(&object[*key])).collect();
    let rows: Vec<Vec<String>> = objects.iter().map(row).collect();
    let heading: Vec<_> = columns.iter().map(|(heading, _)| *heading).collect();
    table(&heading, &rows)
}

/// Every field on a line of its own.
pub(super) fn pairs(answer: &Value) -> String {
    fields(answer, &[])
}

fn fields(answer: &Value, without: &[&str]) -> String {
    let fields = answer.as_object().into_iter().flatten();
    let fields: Vec<_> = fields.filter(|(key, _)| !without.contains(&key.as_str())).collect();
    let width = fields.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    let line = |(key, value): (&String, _)| format!("{key:<width$}  {}\n", cell(value));
    fields.into_iter().map(line).collect::<Vec<_>>().concat()
}

pub(super) fn sessions(answer: &Value) -> String {
    let columns = [
        ("session", "id"),
        ("address", "address"),
        ("user", "user"),
        ("since", "since"),
        ("held", "subscriptions"),
        ("behind", "behind"),
        ("outbox", "outbox_bytes"),
        ("merged", "merged"),
        ("missed", "missed"),
        ("gaps", "gaps"),
    ];
    let more = match answer["next"].as_str() {
        Some(next) => format!("more: --from {next}\n"),
        None => String::new(),
    };
    of_objects(&columns, &answer["sessions"]) + &more
}

pub(super) fn session(answer: &Value) -> String {
    let columns = [
        ("symbol", "symbol"),
        ("channel", "channel"),
        ("depth", "depth"),
        ("interval", "interval_s"),
        ("pace ms", "conflate_ms"),
        ("on slow", "on_slow"),
        ("standing", "standing"),
        ("shown", "shown_seq"),
        ("newest", "newest_seq"),
    ];
    let mut out = fields(answer, &["holds", "shard_latency_ns", "next"]);
    out.push('\n');
    out.push_str(&stretches(&answer["shard_latency_ns"], |tally| tally));
    out.push('\n');
    out.push_str(&of_objects(&columns, &answer["holds"]));
    if let Some(next) = answer["next"].as_u64() {
        out += &["more: --from ", &next.to_string(), "\n"].concat();
    }
    out
}

pub(super) fn symbol(answer: &Value) -> String {
    let mut out = fields(answer, &["book", "quote", "last_trade", "sequences"]);
    for part in ["sequences", "last_trade"] {
        out += &["\n", part, "\n", &fields(&answer[part], &[])].concat();
    }
    let sides = [&answer["book"]["bids"], &answer["book"]["asks"]];
    let [bids, asks] = sides.map(|side| side.as_array().map_or(&[][..], Vec::as_slice));
    let text = |level: Option<&Value>, key: &str| level.map_or("-".to_owned(), |l| cell(&l[key]));
    let row = |at: usize| {
        let (bid, ask) = (bids.get(at), asks.get(at));
        vec![text(bid, "qty"), text(bid, "price"), text(ask, "price"), text(ask, "qty")]
    };
    let rows: Vec<_> = (0..bids.len().max(asks.len())).map(row).collect();
    out + "\n" + &table(&["bid qty", "bid", "ask", "ask qty"], &rows)
}

pub(super) fn feeds(answer: &Value) -> String {
    let columns = [
        ("feed", "feed"),
        ("state", "state"),
        ("since", "since"),
        ("last ms ago", "last_message_ms_ago"),
        ("messages", "messages"),
        ("failures", "decode_failures"),
        ("gaps", "gaps"),
        ("reconnects", "reconnects"),
        ("detail", "detail"),
    ];
    let mut out = of_objects(&columns, &answer["feeds"]);
    if answer["relay"]["followers"].as_u64().is_some_and(|followers| followers > 0) {
        out += &["\nlent to followers\n", &fields(&answer["relay"], &[])].concat();
    }
    out
}

pub(super) fn latency(answer: &Value) -> String {
    stretches(&answer["stretches"], |stretch| &stretch["last_interval"])
}

/// Percentiles in microseconds.
fn stretches(all: &Value, tally: impl Fn(&Value) -> &Value) -> String {
    let micros = |value: &Value| {
        value.as_f64().map_or("-".to_owned(), |nanos| format!("{:.1}", nanos / 1000.0))
    };
    let rows: Vec<_> = all
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, stretch)| {
            let tally = tally(stretch);
            let mut row = vec![name.clone(), cell(&tally["count"])];
            row.extend(["p50", "p99", "p99_9", "max"].map(|key| micros(&tally[key])));
            row
        })
        .collect();
    table(&["stretch", "count", "p50 us", "p99 us", "p99.9 us", "max us"], &rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_stand_under_their_heading_and_what_others_wrote_is_escaped() {
        let answer = json!({
            "sessions": [{ "id": 7, "address": "10.0.0.1:5", "user": "a\u{1b}[31mb" }],
            "next": "0.512",
        });
        let text = sessions(&answer);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("session  address"), "{text}");
        assert!(lines[1].starts_with("      7  10.0.0.1:5"), "{text}");
        assert!(!text.contains('\x1b') && lines[2] == "more: --from 0.512", "{text}");
    }
}
