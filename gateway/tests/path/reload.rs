//! The config read anew while the gateway runs.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use super::program::Program;
use super::rig::{any_port, kraken_feed, wish};
use super::venue::{DEPTH, SYMBOLS, market};

#[test]
fn changed_limits_hold_at_once_and_what_needs_a_restart_is_named() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let rest = format!("[shard]\nsubscriptions_max = 5\n{}", kraken_feed(simulator.addr(), DEPTH));
    let program = Program::start("sessions_max = 1", &rest);
    let all = wish(true, DEPTH, &["book"], &["*"]);
    let early = program.dashboard("early", &all);
    // The symbols beyond the limit are refused, which a strict dashboard notes.
    program.wait("five books", |_| early.view().books.len() == 5);
    program.edit("subscriptions_max = 5", "subscriptions_max = 50\nspin_us = 7");
    program.edit("sessions_max = 1", "sessions_max = 9");
    let (status, report) = program.ask("POST", "/reload", "");
    assert_eq!(status, 200, "{report}");
    let keys = ["door.sessions_max", "shard.subscriptions_max"];
    assert_eq!(report["applied"], json!(keys), "{report}");
    assert_eq!(report["needs_restart"], json!(["shard.spin_us"]), "{report}");
    program.wait("the shard has looked", |program| {
        let late = program.dashboard("late", &all);
        let deadline = Instant::now() + Duration::from_secs(2);
        while late.view().books.len() < SYMBOLS && Instant::now() < deadline {
            sleep(Duration::from_millis(5));
        }
        late.view().books.len() == SYMBOLS
    });
    assert_eq!(early.view().end, None, "who was there stays");
}

#[test]
fn a_config_with_an_error_is_refused_whole_with_its_line_and_all_stays_as_it_was() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let program = Program::start("arriving_max = 77", &kraken_feed(simulator.addr(), DEPTH));
    program.edit("arriving_max = 77", "arriving_max = 88\nsessions_max = 'many'");
    let (status, problem) = program.ask("POST", "/reload", "{}");
    assert_eq!((status, &problem["error"]), (409, &"config_refused".into()));
    let detail = problem["detail"].as_str().expect("words");
    assert!(detail.contains("gateway.toml:6: door.sessions_max"), "{detail}");
    program.signal("HUP");
    let refused = "gateway_config_reloads_total{outcome=\"refused\"}";
    program.wait("the signal is refused too", |program| program.counted(refused) == 2);
    program.edit("sessions_max = 'many'", "");
    program.signal("HUP");
    let applied = "gateway_config_reloads_total{outcome=\"applied\"}";
    program.wait("a good one is taken", |program| program.counted(applied) == 1);
    let (_, report) = program.ask("POST", "/reload", "{}");
    assert_eq!(report["applied"], json!([]), "it was taken by the signal: {report}");
}
