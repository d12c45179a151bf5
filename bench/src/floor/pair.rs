//! Connections over loopback whose one end is written by the figure's thread and whose other end is
//! read and forgotten by a thread of its own.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use rustls_pki_types::{PrivateKeyDer, ServerName};

use crate::load::trust::Trust;
use crate::run::cores::pinned;

/// How a record is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sealer {
    /// Not at all: plain TCP.
    None,
    /// rustls' unbuffered connection, straight into the buffer that is sent.
    Bare,
    /// rustls' buffered connection, written out by a writer that takes one slice a call.
    Buffered,
}

impl Sealer {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "send, plain",
            Self::Bare => "seal+send, bare",
            Self::Buffered => "seal+send, buffered",
        }
    }
}

enum Tls {
    None,
    Bare(Box<UnbufferedServerConnection>),
    Buffered(Box<ServerConnection>),
}

/// The connections, and the thread that drains them.
pub(super) struct Pairs {
    ends: Vec<(TcpStream, Tls)>,
    sealed: Vec<u8>,
    stop: Arc<AtomicBool>,
    drain: JoinHandle<io::Result<()>>,
}

/// Room for a record's header, type and tag, for each 16 KiB.
const RECORD_BYTES: usize = 64;
const WAIT_MAX: Duration = Duration::from_secs(10);
const POLL_MAX: Duration = Duration::from_millis(50);

