//! The storm of a scenario against living gateways: returning sessions go on where they were, and
//! what became of them and of the others' numbers is counted. Every figure is a count.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod scripted;

use bench::report::result::RunResult;
use bench::report::text::summary;
use scripted::Gateway;
use scripted::contest::run_beside_quiet;
use scripted::living::Fault;

const SCENARIO: &str = r#"
title = "ten sessions, four of them come and go"
[fleet]
sessions = 10
symbols_per_session = 1
channels = ["ticker", "trade"]
sequences = true
threads = 2
[time]
warm_up_s = 0.2
measure_s = 2.0
blocks = 1
drain_s = 0.5
[unruly]
how = "storm"
percent = 40
every_ms = 400
[against]
name = "quiet"
quiet = true
p99_9_ratio_max = 1000.0
[cores]
server = []
load = []
feed = []
"#;

fn storm(fault: Fault) -> [RunResult; 2] {
    let gateway = Gateway::living(fault);
    run_beside_quiet("storm", SCENARIO, &gateway, "none").unwrap()
}

#[test]
fn returning_sessions_go_on_and_the_others_are_related_to_a_quiet_run() {
    let [storm, quiet] = storm(Fault::Nothing);
    let block = &storm.steps[0].blocks[0];
    let unruly = block.unruly.as_ref().unwrap();
    assert!(unruly.sessions == 4 && unruly.acts >= 4, "{unruly:?}");
    assert!(unruly.resumes >= 8 && unruly.recovered == unruly.resumes, "{unruly:?}");
    assert!(unruly.back.count > 0 && !unruly.rounds_ms.is_empty(), "{unruly:?}");
    assert_eq!((unruly.counts.lost, unruly.counts.out_of_order), (0, 0), "{unruly:?}");
    let counts = &block.counts;
    assert!(counts.deliveries > 0 && counts.merged > 0, "{counts:?}");
    assert_eq!(counts.ticks, counts.deliveries + counts.merged);
    assert_eq!((counts.lost, counts.announced_missing), (0, 0), "{counts:?}");
    let calm = quiet.steps[0].blocks[0].unruly.as_ref().unwrap();
    assert_eq!((calm.sessions, calm.acts, calm.resumes), (4, 0, 0));
    let against = storm.against.as_ref().unwrap();
    assert!(against.p99_9_ratio > 0.0 && against.ratios.iter().any(|one| one.figure == "p99.9"));
    let text = summary(&storm);
    assert!(text.contains("100.0 % recovered") && text.contains("aim 1000: met"), "{text}");
    let json = serde_json::to_string(&storm).unwrap();
    let back: RunResult = serde_json::from_str(&json).unwrap();
    assert_eq!(summary(&back), text);
}

#[test]
fn a_gateway_without_history_recovers_nobody_and_all_are_back_by_their_snapshots() {
    let [storm, _] = storm(Fault::ForgetsHistory);
    let unruly = storm.steps[0].blocks[0].unruly.as_ref().unwrap();
    assert!(unruly.resumes >= 8 && unruly.recovered == 0, "{unruly:?}");
    assert!(unruly.back.count > 0 && unruly.away_at_end == 0, "{unruly:?}");
    assert_eq!(unruly.recovered_pct(), Some(0.0));
}

#[test]
fn a_doubled_replay_is_counted_with_the_unruly_and_not_with_the_others() {
    let [storm, _] = storm(Fault::ReplaysTwice);
    let block = &storm.steps[0].blocks[0];
    let unruly = block.unruly.as_ref().unwrap();
    assert!(unruly.counts.out_of_order > 0, "{unruly:?}");
    assert_eq!((block.counts.out_of_order, block.counts.lost), (0, 0));
}

#[test]
fn a_server_that_knows_no_resume_is_asked_for_everything_anew() {
    let [storm, _] = storm(Fault::KnowsNoResume);
    let block = &storm.steps[0].blocks[0];
    let unruly = block.unruly.as_ref().unwrap();
    assert!(unruly.recovered == 0 && unruly.resumes > 0, "{unruly:?}");
    assert!(unruly.acts > 4 && unruly.away_at_end == 0, "later rounds come: {unruly:?}");
    assert_eq!(block.counts.refused, 0, "{block:?}");
}
