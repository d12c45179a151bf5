//! A hostile session's connection: blocking, with a limit on every wait, and open to misuse. Owned
//! by the session's thread.
//!
//! How an attempt ended is a word for the report, so it is a text here and no error type.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ClientConfig, ClientConnection};
use socket2::{Domain, Protocol, Socket, Type};

use super::crew::Stop;
use crate::load::inbound::{Heard, Inbound};
use crate::load::target::Target;
use crate::load::upgrade::{Upgrade, UpgradeError};

/// How an attempt ended.
pub type Ending = String;

/// The ending of attempts that the run's end cut off.
pub const OVER: &str = "in progress at the end";

/// How long a read waits before it looks whether the run is over.
const READ_MAX: Duration = Duration::from_millis(250);
const WAIT_MIN: Duration = Duration::from_millis(1);
const WRITE_MAX: Duration = Duration::from_millis(500);
const CONNECT_MAX: Duration = Duration::from_secs(5);
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// What the kernel holds for one that does not read: little, so that it is felt soon.
const RECEIVE_BYTES: usize = 32 * 1024;

/// What all hostile sessions share.
#[derive(Clone, Debug)]
pub struct Way {
    /// Where to.
    pub target: Target,
    /// TLS, full handshakes.
    pub tls: Arc<ClientConfig>,
    /// When to end.
    pub stop: Arc<Stop>,
}

/// The address a hostile session comes from: one of its own each, as attackers have, so that
/// limits by address do not end all together. Only towards loopback.
fn source_of(session: u32, gateway: SocketAddr) -> Option<SocketAddr> {
    let [high, low] = u16::try_from(1 + session).ok()?.to_be_bytes();
    let source = Ipv4Addr::new(127, 66, high, low);
    gateway.ip().is_loopback().then(|| SocketAddr::from((source, 0))).filter(|_| gateway.is_ipv4())
}

/// A bare connection.
pub fn connect(way: &Way, session: u32) -> Result<TcpStream, Ending> {
    let open = || -> io::Result<TcpStream> {
        let address = way.target.address;
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_recv_buffer_size(RECEIVE_BYTES)?;
        if let Some(source) = source_of(session, address) {
            socket.bind(&source.into())?;
        }
        socket.connect_timeout(&address.into(), CONNECT_MAX)?;
        let socket = TcpStream::from(socket);
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(READ_MAX))?;
        socket.set_write_timeout(Some(WRITE_MAX))?;
        Ok(socket)
    };
    open().map_err(|error| format!("not connected ({})", error.kind()))
}

/// Reads and drops what comes until the connection ends, or the time is over (none).
pub fn outlast(mut socket: &TcpStream, stop: &Stop, deadline: Instant) -> Option<Ending> {
    while Instant::now() < deadline && !stop.is_raised() {
        match socket.read(&mut [0; 4096]) {
            Ok(0) => return Some("ended without a word".to_owned()),
            Ok(_) => {}
            Err(error) if is_quiet(&error) => {}
            Err(_) => return Some("reset".to_owned()),
        }
    }
    None
}

/// A connection with TLS, and what is above it once there is an upgrade.
pub struct Link {
    /// The connection below.
    pub socket: TcpStream,
    tls: ClientConnection,
    stop: Arc<Stop>,
    inbound: Inbound,
    upgrade: Option<Upgrade>,
    closed: Option<Ending>,
}

impl Link {
    /// Connects and shakes hands.
    pub fn secure(way: &Way, session: u32, deadline: Instant) -> Result<Self, Ending> {
        let socket = connect(way, session)?;
        let tls = ClientConnection::new(Arc::clone(&way.tls), way.target.name.clone())
            .map_err(|error| error.to_string())?;
        let mut link = Self {
            socket,
            tls,
            stop: Arc::clone(&way.stop),
            inbound: Inbound::new(MESSAGE_BYTES_MAX),
            upgrade: Some(Upgrade::new(&mut fastrand::Rng::new())),
            closed: None,
        };
        while link.tls.is_handshaking() {
            match link.tls.complete_io(&mut link.socket) {
                Ok(_) => {}
                Err(error) if is_quiet(&error) && !link.is_late(deadline) => {}
                Err(error) if is_quiet(&error) => return Err(link.held("the handshake")),
                Err(_) => return Err("ended in the handshake".to_owned()),
            }
        }
        Ok(link)
    }

