//! Books kept for sessions that are behind or paced: what becomes of a session when there is no
//! room for the one it holds.

mod scene;

use fanout::{Limits, SessionKey};
use scene::{LIMITS, Scene, book};

const A: u32 = 0;

fn subscribe(x: &str) -> String {
    format!(r#"{{"method":"subscribe","params":{{"channel":"book","symbol":["A"]{x}}}}}"#)
}

const COUNTED: &str = r#","x":{"seq":true}"#;

/// A book of one update, and room for so many bytes of copies of it.
fn scene(bases_bytes_max: usize) -> Scene {
    let mut scene = Scene::new(&["A"]);
    scene.fanout.set_limits(Limits { bases_bytes_max, ..LIMITS });
    scene.tick(A, book(&[(10, 1)], &[(11, 1)]));
    scene
}

fn follower(scene: &mut Scene, x: &str) -> SessionKey {
    let key = scene.open();
    scene.ask(key, &subscribe(x));
    assert!(scene.written(key).contains(r#""type":"snapshot""#));
    key
}

/// The book changes, which the first of `keys` is not sent any more, and the others are.
fn falls_behind(scene: &mut Scene, keys: &[SessionKey], size: i64) {
    scene.tick(A, book(&[(10, size)], &[]));
    keys[1..].iter().for_each(|key| drop(scene.taken(*key)));
    scene.block(keys[0]);
}

fn closing(scene: &Scene, key: SessionKey) -> Option<u16> {
    scene.fanout.closing(key).map(wire::close::CloseCode::code)
}

#[test]
fn who_counts_is_told_a_gap_and_begins_anew_with_a_snapshot() {
    let mut scene = scene(0);
    let key = follower(&mut scene, COUNTED);
    falls_behind(&mut scene, &[key], 2);
    scene.tick(A, book(&[(10, 3)], &[]));
    let text = scene.written(key);
    assert!(text.contains(r#""from_seq":2,"to_seq":3,"count":2,"reason":"memory""#), "{text}");
    assert!(text.find("gap") < text.find(r#""type":"snapshot""#), "{text}");
    assert!(text.contains(r#""price":10,"qty":3"#) && text.contains(r#""seq":3"#), "{text}");
    assert!(!text.contains("merged"), "{text}");
    scene.tick(A, book(&[(10, 4)], &[]));
    let text = scene.written(key);
    assert!(text.contains(r#""type":"update""#) && text.contains(r#""seq":4"#), "{text}");
    let counters = scene.fanout.counters();
    assert_eq!((counters.updates_missed.iter().sum::<u64>(), counters.bases_refused), (2, 1));
}

#[test]
fn who_does_not_count_is_closed_to_come_back_but_only_if_it_missed_something() {
    let mut scene = scene(0);
    let [unlucky, lucky] = [follower(&mut scene, ""), follower(&mut scene, "")];
    scene.block(lucky);
    assert_eq!(scene.written(lucky), "", "it missed nothing");
    assert_eq!(closing(&scene, lucky), None);
    falls_behind(&mut scene, &[unlucky, lucky], 2);
    scene.written(unlucky);
    assert_eq!((closing(&scene, unlucky), closing(&scene, lucky)), (Some(4005), None));
    scene.tick(A, book(&[(10, 3)], &[]));
    assert!(scene.written(lucky).contains(r#""type":"update""#), "it is on the list");
}

#[test]
fn many_that_stop_at_different_updates_stay_within_the_room_and_all_hold_the_book_in_the_end() {
    let mut scene = scene(2000);
    let keys: Vec<_> = (0..100).map(|_| follower(&mut scene, COUNTED)).collect();
    for (at, size) in (0..keys.len()).zip(2..) {
        falls_behind(&mut scene, &keys[at..], size);
        assert!(scene.fanout.counters().bases_bytes <= 2000);
    }
    let refused = scene.fanout.counters().bases_refused;
    assert!(refused > 50 && refused < 100, "{refused}");
    let texts: Vec<_> = keys.iter().map(|key| scene.written(*key)).collect();
    assert!(texts.iter().all(|text| text.contains(r#""price":10,"qty":101"#)), "{texts:?}");
    let anew = texts.iter().filter(|text| text.contains(r#""reason":"memory""#)).count();
    assert_eq!(anew as u64, refused, "whoever had a place in the room is told by one update");
    assert!(texts[0].contains(r#""merged":100"#), "{}", texts[0]);
    scene.fanout.end_cycle();
    assert_eq!(scene.fanout.counters().bases_bytes, 0, "nobody is behind any more");
}

#[test]
fn a_book_that_goes_on_at_a_pace_needs_room_as_well() {
    let mut scene = scene(0);
    let key = follower(&mut scene, r#","x":{"seq":true,"conflate_ms":1000}"#);
    let plain = follower(&mut scene, r#","x":{"conflate_ms":1000}"#);
    scene.tick(A, book(&[(10, 2)], &[]));
    scene.at(1_000_000_000);
    let text = scene.taken(key);
    assert!(text.contains(r#""reason":"memory""#) && text.contains(r#""qty":2"#), "{text}");
    scene.written(plain);
    assert_eq!((closing(&scene, key), closing(&scene, plain)), (None, Some(4005)));
}

#[test]
fn who_would_resume_without_room_gets_a_snapshot_and_is_told_so() {
    let mut scene = scene(0);
    scene.tick(A, book(&[(10, 2)], &[]));
    let key = scene.open();
    scene.ask(key, &subscribe(r#","x":{"seq":true,"resume":{"A":{"epoch":"1","seq":1}}}"#));
    let text = scene.written(key);
    assert!(text.contains(r#""recovered":false"#) && text.contains(r#""qty":2"#), "{text}");
}

#[test]
fn a_lap_needs_no_room_for_who_keeps_up() {
    let mut scene = scene(0);
    let [counts, plain] = [follower(&mut scene, COUNTED), follower(&mut scene, "")];
    scene.fold(A, book(&[(10, 2)], &[]));
    scene.fold(A, book(&[(9, 3)], &[]));
    scene.fanout.handle_truth(scene.ingest.clone());
    for key in [counts, plain] {
        let text = scene.taken(key);
        let told = text.contains(r#""price":10,"qty":2"#) && text.contains(r#""price":9,"qty":3"#);
        assert!(told && !text.contains("snapshot"), "{text}");
    }
    scene.written(plain);
    // The frame of a second lap is not sent to one of them: it stands at the book of before it.
    scene.fanout.set_limits(LIMITS);
    scene.fold(A, book(&[(10, 5)], &[]));
    scene.fanout.handle_truth(scene.ingest.clone());
    scene.block(plain);
    scene.tick(A, book(&[(9, 0)], &[]));
    let text = scene.written(plain);
    assert!(
        text.contains(r#""price":10,"qty":5"#) && text.contains(r#""price":9,"qty":0"#),
        "{text}"
    );
}
