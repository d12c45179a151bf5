//! A gateway that follows serves what the gateway that it follows tells later.

use std::fs;
use std::time::{Duration, Instant};

use super::client::{last_positions, session};
use super::link::{Link, Refused};
use super::rig::market;
use super::site::Site;

const DELAY: Duration = Duration::from_millis(1500);
const DELAYS: &str = "delays_ms = [1500]\n";
const RULES: &str = "[[rules]]\nsymbols = ['*']\nquality = 'delayed'\ndelay_ms = 1500\n";

#[test]
fn who_would_serve_by_other_delays_than_the_hub_does_not_follow_it_and_says_why() {
    let site = Site::new(market(300.0));
    let hub = site.hub("", DELAYS, "");
    hub.until_ready();
    for (others, shown) in [("delays_ms = [900]\n", "[900]"), ("", "[]")] {
        let edge = site.edge(others, "");
        let fault = "gateway_follow_faults_total{reason=\"delays\"}";
        let why = format!("ingest.delays_ms is {shown} here and [1500] there");
        edge.wait("it says why", |edge| edge.get("/readyz").is_some_and(|s| s.contains(&why)));
        edge.wait("it is counted", |edge| edge.sample(fault) > 0);
        assert!(!edge.is_ready());
        assert!(matches!(Link::connect(&edge.target, true), Err(Refused::Status(503, _))));
        assert_eq!(edge.counted("gateway_follow_truths_total"), 0);
    }
    hub.wait("it is counted", |hub| {
        hub.sample("gateway_relay_refused_total{reason=\"delays\"}") > 0
    });
    assert_eq!(hub.counted("gateway_relay_truths_total"), 0, "nothing was lent");
}

#[test]
fn who_is_delayed_at_an_edge_hears_all_that_the_hub_told_so_much_earlier_and_nothing_sooner() {
    let site = Site::new(market(2000.0));
    let hub = site.hub("", DELAYS, "");
    let rules = site.relay.with_file_name("rules.toml");
    fs::write(&rules, RULES).expect("written");
    hub.until_ready();
    // Twins come to this one with the whole truth, and go on by records.
    hub.wait("twins live", |hub| hub.counted("gateway_delay_released_total") > 1000);
    let auth = format!("[auth]\nentitlements_file = \"{}\"\n", rules.display());
    let edge = site.edge(DELAYS, &auth);
    edge.until_ready();
    let mut late = session(&edge.target);
    let grants: Vec<_> =
        late.notes.iter().filter_map(|note| note["result"]["x"].get("qos")).collect();
    assert!(!grants.is_empty() && grants.iter().all(|qos| **qos == "delayed"), "{grants:?}");
    let begun = Instant::now();
    let fresh = session(&hub.target);
    assert_eq!(late.epoch, fresh.epoch, "one numbering");
    let fresh = fresh.positions;
    let behind = fresh.iter().filter(|(key, number)| late.positions[*key] < **number).count();
    assert!(behind * 2 > fresh.len(), "{behind} of {} are behind", fresh.len());
    // Some time before it may hear more, so that what it reads last is not too late to judge.
    let time = DELAY.mul_f64(0.8);
    late.listen_for(time.saturating_sub(begun.elapsed()));
    for (key, number) in &late.positions {
        assert!(number <= &fresh[key], "{key:?}: {number} before its time");
    }
    late.until("what was published then", |late| {
        fresh.iter().all(|(key, number)| late.positions[key] >= *number)
    });
    drop(site.venue.stop());
    let last = last_positions(&hub);
    late.until("all that was published", |late| late.positions == last);
    late.is_content();
    assert_eq!(late.view.announced, 0);
    assert_eq!(edge.counted("gateway_delay_released_total"), 0, "the hub's line is the only one");
}
