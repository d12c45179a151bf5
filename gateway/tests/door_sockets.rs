//! The options of dashboards' sockets, as the kernel says they are on a connection that was let in.
#![allow(missing_docs, reason = "a test says by its name what it is for")]

mod door_support;

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use door_support::{Dashboard, HEADERS, Rig};
use gateway::config::{self, ConfigError, Sockets};
use gateway::door::{Door, DoorError, certificate};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use socket2::{Domain, SockRef, Socket, Type};

/// What of a let-in session's socket the kernel says.
fn seen(settings: &Sockets) -> Sockets {
    let rig = Rig::with(|door| door.sockets = settings.clone());
    let mut dashboard = rig.connect();
    dashboard.say(format!("GET /v2 HTTP/1.1\r\n{HEADERS}\r\n").as_bytes());
    assert_eq!(dashboard.reply(false).status, 101);
    let arrival = rig.arrival();
    let socket = SockRef::from(&arrival.socket);
    let name = socket.tcp_congestion().expect("a name");
    let name = String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned();
    Sockets {
        // The kernel doubles what it is told.
        send_buffer_bytes: socket.send_buffer_size().expect("a size") / 2,
        notsent_bytes_max: socket.tcp_notsent_lowat().expect("a size"),
        congestion_control: name,
        user_timeout: socket.tcp_user_timeout().expect("a time").unwrap_or_default(),
    }
}

#[test]
fn every_option_asked_for_is_on_the_socket_of_a_session() {
    let asked = Sockets {
        send_buffer_bytes: 65_536,
        notsent_bytes_max: 32_768,
        // Every Linux has it.
        congestion_control: "reno".to_owned(),
        user_timeout: Duration::from_millis(12_345),
    };
    assert_eq!(seen(&asked), asked);
}

#[test]
fn what_is_not_asked_for_is_the_kernels_own() {
    let default = seen(&Sockets::default());
    assert_eq!(default.user_timeout, Duration::ZERO);
    let known = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control");
    assert_eq!(default.congestion_control, known.expect("Linux").trim());
}

#[test]
fn a_congestion_control_the_kernel_does_not_have_is_refused_with_those_it_has() {
    let dir = tempfile::tempdir().expect("a folder");
    let (cert, key) = certificate::ensure_self_signed(dir.path()).expect("made");
    let text = format!(
        "[door]\nlisten = '127.0.0.1:0'\ncert_file = '{}'\nkey_file = '{}'\n\
         congestion_control = 'carrier-pigeon'\n[ring]\nbytes = 4194304\n\
         [[ingest.feeds]]\nname = 'f'\ndialect = 'kraken'\n\
         url = 'ws://127.0.0.1:1/v2'\nsymbols = ['BTC/USD']\n",
        cert.display(),
        key.display()
    );
    let file = dir.path().join("gateway.toml");
    std::fs::write(&file, &text).expect("a file");
    let Err(ConfigError::Refused { refusals, .. }) = config::load(&file) else {
        panic!("it was taken")
    };
    let [refusal] = &refusals[..] else { panic!("{refusals:?}") };
    assert_eq!((refusal.line, refusal.key.as_str()), (Some(5), "door.congestion_control"));
    assert!(refusal.reason.contains("reno"), "{refusal:?}");

    let settings = config::parse(&text, Path::new("f")).expect("the words are right").config.door;
    let error = Door::bind(&settings, None).expect_err("the kernel has none of that name");
    assert!(matches!(error, DoorError::Option(_)));
    let said = error.to_string();
    assert!(said.starts_with("door.congestion_control: ") && said.contains("reno"), "{said}");
}

/// Bytes that the socket of a session takes at once for a dashboard whose window is all but shut,
/// given in pieces of a TLS record.
fn taken_at_once(settings: &Sockets) -> usize {
    let rig = Rig::with(|door| door.sockets = settings.clone());
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("an option");
    socket.connect(&rig.address.into()).expect("connected");
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let tls = ClientConnection::new(Arc::clone(&rig.tls), name).expect("a client");
    let mut dashboard = Dashboard(StreamOwned::new(tls, socket.into()));
    dashboard.say(format!("GET /v2 HTTP/1.1\r\n{HEADERS}\r\n").as_bytes());
    assert_eq!(dashboard.reply(false).status, 101);
    let mut socket = rig.arrival().socket;
    let mut sum = 0;
    loop {
        match socket.write(&[0; 16_384]) {
            Ok(count) => sum += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return sum,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_burst_is_taken_at_once_and_little_more_waits_in_the_kernel() {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/gateway.toml");
    let text = std::fs::read_to_string(manual).expect("the manual");
    let config = config::parse(&text, Path::new("gateway.toml")).expect("it is right").config;
    let ours = taken_at_once(&config.door.sockets);
    let kernels = taken_at_once(&Sockets { notsent_bytes_max: 0, ..config.door.sockets });
    eprintln!("taken at once: {ours} by default, {kernels} without notsent_bytes_max");
    assert!(ours >= 50_000, "a burst of 50 KB would have blocked at {ours}");
    assert!(ours < kernels, "{ours} bytes wait unsent, {kernels} without the option");
}
