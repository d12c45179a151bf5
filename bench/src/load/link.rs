//! One TCP connection under TLS 1.3: rustls without its buffers, so that an idle session holds
//! none.
//!
//! All sessions of a thread read into one `Inbox` and decrypt there; only the beginning of a record
//! that is not complete stays with the session, in a buffer lent by the inbox. rustls hands each
//! record's plaintext out in a vector of its own: one allocation a record, none a message.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::ClientConfig;
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
};
use rustls_pki_types::ServerName;

use super::frame::Requests;

/// What one read takes at most; more waits for the next turn.
const READ_BYTES_MAX: usize = 256 * 1024;
/// Room for the longest incomplete record or handshake flight a session may hold.
const HELD_BYTES_MAX: usize = 64 * 1024;

/// The receive buffer of a thread, and the small ones it lends to sessions with half a record.
#[derive(Debug)]
pub struct Inbox {
    bytes: Vec<u8>,
    lent_back: Vec<Vec<u8>>,
}

impl Default for Inbox {
    fn default() -> Self {
        Self { bytes: vec![0; HELD_BYTES_MAX + READ_BYTES_MAX], lent_back: Vec::new() }
    }
}

/// Why a link is over.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The socket failed.
    #[error("socket: {0}")]
    Socket(#[from] io::Error),
    /// The peer broke TLS, or its certificate was refused.
    #[error("tls: {}{}", .0, hint(.0))]
    Tls(#[from] rustls::Error),
    /// The library would not encrypt.
    #[error("tls: {0}")]
    Encrypt(EncryptError),
    /// The library would not encode its handshake.
    #[error("tls: {0}")]
    Encode(EncodeError),
    /// Half a record longer than any record.
    #[error("tls: more than {HELD_BYTES_MAX} bytes without a complete record")]
    Held,
    /// The gateway is gone, without a WebSocket close.
    #[error("end of stream without a close frame")]
    End,
    /// What ran on top of the link broke.
    #[error("{0}")]
    Above(String),
}

/// What whoever runs this can do about it.
fn hint(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(_) => {
            "; --ca FILE names the certificate to believe, --insecure believes any"
        }
        _ => "",
    }
}

/// What one turn of a link did.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkTurn {
    /// Bytes read from the socket.
    pub read_bytes: usize,
    /// The buffer was full: there is more to read, and no event will say so.
    pub more: bool,
}

/// One connection, from SYN to the last byte.
pub struct Link {
    socket: TcpStream,
    tls: UnbufferedClientConnection,
    /// The beginning of a record that is not complete.
    held: Vec<u8>,
    /// Plain frames to be sealed at the next turn.
    pub requests: Requests,
    sealed: Vec<u8>,
    sealed_sent: usize,
}

