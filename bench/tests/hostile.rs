//! Hostile sessions beside a fleet: what each kind does to a living gateway, how its attempts are
//! told, that they come no more often than allowed, and that the fleet's figures hold none of them.
//! Every figure is a count.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod scripted;

use std::net::IpAddr;

use bench::hostile::kind::{ALL, Kind};
use bench::hostile::link::OVER;
use bench::hostile::told::{HostileSide, KindSide};
use bench::report::result::RunResult;
use bench::report::text::summary;
use bench::run::RunError;
use bench::scenario::Scenario;
use scripted::Gateway;
use scripted::contest::run_beside_quiet;
use scripted::living::Fault;

const SCENARIO: &str = r#"
title = "ten sessions, and ten that attack"
[fleet]
sessions = 10
symbols_per_session = 1
sequences = true
[time]
warm_up_s = 0.5
measure_s = 3.0
blocks = 1
drain_s = 0.5
[unruly]
how = "hostile"
percent = 50
every_ms = 400
hold_ms = 1200
[against]
name = "quiet"
quiet = true
p99_9_ratio_max = 1000.0
[cores]
server = []
load = []
feed = []
"#;

fn attack(gateway: &Gateway, text: &str, bench: &str) -> Result<[RunResult; 2], RunError> {
    run_beside_quiet("hostile", text, gateway, bench)
}

fn side(result: &RunResult) -> &HostileSide {
    result.steps[0].blocks[0].hostile.as_ref().unwrap()
}

fn kind(side: &HostileSide, kind: Kind) -> &KindSide {
    side.kinds.iter().find(|one| one.kind == kind).unwrap()
}

fn ended(side: &KindSide, ending: &str) -> u64 {
    side.endings.get(ending).copied().unwrap_or(0)
}

#[test]
fn each_kind_is_told_by_how_its_attempts_ended_and_the_fleet_is_measured_without_them() {
    let gateway = Gateway::living(Fault::Nothing);
    let [hostile, quiet] = attack(&gateway, SCENARIO, env!("CARGO_BIN_EXE_bench")).unwrap();
    let block = &hostile.steps[0].blocks[0];
    let side = side(&hostile);
    assert_eq!((side.sessions(), side.kinds.len()), (10, ALL.len()), "{side:?}");
    // This gateway closes by the book what is too long and hangs up on nonsense; all else it bears.
    let oversized = kind(side, Kind::Oversized);
    assert!(ended(oversized, "closed with 1009") >= 1, "{oversized:?}");
    let nonsense = kind(side, Kind::Nonsense);
    assert!(ended(nonsense, "ended without a word") >= 1, "{nonsense:?}");
    let mut borne = 0;
    for patient in [Kind::Silent, Kind::SlowHead, Kind::SlowAnswer, Kind::PingFlood, Kind::Stopped]
    {
        let patient = kind(side, patient);
        borne += ended(patient, "borne until it left");
        // On a busy machine an attempt may be over before its handshake is.
        let by_itself = |ending: &String| {
            ["borne until it left", OVER].contains(&ending.as_str())
                || ending.starts_with("held in ")
        };
        assert!(patient.endings.keys().all(by_itself), "{patient:?}");
    }
    assert!(borne >= 2, "{side:?}");
    for one in &side.kinds {
        assert_eq!(one.endings.values().sum::<u64>(), one.attempts, "{one:?}");
        let most = u64::from(one.sessions) * (1 + (side.seconds / 0.4).ceil() as u64);
        assert!(one.attempts <= most, "{most} may come: {one:?}");
    }
    assert!(block.unruly.is_none() && block.sessions == 10, "{block:?}");
    assert!(block.counts.deliveries > 0 && block.faults.is_empty(), "{block:?}");
    assert_eq!((block.counts.lost, block.counts.announced_missing), (0, 0), "{block:?}");
    let calm = &quiet.steps[0].blocks[0];
    assert!(calm.hostile.is_none() && calm.unruly.is_none() && calm.sessions == 10, "{calm:?}");
    assert!(hostile.against.as_ref().unwrap().p99_9_ratio > 0.0);
    let text = summary(&hostile);
    assert!(text.contains("closed with 1009") && text.contains("10 sessions in a"), "{text}");
    let json = serde_json::to_string(&hostile).unwrap();
    let back: RunResult = serde_json::from_str(&json).unwrap();
    assert_eq!(summary(&back), text);
}

#[test]
fn every_attacker_comes_from_an_address_of_its_own() {
    let gateway = Gateway::living(Fault::Nothing);
    attack(&gateway, SCENARIO, env!("CARGO_BIN_EXE_bench")).unwrap();
    let attacker = |peer: &&IpAddr| matches!(peer, IpAddr::V4(v4) if v4.octets()[1] == 66);
    let peers = gateway.peers.lock().unwrap();
    assert_eq!(peers.iter().filter(attacker).count(), 10, "{peers:?}");
}

#[test]
fn a_mix_of_one_kind_is_that_kind_alone() {
    let gateway = Gateway::living(Fault::Nothing);
    let text = SCENARIO.replace("hold_ms", "mix = [\"silent\"]\nhold_ms");
    let [hostile, _] = attack(&gateway, &text, env!("CARGO_BIN_EXE_bench")).unwrap();
    let kinds = &side(&hostile).kinds;
    assert!(kinds.len() == 1 && kinds[0].kind == Kind::Silent && kinds[0].sessions == 10);
}

#[test]
fn an_attack_that_cannot_be_started_or_ends_early_fails_the_run_by_its_name() {
    let gateway = Gateway::living(Fault::Nothing);
    for bench in ["none", "true"] {
        let error = attack(&gateway, SCENARIO, bench).unwrap_err().to_string();
        assert!(error.contains("hostile process"), "{error}");
    }
}

#[test]
fn an_empty_mix_and_a_crowd_of_attackers_are_refused_by_their_key() {
    let empty = SCENARIO.replace("hold_ms", "mix = []\nhold_ms");
    let crowd = SCENARIO.replace("sessions = 10", "sessions = 10000");
    for (text, key) in [(empty, "unruly.mix"), (crowd, "unruly.percent")] {
        let error = Scenario::parse(&text, "test").unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
}
