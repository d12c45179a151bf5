//! How many sessions one user, and one address, may have.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::json;

use super::dashboard::{Dashboard, Heard};
use super::rig::{ALL, PATIENCE, Rig};

#[test]
fn one_session_too_many_is_refused_and_let_in_once_another_has_gone() {
    let rig = Rig::with_shards(2, "user_sessions_max = 2", ALL);
    let (one, _two) = (rig.enter("alice"), rig.enter("alice"));
    let bearer = format!("Bearer {}", rig.issuer.token("alice", 3600));
    let knock = || rig.knock("/v2", &[("Authorization", &bearer)]);
    assert_eq!(knock().err().expect("full").status, 429);
    let mut late = rig.stranger();
    late.auth(&rig.issuer.token("alice", 3600));
    let (code, texts) = late.closed();
    assert_eq!((code, &texts[0]["x"]["code"]), (4504, &json!("CONNECTION_LIMIT")));
    rig.enter("bob");
    drop(one);
    rig.wait("a seat is free", || knock().is_ok());
}

#[test]
fn the_oldest_session_is_displaced_and_the_newest_served() {
    let rig = Rig::with_shards(2, "user_sessions_max = 2\nbeyond = 'displace'", ALL);
    let (mut one, mut two) = (rig.enter("alice"), rig.enter("alice"));
    let mut three = rig.enter("alice");
    assert_eq!(one.closed().0, 4504);
    let mut four = rig.stranger();
    four.auth(&rig.issuer.token("alice", 3600));
    assert_eq!(four.text()["success"], true);
    assert_eq!(two.closed().0, 4504);
    for dashboard in [&mut three, &mut four] {
        assert_eq!(dashboard.subscribe("book", &["BTC/USD"], &json!({}))[0]["success"], true);
    }
}

#[test]
fn of_many_that_come_at_once_over_two_shards_exactly_as_many_as_allowed_get_in() {
    let rig = Rig::with_shards(2, "user_sessions_max = 3", ALL);
    let bearer = format!("Bearer {}", rig.issuer.token("alice", 3600));
    let start = Barrier::new(12);
    let inside: Vec<Dashboard> = std::thread::scope(|scope| {
        let come = || {
            start.wait();
            rig.knock("/v2", &[("Authorization", &bearer)]).ok()
        };
        let all: Vec<_> = (0..12).map(|_| scope.spawn(come)).collect();
        all.into_iter().filter_map(|one| one.join().expect("no panic")).collect()
    });
    assert_eq!(inside.len(), 3);
}

#[test]
fn of_many_that_displace_one_another_at_once_as_many_as_allowed_stay_and_never_one_too_many() {
    const COMING: usize = 12;
    const ALLOWED: usize = 3;
    let rig = Rig::with_shards(2, "user_sessions_max = 3\nbeyond = 'displace'", ALL);
    let bearer = format!("Bearer {}", rig.issuer.token("alice", 3600));
    let (start, is_over) = (Barrier::new(COMING), AtomicBool::new(false));
    let sent_away = AtomicUsize::new(0);
    let ends: Vec<Option<u16>> = std::thread::scope(|scope| {
        let come = || {
            start.wait();
            let begun = Instant::now();
            let mut dashboard = rig.knock("/v2", &[("Authorization", &bearer)]).expect("let in");
            // Heartbeats come, so that the end is looked for each second.
            while !is_over.load(Ordering::Relaxed) && begun.elapsed() < 2 * PATIENCE {
                if let Heard::Close(code, _) = dashboard.next() {
                    sent_away.fetch_add(1, Ordering::Relaxed);
                    return Some(code);
                }
            }
            None
        };
        let all: Vec<_> = (0..COMING).map(|_| scope.spawn(come)).collect();
        let shards = &rig.running().metrics().shards;
        let served = || -> Vec<u64> { shards.iter().map(|shard| shard.sessions.value()).collect() };
        rig.wait("all others are sent away", || {
            // Twice the same: then both were so at one moment.
            let (first, second) = (served(), served());
            let count = first.iter().sum::<u64>() as usize;
            assert!(first != second || count <= ALLOWED, "{first:?} are served at once");
            sent_away.load(Ordering::Relaxed) == COMING - ALLOWED
        });
        is_over.store(true, Ordering::Relaxed);
        all.into_iter().map(|one| one.join().expect("no panic")).collect()
    });
    let of = |end| ends.iter().filter(|one| **one == end).count();
    assert_eq!((of(None), of(Some(4504))), (ALLOWED, COMING - ALLOWED), "{ends:?}");
}

#[test]
fn one_address_may_have_so_many_sessions_whoever_they_are() {
    let rig = Rig::new("address_sessions_max = 2", ALL);
    let (_one, _two) = (rig.enter("alice"), rig.stranger());
    assert_eq!(rig.knock("/v2", &[]).err().expect("full").status, 429);
}