    /// Connects, shakes hands and becomes a WebSocket.
    pub fn open(way: &Way, session: u32, deadline: Instant) -> Result<Self, Ending> {
        let mut link = Self::secure(way, session, deadline)?;
        link.write(&link.request(way))?;
        while link.upgrade.is_some() {
            if link.is_late(deadline) {
                return Err(link.held("the upgrade"));
            }
            if let Some(ending) = link.read(READ_MAX) {
                return Err(ending);
            }
        }
        Ok(link)
    }

    /// The bytes that ask for the upgrade.
    pub fn request(&self, way: &Way) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some(upgrade) = &self.upgrade {
            upgrade.request(&way.target.authority, &way.target.path, &mut bytes);
        }
        bytes
    }

    /// Sends `bytes`, whatever they are. A gateway that takes none any more is an ending.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Ending> {
        let mut send = || -> io::Result<()> {
            self.tls.writer().write_all(bytes)?;
            while self.tls.wants_write() {
                self.tls.write_tls(&mut self.socket)?;
            }
            Ok(())
        };
        match send() {
            Ok(()) => Ok(()),
            Err(error) if is_quiet(&error) => Err("taken no more from".to_owned()),
            // What it said before it hung up is still to be read.
            Err(_) => Err(self.last_words()),
        }
    }

    fn last_words(&mut self) -> Ending {
        self.listen(Instant::now() + READ_MAX).unwrap_or_else(|| "reset".to_owned())
    }

    /// Reads until `until`, or the connection's end, which it returns.
    pub fn listen(&mut self, until: Instant) -> Option<Ending> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stop.is_raised() {
                return None;
            }
            if let Some(ending) = self.read(left.clamp(WAIT_MIN, READ_MAX)) {
                return Some(ending);
            }
        }
    }

    /// Reads once, waiting at most so long.
    fn read(&mut self, wait: Duration) -> Option<Ending> {
        if self.socket.set_read_timeout(Some(wait)).is_err() {
            return Some("reset".to_owned());
        }
        match self.tls.read_tls(&mut self.socket) {
            Ok(0) => Some("ended without a word".to_owned()),
            Ok(_) => self.understand().err(),
            Err(error) if is_quiet(&error) => None,
            Err(_) => Some("reset".to_owned()),
        }
    }

    fn understand(&mut self) -> Result<(), Ending> {
        self.tls.process_new_packets().map_err(|error| format!("TLS: {error}"))?;
        let mut bytes = Vec::new();
        // It ends with "would block" where nothing is left, or at the end, which the next read
        // sees.
        let _ = self.tls.reader().read_to_end(&mut bytes);
        let mut rest = &bytes[..];
        if let Some(upgrade) = &mut self.upgrade {
            let Some(used) = upgrade.take(rest).map_err(|error| refusal(&error))? else {
                return Ok(());
            };
            self.upgrade = None;
            rest = &rest[used..];
        }
        let closed = &mut self.closed;
        let heard = |heard: Heard<'_>| {
            if let Heard::Close(code, _) = heard {
                *closed = Some(format!("closed with {code}"));
            }
        };
        self.inbound.take(rest, heard).map_err(|error| error.to_string())?;
        self.closed.take().map_or(Ok(()), Err)
    }

    fn held(&self, place: &str) -> Ending {
        if self.stop.is_raised() { OVER.to_owned() } else { format!("held in {place}") }
    }

    /// Whether `deadline` or the run is over.
    pub fn is_late(&self, deadline: Instant) -> bool {
        Instant::now() >= deadline || self.stop.is_raised()
    }
}

fn refusal(error: &UpgradeError) -> Ending {
    match error {
        UpgradeError::Status(line) => {
            format!("answered with {}", line.split(' ').nth(1).unwrap_or(line))
        }
        other => other.to_string(),
    }
}

fn is_quiet(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_an_address_of_its_own_on_loopback_and_only_there() {
        let gateway = "127.0.0.1:8443".parse().unwrap();
        assert_eq!(source_of(0, gateway), Some("127.66.0.1:0".parse().unwrap()));
        assert_eq!(source_of(999, gateway), Some("127.66.3.232:0".parse().unwrap()));
        assert_eq!(source_of(0, "10.0.0.1:8443".parse().unwrap()), None);
        assert_eq!(source_of(0, "[::1]:8443".parse().unwrap()), None);
    }
}
