//! What a fault of ours does, wherever it strikes: one connection ends, or the whole process, and
//! nothing lives on by half.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use fastwebsockets::{Frame, upgrade};
use gateway::metrics::Metrics;
use gateway::threads::ThreadError;
use gateway::{Running, config, faults};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::dashboard::{Dashboard, Target};
use super::rig::{Gateway, PATIENCE, Papers, any_port, free_port, kraken_feed, wish};
use super::venue::{DEPTH, SYMBOLS, market};
use super::view::End;
use super::websocket::HEADERS;

#[test]
fn a_panic_while_one_session_is_served_closes_that_one_and_the_others_live() {
    faults::arm();
    let simulator = market().start_thread(any_port()).expect("it starts");
    let gateway = Gateway::start(&kraken_feed(simulator.addr(), DEPTH));
    let other = gateway.dashboard("other", &wish(true, DEPTH, &["book"], &["*"]));
    other.wait("the market is there", PATIENCE, |view| view.books.len() == SYMBOLS);
    let words = [faults::Place::Session.words()];
    let unlucky = gateway.dashboard("unlucky", &wish(true, DEPTH, &["book"], &words));
    unlucky.wait("it is closed", PATIENCE, |view| view.end == Some(End::Closed(1011)));
    let before = other.view().book_updates;
    other.wait("the other goes on", PATIENCE, |view| view.book_updates > before + 100);
    other.is_content();
    gateway.wait("it is counted", PATIENCE, |gateway| {
        gateway.metrics.exposition().contains("reason=\"internal_error\"} 1")
    });
}

/// A gateway that is going to end by itself, and a dashboard in it.
struct Doomed {
    running: Running,
    metrics: Arc<Metrics>,
    target: Target,
    other: Dashboard,
    _papers: Papers,
}

impl Doomed {
    fn start(feeds: &str) -> Self {
        faults::arm();
        let papers = Papers::new();
        let text = papers.config(any_port(), feeds);
        let loaded = config::parse(&text, Path::new("test.toml")).expect("a good config");
        let running = gateway::start(loaded.config).expect("it starts");
        let target = Target { address: running.door_address(), tls: Some(papers.tls.clone()) };
        let metrics = Arc::clone(running.metrics());
        let other =
            Dashboard::start("other", target.clone(), &wish(true, DEPTH, &["book"], &["*"]));
        other.wait("the market is there", PATIENCE, |view| view.books.len() == SYMBOLS);
        Self { running, metrics, target, other, _papers: papers }
    }

    /// It ends, all of it, and says which thread it was.
    fn ends_by(self, culprit: &str) {
        let ended = self.running.join();
        assert!(
            matches!(&ended, Err(ThreadError::Panicked { thread, .. }) if thread == culprit),
            "{ended:?}"
        );
        self.other.wait("it is told, or lost", PATIENCE, |view| view.end.is_some());
        assert!(TcpStream::connect(self.target.address).is_err(), "nothing is half alive");
    }
}

/// Says who he is, asks for something, and hears all that comes.
fn ask(target: &Target, agent: &str, headers: &str) -> String {
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let tls = Arc::clone(target.tls.as_ref().expect("TLS"));
    let tls = ClientConnection::new(tls, name).expect("a client");
    let socket = TcpStream::connect(target.address).expect("the door is open");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut stream = StreamOwned::new(tls, socket);
    let request = format!("GET /v2 HTTP/1.1\r\nUser-Agent: {agent}\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut heard = Vec::new();
    // However it ends: the words so far are what counts.
    let _ = stream.read_to_end(&mut heard);
    String::from_utf8_lossy(&heard).into_owned()
}

#[test]
fn a_panic_in_what_all_sessions_share_ends_the_gateway_and_names_the_thread() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let doomed = Doomed::start(&kraken_feed(simulator.addr(), DEPTH));
    let words = [faults::Place::Shard.words()];
    let wish = wish(true, DEPTH, &["book"], &words);
    let _unlucky = Dashboard::start("unlucky", doomed.target.clone(), &wish);
    doomed.ends_by("shard-0");
}

#[test]
fn a_panic_while_one_visit_is_answered_ends_that_one_and_the_door_stays_open() {
    faults::arm();
    let simulator = market().start_thread(any_port()).expect("it starts");
    let gateway = Gateway::start(&kraken_feed(simulator.addr(), DEPTH));
    let other = gateway.dashboard("other", &wish(true, DEPTH, &["book"], &["*"]));
    other.wait("the market is there", PATIENCE, |view| view.books.len() == SYMBOLS);
    for _ in 0..3 {
        assert_eq!(ask(&gateway.target, faults::Place::Visit.words(), HEADERS), "");
    }
    gateway.wait("they are counted and gone", PATIENCE, |gateway| {
        gateway.metrics.door.panics.value() == 3 && gateway.metrics.door.arriving.value() == 0
    });
    let answer = ask(&gateway.target, "nobody", "Host: x\r\n");
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    let late = gateway.dashboard("late", &wish(true, DEPTH, &["book"], &["*"]));
    late.wait("it is served", PATIENCE, |view| view.books.len() == SYMBOLS);
    other.is_content();
}

#[test]
fn a_panic_in_what_all_visits_share_ends_the_gateway_and_names_the_door() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let doomed = Doomed::start(&kraken_feed(simulator.addr(), DEPTH));
    assert_eq!(ask(&doomed.target, faults::Place::Door.words(), HEADERS), "");
    let metrics = Arc::clone(&doomed.metrics);
    // The socket goes with what unwinds, so it is gone before the panic is counted.
    doomed.ends_by("door");
    assert_eq!(metrics.door.panics.value(), 1);
}

/// Says one thing to whoever comes, and goes on listening until the gateway is gone.
fn venue_that_says(words: &'static str, address: SocketAddr) -> JoinHandle<()> {
    let listener = TcpListener::bind(address).expect("the port is free");
    listener.set_nonblocking(true).expect("an option");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let serving = async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            let (socket, _) = listener.accept().await.expect("the gateway comes");
            let (asked, mut asking) = tokio::sync::mpsc::unbounded_channel();
            let service = service_fn(|mut request| {
                let asked = asked.clone();
                async move {
                    let (answer, upgraded) = upgrade::upgrade(&mut request)?;
                    asked.send(upgraded).expect("somebody listens");
                    Ok::<_, fastwebsockets::WebSocketError>(answer)
                }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
            connection.with_upgrades().await.expect("it asks for an upgrade");
            let upgraded = asking.recv().await.expect("it asked");
            let mut socket = upgraded.await.expect("upgraded");
            let frame = Frame::text(words.as_bytes().into());
            socket.write_frame(frame).await.expect("sent");
            // An error is the gateway's end.
            while socket.read_frame().await.is_ok() {}
        };
        runtime.expect("a runtime").block_on(serving);
    })
}

/// The second venue comes late.
#[test]
fn a_panic_while_a_venues_message_is_taken_ends_the_gateway_and_names_ingest() {
    let simulator = market().start_thread(any_port()).expect("it starts");
    let late = free_port();
    let feeds = format!(
        "{}[[ingest.feeds]]\nname = \"late\"\ndialect = \"kraken\"\nurl = \"ws://{late}/v2\"\n\
         symbols = \"all\"\n",
        kraken_feed(simulator.addr(), DEPTH)
    );
    let doomed = Doomed::start(&feeds);
    let venue = venue_that_says(faults::Place::Ingest.words(), late);
    doomed.ends_by("ingest");
    venue.join().expect("the venue is well");
}
