//! The usage log: spans of a session, the queue that loses nothing silently, the files that rotate.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use market::{Channel, Nanos};
use rights::usage::{
    End, Fsync, Journal, JournalLimits, Record, RecordKind, Tally, TallyLimits, queue,
};
use rights::{Authenticator, Credentials, Grant, Identity, Quality, Refusal, Register, Wall};
use serde_json::{Value, json};

const SECOND: u64 = 1_000_000_000;
const START: Nanos = Nanos(1_800_000_000 * SECOND);
const BEST: Grant = Grant { quality: Quality::Realtime, depth: 10, pace_ms: 0 };
const LATE: Grant = Grant { quality: Quality::Delayed(Duration::from_secs(900)), ..BEST };
const LIMITS: TallyLimits = TallyLimits { open_max: 2, refusals_max: 2 };

fn after(seconds: u64) -> Nanos {
    Nanos(START.0 + seconds * SECOND)
}

fn anonymous() -> Arc<Identity> {
    let open = Authenticator::new(Register::open(), None);
    open.authenticate(&Credentials::None, Wall(START)).unwrap()
}

fn refused(session: u64, symbol: &str) -> Record {
    let kind = RecordKind::Refused {
        symbol: symbol.into(),
        channel: Channel::Book,
        refusal: Refusal::NoRule,
        at: START,
    };
    Record { session, identity: anonymous(), kind }
}

/// What can be compared of a record that tells of use: symbol, quality, seconds from and to, end.
fn used(record: &Record) -> (String, Quality, u64, u64, End) {
    let RecordKind::Used { symbol, grant, from, to, end, .. } = &record.kind else {
        panic!("{record:?}")
    };
    let seconds = |at: &Nanos| (at.0 - START.0) / SECOND;
    (symbol.to_string(), grant.quality, seconds(from), seconds(to), *end)
}

#[test]
fn a_span_ends_by_unsubscribe_by_another_quality_and_with_the_session() {
    let mut tally = Tally::new(7, anonymous(), LIMITS);
    let [a, b]: [Arc<str>; 2] = ["A".into(), "B".into()];
    assert!(tally.begin(&a, Channel::Book, BEST, after(0)).is_none());
    assert!(tally.begin(&a, Channel::Book, BEST, after(1)).is_none(), "the same again");
    assert!(tally.begin(&b, Channel::Book, BEST, after(1)).is_none());
    let record = tally.begin(&a, Channel::Book, LATE, after(5)).unwrap();
    assert_eq!(used(&record), ("A".into(), Quality::Realtime, 0, 5, End::Altered));
    assert_eq!(record.session, 7);
    assert!(tally.end(&a, Channel::Trade, End::Unsubscribed, after(6)).is_none());
    let record = tally.end(&a, Channel::Book, End::Revoked, after(8)).unwrap();
    assert_eq!(used(&record), ("A".into(), LATE.quality, 5, 8, End::Revoked));
    assert!(tally.end(&a, Channel::Book, End::Unsubscribed, after(9)).is_none());
    let rest: Vec<_> = tally.close(after(10)).map(|record| used(&record)).collect();
    assert_eq!(rest, [("B".into(), Quality::Realtime, 1, 10, End::Closed)]);
}

#[test]
fn a_full_tally_still_records_that_something_began() {
    let mut tally = Tally::new(7, anonymous(), LIMITS);
    let symbols: Vec<Arc<str>> = ["A", "B", "C"].map(Into::into).into();
    for symbol in &symbols[..2] {
        assert!(tally.begin(symbol, Channel::Trade, BEST, START).is_none());
    }
    let record = tally.begin(&symbols[2], Channel::Trade, BEST, after(3)).unwrap();
    assert_eq!(used(&record), ("C".into(), Quality::Realtime, 3, 3, End::Untracked));
    let changed = tally.begin(&symbols[0], Channel::Trade, LATE, after(4)).unwrap();
    assert_eq!(used(&changed).4, End::Altered, "what is open can still change");
    assert_eq!(tally.open(), 2);
}

#[test]
fn many_refusals_become_a_number() {
    let mut tally = Tally::new(7, anonymous(), LIMITS);
    let symbol: Arc<str> = "A".into();
    let records =
        (0..5).filter_map(|n| tally.refused(&symbol, Channel::Book, Refusal::Denied, after(n)));
    assert_eq!(records.count(), 2);
    let rest: Vec<_> = tally.close(after(9)).map(|record| record.kind).collect();
    assert_eq!(rest, [RecordKind::RefusedMore { count: 3, at: after(9) }]);
}

fn limits() -> JournalLimits {
    JournalLimits {
        file_bytes_max: 1 << 20,
        file_age_max: Duration::from_secs(3600),
        files_max: 2,
        fsync: Fsync::EachBatch,
    }
}

