//! `verify` against gateways that keep their promises and gateways that break one of them. Every
//! figure is a count.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod scripted;

use std::path::PathBuf;
use std::sync::Arc;

use bench::verify::verdict::Verdict;
use bench::verify::violation::Kind;
use bench::verify::{VerifyOptions, verify};
use scripted::market::{Market, SNAPSHOT, gap};
use scripted::{Gateway, Script, Step, frame};

fn options(gateway: &Gateway, more: &[&str]) -> VerifyOptions {
    let mut line = vec!["--sessions", "3", "--ready-max", "30"];
    if !more.contains(&"--seconds") {
        line.extend_from_slice(&["--seconds", "0.1"]);
    }
    if !more.contains(&"--symbols") {
        line.extend_from_slice(&["--symbols", "BTC/USD"]);
    }
    line.extend_from_slice(more);
    gateway.options(&line)
}

fn script(steps: Vec<Step>) -> Script {
    Script { requests: 3, refused: None, steps: Arc::new(steps) }
}

fn judge(steps: Vec<Step>, more: &[&str]) -> Verdict {
    let gateway = Gateway::start(script(steps));
    verify(&options(&gateway, more)).unwrap()
}

fn market() -> Market {
    Market::new("BTC/USD", 40, 1)
}

/// Only `kind`, once for each of three sessions.
#[track_caller]
fn only(verdict: &Verdict, kind: Kind) {
    assert_eq!(verdict.count(kind), 3, "{verdict}");
    assert_eq!(verdict.violations_total, 3, "{verdict}");
    assert_eq!(verdict.exit_code(), 1);
}