impl Pairs {
    /// Connects `sessions` pairs; the drain is bound to `cores`.
    pub(super) fn connect(sessions: u32, sealer: Sealer, cores: &[usize]) -> io::Result<Self> {
        let (server, client) = configs()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (mut ends, mut drained) = (Vec::new(), Vec::new());
        for _ in 0..sessions {
            let far = TcpStream::connect(address)?;
            let (mut near, _) = listener.accept()?;
            for socket in [&near, &far] {
                socket.set_nodelay(true)?;
                socket.set_read_timeout(Some(WAIT_MAX))?;
                socket.set_write_timeout(Some(WAIT_MAX))?;
            }
            if sealer == Sealer::None {
                ends.push((near, Tls::None));
                drained.push(far);
                continue;
            }
            let client = Arc::clone(&client);
            let shaking = std::thread::spawn(move || {
                let mut far = far;
                let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
                let mut tls = ClientConnection::new(client, name).map_err(io::Error::other)?;
                while tls.is_handshaking() {
                    tls.complete_io(&mut far)?;
                }
                Ok::<_, io::Error>(far)
            });
            let tls = match sealer {
                Sealer::Buffered => {
                    let made = ServerConnection::new(Arc::clone(&server));
                    let mut tls = made.map_err(io::Error::other)?;
                    while tls.is_handshaking() || tls.wants_write() {
                        tls.complete_io(&mut near)?;
                    }
                    Tls::Buffered(Box::new(tls))
                }
                _ => Tls::Bare(Box::new(shake(&server, &mut near)?)),
            };
            let far = shaking.join().map_err(|_| io::Error::other("the handshake panicked"))??;
            ends.push((near, tls));
            drained.push(far);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let named = std::thread::Builder::new().name("drain".to_owned());
        let drain = pinned(cores, || named.spawn(move || drain(drained, &stopped)))??;
        Ok(Self { ends, sealed: Vec::new(), stop, drain })
    }

    pub(super) fn sessions(&self) -> u64 {
        self.ends.len() as u64
    }

    /// One record with `payload` to each session.
    pub(super) fn send_to_all(&mut self, payload: &[u8]) -> io::Result<()> {
        let records = payload.len() / 16_384 + 1;
        self.sealed.resize(payload.len() + records * RECORD_BYTES, 0);
        for (socket, tls) in &mut self.ends {
            match tls {
                Tls::None => socket.write_all(payload)?,
                Tls::Bare(tls) => {
                    let bytes = seal(tls, payload, &mut self.sealed)?;
                    socket.write_all(&self.sealed[..bytes])?;
                }
                Tls::Buffered(tls) => {
                    tls.writer().write_all(payload)?;
                    let mut one = OneSlice(socket);
                    while tls.wants_write() {
                        tls.write_tls(&mut one)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Closes all and waits for the drain.
    pub(super) fn end(self) {
        self.stop.store(true, Relaxed);
        drop(self.ends);
        // What the drain still met does not change what was measured.
        let _ = self.drain.join();
    }
}

/// Hides the vectored write of a socket: writev costs more than send for one slice.
struct OneSlice<'a>(&'a mut TcpStream);

impl Write for OneSlice<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn drain(sockets: Vec<TcpStream>, stop: &AtomicBool) -> io::Result<()> {
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1024));
    let mut bytes = vec![0; 256 * 1024];
    let mut open = Vec::with_capacity(sockets.len());
    for (at, socket) in sockets.into_iter().enumerate() {
        socket.set_nonblocking(true)?;
        let mut socket = mio::net::TcpStream::from_std(socket);
        poll.registry().register(&mut socket, Token(at), Interest::READABLE)?;
        open.push(socket);
    }
    while !stop.load(Relaxed) {
        poll.poll(&mut events, Some(POLL_MAX))?;
        for event in &events {
            let socket = &mut open[event.token().0];
            while matches!(socket.read(&mut bytes), Ok(read) if read == bytes.len()) {}
        }
    }
    Ok(())
}

fn configs() -> io::Result<(Arc<ServerConfig>, Arc<ClientConfig>)> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    let made = made.map_err(io::Error::other)?;
    let key =
        PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(io::Error::other)?;
    let provider = rustls::crypto::CryptoProvider {
        // As the gateway prefers it.
        cipher_suites: vec![rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256],
        ..rustls::crypto::aws_lc_rs::default_provider()
    };
    let server = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .and_then(|builder| {
            builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)
        })
        .map_err(io::Error::other)?;
    Ok((Arc::new(server), Trust::Anyone.config().map_err(io::Error::other)?))
}

/// Seals `payload` into `out`; says how many bytes.
fn seal(tls: &mut UnbufferedServerConnection, payload: &[u8], out: &mut [u8]) -> io::Result<usize> {
    let UnbufferedStatus { state, .. } = tls.process_tls_records(&mut []);
    match state.map_err(io::Error::other)? {
        ConnectionState::WriteTraffic(mut traffic) => {
            traffic.encrypt(payload, out).map_err(io::Error::other)
        }
        _ => Err(io::Error::other("the connection cannot send")),
    }
}

/// The server's side of a handshake, without rustls' buffers.
fn shake(
    config: &Arc<ServerConfig>,
    socket: &mut TcpStream,
) -> io::Result<UnbufferedServerConnection> {
    let mut tls = UnbufferedServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    let (mut incoming, mut filled) = (vec![0; 32 * 1024], 0);
    let mut flight = Vec::new();
    loop {
        let UnbufferedStatus { discard, state } = tls.process_tls_records(&mut incoming[..filled]);
        let mut read_more = false;
        match state.map_err(io::Error::other)? {
            ConnectionState::EncodeTlsData(mut data) => {
                let at = flight.len();
                let mut room = 1024;
                loop {
                    flight.resize(at + room, 0);
                    match data.encode(&mut flight[at..]) {
                        Ok(bytes) => break flight.truncate(at + bytes),
                        Err(EncodeError::InsufficientSize(wanted)) => room = wanted.required_size,
                        Err(error) => return Err(io::Error::other(error)),
                    }
                }
            }
            ConnectionState::TransmitTlsData(data) => {
                socket.write_all(&flight)?;
                flight.clear();
                data.done();
            }
            ConnectionState::BlockedHandshake => read_more = true,
            ConnectionState::WriteTraffic(_) => return Ok(tls),
            _ => return Err(io::Error::other("the handshake went astray")),
        }
        incoming.copy_within(discard..filled, 0);
        filled -= discard;
        if read_more {
            let bytes = socket.read(&mut incoming[filled..])?;
            if bytes == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += bytes;
        }
    }
}
