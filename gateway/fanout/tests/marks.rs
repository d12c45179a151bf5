//! Where a session stands when its socket fills up at an awkward moment: nothing it was not sent
//! may be forgotten, and no book may be taken for its that it does not hold.

mod scene;

use fanout::SessionKey;
use market::Body;
use scene::{Scene, book, quote, trade};

const A: u32 = 0;

fn ask(method: &str, channel: &str, x: &str) -> String {
    let trigger = if channel == "ticker" { r#""event_trigger":"bbo","# } else { "" };
    format!(
        r#"{{"method":"{method}","params":{{"channel":"{channel}",
            {trigger}"symbol":["A"],"x":{{{x}}}}}}}"#
    )
}

/// A session that was shown the first value of A, with its number.
fn subscribed(first: Body<'_>, channel: &str) -> (Scene, SessionKey) {
    let mut scene = Scene::new(&["A"]);
    scene.tick(A, first);
    let key = scene.open();
    scene.ask(key, &ask("subscribe", channel, r#""seq":true"#));
    scene.written(key);
    (scene, key)
}

#[test]
fn a_change_of_pace_forgets_no_update_that_was_not_sent() {
    let (mut scene, key) = subscribed(quote(10), "ticker");
    scene.tick(A, quote(11));
    scene.ask(key, &ask("reconfigure", "ticker", r#""conflate_ms":1000"#));
    scene.block(key);
    assert!(scene.written(key).contains("reconfigure"));
    scene.tick(A, quote(12));
    scene.at(1_000_000_000);
    let text = scene.written(key);
    assert!(text.contains(r#""seq":3,"first_seq":2,"merged":2"#), "{text}");
}

#[test]
fn a_change_of_pace_keeps_the_book_that_was_sent() {
    let (mut scene, key) = subscribed(book(&[(10, 1)], &[]), "book");
    scene.tick(A, book(&[(9, 5)], &[]));
    scene.ask(key, &ask("reconfigure", "book", r#""conflate_ms":1000"#));
    scene.block(key);
    scene.written(key);
    scene.at(1_000_000_000);
    let text = scene.written(key);
    assert!(text.contains(r#""price":9,"qty":5"#) && text.contains(r#""seq":2,"ts"#), "{text}");
}

#[test]
fn who_skips_and_who_merges_are_each_told_from_the_book_they_hold() {
    let mut scene = Scene::new(&["A"]);
    scene.tick(A, book(&[(10, 1)], &[]));
    let [skips, merges] = [scene.open(), scene.open()];
    scene.ask(skips, &ask("subscribe", "book", r#""seq":true,"on_slow":"skip""#));
    scene.ask(merges, &ask("subscribe", "book", r#""seq":true"#));
    scene.written(skips);
    scene.written(merges);
    scene.tick(A, book(&[(10, 2)], &[]));
    scene.taken(merges);
    scene.block(skips);
    scene.tick(A, book(&[(7, 7)], &[]));
    scene.written(merges);
    // The socket of the one takes the announcement at most, that of the other nothing.
    scene.tick(A, book(&[(10, 4)], &[]));
    let mut some = Vec::new();
    scene.fanout.take(skips, 1, &mut some, |_| {}, 0);
    scene.fanout.keep(skips);
    scene.block(merges);
    let text = scene.written(merges);
    assert!(text.contains(r#""seq":4,"ts"#) && !text.contains(r#""price":7"#), "{text}");
    let text = String::from_utf8_lossy(&some).into_owned() + &scene.written(skips);
    assert!(text.contains(r#""from_seq":2,"to_seq":3,"count":2"#), "{text}");
    assert_eq!(text.matches("from_seq").count(), 1, "announced once: {text}");
    assert!(text.contains(r#""price":7"#) && text.contains(r#""seq":4,"ts"#), "{text}");
}

#[test]
fn a_socket_that_takes_little_by_little_is_not_given_up() {
    let (mut scene, key) = subscribed(quote(10), "ticker");
    scene.tick(A, quote(11));
    scene.block(key);
    scene.fanout.handle_progress(key, 9_000_000_000);
    scene.fanout.heard(key, 18_900_000_000);
    scene.fanout.handle_time(18_900_000_000);
    assert_eq!(scene.fanout.closing(key), None);
    scene.fanout.handle_time(19_000_000_000);
    assert_eq!(scene.fanout.closing(key).map(wire::close::CloseCode::code), Some(4001));
}

#[test]
fn who_resumes_is_told_every_trade_that_is_held() {
    let mut scene = Scene::new(&["A"]);
    (1..=100).for_each(|id| scene.tick(A, trade(id)));
    let key = scene.open();
    let x = r#""seq":true,"resume":{"A":{"epoch":"1","seq":10}}"#;
    scene.ask(key, &ask("subscribe", "trade", x));
    let text = scene.written(key);
    assert!(text.contains(r#""recovered":true"#) && !text.contains("gap"), "{text}");
    assert_eq!(text.matches("trade_id").count(), 90, "{text}");
}

#[test]
fn to_resume_what_is_held_already_promises_no_snapshot() {
    let (mut scene, key) = subscribed(quote(10), "ticker");
    let x = r#""seq":true,"resume":{"A":{"epoch":"1","seq":1}}"#;
    scene.ask(key, &ask("subscribe", "ticker", x));
    let text = scene.written(key);
    assert!(text.contains("already subscribed") && !text.contains("recovered"), "{text}");
}