#[test]
fn a_clean_gateway_is_proven() {
    let mut steps = market().steps();
    steps.push(Step::Text(r#"{"channel":"heartbeat"}"#.to_owned()));
    let verdict = judge(steps, &["--threads", "2"]);
    assert_eq!(verdict.exit_code(), 0, "{verdict}");
    let seen = verdict.seen;
    assert_eq!((seen.sessions_opened, seen.granted, seen.snapshots), (3, 9, 9));
    assert_eq!((seen.updates, seen.checksums, seen.trades), (360, 123, 120));
    assert!(seen.heartbeats >= 3);
}

#[test]
fn a_lost_message_is_found() {
    let mut market = market();
    market.updates.remove(market.at("ticker", SNAPSHOT + 7));
    let verdict = judge(market.steps(), &[]);
    only(&verdict, Kind::Gap);
    assert!(verdict.violations[0].detail.contains("107..=107"), "{verdict}");
}

#[test]
fn a_swapped_pair_is_found() {
    let mut market = market();
    let (one, two) = (market.at("ticker", SNAPSHOT + 7), market.at("ticker", SNAPSHOT + 8));
    market.updates.swap(one, two);
    only(&judge(market.steps(), &[]), Kind::Reordered);
}

#[test]
fn a_wrong_checksum_is_found() {
    let mut market = market();
    let at = market.at("book", SNAPSHOT + 9);
    let said = &mut market.updates[at].text;
    *said = said.replace(r#""checksum":"#, r#""checksum":1"#);
    only(&judge(market.steps(), &[]), Kind::Checksum);
}

#[test]
fn a_doubled_message_is_found() {
    let mut market = market();
    let at = market.at("ticker", SNAPSHOT + 3);
    let again = market.updates[at].clone();
    market.updates.insert(at + 4, again);
    only(&judge(market.steps(), &[]), Kind::Duplicate);
}

#[test]
fn an_update_that_does_not_follow_the_snapshot_is_found() {
    let mut market = market();
    market.snapshots.retain(|said| said.channel != "ticker");
    only(&judge(market.steps(), &[]), Kind::Join);
}

#[test]
fn an_announced_gap_is_no_violation_before_or_after_the_next_frame() {
    let mut market = market();
    let at = market.at("ticker", SNAPSHOT + 5);
    market.updates[at].text = gap("BTC/USD", "ticker", SNAPSHOT + 5, SNAPSHOT + 5);
    let at = market.at("ticker", SNAPSHOT + 20);
    let late = gap("BTC/USD", "ticker", SNAPSHOT + 20, SNAPSHOT + 20);
    market.updates[at].text = r#"{"channel":"heartbeat"}"#.to_owned();
    let after = market.at("ticker", SNAPSHOT + 21);
    market.updates[after].text.push(' ');
    let mut steps = market.steps();
    steps.push(Step::Text(late));
    let verdict = judge(steps, &[]);
    assert_eq!(verdict.exit_code(), 0, "{verdict}");
    assert_eq!(verdict.seen.announced_missing, 6);
}

#[test]
fn a_gap_announced_for_what_was_delivered_is_found() {
    let mut steps = market().steps();
    steps.push(Step::Text(gap("BTC/USD", "ticker", SNAPSHOT + 5, SNAPSHOT + 5)));
    only(&judge(steps, &[]), Kind::FalseGap);
}

#[test]
fn a_frame_that_stands_for_a_range_covers_it() {
    let mut market = market();
    let at = market.at("ticker", SNAPSHOT + 5);
    market.updates.remove(at);
    let at = market.at("ticker", SNAPSHOT + 6);
    let said = &mut market.updates[at].text;
    *said = said.replace(r#""seq":106"#, r#""seq":106,"first_seq":105,"merged":2"#);
    let verdict = judge(market.steps(), &[]);
    assert_eq!((verdict.exit_code(), verdict.seen.merged), (0, 3), "{verdict}");
}

#[test]
fn a_frame_that_says_another_count_than_its_numbers_or_merges_trades_is_found() {
    let merge = |channel: &'static str, count: u64| {
        let mut market = market();
        market.updates.remove(market.at(channel, SNAPSHOT + 5));
        let at = market.at(channel, SNAPSHOT + 6);
        let said = &mut market.updates[at].text;
        let merged = format!(r#""seq":106,"first_seq":105,"merged":{count}"#);
        *said = said.replace(r#""seq":106"#, &merged);
        judge(market.steps(), &[])
    };
    only(&merge("ticker", 3), Kind::MergedCount);
    only(&merge("trade", 2), Kind::TradeMerged);
    let balance = merge("ticker", 2).seen.balance;
    assert_eq!((balance.published, balance.delivered, balance.merged), (360, 357, 3));
}

#[test]
fn fragments_pings_and_messages_of_mebibytes_are_heard_like_any_other() {
    let mut steps = market().steps();
    let Step::Text(last) = steps.pop().unwrap() else { panic!("text") };
    let (one, two) = last.as_bytes().split_at(last.len() / 2);
    steps.push(Step::Raw(frame(0x01, one)));
    steps.push(Step::Raw(frame(0x89, b"are you there")));
    steps.push(Step::Raw(frame(0x80, two)));
    let long = format!(r#"{{"channel":"status","data":"{}"}}"#, "x".repeat(3 << 20));
    steps.push(Step::Text(long));
    let verdict = judge(steps, &[]);
    assert_eq!((verdict.exit_code(), verdict.seen.updates), (0, 360), "{verdict}");
}

#[test]
fn a_refusal_an_early_end_silence_and_nonsense_are_found() {
    let gateway = Gateway::start(Script { refused: Some("BTC/USD"), ..script(Vec::new()) });
    let verdict = verify(&options(&gateway, &[])).unwrap();
    assert_eq!((verdict.count(Kind::Refused), verdict.violations_total), (9, 9), "{verdict}");

    let mut steps = market().steps();
    steps.push(Step::Close(1013, "overloaded"));
    let verdict = judge(steps, &[]);
    only(&verdict, Kind::Ended);
    assert!(verdict.violations[0].detail.contains("1013"), "{verdict}");

    let mut steps = market().steps();
    steps.push(Step::Silence);
    only(&judge(steps, &["--silence-max", "0.5", "--seconds", "2"]), Kind::Silent);

    let mut steps = market().steps();
    steps.push(Step::Text(r#"{"channel":"ticker","data":[{"symbol":"#.to_owned()));
    only(&judge(steps, &[]), Kind::Unreadable);

    let mut steps = market().steps();
    steps.push(Step::Raw(vec![0x83, 0]));
    only(&judge(steps, &[]), Kind::Ended);
}

#[test]
fn symbols_are_learnt_from_the_instrument_channel() {
    let gateway = Gateway::start(Script { requests: 1, ..script(Vec::new()) });
    let given = ["--symbols", "x", "--channels", "ticker", "--symbols-per-session", "5"];
    let mut options = options(&gateway, &given);
    options.aim.symbols.clear();
    let verdict = verify(&options).unwrap();
    assert_eq!((verdict.symbols, verdict.seen.granted), (2, 6), "{verdict}");
    assert_eq!((verdict.seen.streams_silent, verdict.exit_code()), (6, 0));
}

#[test]
fn a_certificate_nobody_vouches_for_is_refused_unless_told_otherwise() {
    let gateway = Gateway::start(script(market().steps()));
    let mut options = options(&gateway, &[]);
    options.aim.ca = None;
    let verdict = verify(&options).unwrap();
    assert_eq!((verdict.exit_code(), verdict.not_connected), (3, 3), "{verdict}");
    assert!(verdict.to_string().contains("--ca FILE"), "what to do is said: {verdict}");
    options.aim.insecure = true;
    assert_eq!(verify(&options).unwrap().exit_code(), 0);
}

#[test]
fn where_nobody_listens_nothing_is_proven() {
    let gateway = Gateway::start(script(Vec::new()));
    let mut options = options(&gateway, &[]);
    options.aim.url = "wss://127.0.0.1:1/v2".to_owned();
    let verdict = verify(&options).unwrap();
    assert_eq!((verdict.exit_code(), verdict.not_connected), (3, 3), "{verdict}");
}

fn against(market: &Market, truth: &[String]) -> Verdict {
    let directory = tempfile::tempdir().unwrap();
    let path: PathBuf = directory.path().join("truth.jsonl");
    std::fs::write(&path, truth.join("\n") + "\n{\"end\":true,\"lines\":9}\n").unwrap();
    judge(market.steps(), &["--truth", path.to_str().unwrap(), "--threads", "2"])
}

#[test]
fn deliveries_that_equal_the_truth_are_proven() {
    let market = market();
    let verdict = against(&market, &market.truth);
    assert_eq!(verdict.exit_code(), 0, "{verdict}");
    let tried = verdict.truth.unwrap();
    assert_eq!((tried.symbols, tried.trades_published), (1, 41));
    assert_eq!((tried.trade_streams, tried.books), (3, 3));
}

#[test]
fn a_published_trade_that_never_came_is_found_even_when_sequences_are_whole() {
    let market = market();
    let mut truth = market.truth.clone();
    let at = truth.iter().position(|line| line.contains(r#""trade_id":60"#)).unwrap();
    truth.insert(at + 1, truth[at].replace(r#""trade_id":60"#, r#""trade_id":1000"#));
    only(&against(&market, &truth), Kind::TradeCount);
}

#[test]
fn a_trade_with_another_price_than_published_is_found() {
    let market = market();
    let mut truth = market.truth.clone();
    let at = truth.iter().position(|line| line.contains(r#""trade_id":60"#)).unwrap();
    truth[at] = truth[at].replace(r#""qty":"0.5""#, r#""qty":"0.6""#);
    let verdict = against(&market, &truth);
    // Each of the two load threads holds its own tape against the truth.
    assert_eq!(verdict.count(Kind::TradeContent), 2, "{verdict}");
}

#[test]
fn a_book_that_lacks_the_last_published_change_is_found() {
    let market = market();
    let mut truth = market.truth.clone();
    let book = concat!(
        r#"{"symbol":"BTC/USD","channel":"book","seq":41,"ts":2000000,"type":"update","#,
        r#""bids":[["99.9","7"]],"asks":[]}"#
    );
    truth.push(book.to_owned());
    let verdict = against(&market, &truth);
    only(&verdict, Kind::BookContent);
    assert!(verdict.violations[0].detail.contains("lacks 1"), "{verdict}");
}

#[test]
fn a_truth_with_the_venues_own_names_is_read_by_alias() {
    let market = market();
    let foreign: Vec<_> = market
        .truth
        .iter()
        .map(|line| line.replace(r#""symbol":"BTC/USD""#, r#""venue":"v","symbol":"BTCUSD""#))
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("truth.jsonl");
    std::fs::write(&path, foreign.join("\n") + "\n{\"end\":true}\n").unwrap();
    let truth = path.to_str().unwrap();
    let verdict = judge(market.steps(), &["--truth", truth, "--truth-name", "v:BTCUSD=BTC/USD"]);
    assert_eq!((verdict.exit_code(), verdict.truth.unwrap().books), (0, 3), "{verdict}");
    let gateway = Gateway::start(script(market.steps()));
    let error = verify(&options(&gateway, &["--truth", truth])).unwrap_err();
    assert!(error.to_string().contains("holds none of the symbols"), "{error}");
}
