//! The admin thread over a real socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gateway::admin::{Admin, AdminError, Control, Surroundings};
use gateway::catalogue::{Catalogue, FeedStatus, Listing};
use gateway::clock;
use gateway::config;
use gateway::latency::Stretch;
use gateway::logs::Logs;
use gateway::metrics::Metrics;
use gateway::stop::Stopper;
use tokio::sync::oneshot;

fn settings(listen: SocketAddr) -> config::Admin {
    config::Admin {
        listen,
        token_file: None,
        answer_timeout: Duration::from_secs(1),
        thread: config::Thread::default(),
    }
}

/// An admin thread that stands alone.
fn nothing() -> Control {
    let text = "[door]\nlisten = '127.0.0.1:0'\ncert_file = 'c'\nkey_file = 'k'\n\
                [[ingest.feeds]]\nname = 'f'\ndialect = 'kraken'\nurl = 'ws://127.0.0.1:1/v2'\n\
                symbols = 'all'\n";
    let shard = config::parse(text, Path::new("t.toml")).expect("it is right").config.shard;
    Control {
        desks: Vec::new(),
        stopper: Stopper::of_nothing(shard),
        reloader: None,
        logs: Logs::default(),
    }
}

struct Running {
    address: SocketAddr,
    surroundings: Surroundings,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start() -> Self {
        let any = "127.0.0.1:0".parse().expect("an address");
        let admin = Admin::bind(&settings(any)).expect("a free port exists");
        let address = admin.address();
        let surroundings = Surroundings {
            catalogue: Arc::new(Catalogue::default()),
            metrics: Arc::new(Metrics::new(["spot"], 1)),
            control: nothing(),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let shared = surroundings.clone();
        let thread = std::thread::spawn(move || {
            let stopped = async { drop(stopped.await) };
            admin.run(shared, stopped).expect("a runtime can be made");
        });
        Self { address, surroundings, stop: Some(stop), thread: Some(thread) }
    }

    /// Sends bytes as they are and reads until the connection ends.
    fn exchange(&self, request: &[u8]) -> String {
        let mut socket = TcpStream::connect(self.address).expect("admin listens");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out can be set");
        socket.write_all(request).expect("admin reads");
        let mut answer = Vec::new();
        // A reset after the answer is an end as well.
        let _ = socket.read_to_end(&mut answer);
        String::from_utf8(answer).expect("answers are text")
    }

    fn request(&self, method: &str, path: &str) -> (u16, String, String) {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        let answer = self.exchange(request.as_bytes());
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        (status.expect("a status"), head.to_ascii_lowercase(), body.to_owned())
    }

    fn set_live(&self, live: bool) {
        let detail = "dialling".to_owned();
        let feeds = vec![FeedStatus { name: "spot".into(), live, detail, ..FeedStatus::default() }];
        self.surroundings.catalogue.publish(Listing { feeds, ..Listing::default() });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.expect("it was started").expect("admin does not panic");
        }
    }
}

#[test]
fn ready_only_while_the_shards_run_and_a_feed_lives_and_otherwise_says_why_not() {
    let admin = Running::start();
    let check = |status: u16, words: &str| {
        let (found, _, body) = admin.request("GET", "/readyz");
        assert_eq!((found, body.trim_end()), (status, words));
    };
    assert_eq!(admin.request("GET", "/healthz").0, 200, "live before it is ready");
    check(503, "not ready: 0 of 1 shards are running");
    admin.surroundings.metrics.shards[0].cycles.inc();
    check(503, "not ready: ingest has not started yet");
    admin.set_live(false);
    check(503, "not ready: no feed is live; down: spot (dialling)");
    admin.set_live(true);
    check(200, "ready: all 1 feeds are live");
}

#[test]
fn latency_is_json_with_exact_counts() {
    let admin = Running::start();
    let mut station = admin.surroundings.metrics.latency.station(Stretch::RecvToSent);
    (1..=1000).for_each(|micros| station.record(micros * 1000));
    station.hand_over(clock::now());
    let (status, head, body) = admin.request("GET", "/latency");
    assert_eq!(status, 200);
    assert!(head.contains("content-type: application/json"), "{head}");
    let report: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let tally = &report["stretches"]["recv_to_sent"]["since_start"];
    assert_eq!((&tally["count"], &tally["mean"]), (&1000.into(), &500_500.into()));
    for (name, exact) in [("min", 1_000), ("p50", 500_000), ("p99", 990_000), ("max", 1_000_000)] {
        let found = tally[name].as_i64().expect("a number");
        assert!((found - exact).abs() <= exact / 500, "{name} is {found}");
    }
    assert_eq!(report["stretches"]["recv_to_publish"]["since_start"]["count"], 0);
    assert_eq!(report["stretches"]["recv_to_sent"]["last_interval"]["p99_99"], 0);
}

#[test]
fn metrics_come_with_the_type_that_prometheus_asks_for() {
    let admin = Running::start();
    let (status, head, body) = admin.request("GET", "/metrics");
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(body.contains("\ngateway_feed_live{feed=\"spot\"} 0\n"), "{body}");
}

#[test]
fn other_methods_other_paths_and_no_http_at_all_are_refused() {
    let admin = Running::start();
    let (status, head, _) = admin.request("POST", "/metrics");
    assert_eq!(status, 405);
    assert!(head.contains("allow: get, head"), "{head}");
    assert_eq!(admin.request("GET", "/secret").0, 404);
    let (status, head, body) = admin.request("HEAD", "/");
    assert_eq!((status, body.as_str()), (200, ""));
    assert!(!head.contains("content-length: 0"), "{head}");
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    assert!(admin.exchange(long.as_bytes()).starts_with("HTTP/1.1 431"));
    assert!(!admin.exchange(b"\x16\x03\x01\x00\x00 no http\r\n\r\n").contains("200"));
    assert_eq!(admin.request("GET", "/healthz").0, 200, "it lives on");
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let admin = Running::start();
    let begun = Instant::now();
    admin.exchange(b"GET / HT");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[test]
fn of_silent_connections_beyond_the_limit_the_oldest_is_closed_and_the_newest_answered() {
    let admin = Running::start();
    let connect = || TcpStream::connect(admin.address).expect("admin listens");
    let mut held: Vec<_> = (0..64).map(|_| connect()).collect();
    assert_eq!(admin.request("GET", "/healthz").0, 200, "somebody made room");
    let mut oldest = held.swap_remove(0);
    oldest.set_read_timeout(Some(Duration::from_secs(3))).expect("a time-out can be set");
    assert_eq!(oldest.read(&mut [0]).expect("closed, not timed out"), 0);
    let metrics = admin.request("GET", "/metrics").2;
    let line = "gateway_admin_connections_cut_total{reason=\"made_room\"} 1\n";
    assert!(metrics.contains(line), "{metrics}");
}

#[test]
fn a_busy_port_is_an_error_that_names_the_address() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port exists");
    let listen = taken.local_addr().expect("it is bound");
    let error = Admin::bind(&settings(listen)).expect_err("the port is taken");
    assert!(matches!(error, AdminError::Listen { .. }));
    assert!(error.to_string().contains(&listen.to_string()), "{error}");
}
