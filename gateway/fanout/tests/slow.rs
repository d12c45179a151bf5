//! What becomes of a session that cannot be written, of one that asked for a pace, and of one that
//! comes back: each promise on the smallest stage that can break it.

mod scene;

use fanout::{Limits, SessionKey};
use market::Nanos;
use scene::{Scene, book, quote, trade};

const A: u32 = 0;

fn subscribe(channel: &str, x: &str) -> String {
    format!(
        r#"{{"method":"subscribe","params":{{"channel":"{channel}","symbol":["A"],
            "x":{{"seq":true{x}}}}}}}"#
    )
}

fn quotes(x: &str) -> String {
    subscribe("ticker", x).replace(r#""symbol""#, r#""event_trigger":"bbo","symbol""#)
}

/// A session that follows quotes on these terms, was shown the first and not the second, and whose
/// socket takes no more.
fn behind(x: &str) -> (Scene, SessionKey) {
    let mut scene = Scene::new(&["A"]);
    scene.tick(A, quote(10));
    let key = scene.open();
    scene.ask(key, &quotes(x));
    scene.written(key);
    scene.tick(A, quote(11));
    scene.block(key);
    (scene, key)
}

#[test]
fn a_slow_dashboard_gets_the_newest_quote_not_every_quote() {
    let (mut scene, key) = behind("");
    (12..20).for_each(|bid| scene.tick(A, quote(bid)));
    assert_eq!(scene.fanout.backlog_bytes(key), 0, "marks, not copies");
    let text = scene.written(key);
    assert!(text.contains(r#""bid":19"#) && !text.contains(r#""bid":18"#), "{text}");
    assert!(text.contains(r#""seq":10,"first_seq":2,"merged":9"#), "{text}");
    scene.tick(A, quote(20));
    assert!(scene.written(key).contains(r#""x":{"seq":11,"ts"#), "it is on the list again");
}

#[test]
fn each_cycle_has_a_whole_share_for_who_is_behind_whatever_others_brought() {
    let (mut scene, key) = behind("");
    scene.fanout.set_limits(Limits { slice_bytes_max: 1000, ..scene::LIMITS });
    for bid in 12..30 {
        let text = scene.taken(key);
        assert!(text.contains(&format!(r#""bid":{}"#, bid - 1)), "in one cycle: {text}");
        scene.written(key);
        scene.tick(A, quote(bid));
        scene.block(key);
    }
}

#[test]
fn a_session_that_is_behind_costs_an_update_nothing() {
    let (mut scene, _) = behind("");
    let encoded = scene.fanout.counters().frames_encoded;
    (12..100).for_each(|bid| scene.tick(A, quote(bid)));
    assert_eq!(scene.fanout.counters().frames_encoded, encoded, "no frame was made for it");
    assert!(!scene.fanout.has_work() && scene.fanout.poll_dirty().is_none());
}

#[test]
fn two_that_fell_behind_together_share_one_frame() {
    let mut scene = Scene::new(&["A"]);
    scene.tick(A, book(&[(10, 1)], &[(11, 1)]));
    let keys = [scene.open(), scene.open()];
    for key in keys {
        scene.ask(key, &subscribe("book", ""));
        scene.written(key);
    }
    scene.tick(A, book(&[(10, 2)], &[]));
    for key in keys {
        scene.fanout.keep(key);
    }
    while scene.fanout.poll_dirty().is_some() {}
    scene.fanout.end_cycle();
    (3..9).for_each(|size| scene.tick(A, book(&[(10, size)], &[(12, size)])));
    let before: u64 = scene.fanout.counters().frames_encoded.iter().sum();
    let texts = keys.map(|key| scene.taken(key));
    let after: u64 = scene.fanout.counters().frames_encoded.iter().sum();
    assert_eq!((texts[0].clone(), after - before), (texts[1].clone(), 1));
    assert!(texts[0].contains(r#""merged":7"#), "{}", texts[0]);
    assert_eq!(texts[0].matches("\"price\"").count(), 2, "the newest of each level: {}", texts[0]);
}

#[test]
fn trades_are_told_one_by_one_and_what_is_too_much_is_announced() {
    let mut scene = Scene::new(&["A"]);
    let key = scene.open();
    scene.ask(key, &subscribe("trade", ""));
    scene.tick(A, trade(1));
    scene.written(key);
    scene.tick(A, trade(2));
    scene.block(key);
    (3..=30).for_each(|id| scene.tick(A, trade(id)));
    let text = scene.written(key);
    assert!(text.contains(r#""from_seq":2,"to_seq":10,"count":9,"reason":"slow""#), "{text}");
    assert!(!text.contains("merged") && text.contains(r#""trade_id":11,"#), "{text}");
    assert_eq!(text.matches("trade_id").count(), 20);
}

#[test]
fn who_cannot_be_told_of_missing_trades_is_closed_to_come_back() {
    let mut scene = Scene::new(&["A"]);
    let key = scene.open();
    scene.ask(key, r#"{"method":"subscribe","params":{"channel":"trade","symbol":["A"]}}"#);
    scene.tick(A, trade(1));
    scene.written(key);
    scene.tick(A, trade(2));
    scene.block(key);
    (3..=21).for_each(|id| scene.tick(A, trade(id)));
    assert_eq!(scene.written(key).matches("trade_id").count(), 20, "so many are still told");
    scene.tick(A, trade(22));
    scene.block(key);
    (23..=60).for_each(|id| scene.tick(A, trade(id)));
    scene.written(key);
    assert_eq!(scene.fanout.closing(key).map(wire::close::CloseCode::code), Some(4005));
}

#[test]
fn who_asked_to_skip_is_told_the_range_and_the_newest() {
    let mut scene = Scene::new(&["A"]);
    scene.tick(A, quote(10));
    let key = scene.open();
    scene.ask(key, &quotes(r#","on_slow":"skip""#));
    assert!(scene.written(key).contains(r#""on_slow":"skip""#));
    scene.tick(A, quote(11));
    scene.block(key);
    (12..20).for_each(|bid| scene.tick(A, quote(bid)));
    let text = scene.written(key);
    assert!(text.contains(r#""from_seq":2,"to_seq":9,"count":8,"reason":"skipped""#), "{text}");
    assert!(text.contains(r#""bid":19"#) && !text.contains("merged"), "{text}");
}

#[test]
fn who_asked_to_be_disconnected_is_when_too_far_behind() {
    let (mut scene, key) = behind(r#","on_slow":"disconnect""#);
    scene.fanout.handle_time(1);
    assert_eq!(scene.fanout.closing(key), None);
    (12..6000).for_each(|bid| scene.tick(A, quote(bid)));
    scene.fanout.handle_time(2);
    assert_eq!(scene.fanout.closing(key).map(wire::close::CloseCode::code), Some(4001));
}

#[test]
fn a_slow_session_is_warned_and_later_cleared() {
    let (mut scene, key) = behind("");
    scene.fanout.handle_time(1);
    (12..30).for_each(|bid| scene.tick(A, quote(bid)));
    scene.fanout.handle_time(2);
    scene.fanout.handle_time(3);
    let text = scene.written(key);
    assert_eq!(text.matches("slow_warning").count(), 1, "{text}");
    assert!(text.find("slow_warning") < text.find("\"bid\""), "control goes first");
    scene.fanout.handle_time(4);
    assert!(scene.written(key).contains("slow_cleared"));
}

#[test]
fn a_socket_that_takes_nothing_is_given_up_whatever_it_says() {
    let (mut scene, key) = behind("");
    for second in 1..10 {
        scene.fanout.heard(key, second * 1_000_000_000);
        scene.fanout.handle_time(second * 1_000_000_000);
        assert_eq!(scene.fanout.closing(key), None);
    }
    scene.fanout.heard(key, 10_000_000_000);
    scene.fanout.handle_time(10_000_000_000);
    assert_eq!(scene.fanout.closing(key).map(wire::close::CloseCode::code), Some(4001));
}

#[test]
fn a_paced_session_gets_one_frame_at_the_end_of_each_bucket() {
    let mut scene = Scene::new(&["A"]);
    scene.at(1_730_000_000);
    scene.tick(A, quote(10));
    let key = scene.open();
    scene.ask(key, &quotes(r#","conflate_ms":90"#));
    let text = scene.written(key);
    assert!(text.contains(r#""qos":"conflated","conflate_ms":100"#), "{text}");
    assert!(text.contains(r#""type":"snapshot""#));
    (11..20).for_each(|bid| scene.tick(A, quote(bid)));
    assert_eq!(scene.fanout.pace_due_at(), Some(1_800_000_000));
    scene.at(1_799_999_999);
    assert_eq!(scene.written(key), "");
    scene.at(1_800_000_000);
    let text = scene.written(key);
    assert!(text.contains(r#""bid":19"#) && text.contains(r#""merged":9"#), "{text}");
    assert_eq!(scene.fanout.pace_due_at(), None, "nothing new, nothing due");
}

#[test]
fn a_pending_quote_goes_out_before_the_trade() {
    let mut scene = Scene::new(&["A"]);
    scene.at(1_000_000_000);
    scene.tick(A, quote(10));
    let [both, quotes_alone] = [scene.open(), scene.open()];
    scene.ask(both, &quotes(r#","conflate_ms":1000"#));
    scene.ask(both, &subscribe("trade", ""));
    scene.ask(quotes_alone, &quotes(r#","conflate_ms":1000"#));
    scene.written(both);
    scene.written(quotes_alone);
    scene.tick(A, quote(11));
    scene.tick(A, trade(1));
    let text = scene.taken(both);
    let (quote_at, trade_at) = (text.find(r#""bid":11"#), text.find("trade_id"));
    assert!(quote_at.is_some() && quote_at < trade_at, "{text}");
    assert_eq!(scene.written(quotes_alone), "", "its bucket has not ended");
}

#[test]
fn behind_a_lap_as_well_the_quote_goes_out_before_the_trades() {
    let mut scene = Scene::new(&["A"]);
    scene.at(1_000_000_000);
    scene.tick(A, quote(10));
    let key = scene.open();
    scene.ask(key, &quotes(r#","conflate_ms":1000"#));
    scene.ask(key, &subscribe("trade", ""));
    scene.written(key);
    scene.fold(A, quote(11));
    scene.fold(A, trade(1));
    scene.fanout.handle_truth(scene.ingest.clone());
    let text = scene.written(key);
    let (quote_at, trade_at) = (text.find(r#""bid":11"#), text.find("trade_id"));
    assert!(quote_at.is_some() && quote_at < trade_at, "{text}");
}

#[test]
fn however_late_a_shard_is_two_frames_of_a_pace_are_never_closer_than_half_of_it() {
    const MS: u64 = 1_000_000;
    let mut rng = fastrand::Rng::with_seed(6);
    let mut scene = Scene::new(&["A"]);
    scene.at(1_000 * MS);
    scene.tick(A, quote(10));
    let key = scene.open();
    scene.ask(key, &quotes(r#","conflate_ms":100"#));
    scene.written(key);
    let (mut now, mut told_at, mut told, mut closest) = (1_000 * MS, 0, 0, u64::MAX);
    for bid in 11..3000 {
        // Ticks every 20 ms or so; now and then the shard is kept from running, or lapped.
        now += if rng.u32(..20) == 0 { rng.u64(..700 * MS) } else { rng.u64(..40 * MS) };
        scene.at(now);
        if rng.u32(..50) == 0 {
            scene.fold(A, quote(bid));
            scene.fanout.handle_truth(scene.ingest.clone());
        } else {
            scene.tick(A, quote(bid));
        }
        if scene.written(key).contains("\"bid\"") {
            closest = closest.min(now - told_at);
            (told_at, told) = (now, told + 1);
        }
    }
    assert!(closest >= 50 * MS && told > 500, "{closest} ns, {told} frames");
}

#[test]
fn a_pace_changes_while_running_without_a_second_snapshot() {
    let mut scene = Scene::new(&["A"]);
    scene.at(1_000_000_000);
    scene.tick(A, quote(10));
    let key = scene.open();
    scene.ask(key, &quotes(""));
    scene.written(key);
    let ask = |ms: u32| {
        format!(
            r#"{{"method":"reconfigure","params":{{"channel":"ticker","symbol":["A"],
                "x":{{"conflate_ms":{ms}}}}}}}"#
        )
    };
    scene.ask(key, &ask(500));
    let text = scene.written(key);
    assert!(text.contains(r#""conflate_ms":500"#) && !text.contains("snapshot"), "{text}");
    scene.tick(A, quote(11));
    assert_eq!(scene.written(key), "");
    scene.ask(key, &ask(0));
    let text = scene.written(key);
    assert!(text.contains(r#""bid":11"#), "what waited comes with the change: {text}");
    scene.tick(A, quote(12));
    assert!(scene.written(key).contains(r#""bid":12"#));
}

#[test]
fn a_session_that_returns_goes_on_where_it_left_off_or_gets_a_snapshot() {
    let mut scene = Scene::new(&["A"]);
    scene.tick(A, quote(10));
    (11..15).for_each(|bid| scene.tick(A, quote(bid)));
    let resume = |epoch: u64, seq: u64| {
        quotes(&format!(r#","resume":{{"A":{{"epoch":"{epoch}","seq":{seq}}}}}"#))
    };
    let key = scene.open();
    scene.ask(key, &resume(1, 2));
    let text = scene.written(key);
    assert!(
        text.contains(r#""recovered":true"#) && !text.contains("\"snapshot\",\"data"),
        "{text}"
    );
    assert_eq!(text.matches(r#""bid":"#).count(), 3, "every one that was missed: {text}");
    for (epoch, seq) in [(2, 2), (1, 99)] {
        let key = scene.open();
        scene.ask(key, &resume(epoch, seq));
        let text = scene.written(key);
        assert!(text.contains(r#""recovered":false"#), "{text}");
        assert!(text.contains(r#""type":"snapshot""#) && text.contains(r#""bid":14"#), "{text}");
    }
}

#[test]
fn a_huge_subscription_is_worked_off_in_slices_and_others_are_not_kept_waiting() {
    let names: Vec<String> = (0..3000).map(|n| format!("S{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut scene = Scene::new(&names);
    (0..3000).for_each(|id| scene.tick(id, quote(10)));
    let [huge, small] = [scene.open(), scene.open()];
    scene.ask(huge, r#"{"method":"subscribe","params":{"channel":"ticker","symbol":["*"]}}"#);
    scene.ask(small, r#"{"method":"subscribe","params":{"channel":"ticker","symbol":["S1"]}}"#);
    let first = scene.taken(huge);
    assert!(first.matches("bid\"").count() <= 256, "a slice, not everything");
    assert!(scene.taken(small).contains(r#""symbol":"S1""#), "the other is served in its cycle");
    let rest = scene.written(huge);
    assert_eq!(first.matches("bid\"").count() + rest.matches("bid\"").count(), 3000);
}

#[test]
fn a_quiet_session_that_asked_is_told_up_to_where_it_was_told_everything() {
    let mut scene = Scene::new(&["A"]);
    scene.tick(A, quote(10));
    let key = scene.open();
    scene.ask(key, &quotes(""));
    scene.ask(key, r#"{"method":"subscribe","params":{"channel":"heartbeat"}}"#);
    scene.tick(A, quote(11));
    scene.written(key);
    scene.fanout.handle_time(2_000_000_000);
    let text = scene.written(key);
    assert!(text.contains(r#""last":{"ticker:bbo":{"A":2}}"#), "{text}");
    assert!(text.contains(r#""ts":"2000000000""#) && text.contains(r#""feed":""#), "{text}");
}

#[test]
fn what_a_session_holds_is_listed_with_its_terms() {
    let mut scene = Scene::new(&["A"]);
    let key = scene.open();
    scene.ask(key, &quotes(r#","conflate_ms":250"#));
    scene.ask(key, r#"{"method":"subscribe","params":{"channel":"trade","symbol":["*"]}}"#);
    scene.written(key);
    scene.ask(key, r#"{"method":"list_subscriptions"}"#);
    let text = scene.written(key);
    assert!(text.contains(r#""conflate_ms":250"#) && text.contains(r#""symbol":"*""#), "{text}");
    assert_eq!(text.matches(r#""symbol":"A""#).count(), 2, "{text}");
    scene.fanout.handle_work(Nanos(1));
}
