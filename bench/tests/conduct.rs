//! `verify` while its own sessions act badly: gateways that take it well are proven, each one that
//! breaks a promise is found. Every figure is a count.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod scripted;

use bench::verify::verdict::Verdict;
use bench::verify::verify;
use bench::verify::violation::Kind;
use scripted::Gateway;
use scripted::living::Fault;

fn judge(fault: Fault, more: &[&str]) -> Verdict {
    let gateway = Gateway::living(fault);
    let mut line = vec!["--symbols", "BTC/USD", "--sessions", "8", "--ready-max", "30"];
    line.extend_from_slice(&["--seconds", "3", "--settle", "1", "--grace", "0.5"]);
    if !more.contains(&"--channels") {
        line.extend_from_slice(&["--channels", "ticker,trade"]);
    }
    line.extend_from_slice(more);
    verify(&gateway.options(&line)).unwrap()
}

const STORM: [&str; 3] = ["--storm", "--storm-every", "0.4"];

#[track_caller]
fn found(verdict: &Verdict, kind: Kind) {
    assert!(verdict.count(kind) > 0, "{verdict}");
    assert_eq!(verdict.exit_code(), 1, "{verdict}");
}

#[test]
fn slow_returning_and_paced_sessions_of_a_good_gateway_are_proven() {
    let conduct = [&STORM[..], &["--slow", "2", "--slow-max", "0.5", "--pace", "150"]].concat();
    let verdict = judge(Fault::Nothing, &conduct);
    assert_eq!(verdict.exit_code(), 0, "{verdict}");
    let seen = verdict.seen;
    assert!(seen.hung_up > 6 && seen.stopped_reading > 2, "{verdict}");
    assert!(seen.resumes > 6 && seen.recovered == seen.resumes, "{verdict}");
    assert!(seen.paces > 0 && seen.paces_ignored == 0, "{verdict}");
    let balance = seen.balance;
    assert!(balance.is_even() && balance.merged > 0 && balance.lost == 0, "{verdict}");
}

const CHURN: [&str; 4] = ["--churn", "4", "--churn-every", "0.2"];

#[test]
fn sessions_that_unsubscribe_and_subscribe_anew_are_proven() {
    let conduct = [&CHURN[..], &STORM[..], &["--slow", "2", "--pace", "150"]].concat();
    let verdict = judge(Fault::Nothing, &conduct);
    assert_eq!(verdict.exit_code(), 0, "{verdict}");
    let seen = verdict.seen;
    assert!(seen.unsubscribed > 6 && seen.hung_up > 1, "{verdict}");
    assert!(seen.balance.is_even() && seen.balance.lost == 0, "{verdict}");
}

#[test]
fn a_frame_behind_the_end_of_a_subscription_is_found() {
    found(&judge(Fault::GoesOnUnsubscribed, &CHURN), Kind::Unasked);
}

#[test]
fn a_gateway_that_begins_anew_and_says_so_is_proven() {
    let verdict = judge(Fault::ForgetsHistory, &STORM);
    assert_eq!(verdict.exit_code(), 0, "{verdict}");
    assert!(verdict.seen.resumes > 6 && verdict.seen.recovered == 0, "{verdict}");
}

#[test]
fn a_recovery_with_a_hole_or_doubles_or_a_snapshot_is_found() {
    found(&judge(Fault::ReplaysWithGap, &STORM), Kind::Resume);
    found(&judge(Fault::ReplaysTwice, &STORM), Kind::Duplicate);
    found(&judge(Fault::SnapshotThoughRecovered, &STORM), Kind::Resume);
}

#[test]
fn a_return_neither_recovered_nor_begun_anew_is_found() {
    found(&judge(Fault::NeitherRecoveredNorAnew, &STORM), Kind::Join);
}

#[test]
fn a_merged_trade_is_found() {
    found(&judge(Fault::MergesTrades, &[]), Kind::TradeMerged);
}

#[test]
fn a_pace_that_is_granted_and_not_kept_is_found() {
    let alone = ["--channels", "ticker", "--pace", "200"];
    found(&judge(Fault::IgnoresPace, &alone), Kind::Pace);
}

#[test]
fn a_paced_session_that_is_not_shown_the_newest_value_is_found() {
    let verdict = judge(Fault::PacedFallAsleep, &["--channels", "ticker", "--pace", "100"]);
    found(&verdict, Kind::Behind);
    assert!(verdict.count(Kind::Behind) < 8, "those without a pace are shown all: {verdict}");
}

#[test]
fn a_slow_session_that_is_shut_out_comes_back_and_others_must_not_be() {
    let verdict = judge(Fault::ShutsOut, &["--slow", "8", "--slow-max", "0.2"]);
    assert_eq!(verdict.exit_code(), 0, "{verdict}");
    assert!(verdict.seen.closed_slow > 7, "{verdict}");
    found(&judge(Fault::ShutsOut, &["--slow", "1"]), Kind::Ended);
}
