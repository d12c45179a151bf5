//! Sessions shared by several load processes: they add up to one fleet, they use several source
//! addresses, and none of them outlives or escapes the run. Every figure is a count.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "in a test a panic is the report"
)]

mod scripted;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bench::report::result::Block;
use bench::run::RunError;
use bench::run::block::play;
use bench::run::system::family;
use bench::scenario::Scenario;
use scripted::contest::{contender, setting};
use scripted::{Gateway, Script, Step};

const BENCH: &str = env!("CARGO_BIN_EXE_bench");

fn gateway() -> Gateway {
    let step = Step::Live { symbol: "BTC/USD", rate: 100, stall: Duration::ZERO };
    Gateway::start(Script { requests: 1, refused: None, steps: Arc::new(vec![step]) })
}

fn scenario(processes: u32, measure_s: f64) -> String {
    format!(
        "title = \"thirty sessions\"\n[fleet]\nsessions = 30\nsymbols_per_session = 1\n\
         threads = 2\nload_processes = {processes}\nsessions_per_source = 10\n\
         [time]\nwarm_up_s = 0.2\nmeasure_s = {measure_s}\nblocks = 1\ndrain_s = 0.5\n\
         [cores]\nserver = []\nload = []\nfeed = []\n"
    )
}

fn measure(gateway: &Gateway, processes: u32, bench: &Path) -> Result<Block, RunError> {
    let scenario = Scenario::parse(&scenario(processes, 1.0), "test").unwrap();
    play(&scenario, &contender(gateway), &setting(bench)).map(|measured| measured.block)
}

#[test]
fn three_processes_are_one_fleet_that_comes_from_three_addresses() {
    for processes in [1, 3] {
        let gateway = gateway();
        let block = measure(&gateway, processes, Path::new(BENCH)).unwrap();
        assert!(block.ready && block.sessions == 30, "{block:?}");
        assert_eq!((block.counts.lost, block.counts.out_of_order), (0, 0), "{block:?}");
        // A hundred ticks a second, each to all.
        assert!((2700..=3030).contains(&block.counts.deliveries), "{block:?}");
        assert_eq!(block.latency.count, block.counts.deliveries);
        // Threads of a test beside this one may be counted where they run in this process.
        assert_eq!(block.load.processes, processes);
        assert!(block.load.threads >= 2 * processes, "{block:?}");
        let peers: Vec<String> =
            gateway.peers.lock().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(peers, ["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
    }
}

/// A program that does `what`.
fn program(what: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("program");
    std::fs::write(&path, format!("#!/bin/sh\n{what}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    (folder, path)
}

#[test]
fn a_load_process_that_dies_ends_the_run_by_its_name() {
    let gateway = gateway();
    let endings = [
        ("echo no room for me >&2; exit 7".to_owned(), "no room for me"),
        (format!("exec timeout --signal=KILL 1 {BENCH} \"$@\""), "has ended"),
    ];
    for (what, said) in endings {
        let (_folder, path) = program(&what);
        let error = measure(&gateway, 3, &path).unwrap_err().to_string();
        assert!(error.contains("load process ") && error.contains(" of 3"), "{error}");
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn ctrl_c_ends_all_load_processes() {
    let gateway = gateway();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("long.toml");
    std::fs::write(&file, scenario(2, 600.0)).unwrap();
    let mut run = Command::new(BENCH)
        .args(["run", file.to_str().unwrap(), "--url", &gateway.url])
        .args(["--ca", gateway.ca.to_str().unwrap(), "--feed-sim", BENCH])
        .args(["--out", folder.path().join("out").to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let all = loop {
        let all = family(run.id());
        if all.len() == 3 && gateway.peers.lock().unwrap().len() == 3 {
            break all;
        }
        assert!(Instant::now() < deadline, "no load processes: {all:?}");
        std::thread::sleep(Duration::from_millis(20));
    };
    let pid = rustix::process::Pid::from_raw(run.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(2));
    for pid in all {
        let gone = !Path::new(&format!("/proc/{pid}")).exists();
        assert!(gone, "process {pid} outlived the run");
    }
}
