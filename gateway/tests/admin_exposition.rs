//! The Prometheus text, read by a parser that is stricter than Prometheus.

use std::collections::{BTreeMap, HashSet};

use gateway::clock;
use gateway::latency::Stretch;
use gateway::metrics::{Channel, CloseReason, Metrics, UpgradeRefusal};

/// One metric: its type, and its samples by name and labels as written.
#[derive(Debug, Default)]
struct Metric {
    kind: String,
    samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

/// Reads a whole text, and panics at whatever is not as the format wants it.
fn read(text: &str) -> BTreeMap<String, Metric> {
    let mut metrics: BTreeMap<String, Metric> = BTreeMap::new();
    let mut current = String::new();
    let mut seen = HashSet::new();
    assert!(text.ends_with('\n'), "the last line is not ended");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("HELP has a name and words");
            assert!(!help.is_empty(), "{name} is not explained");
            assert!(!metrics.contains_key(name), "{name} begins twice");
            metrics.insert(name.to_owned(), Metric::default());
            name.clone_into(&mut current);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("TYPE has a name and a type");
            assert_eq!(name, current, "TYPE does not follow its HELP");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{name}: {kind}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
            let metric = metrics.get_mut(name).expect("HELP came before");
            assert!(metric.kind.is_empty() && metric.samples.is_empty(), "{name}: a late TYPE");
            kind.clone_into(&mut metric.kind);
        } else {
            assert!(seen.insert(line.rsplit_once(' ').expect("a value").0), "twice: {line}");
            let (name, labels, value) = sample(line);
            let metric = metrics.get_mut(&current).expect("a sample follows its HELP");
            let suffix = name.strip_prefix(current.as_str()).expect("samples stand together");
            let allowed: &[&str] =
                if metric.kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(allowed.contains(&suffix), "{line}");
            metric.samples.push((name, labels, value));
        }
    }
    metrics
}

fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let (head, value) = line.rsplit_once(' ').expect("a value stands behind a space");
    let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
    let (name, rest) = head.split_at(head.find('{').unwrap_or(head.len()));
    assert!(is_name(name), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(list) = rest.strip_prefix('{') {
        let list = list.strip_suffix('}').expect("labels end with a brace");
        for pair in list.split(',') {
            let (key, text) = pair.split_once("=\"").expect("a label is key=\"text\"");
            let text = text.strip_suffix('"').expect("a label ends with a quote");
            assert!(is_name(key) && !text.contains(['"', '\\', '\n']), "{line}");
            assert_eq!(labels.insert(key.to_owned(), text.to_owned()), None, "{line}");
        }
    }
    (name.to_owned(), labels, value)
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn value(metrics: &BTreeMap<String, Metric>, name: &str, labels: &[(&str, &str)]) -> f64 {
    let wanted = labels.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
    let metric = metrics.get(name).unwrap_or_else(|| panic!("{name} is absent"));
    let found = metric.samples.iter().find(|(_, labels, _)| *labels == wanted);
    found.unwrap_or_else(|| panic!("{name} has no sample {labels:?}")).2
}

#[test]
#[expect(clippy::float_cmp, reason = "the numbers are whole and small")]
fn what_was_counted_is_what_is_told() {
    let metrics = Metrics::new(["spot", "usdm"], 2);
    metrics.ingest.feeds[1].gaps.add(3);
    metrics.ingest.symbols.of(market::State::Stale).set(7);
    metrics.door.upgrades_refused.of(UpgradeRefusal::Origin).inc();
    metrics.shards[1].frames_encoded.of(Channel::Book).add(5);
    let slow = CloseReason::Code(wire::close::CloseCode::TooSlow);
    metrics.shards[0].sessions_closed.of(slow).inc();
    let told = read(&metrics.exposition());
    assert_eq!(value(&told, "gateway_feed_gaps_total", &[("feed", "usdm")]), 3.0);
    assert_eq!(value(&told, "gateway_feed_gaps_total", &[("feed", "spot")]), 0.0);
    assert_eq!(value(&told, "gateway_ingest_symbols", &[("state", "stale")]), 7.0);
    let refused = "gateway_door_upgrades_refused_total";
    assert_eq!(value(&told, refused, &[("reason", "origin")]), 1.0);
    let encoded = "gateway_shard_frames_encoded_total";
    assert_eq!(value(&told, encoded, &[("shard", "1"), ("channel", "book")]), 5.0);
    let closed = "gateway_shard_sessions_closed_total";
    assert_eq!(value(&told, closed, &[("shard", "0"), ("reason", "too_slow")]), 1.0);
}

#[test]
#[expect(clippy::float_cmp, reason = "the numbers are whole, or printed as they were recorded")]
fn histograms_are_cumulative_and_agree_with_their_count_and_sum() {
    let metrics = Metrics::new(["spot"], 1);
    let mut station = metrics.latency.station(Stretch::PublishToDequeue);
    for latency_ns in [5_000, 15_000, 800_000, 2_000_000_000] {
        station.record(latency_ns);
    }
    station.hand_over(clock::now());
    metrics.latency.collect(clock::now());
    let told = read(&metrics.exposition());
    let histogram = &told["gateway_latency_seconds"];
    for stretch in Stretch::ALL {
        let buckets: Vec<_> = histogram
            .samples
            .iter()
            .filter(|(name, labels, _)| {
                name.ends_with("_bucket") && labels["stretch"] == stretch.as_str()
            })
            .map(|(_, labels, count)| (labels["le"].parse::<f64>().expect("a bound"), *count))
            .collect();
        assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{buckets:?}");
        let (bound, all) = buckets.last().expect("there are buckets");
        assert!(bound.is_infinite());
        let labels = BTreeMap::from([("stretch".to_owned(), stretch.as_str().to_owned())]);
        let part = |suffix: &str| {
            let found = histogram.samples.iter().find(|(name, own, _)| {
                *own == labels && *name == format!("gateway_latency_seconds{suffix}")
            });
            found.expect("the part is there").2
        };
        assert_eq!(part("_count"), *all);
        let measured = stretch == Stretch::PublishToDequeue;
        assert_eq!(part("_sum"), if measured { 2.000_82 } else { 0.0 });
        assert_eq!(*all, if measured { 4.0 } else { 0.0 });
        if measured {
            assert_eq!(buckets[0], (0.000_01, 1.0));
            assert_eq!(buckets[buckets.len() - 2], (1.0, 3.0));
        }
    }
}