impl Link {
    /// Begins a connection to `gateway`, from `source` where one is given.
    pub fn connect(
        gateway: SocketAddr,
        source: Option<SocketAddr>,
        name: ServerName<'static>,
        config: Arc<ClientConfig>,
    ) -> Result<Self, LinkError> {
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(gateway),
            socket2::Type::STREAM,
            Some(socket2::Protocol::TCP),
        )?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if let Some(source) = source {
            socket.bind(&source.into())?;
        }
        match socket.connect(&gateway.into()) {
            Err(error) if error.raw_os_error() != Some(IN_PROGRESS) => return Err(error.into()),
            _ => {}
        }
        Ok(Self {
            socket: TcpStream::from_std(socket.into()),
            tls: UnbufferedClientConnection::new(config, name)?,
            held: Vec::new(),
            requests: Requests::default(),
            sealed: Vec::new(),
            sealed_sent: 0,
        })
    }

    /// The socket, to be registered for both directions.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Reads once, hands the plaintext on, seals what was asked for meanwhile, and writes.
    ///
    /// `plain` is called with each record's plaintext, and with an empty slice whenever the
    /// connection could send; what it puts into the requests then leaves in the same turn.
    pub fn turn(
        &mut self,
        inbox: &mut Inbox,
        mut plain: impl FnMut(&[u8], &mut Requests) -> Result<(), String>,
    ) -> Result<LinkTurn, LinkError> {
        let held_bytes = self.held.len();
        inbox.bytes[..held_bytes].copy_from_slice(&self.held);
        let room = &mut inbox.bytes[held_bytes..held_bytes + READ_BYTES_MAX];
        let (read_bytes, end) = match self.socket.read(room) {
            Ok(0) => (0, true),
            Ok(read_bytes) => (read_bytes, false),
            Err(error) if not_now(&error) => (0, false),
            Err(error) => return Err(error.into()),
        };
        let filled = held_bytes + read_bytes;
        let used = self.process(&mut inbox.bytes[..filled], &mut plain)?;
        self.hold(inbox, used, filled)?;
        self.write()?;
        if end {
            return Err(LinkError::End);
        }
        Ok(LinkTurn { read_bytes, more: read_bytes == READ_BYTES_MAX })
    }

    /// Runs rustls over `incoming` until it wants more, and says how many bytes it is done with.
    fn process(
        &mut self,
        incoming: &mut [u8],
        plain: &mut impl FnMut(&[u8], &mut Requests) -> Result<(), String>,
    ) -> Result<usize, LinkError> {
        let mut used = 0;
        loop {
            let UnbufferedStatus { mut discard, state } =
                self.tls.process_tls_records(&mut incoming[used..]);
            let mut wait = false;
            match state? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        plain(record.payload, &mut self.requests).map_err(LinkError::Above)?;
                    }
                }
                ConnectionState::EncodeTlsData(data) => encode(data, &mut self.sealed)?,
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::WriteTraffic(traffic) => {
                    plain(&[], &mut self.requests).map_err(LinkError::Above)?;
                    seal(traffic, &mut self.requests.bytes, &mut self.sealed)?;
                    wait = true;
                }
                // The gateway's close_notify: the end of stream follows it.
                _ => wait = true,
            }
            used += discard;
            if wait {
                return Ok(used);
            }
        }
    }

    /// Keeps what rustls could not use yet, in a buffer lent by the inbox.
    fn hold(&mut self, inbox: &mut Inbox, used: usize, filled: usize) -> Result<(), LinkError> {
        self.held.clear();
        let rest = used..filled;
        if rest.len() > HELD_BYTES_MAX {
            return Err(LinkError::Held);
        }
        if rest.is_empty() {
            if self.held.capacity() > 0 {
                inbox.lent_back.push(std::mem::take(&mut self.held));
            }
        } else {
            if self.held.capacity() == 0 {
                self.held = inbox.lent_back.pop().unwrap_or_default();
            }
            self.held.extend_from_slice(&inbox.bytes[rest]);
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), LinkError> {
        while self.sealed_sent < self.sealed.len() {
            match self.socket.write(&self.sealed[self.sealed_sent..]) {
                Ok(bytes) => self.sealed_sent += bytes,
                Err(error) if not_now(&error) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        self.sealed = Vec::new();
        self.sealed_sent = 0;
        Ok(())
    }
}

/// `EINPROGRESS`: the answer of a connect that did not wait.
const IN_PROGRESS: i32 = 115;

fn not_now(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::NotConnected
    )
}

fn encode(
    mut flight: EncodeTlsData<'_, ClientConnectionData>,
    sealed: &mut Vec<u8>,
) -> Result<(), LinkError> {
    let at = sealed.len();
    let mut room = 1024;
    loop {
        sealed.resize(at + room, 0);
        match flight.encode(&mut sealed[at..]) {
            Ok(bytes) => {
                sealed.truncate(at + bytes);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(wanted)) => room = wanted.required_size,
            Err(error) => return Err(LinkError::Encode(error)),
        }
    }
}

fn seal(
    mut traffic: WriteTraffic<'_, ClientConnectionData>,
    frames: &mut Vec<u8>,
    sealed: &mut Vec<u8>,
) -> Result<(), LinkError> {
    if frames.is_empty() {
        return Ok(());
    }
    let at = sealed.len();
    let mut room = frames.len() + 64;
    loop {
        sealed.resize(at + room, 0);
        match traffic.encrypt(frames, &mut sealed[at..]) {
            Ok(bytes) => {
                sealed.truncate(at + bytes);
                *frames = Vec::new();
                return Ok(());
            }
            Err(EncryptError::InsufficientSize(wanted)) => room = wanted.required_size,
            Err(error) => return Err(LinkError::Encrypt(error)),
        }
    }
}
