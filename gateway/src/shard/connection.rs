//! One dashboard's socket and TLS state, written and read without waiting.
//!
//! Nothing is sealed before the socket has taken all that was sealed before: what waits, waits as
//! frames in the outbox, where it can still be closed off in good order.

use std::io::{self, IoSlice, Read, Write};

use mio::net::TcpStream;
use rustls::ServerConnection;
use wire::inbound::Inbound;

/// A connection broke; the session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The socket was closed or reset.
    Lost,
    /// The TLS layer refused what came.
    Tls,
}

/// What one read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// So many bytes came, which gave so many plain ones, perhaps none; there may be more.
    Bytes { sealed: usize, plain: usize },
    /// The socket has nothing more for now.
    Dry,
}

/// Totals of one write, for the counters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written {
    pub(super) bytes: usize,
    pub(super) sends: u64,
    pub(super) is_blocked: bool,
}

/// One dashboard's connection.
pub(super) struct Connection {
    socket: TcpStream,
    tls: ServerConnection,
    pub(super) inbound: Inbound,
    /// The socket took less than it was given; it says when it takes more.
    pub(super) is_blocked: bool,
    /// Set when the close frame went out: the moment the socket is closed at the latest.
    pub(super) close_by: Option<u64>,
    /// The dashboard's own close frame was read.
    pub(super) is_dashboard_done: bool,
    /// Listed as having more to read.
    pub(super) is_unread: bool,
}

impl Connection {
    pub(super) fn new(socket: TcpStream, mut tls: ServerConnection, inbound: Inbound) -> Self {
        // What we give is already bounded by the outbox; a second limit would cut frames in two.
        tls.set_buffer_limit(None);
        Self {
            socket,
            tls,
            inbound,
            is_blocked: false,
            close_by: None,
            is_dashboard_done: false,
            is_unread: false,
        }
    }

    pub(super) const fn socket_mut(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Seals `frames` (one record up to 16 KiB) and sends them.
    pub(super) fn send(&mut self, frames: &[u8]) -> Result<Written, Broken> {
        self.tls.writer().write_all(frames).map_err(|_| Broken::Tls)?;
        self.flush()
    }

    /// Sends what is sealed.
    pub(super) fn flush(&mut self) -> Result<Written, Broken> {
        let mut written = Written::default();
        let mut sink = OneSlice { socket: &mut self.socket, sends: 0 };
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut sink) {
                Ok(0) => return Err(Broken::Lost),
                Ok(count) => written.bytes += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    written.is_blocked = true;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Broken::Lost),
            }
        }
        written.sends = sink.sends;
        self.is_blocked = written.is_blocked;
        Ok(written)
    }

    /// Reads once from the socket and decrypts into `plain`.
    pub(super) fn receive(&mut self, plain: &mut Vec<u8>) -> Result<Received, Broken> {
        let sealed = match self.tls.read_tls(&mut self.socket) {
            Ok(0) => return Err(Broken::Lost),
            Ok(count) => count,
            Err(error) => {
                return match error.kind() {
                    io::ErrorKind::WouldBlock => Ok(Received::Dry),
                    io::ErrorKind::Interrupted => Ok(Received::Bytes { sealed: 0, plain: 0 }),
                    _ => Err(Broken::Lost),
                };
            }
        };
        let state = self.tls.process_new_packets().map_err(|_| Broken::Tls)?;
        let count = state.plaintext_bytes_to_read();
        plain.clear();
        plain.resize(count, 0);
        if count > 0 {
            self.tls.reader().read_exact(plain).map_err(|_| Broken::Tls)?;
        }
        if count == 0 && state.peer_has_closed() {
            return Err(Broken::Lost);
        }
        Ok(Received::Bytes { sealed, plain: count })
    }

    /// Says goodbye to TLS and TCP as well as it can without waiting.
    pub(super) fn shut(&mut self) {
        self.tls.send_close_notify();
        // The peer may be gone, its window closed: either way the socket is dropped next.
        let _ = self.flush();
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
    }
}

/// Gives the socket one slice by `send` where there is one: `writev` costs 0.3 us more.
struct OneSlice<'a> {
    socket: &'a mut TcpStream,
    sends: u64,
}

impl Write for OneSlice<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sends += 1;
        self.socket.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.sends += 1;
        match slices {
            [one] => self.socket.write(one),
            many => self.socket.write_vectored(many),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
