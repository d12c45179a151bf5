//! A dashboard whose process is stopped by a signal: a child of this test, so that nothing of it
//! runs, its kernel excepted.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::link::{Link, Target};
use super::rig::{
    CHANNELS, Gateway, PATIENCE, SHALLOW, SYMBOLS, any_port, market, subscribe, trust,
};

const WHERE: &str = "FAULTS_DASHBOARD";
const TRUSTED: &str = "FAULTS_CERTIFICATE";
const DASHBOARDS: usize = 3;

struct Process(Child);

impl Process {
    fn start(gateway: &Gateway) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let child = Command::new(program)
            .args(["--exact", "stopped::plays_a_dashboard", "--nocapture"])
            .env(WHERE, gateway.target.address.to_string())
            .env(TRUSTED, &gateway.papers.cert_file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        Self(child.expect("this program starts again"))
    }

    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        let sent = Command::new("kill").args([format!("-{name}"), id]).status();
        assert!(sent.expect("kill can be started").success(), "{name} can be sent");
    }

    /// Asks it to end and returns what it has to say.
    fn report(mut self) -> Value {
        drop(self.0.stdin.take());
        let lines = BufReader::new(self.0.stdout.take().expect("it is piped")).lines();
        let mut lines = lines.map_while(Result::ok);
        let report = lines.find_map(|line| line.strip_prefix("report ").map(str::to_owned));
        serde_json::from_str(&report.expect("it reports")).expect("JSON")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The child: reads until its standard input closes, and a second longer.
#[test]
fn plays_a_dashboard() {
    let Ok(address) = std::env::var(WHERE) else { return };
    let certificate = std::env::var(TRUSTED).expect("both are set");
    let address = address.parse().unwrap_or_else(|_| any_port());
    let mut link = Link::open(&Target { address, tls: trust(Path::new(&certificate)) });
    for channel in CHANNELS {
        link.say(&subscribe(channel, &["*"], &json!({})));
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        over.store(true, Ordering::SeqCst);
    });
    while !is_over.load(Ordering::SeqCst) && link.end.is_none() {
        link.listen(Duration::from_millis(20));
    }
    link.listen_for(Duration::from_secs(1));
    let report = json!({
        "violations": link.view.violations, "end": link.end, "lost": link.lost,
        "merged": link.view.merged,
        "announced": link.view.announced, "warnings": link.notices("slow_warning").count(),
    });
    let mut out = std::io::stdout();
    writeln!(out, "\nreport {report}").and_then(|()| out.flush()).expect("a pipe");
}

#[test]
fn a_stopped_dashboard_costs_no_memory_and_nobody_else_and_goes_on_when_it_wakes() {
    let rest = "[shard]\nwrite_timeout_ms = 120000\nping_ms = 120000\ntrades_behind_max = 50\n";
    let gateway = Gateway::start(market(3000.0), SHALLOW, rest);
    let stopped: Vec<Process> = (0..DASHBOARDS).map(|_| Process::start(&gateway)).collect();
    let mut healthy = gateway.session(&CHANNELS, &json!({}));
    let all = ((DASHBOARDS + 1) * 3 * SYMBOLS) as u64;
    gateway.wait("all are served", PATIENCE, |gateway| {
        healthy.listen(Duration::from_millis(1));
        gateway.counted("gateway_shard_subscriptions") == all
    });
    for process in &stopped {
        process.signal("STOP");
    }
    gateway.wait("all are behind", PATIENCE, |gateway| {
        healthy.listen(Duration::from_millis(1));
        gateway.behind() >= DASHBOARDS as u64
    });
    let mut backlog_max = 0;
    let since = healthy.view.book_updates;
    while healthy.view.book_updates < since + 10_000 {
        assert!(healthy.listen(PATIENCE), "others go on");
        backlog_max = backlog_max.max(gateway.metrics.shards[0].outbox_bytes.value());
    }
    healthy.is_content();
    assert_eq!(healthy.view.announced, 0, "others miss nothing");
    // Some four megabytes were due to each; a record that was sealed, and notices, are what waits.
    assert!(backlog_max < 64 * 1024, "{backlog_max} bytes wait for {DASHBOARDS} stopped");
    for process in &stopped {
        process.signal("CONT");
    }
    gateway.wait("all have caught up", PATIENCE, |gateway| {
        healthy.listen(Duration::from_millis(1));
        gateway.behind() == 0
    });
    for process in stopped {
        let report = process.report();
        assert_eq!((&report["violations"], &report["end"]), (&json!([]), &Value::Null), "{report}");
        assert!(report["merged"].as_u64() > Some(0), "the newest, not every one: {report}");
        assert!(report["announced"].as_u64() > Some(0), "missed trades are announced: {report}");
    }
    assert!(gateway.counted("gateway_shard_slow_warnings_total") >= DASHBOARDS as u64);
}
