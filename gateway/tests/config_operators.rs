//! What operators are given: every metric that alerts and dashboard name is one that a started
//! gateway tells, with that label and that label value.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(20);

/// Label names and values that a metric was seen with.
type Labels = BTreeMap<String, BTreeSet<String>>;

/// A label, and the values a selector allows.
type Matcher = (String, Vec<String>);

/// A demo that is killed when the test ends, however it ends.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a started gateway tells.
fn scrape() -> String {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let child = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(["demo", "--symbols", "2", "--rate", "10"])
        .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data-dir"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut demo = Demo(child.expect("the program can be started"));
    let printed = demo.0.stdout.take().expect("it is piped");
    let mut found = BufReader::new(printed).lines().map_while(Result::ok).filter_map(|line| {
        let (_, rest) = line.split_once("metrics    http://")?;
        rest.strip_suffix("/metrics").map(str::to_owned)
    });
    let mut socket =
        TcpStream::connect(found.next().expect("the address is printed")).expect("admin listens");
    socket.set_read_timeout(Some(DEADLINE)).expect("a deadline can be set");
    write!(socket, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").expect("admin reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("admin answers");
    answer.split_once("\r\n\r\n").expect("an answer has a head").1.to_owned()
}

fn exported(text: &str) -> BTreeMap<String, Labels> {
    let mut metrics: BTreeMap<String, Labels> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').expect("a value stands behind a space");
        let (name, rest) = series.split_once('{').unwrap_or((series, ""));
        let labels = metrics.entry(name.to_owned()).or_default();
        for pair in rest.trim_end_matches('}').split(',').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').expect("key=\"text\"");
            labels.entry(key.to_owned()).or_default().insert(value.trim_matches('"').to_owned());
        }
    }
    metrics
}

/// The metrics a text names, each with the label matchers that stand behind it.
fn named(text: &str) -> Vec<(String, Vec<Matcher>)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for prefix in ["gateway_", "process_"] {
        for (at, _) in text.match_indices(prefix) {
            if text[..at].ends_with(is_name) {
                continue;
            }
            let name: String = text[at..].chars().take_while(|c| is_name(*c)).collect();
            let matchers = text[at + name.len()..]
                .strip_prefix('{')
                .and_then(|rest| rest.split_once('}'))
                .map_or_else(Vec::new, |(inside, _)| matchers(inside));
            found.push((name, matchers));
        }
    }
    found
}

/// `a="x",b=~"y|z"`, also with its quotes escaped as in JSON.
fn matchers(inside: &str) -> Vec<Matcher> {
    let plain = inside.replace("\\\"", "\"");
    let pairs = plain.split("\",").filter_map(|pair| {
        let (key, values) = pair.split_once('=')?;
        let values = values.trim_matches(['~', '"']).split('|').map(str::to_owned).collect();
        Some((key.trim_end_matches('!').to_owned(), values))
    });
    // What Prometheus adds, and what the demo cannot know.
    pairs.filter(|(key, _)| !["job", "instance", "feed", "le"].contains(&key.as_str())).collect()
}

fn operators_file(path: &str) -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config").join(path);
    let text = std::fs::read_to_string(&path).expect("the file is there");
    (path, text)
}

#[test]
fn every_metric_that_operators_are_given_is_told_by_a_started_gateway() {
    let told = exported(&scrape());
    for file in ["prometheus/alerts.yml", "prometheus/alerts_test.yml", "grafana/dashboard.json"] {
        let (path, text) = operators_file(file);
        let found = named(&text);
        assert!(found.len() > 20, "only {} metrics in {}", found.len(), path.display());
        for (name, matchers) in found {
            // Words on a histogram in an annotation name the whole of it.
            let labels = told.get(&name).or_else(|| told.get(&format!("{name}_bucket")));
            let labels = labels.unwrap_or_else(|| panic!("{}: no {name}", path.display()));
            for (key, values) in matchers {
                let words = labels.get(&key);
                let words =
                    words.unwrap_or_else(|| panic!("{}: {name} has no {key}", path.display()));
                for value in values {
                    let known = words.contains(&value);
                    assert!(known, "{}: {name} has no {key}=\"{value}\"", path.display());
                }
            }
        }
    }
}

#[test]
fn the_dashboard_is_json_whose_panels_stand_apart_and_are_explained() {
    let (_, text) = operators_file("grafana/dashboard.json");
    let dashboard: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "twice: {}", panel["id"]);
        let place = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
        assert!(place("x") + place("w") <= 24, "{} stands outside", panel["title"]);
        for y in place("y")..place("y") + place("h") {
            for x in place("x")..place("x") + place("w") {
                assert!(taken.insert((x, y)), "{} covers another", panel["title"]);
            }
        }
        if panel["type"] != "row" {
            let unit = &panel["fieldConfig"]["defaults"]["unit"];
            assert!(unit.is_string(), "{} has no unit", panel["title"]);
            assert!(panel["targets"].as_array().is_some_and(|t| !t.is_empty()));
        }
    }
}