/// Every line of every file, the oldest first.
fn lines(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let text = |path| fs::read_to_string(path).unwrap();
    names
        .into_iter()
        .map(text)
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

fn values(folder: &Path) -> Vec<Value> {
    lines(folder).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn records_are_lines_of_json_that_nothing_can_forge() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), limits(), START).unwrap();
    let mut tally = Tally::new(7, anonymous(), LIMITS);
    let odd: Arc<str> = "A\r\n{\"user\":\"x\"}\u{9b}\u{2028}".into();
    tally.begin(&odd, Channel::Book, LATE, START);
    let mut records: Vec<_> =
        tally.end(&odd, Channel::Book, End::Gone, after(1)).into_iter().collect();
    records.push(refused(8, "B"));
    journal.write(&records, 3, after(2)).unwrap();
    assert!(lines(folder.path()).iter().all(|line| line.is_ascii()));
    let from = "2027-01-15T08:00:00.000000Z";
    let expected = [
        json!({"record": "lost", "count": 3, "at": "2027-01-15T08:00:02.000000Z"}),
        json!({"record": "used", "session": 7, "user": "anonymous", "credential": "anonymous",
            "symbol": &*odd, "channel": "book", "quality": "delayed", "delay_ms": 900_000,
            "depth": 10, "pace_ms": 0, "from": from,
            "to": "2027-01-15T08:00:01.000000Z", "end": "gone"}),
        json!({"record": "refused", "session": 8, "user": "anonymous", "credential": "anonymous",
            "symbol": "B", "channel": "book", "reason": "no_rule", "at": from}),
    ];
    assert_eq!(values(folder.path()), expected);
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn files_end_by_size_and_the_oldest_are_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let limits = JournalLimits { file_bytes_max: 300, ..limits() };
    let mut journal = Journal::open(folder.path(), limits, START).unwrap();
    for session in 0..40 {
        journal.write(&[refused(session, "A")], 0, START).unwrap();
        assert!(files(folder.path()) <= 3);
    }
    assert_eq!(files(folder.path()), 3, "two ended ones and the one that grows");
    let sessions: Vec<_> =
        values(folder.path()).iter().map(|line| line["session"].as_u64().unwrap()).collect();
    let newest: Vec<_> = (40 - sessions.len() as u64..40).collect();
    assert_eq!(sessions, newest, "the newest are kept, whole and in order");
    assert!(sessions.len() >= 6, "{sessions:?}");
}

#[test]
fn files_end_by_age_even_where_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), limits(), START).unwrap();
    journal.write(&[], 0, after(7200)).unwrap();
    assert_eq!(files(folder.path()), 1, "an empty file is not ended");
    journal.write(&[refused(1, "A")], 0, after(7200)).unwrap();
    journal.write(&[], 0, after(7201)).unwrap();
    assert_eq!(files(folder.path()), 1);
    journal.write(&[], 0, after(7200 + 3600)).unwrap();
    assert_eq!(files(folder.path()), 2);
}

#[test]
fn half_a_line_of_a_crash_costs_no_other_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("usage.jsonl");
    fs::write(&file, "{\"record\":\"us").unwrap();
    let mut journal = Journal::open(folder.path(), limits(), START).unwrap();
    for session in 1..3 {
        journal.write(&[refused(session, "A")], 0, START).unwrap();
    }
    let lines = lines(folder.path());
    assert_eq!((lines.len(), &*lines[0]), (3, "{\"record\":\"us"));
    assert!(lines[1..].iter().all(|line| serde_json::from_str::<Value>(line).is_ok()));
}

#[cfg(unix)]
#[test]
fn the_log_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let _journal = Journal::open(folder.path(), limits(), START).unwrap();
    let mode = fs::metadata(folder.path().join("usage.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_finds_no_room_is_counted_and_the_count_is_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), limits(), START).unwrap();
    let (sender, mut receiver) = queue(2);
    for session in 0..5 {
        sender.send(refused(session, "A"));
    }
    assert_eq!(sender.lost(), 3);
    assert!(receiver.write(&mut journal, Duration::ZERO, || START).unwrap());
    sender.send(refused(9, "A"));
    drop(sender);
    assert!(receiver.write(&mut journal, Duration::from_secs(10), || START).unwrap());
    assert!(
        !receiver.write(&mut journal, Duration::from_secs(10), || START).unwrap(),
        "all is over"
    );
    let told: Vec<_> = values(folder.path())
        .iter()
        .map(|line| (line["record"].as_str().unwrap().to_owned(), line["session"].as_u64()))
        .collect();
    let refused = |session| ("refused".to_owned(), Some(session));
    assert_eq!(told, [("lost".to_owned(), None), refused(0), refused(1), refused(9)]);
}

#[test]
fn what_the_disk_refuses_is_counted_and_told_once_it_takes_lines_again() {
    let folder = tempfile::tempdir().unwrap();
    let limits = JournalLimits { file_bytes_max: 1, ..limits() };
    let mut journal = Journal::open(folder.path(), limits, START).unwrap();
    let (sender, mut receiver) = queue(8);
    let mut send = |session| {
        sender.send(refused(session, "A"));
        receiver.write(&mut journal, Duration::ZERO, || START).is_ok()
    };
    assert!(send(1));
    let away = folder.path().with_extension("away");
    fs::rename(folder.path(), &away).unwrap();
    assert!(!send(2) && !send(3), "the next file cannot be begun");
    fs::rename(&away, folder.path()).unwrap();
    assert!(send(4));
    assert_eq!(sender.lost(), 2);
    let told = values(folder.path());
    let count = told.iter().find(|line| line["record"] == "lost").map(|line| line["count"].clone());
    assert_eq!(count, Some(json!(2)));
    assert_eq!(told.iter().filter(|line| line["record"] == "refused").count(), 2);
}

#[test]
fn a_clock_that_was_set_back_deletes_no_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let limits = JournalLimits { file_bytes_max: 1, ..limits() };
    for session in 0..6 {
        // A restart each time, an hour earlier.
        let now = Nanos(START.0 - session * 3600 * SECOND);
        let mut journal = Journal::open(folder.path(), limits, now).unwrap();
        journal.write(&[refused(session, "A")], 0, now).unwrap();
    }
    let mut sessions: Vec<_> =
        values(folder.path()).iter().map(|line| line["session"].as_u64().unwrap()).collect();
    sessions.sort_unstable();
    assert_eq!(sessions, [3, 4, 5]);
}
