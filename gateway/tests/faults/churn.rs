//! A dashboard that subscribes and unsubscribes without end: each request has one meaning however
//! often it comes, and nothing of it stays.

use std::time::Duration;

use serde_json::{Value, json};

use super::link::Link;
use super::program::Program;
use super::rig::{CHANNELS, DEPTH, PATIENCE, SYMBOLS, any_port, market, subscribe};
use super::view::{Rules, View};

const MIB: u64 = 1 << 20;

fn unsubscribe(channel: &str) -> Value {
    let mut request = subscribe(channel, &["*"], &json!({}));
    request["method"] = "unsubscribe".into();
    request
}

/// Reads until so many answers of a method are there; returns their warnings, and forgets all.
fn answers(link: &mut Link, method: &str, count: usize) -> Vec<String> {
    link.until("every answer", |link| {
        link.notes.iter().filter(|note| note["method"] == method).count() >= count
    });
    let warnings = link.notes.iter().filter_map(|note| note["result"]["warnings"][0].as_str());
    let warnings: Vec<String> = warnings.map(str::to_owned).collect();
    link.notes.clear();
    link.frames.clear();
    if method == "subscribe" {
        return warnings;
    }
    // What comes from now on is of another subscription, which begins anew.
    link.view = View::new(Rules { sequenced: true, depth: DEPTH, keeps_frames: false });
    link.view.greeted = true;
    warnings
}

/// Takes up everything twice and gives it up twice.
fn round(link: &mut Link, program: &Program, is_counted: bool) {
    for channel in CHANNELS {
        link.say(&subscribe(channel, &["*"], &json!({})));
    }
    let warnings = answers(link, "subscribe", CHANNELS.len());
    assert_eq!(warnings, Vec::<String>::new());
    for channel in CHANNELS {
        link.say(&unsubscribe(channel));
    }
    answers(link, "unsubscribe", CHANNELS.len());
    if !is_counted {
        return;
    }
    program.wait("nothing is held", |program| program.counted("gateway_shard_subscriptions") == 0);
    for channel in CHANNELS {
        link.say(&unsubscribe(channel));
    }
    let warnings = answers(link, "unsubscribe", CHANNELS.len());
    assert_eq!(warnings, vec!["was not subscribed"; CHANNELS.len()]);
}

#[test]
fn churn_changes_nothing_twice_and_leaves_nothing_behind() {
    let venue = market(300.0).start_thread(any_port()).expect("it starts");
    let rest = "[shard]\nrequests_per_second_max = 100000\n[ring]\nbytes = 1048576\n\
        [ingest]\nbook_levels_max = 100\n";
    let program = Program::start(venue.addr(), "", "", rest);
    let known = |program: &Program| program.counted("gateway_ingest_symbols") == SYMBOLS as u64;
    program.wait("the universe is known", known);
    let mut link = Link::open(&program.target);
    link.until("greeted", |link| link.view.greeted);
    for at in 0..100 {
        round(&mut link, &program, at % 25 == 0);
    }
    let resident = |program: &Program| program.counted("process_resident_memory_bytes");
    let before = resident(&program);
    for at in 0..400 {
        round(&mut link, &program, at % 100 == 0);
    }
    // The history fills meanwhile: some 100 bytes an update.
    let grown = resident(&program).saturating_sub(before);
    eprintln!("{grown} bytes more after 400 rounds of {} subscriptions", 3 * SYMBOLS);
    assert!(grown < 3 * MIB, "{grown} bytes");
    let name = {
        link.say(&subscribe("book", &["*"], &json!({})));
        link.until("a book", |link| !link.view.books.is_empty());
        link.view.books.keys().next().cloned().expect("it is there")
    };
    for _ in 0..3 {
        link.say(&subscribe("book", &[&name], &json!({})));
    }
    link.until("every answer", |link| {
        let is_again = |note: &&Value| note["result"]["warnings"][0] == "already subscribed";
        link.notes.iter().filter(is_again).count() == 3
    });
    program.wait("each is held once", |program| {
        program.counted("gateway_shard_subscriptions") == SYMBOLS as u64
    });
    link.is_content();
    assert_eq!(program.counted("gateway_shard_sessions_opened_total"), 1);
}

#[test]
fn churn_beyond_the_rate_is_refused_and_then_the_end_and_all_of_it_is_forgotten() {
    let venue = market(300.0).start_thread(any_port()).expect("it starts");
    let program = Program::start(venue.addr(), "", "", "");
    let mut healthy = Link::open(&program.target);
    healthy.say(&subscribe("book", &["*"], &json!({})));
    healthy.until("it is served", |link| link.view.books.len() == SYMBOLS);
    let mut churning = Link::open(&program.target);
    let name = healthy.view.books.keys().next().cloned().expect("a symbol");
    for at in 0..5000 {
        let mut request = subscribe("ticker", &[&name], &json!({}));
        if at % 2 == 1 {
            request["method"] = "unsubscribe".into();
        }
        // Once it is closed, the rest does not arrive.
        if churning.try_say(&request).is_err() {
            break;
        }
    }
    while churning.end.is_none() && churning.listen(PATIENCE) {
        // A second snapshot is right after an unsubscribe.
        churning.view.violations.clear();
    }
    let refused = churning.notes.iter().filter(|note| note["x"]["code"] == "RATE_LIMIT").count();
    assert!(refused > 100, "{refused} were refused before the end");
    assert_eq!(churning.end, Some(4004), "{:?}", churning.lost);
    program.wait("it is forgotten", |program| {
        healthy.listen(Duration::from_millis(1));
        program.counted("gateway_shard_sessions") == 1
    });
    program.wait("so is what it held", |program| {
        program.counted("gateway_shard_subscriptions") == SYMBOLS as u64
    });
    healthy.is_content();
    assert_eq!(healthy.view.announced, 0);
}
